"""The suppression list as a page: whom a client leaves alone, whether somebody is among them, and adding more."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse

from approvals.models import Suppression
from approvals.rules.leave_alone import BadLineError, keys_in, keys_of
from approvals.services import suppress
from playbooks.models import AuditEntry, Client, User
from prospects.models import Prospect
from tests import factories as make
from tests.approvals.scene import Scene, reload, scene
from tests.approvals.test_reaching_agents import write

LIST, ADD, BRING = (reverse(f"approvals:{name}") for name in ("suppressions", "leave_alone", "leave_alone_list"))


@pytest.fixture
def owner(db: None) -> Client:
    return make.client()


@pytest.fixture
def person(owner: Client, client: Browser) -> User:
    """A reviewer, signed in."""
    member = make.user(owner)
    client.force_login(member)
    return member


def said(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return str(answer.content.decode())


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Dana@Acme.example", [("email", "dana@acme.example"), ("person", "dana@acme.example")]),
        ("dana@münchen.example", [("email", "dana@xn--mnchen-3ya.example"), ("person", "dana@xn--mnchen-3ya.example")]),
        ("@acme.example", [("domain", "acme.example")]),
        ("WWW.München.example", [("domain", "xn--mnchen-3ya.example")]),
        ("+1 (555) 010-0199", [("phone", "+15550100199"), ("person", "+15550100199")]),
    ],
)
def test_a_name_is_read_as_contacts_are_compared(text: str, keys: list[tuple[str, str]]) -> None:
    assert keys_of(text) == keys


def test_words_that_name_nobody_are_refused_with_their_line() -> None:
    with pytest.raises(BadLineError, match=r"^expected an e-mail address"):
        keys_of("Dana Lee")
    with pytest.raises(BadLineError, match=r"^Line 2: expected"):
        list(keys_in(["a@b.example", "Dana Lee"]))


def test_the_empty_list_says_what_fills_it(client: Browser, person: User) -> None:
    assert "Nobody is left alone yet" in said(client.get(LIST))


def test_the_list_names_nobody_and_shows_no_other_clients(client: Browser, owner: Client, person: User) -> None:
    suppress.add(keys_of("dana@acme.example"), client=owner, actor=person, reason="Asked in May", source="phone")
    suppress.add(keys_of("else@acme.example"), client=make.client(), actor=None, reason="Theirs", source="list")
    page = said(client.get(LIST))
    assert page.count("Asked in May") == 2
    assert str(person) in page
    assert "Theirs" not in page
    assert "dana" not in page
    assert Suppression.objects.first().key_hash[:8] not in page  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("listed", "asked", "found"),
    [
        ("dana@acme.example", "DANA@acme.example", True),
        ("acme.example", "dana@acme.example", True),
        ("dana@acme.example", "acme.example", False),
        ("+15550100199", "+1 555 010 0199", True),
        ("dana@acme.example", "rob@acme.example", False),
    ],
)
def test_somebody_is_looked_up_as_a_message_would_be(
    client: Browser, owner: Client, person: User, listed: str, asked: str, found: bool
) -> None:
    suppress.add(keys_of(listed), client=owner, actor=None, reason="Asked in May", source="list")
    page = said(client.post(LIST, {"whom": asked}))
    assert ("Nothing is sent there" in page) is found
    assert ("Leave alone for good" in page) is not found
    assert Suppression.objects.count() == len(keys_of(listed))


def test_what_another_client_was_asked_holds_here_only_where_it_holds_for_all(
    client: Browser, owner: Client, person: User
) -> None:
    suppress.add(keys_of("dana@acme.example"), client=make.client(), actor=None, reason="Theirs", source="list")
    assert "Not on the list" in said(client.post(LIST, {"whom": "dana@acme.example"}))
    Suppression.objects.create(
        scope="domain", key_hash=suppress.key_hash("domain", "acme.example"), reason="By law", source="register"
    )
    page = said(client.post(LIST, {"whom": "dana@acme.example"}))
    assert "for every client" in page
    assert "Theirs" not in page


@pytest.mark.django_db
def test_whoever_is_known_by_an_address_is_found_by_what_else_is_known_of_them(client: Browser) -> None:
    here: Scene = scene()
    contact = here.request().contact
    contact.phone = "+15550100199"
    contact.save(update_fields=["phone"])
    suppress.add(keys_of(contact.phone), client=here.client, actor=None, reason="Asked", source="phone")
    client.force_login(make.user(here.client))
    page = said(client.post(LIST, {"whom": contact.email}))
    assert "Nothing is sent there" in page
    assert contact.name in page


@pytest.mark.django_db
def test_whoever_is_put_on_the_list_is_left_alone_at_once_on_every_channel(client: Browser) -> None:
    here: Scene = scene()
    request = here.request()
    person = make.user(here.client, "operator")
    client.force_login(person)
    given = {"whom": request.contact.email, "reason": "Asked on the phone"}
    page = said(client.post(ADD, given, follow=True))
    assert "more on the list" in page
    assert suppress.suppressed(here.client, [request.contact]) == {request.contact_id}
    assert reload(request).status == "cancelled"
    rows = Suppression.objects.for_client(here.client)
    assert {(row.reason, row.source, row.created_by) for row in rows} == {("Asked on the phone", "by hand", person)}
    entries = AuditEntry.objects.filter(event="suppression.added", actor=person)
    assert entries.count() == rows.count() > 1
    assert "on the list already" in said(client.post(ADD, given, follow=True))
    assert rows.count() == entries.count()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"whom": "dana@acme.example", "reason": ""}, "Say why: the list keeps it for good."),
        ({"whom": "Dana Lee", "reason": "Asked"}, "Expected an e-mail address, a domain"),
        ({"whom": "", "reason": "Asked"}, "Write an e-mail address, a domain"),
    ],
)
def test_what_is_missing_is_said_and_nothing_written(
    client: Browser, person: User, given: dict[str, str], words: str
) -> None:
    assert words in said(client.post(ADD, given), 422)
    assert not Suppression.objects.exists()


def test_a_list_is_brought_in_whole_or_not_at_all(client: Browser, owner: Client, person: User) -> None:
    def brought(content: bytes) -> Any:
        file = SimpleUploadedFile("refused.txt", content)
        return client.post(BRING, {"file": file, "reason": "Refused before"}, follow=True)

    assert "Line 2: expected" in said(brought(b"dana@acme.example\nDana Lee\n"), 422)
    assert "no plain text" in said(brought("dana@acme.example".encode("utf-16")), 422)
    assert "larger than 1 MB" in said(brought(b"x" * 1_000_001), 422)
    assert not Suppression.objects.exists()
    assert "3 lines more" in said(brought(b"\xef\xbb\xbfdana@acme.example\n# old\nbirch.example\n"))
    assert set(Suppression.objects.values_list("client", "source")) == {(owner.pk, "list")}


def test_a_visitor_may_put_nobody_on_a_list_and_nobody_off_it(client: Browser, owner: Client) -> None:
    stranger = make.user(make.client())
    client.force_login(stranger)
    client.post(ADD, {"whom": "dana@acme.example", "reason": "Asked"})
    assert not Suppression.objects.for_client(owner).exists()
    assert client.delete(LIST).status_code == 405


ANYBODY = {"email": "dana@acme.example", "phone": "+1 (555) 010-0199", "linkedin_url": "https://linkedin.com/in/Dana/"}


@pytest.mark.parametrize(
    "line", ["dana@acme.example", "acme.example", "+15550100199", "https://linkedin.com/in/dana"],
    ids=["address", "domain", "number", "profile"],
)  # fmt: skip
@pytest.mark.parametrize("way", ["by hand", "list"])
@pytest.mark.django_db(transaction=True)
def test_however_somebody_is_named_nothing_about_them_waits_any_longer(client: Browser, way: str, line: str) -> None:
    here: Scene = scene()
    theirs, later, other = here.request(contact=ANYBODY), here.request(), here.request()
    merged = make.contact(here.client, later.prospect.company, **{**ANYBODY, "email": "d@acme.example"})
    write(f"UPDATE prospects_contact SET merged_into_id = {later.contact_id} WHERE id = {merged.pk}")
    idle = make.qualified(here.version, contact=theirs.contact)
    Prospect.objects.filter(pk__in=[theirs.prospect_id, idle.pk]).update(verdict="qualified", next_action="Before.")
    client.force_login(make.user(here.client, "operator"))
    if way == "list":
        file = SimpleUploadedFile("refused.txt", f"else@birch.example\n{line}\n".encode())
        client.post(BRING, {"file": file, "reason": "Refused"})
    else:
        client.post(ADD, {"whom": line, "reason": "Asked"})
    blocked = suppress.suppressed(here.client, [request.contact for request in (theirs, later, other)])
    assert {theirs.contact_id} <= blocked <= {theirs.contact_id, later.contact_id}
    for request in (theirs, later, other):
        assert reload(request).status == ("cancelled" if request.contact_id in blocked else "waiting")
    assert AuditEntry.objects.filter(event="request.cancelled", subject_id=theirs.pk).count() == 1
    said_of = Prospect.objects.filter(pk__in=[theirs.prospect_id, idle.pk]).values_list("next_action", flat=True)
    assert set(said_of) == {"They want to be left alone: find somebody else to write to, or end it."}
