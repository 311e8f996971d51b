"""The page and the command that erase somebody: for admins, only once the name is typed, and without a trace of it."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.models import Role
from prospects.models import Contact, Erasure
from tests import factories as make
from tests.approvals.scene import Scene, scene
from tests.approvals.test_erasing_a_person import EMAIL, NAME, known

pytestmark = pytest.mark.django_db
LIST = "/people/erased/"


@pytest.fixture
def here() -> Scene:
    return scene()


@pytest.fixture
def person(here: Scene) -> Contact:
    return known(here).contact


def page_of(person: Contact) -> str:
    return reverse("prospects:erase", args=[person.pk])


def test_an_admin_finds_looks_types_the_name_and_erases(client: Browser, here: Scene, person: Contact) -> None:
    client.force_login(make.user(here.client, Role.ADMIN))
    found = client.post(LIST, {"email": EMAIL.upper()}).content.decode()
    assert page_of(person) in found
    assert page_of(person) in client.post(LIST, {"email": "zeb@old.example"}).content.decode()  # an earlier address
    page = client.get(page_of(person)).content.decode()
    assert "This cannot be taken back" in page
    assert "<dt>Messages</dt><dd>1</dd>" in page
    for typed in ("", "erase", "Zebulon"):
        answer = client.post(page_of(person), {"reason": "asked by letter", "typed": typed})
        assert answer.status_code == 422
    for reason in (" ", "Zebulon asked"):  # it stays, so it names nobody
        assert client.post(page_of(person), {"reason": reason, "typed": NAME}).status_code == 422
    assert not Erasure.objects.exists()
    answer = client.post(page_of(person), {"reason": "asked by letter", "typed": f" {NAME.lower()} "}, follow=True)
    shown = answer.content.decode()
    assert answer.redirect_chain == [(LIST, 302)]
    assert "asked by letter" in shown
    assert "messages 1" in shown
    assert "Zebulon" not in shown
    assert client.get(page_of(person)).headers["Location"] == LIST
    assert "Nobody is known by this address" in client.post(LIST, {"email": EMAIL}).content.decode()


def test_the_way_there_is_shown_to_admins_alone(client: Browser, here: Scene, person: Contact) -> None:
    prospect = person.prospects.get()
    for role, sees in ((Role.LEADER, False), (Role.OPERATOR, False), (Role.ADMIN, True)):
        client.force_login(make.user(here.client, role))
        assert (page_of(person) in client.get(prospect.get_absolute_url()).content.decode()) is sees
        assert client.get(LIST).status_code == (200 if sees else 403)
        assert client.get(page_of(person)).status_code == (200 if sees else 403)
        if not sees:
            assert client.post(page_of(person), {"reason": "x", "typed": NAME}).status_code == 403
    assert not Erasure.objects.exists()


def test_the_page_asks_as_much_about_many_rows_as_about_few(client: Browser, here: Scene, person: Contact) -> None:
    client.force_login(make.user(here.client, Role.ADMIN))
    asked = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page_of(person)).status_code == 200
        asked.append(len(queries))
        for number in range(6):
            make.signal(person.prospects.get(), text=f"{NAME} said {number}")
    assert asked[0] == asked[1]


def test_the_command_only_looks_until_it_is_told_to(here: Scene, person: Contact) -> None:
    admin = make.user(here.client, Role.ADMIN)
    given = {"client": here.client.slug, "by": admin.email, "reason": "asked by letter"}
    call_command("erase_person", EMAIL, **given, stdout=(out := io.StringIO()))
    assert "1 messages\n" in out.getvalue()
    assert "Nothing was erased" in out.getvalue()
    for who, wrong, words in (
        (EMAIL, {"by": make.user(here.client).email}, "Only an admin"),
        (EMAIL, {"client": "nobody"}, "no client"),
        ("nobody@acme.example", {}, "Nobody here"),
        (str(make.contact(make.client()).pk), {}, "Nobody here"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command("erase_person", who, **{**given, **wrong}, yes=True)
    call_command("erase_person", str(person.pk), **given, yes=True, as_json=True, stdout=(out := io.StringIO()))
    assert json.loads(out.getvalue()) == {"erased": True, "rows": Erasure.objects.get().counts}
    assert Erasure.objects.get().by == admin
