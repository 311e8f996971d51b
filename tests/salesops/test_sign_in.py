"""Signing in, being locked out, choosing a client and a look."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client as Browser
from django.urls import reverse

from salesops import settings as product
from tests import factories

pytestmark = pytest.mark.django_db
PASSWORD = "long-enough-pass"


def sign_in(browser: Browser, email: str, password: str = PASSWORD):
    return browser.post(reverse("login"), {"username": email, "password": password})


def test_the_start_page_asks_a_visitor_to_sign_in(client: Browser) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer["Location"] == "/sign-in/?next=/"


def test_a_person_signs_in_by_e_mail_however_it_is_spelled(client: Browser) -> None:
    factories.user(factories.client(), email="dana@team.example", password=PASSWORD)
    assert sign_in(client, "DANA@team.example").status_code == 302
    assert client.get("/")["Location"] == reverse("approvals:queue")


@pytest.mark.parametrize(
    ("role", "page"), [("leader", "prospects:funnel"), ("admin", "playbooks:list"), ("operator", "agents")]
)
def test_everybody_starts_where_they_can_do_something(client: Browser, role: str, page: str) -> None:
    factories.user(factories.client(), role, email="lee@team.example", password=PASSWORD)
    sign_in(client, "lee@team.example")
    assert client.get("/")["Location"] == reverse(page)


def test_a_wrong_password_says_so_beside_the_form(client: Browser) -> None:
    factories.user(factories.client(), email="dana@team.example", password=PASSWORD)
    answer = sign_in(client, "dana@team.example", "wrong")
    assert answer.status_code == 200
    assert "do not fit together" in answer.content.decode()


def test_five_wrong_passwords_lock_the_address_whatever_its_spelling(client: Browser) -> None:
    factories.user(factories.client(), email="dana@team.example", password=PASSWORD)
    for spelling in ("dana@team.example", "Dana@team.example", "DANA@team.example", "dana@Team.example"):
        sign_in(client, spelling, "wrong")
    locked = sign_in(client, "dana@team.example", "wrong")
    assert locked.status_code == 429
    assert "Too many attempts" in locked.content.decode()
    assert sign_in(client, "dana@team.example").status_code == 429


def test_whoever_guesses_behind_a_proxy_locks_out_nobody_elsewhere(client: Browser, settings: LazySettings) -> None:
    settings.AXES_CLIENT_IP_CALLABLE = "salesops.views.sign_in.address_behind_proxy"
    factories.user(factories.client(), email="dana@team.example", password=PASSWORD)
    answers = []
    for made_up in range(5):
        client.defaults["HTTP_X_FORWARDED_FOR"] = f"192.0.2.{made_up}, 198.51.100.7"
        answers.append(sign_in(client, "dana@team.example", "wrong").status_code)
    assert answers == [200, 200, 200, 200, 429]
    client.defaults["HTTP_X_FORWARDED_FOR"] = "203.0.113.5"
    assert sign_in(client, "dana@team.example").status_code == 302


def test_a_password_is_kept_as_argon2_and_not_as_lightly_as_in_tests(settings: LazySettings) -> None:
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS
    person = factories.user(password=PASSWORD)
    assert person.password.startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$")


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(client: Browser) -> None:
    factories.user(factories.client(), email="dana@team.example", password=PASSWORD)
    cookie = sign_in(client, "dana@team.example").cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_somebody_without_a_client_is_told_whom_to_ask(client: Browser) -> None:
    client.force_login(factories.user())
    answer = client.get("/")
    assert answer.status_code == 403
    assert "Ask an admin" in answer.content.decode()


def test_a_person_switches_between_their_own_clients_only(client: Browser) -> None:
    first, second, foreign = (factories.client(name=name) for name in ("Alder", "Birch", "Cedar"))
    person = factories.user(first)
    person.memberships.create(client=second, role="reviewer")
    client.force_login(person)

    client.post(reverse("switch_client"), {"client": second.pk})
    assert client.get(reverse("stops")).context["request"].client == second
    client.post(reverse("switch_client"), {"client": foreign.pk})
    assert client.get(reverse("stops")).context["request"].client == second


@pytest.mark.parametrize(
    ("at", "leads_to"),
    [
        ("/prospects/", "/prospects/"),
        ("/prospects/7/buying/", "/prospects/"),
        ("/audit/", "/audit/"),
        ("/stops/?level=agent", "/stops/"),
        ("/suppressions/", "/suppressions/"),
        ("/people/7/erase/", "/"),
        ("//elsewhere.example/", "/"),
        ("", "/"),
    ],
)
def test_whoever_switches_clients_stays_in_the_same_section(client: Browser, at: str, leads_to: str) -> None:
    first, second = factories.client(), factories.client()
    person = factories.user(first)
    person.memberships.create(client=second, role="reviewer")
    client.force_login(person)
    assert client.post(reverse("switch_client"), {"client": second.pk, "next": at}).headers["Location"] == leads_to


def test_a_lost_membership_counts_from_the_next_request(client: Browser) -> None:
    of = factories.client()
    person = factories.user(of)
    client.force_login(person)
    assert client.get(reverse("stops")).status_code == 200
    person.memberships.all().delete()
    assert client.get(reverse("stops")).status_code == 403


def test_the_chosen_colours_are_drawn_by_the_server(client: Browser) -> None:
    client.force_login(factories.user(factories.client()))
    answer = client.post(reverse("preferences"), {"theme": "dark", "rail": "closed", "next": reverse("stops")})
    assert answer["Location"] == reverse("stops")
    page = client.get(reverse("stops")).content.decode()
    assert '<html lang="en" data-theme="dark" data-rail="closed">' in page


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_preferences_lead_nowhere_else(client: Browser, target: str) -> None:
    assert client.post(reverse("preferences"), {"theme": "dark", "next": target})["Location"] == "/"


def test_an_unknown_colour_changes_nothing(client: Browser) -> None:
    assert "theme" not in client.post(reverse("preferences"), {"theme": '"><script>'}).cookies


@pytest.fixture
def elsewhere(client: Browser) -> Browser:
    """Somebody at a place that nobody has asked from yet: a Redis outlives a session of tests."""
    client.defaults["REMOTE_ADDR"] = f"2001:db8::{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}"
    return client


def ask_for_link(browser: Browser, email: str, **asked: Any):
    return browser.post(reverse("password_reset"), {"email": email}, **asked)


def test_a_new_password_can_be_asked_for_without_telling_who_has_an_account(elsewhere: Browser, mailoutbox) -> None:
    person = factories.user(factories.client(), email=f"{uuid.uuid4().hex}@team.example", password=PASSWORD)
    known = ask_for_link(elsewhere, person.email, follow=True)
    unknown = ask_for_link(elsewhere, f"{uuid.uuid4().hex}@team.example", follow=True)
    assert known.content == unknown.content
    assert len(mailoutbox) == 1
    assert "/password/reset/" in mailoutbox[0].body


@pytest.mark.parametrize("exists", [True, False])
def test_nobody_is_flooded_with_links_wherever_they_are_asked_for(client: Browser, mailoutbox, exists: bool) -> None:
    address = f"{uuid.uuid4().hex}@team.example"
    if exists:
        factories.user(factories.client(), email=address, password=PASSWORD)
    answers = []
    for spelling in (address, address.upper(), f" {address}", address, address, address, address.upper()):
        client.defaults["REMOTE_ADDR"] = f"2001:db8::{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}"
        answers.append(ask_for_link(client, spelling))
    assert [answer.status_code for answer in answers] == [302] * 5 + [429] * 2
    assert "Too many links" in answers[-1].content.decode()
    assert len(mailoutbox) == (5 if exists else 0)


def test_nobody_floods_many_people_with_links(elsewhere: Browser, settings: LazySettings, mailoutbox) -> None:
    settings.LINKS_A_SOURCE = 2
    people = [factories.user(email=f"{uuid.uuid4().hex}@team.example", password=PASSWORD) for _ in range(3)]
    assert [ask_for_link(elsewhere, person.email).status_code for person in people] == [302, 302, 429]
    elsewhere.defaults["REMOTE_ADDR"] = f"2001:db8::{uuid.uuid4().hex[:4]}"
    assert ask_for_link(elsewhere, people[2].email).status_code == 302  # what was refused was not counted against them
    assert [mail.to for mail in mailoutbox] == [[person.email] for person in people]


def test_a_link_is_sent_while_redis_is_gone(elsewhere: Browser, settings: LazySettings, mailoutbox) -> None:
    gone = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "unix:///nowhere/valkey.sock"}
    settings.CACHES = {"default": gone}
    person = factories.user(email=f"{uuid.uuid4().hex}@team.example", password=PASSWORD)
    assert ask_for_link(elsewhere, person.email).status_code == 302
    assert len(mailoutbox) == 1


def test_whoever_was_signed_out_comes_back_to_the_page_that_asked_for_a_piece_of_itself(client: Browser) -> None:
    page = "https://anywhere.example/prospects/?q=birch&tier=TIER_1"
    asked = {"HX-Request": "true", "HX-Target": "rows", "HX-Current-URL": page}
    answer = client.get("/prospects/?q=birc", headers=asked)
    assert (answer.status_code, answer["HX-Redirect"]) == (
        204,
        "/sign-in/?next=/prospects/%3Fq%3Dbirch%26tier%3DTIER_1",
    )
    assert "you go on where you were" in client.get(answer["HX-Redirect"]).content.decode()


def test_whoever_was_signed_out_when_they_sent_a_form_comes_back_to_it_and_hears_that_nothing_was_saved(
    client: Browser,
) -> None:
    page = "https://anywhere.example/prospects/7/pipelines/?x=1"
    sent = client.post("/prospects/7/move/", {"to": "contacted"}, headers={"Referer": page})
    part = client.post("/prospects/7/move/", headers={"HX-Request": "true", "HX-Current-URL": page})
    assert sent["Location"] == part["HX-Redirect"] == "/sign-in/?next=/prospects/7/pipelines/%3Fx%3D1&unsaved=yes"
    assert "was not saved" in client.get(sent["Location"]).content.decode()
    assert client.post("/prospects/7/move/")["Location"] == "/sign-in/?next=/&unsaved=yes"
