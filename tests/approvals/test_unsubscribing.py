"""One-click unsubscribe: for machines by POST, for people by a button, never by following a link."""

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client as Browser
from django.urls import reverse

from approvals.models import DeliveryEvent, Suppression
from approvals.services import dispatch, suppress
from playbooks.models import AuditEntry
from tests import factories as make
from tests.approvals.scene import reload, scene, soon

pytestmark = pytest.mark.django_db
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def at_work():
    return scene()


@pytest.fixture
def machine():
    """A mailbox provider: no cookie, and CSRF enforced as in production."""
    return Browser(enforce_csrf_checks=True)


def path_of(at_work, contact, settings):
    return suppress.unsubscribe_url(at_work.client.pk, contact.pk).removeprefix(settings.PUBLIC_URL.rstrip("/"))


def test_the_link_scanners_get_unsubscribes_nobody(at_work, machine, settings):
    request = at_work.request()
    for verb in (machine.get, machine.head):
        assert verb(path_of(at_work, request.contact, settings)).status_code == 200
    assert Suppression.objects.count() == 0
    page = machine.get(path_of(at_work, request.contact, settings)).content.decode()
    assert '<form method="post">' in page
    assert request.contact.email not in page


def test_one_post_is_enough_empty_and_the_same_the_second_time(at_work, machine, settings):
    request = at_work.request()
    for _ in range(2):
        answer = machine.post(path_of(at_work, request.contact, settings), ONE_CLICK)
        assert (answer.status_code, answer.content, answer.cookies) == (200, b"", {})
    assert set(Suppression.objects.values_list("scope", flat=True)) == {"email", "person"}
    assert reload(request).status == "cancelled"
    assert AuditEntry.objects.filter(event="suppression.added").count() == 2


def test_a_person_sees_that_it_is_done(at_work, machine, settings):
    request = at_work.request()
    answer = machine.post(path_of(at_work, request.contact, settings), {"page": "1"})
    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.content.decode()
    assert suppress.suppressed(at_work.client, [request.contact]) == {request.contact_id}


def test_a_made_up_token_does_nothing(machine):
    url = reverse("unsubscribe", args=["x" * 43])
    assert machine.get(url).status_code == 404
    assert machine.post(url, ONE_CLICK).status_code == 404
    assert Suppression.objects.count() == 0


def test_a_link_from_before_the_secret_changed_still_works(at_work, machine, settings):
    request = at_work.request()
    path = path_of(at_work, request.contact, settings)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another " * 8
    assert machine.post(path, ONE_CLICK).status_code == 200
    assert suppress.suppressed(at_work.client, [request.contact])


def test_what_was_on_its_way_stops_and_the_last_message_shows_why(at_work, machine, settings, office):
    first = at_work.approved()
    dispatch.sweep(at=soon())
    machine.post(path_of(at_work, first.contact, settings), ONE_CLICK)
    assert DeliveryEvent.objects.filter(dispatch=first, kind="unsubscribed").count() == 1
    second = at_work.approved()
    machine.post(path_of(at_work, second.contact, settings), ONE_CLICK)
    dispatch.sweep(at=soon())
    assert (reload(second).status, len(office.received)) == ("cancelled", 1)


def test_a_suppression_outlives_a_re_import_and_holds_for_one_client_only(at_work):
    request = at_work.request()
    suppress.unsubscribe(request.contact)
    elsewhere = make.client()
    again = make.contact(elsewhere, email=request.contact.email.upper())
    assert suppress.suppressed(at_work.client, [again]) == {again.pk}
    assert suppress.suppressed(elsewhere, [again]) == set()
    assert request.contact.email not in str(list(Suppression.objects.values()))


def test_a_suppression_for_every_client_holds_everywhere(at_work):
    contact = make.contact(at_work.client)
    Suppression.objects.create(scope="email", key_hash=suppress.key_hash("email", contact.email), reason="law")
    assert suppress.suppressed(at_work.client, [contact]) == {contact.pk}


def test_looking_many_people_up_is_two_queries(at_work, django_assert_num_queries):
    contacts = [make.contact(at_work.client) for _ in range(30)]
    with django_assert_num_queries(2):
        assert suppress.suppressed(at_work.client, contacts) == set()


def test_a_list_of_people_to_leave_alone_is_read_once(tmp_path, capsys):
    there = make.contact(make.client(), email="Dana@Acme.example", phone="+6421555012")
    by_number = make.contact(there.client, phone="+64 (21) 555-013")
    at_domain = make.contact(there.client, email="kim@left.example")
    other = make.contact(there.client)
    file = tmp_path / "list.csv"
    file.write_text(
        "# asked in 2025\ndana@acme.example\n+64 21 555-013,\nleft.example\nhttps://linkedin.com/in/dana/\n"
    )
    for said in ("7 on the list that were not, 0 there", "0 on the list that were not, 7 there"):
        call_command("suppress", str(file), client=there.client.slug)
        assert said in capsys.readouterr().out
    everybody = [there, by_number, at_domain, other]
    assert suppress.suppressed(there.client, everybody) == {there.pk, by_number.pk, at_domain.pk}
    file.write_text("dana@acme.example\nsomebody\n")
    with pytest.raises(CommandError, match="Line 2: expected"):
        call_command("suppress", str(file), client=there.client.slug)
