"""Names of an erased person in what people wrote about others: reasons, filters, messages to colleagues."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch, Task
from approvals.services import dispatch
from playbooks.models import AuditEntry, Role, Stop
from playbooks.services import stops
from prospects.models import BulkAction, Contact, Evidence, Prospect, SavedFilter, Signal
from prospects.services.erasing.erasure import erase_person, preview
from prospects.services.moving import deals
from prospects.services.moving.ledger import Word
from tests import factories as make
from tests.approvals.scene import WORDS, Scene, reload, scene
from tests.approvals.test_erasing_a_person import EMAIL, NAME, PERSON, tables_that_say
from tests.refusals import refuses

pytestmark = pytest.mark.django_db
NAMING = WORDS.replace("I saw", f"{NAME} told me")


@pytest.fixture
def here() -> Scene:
    return scene()


def erase(here: Scene, request: ApprovalRequest) -> None:
    contact = reload(request).contact
    erase_person(contact, actor=make.user(here.client, Role.ADMIN), reason="asked by letter of 3 May")
    with connection.cursor() as cursor:  # what commit would judge
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def test_reasons_that_name_them_lose_their_words_and_others_keep_them(here: Scene) -> None:
    request, other = here.request(contact=PERSON), here.approved()
    kept = stops.stop(client=here.client, actor=here.reviewer, level="agent", agent="fit_evidence", reason="Wrong list")
    lifted = stops.stop(
        client=here.client, actor=here.reviewer, level="agent", agent="drafting", reason=f"{NAME} asked for it"
    )
    stops.lift(lifted.pk, client=here.client, actor=here.reviewer, reason=f"Settled with {EMAIL}")
    stops.stop(client=here.client, actor=here.reviewer, level="client", kind="cancel", reason=f"Angry: {NAME}")
    bulk = BulkAction.objects.create(
        client=here.client, playbook=here.version.playbook, kind="pause", reason=f"As {NAME} said",
        chosen={"q": NAME, "stage": "qualified"}, created_by=here.reviewer, status="done",
    )  # fmt: skip
    assert NAME in reload(other).reason
    assert preview(request.contact)["stops"] == 2
    erase(here, request)
    assert tables_that_say(NAME, EMAIL) == set()
    assert (reload(lifted).reason, reload(lifted).lift_reason) == ("erased", "erased")
    assert reload(kept).reason == "Wrong list"
    assert (reload(bulk).reason, reload(bulk).chosen) == ("erased", {"q": "erased", "stage": "qualified"})
    assert (reload(other).status, reload(other).reason) == ("cancelled", "erased")


def test_so_do_reasons_over_every_client_that_our_own_people_gave(here: Scene) -> None:
    request, elsewhere = here.request(contact=PERSON), make.client()
    admin, stranger = make.user(here.client, Role.ADMIN), make.user(elsewhere, Role.ADMIN)
    said = {"level": "everything", "reason": f"Angry: {NAME}"}
    ours = stops.stop(client=here.client, actor=admin, **said)
    theirs, lifted = (stops.stop(client=elsewhere, actor=stranger, **said) for _ in range(2))
    stops.lift(lifted.pk, client=here.client, actor=admin, reason=f"Settled with {EMAIL}")
    erase(here, request)
    assert [reload(stop).reason for stop in (ours, lifted, theirs)] == ["erased", "erased", f"Angry: {NAME}"]
    assert reload(lifted).lift_reason == "erased"
    refuses(f"UPDATE playbooks_stop SET reason = 'erased' WHERE id = {theirs.pk}", because="keeps what it was made")


def test_filters_that_look_for_them_are_forgotten(here: Scene) -> None:
    request = here.request(contact=PERSON)
    for name, query in ((NAME, {}), ("Mine", {"q": "zebulon quartermain"}), ("Hot", {"route": "hot"})):
        SavedFilter.objects.create(client=here.client, owner=here.reviewer, name=name, query=query)
    theirs = SavedFilter.objects.create(client=make.client(), owner=here.reviewer, name=NAME)
    erase(here, request)
    assert set(SavedFilter.objects.values_list("name", flat=True)) == {"Hot", theirs.name}


def test_a_message_to_somebody_else_that_names_them_does_not_leave(here: Scene) -> None:
    request = here.request(contact=PERSON)
    waiting, approved = here.request(NAMING), here.approve(here.request(NAMING)).dispatch
    plain = here.request()
    erase(here, request)
    assert [reload(row).status for row in (waiting, approved, plain)] == ["cancelled", "cancelled", "waiting"]
    ended = AuditEntry.objects.filter(event__in=["request.cancelled", "dispatch.cancelled"])
    assert {approved.pk, waiting.pk} <= set(ended.values_list("subject_id", flat=True))
    assert not Task.objects.filter(title__startswith="Messages to others").exists()


def test_a_first_or_last_name_alone_says_enough_at_their_own_company_only(here: Scene) -> None:
    request, colleague = here.request(contact=PERSON), here.request(WORDS.replace("I saw", "Zebulon told me"))
    Contact.objects.filter(pk=request.contact_id).update(company=colleague.prospect.company)
    others = [
        here.request(WORDS.replace("Dana", name), contact={"name": f"{name} Hart"}) for name in ("Zebulon", "Ann")
    ]
    others.append(here.request(WORDS.replace("I saw", "Ms Quartermain told me")))
    approved = here.approve(here.request(WORDS.replace("Dana", "Zebulon"))).dispatch
    erase(here, request)
    assert reload(colleague).status == "cancelled"
    assert [reload(row).status for row in others] == ["waiting"] * 3
    assert reload(approved).status == "undo_hold"


def test_one_that_has_left_is_put_before_a_person(here: Scene, office: Any) -> None:
    request = here.request(contact=PERSON)
    sent = here.approve(here.request(NAMING)).dispatch
    dispatch.sweep(at=timezone.now())
    assert reload(sent).status == "accepted"
    erase(here, request)
    task = Task.objects.get(title="Messages to others named somebody who was erased")
    assert reverse("approvals:outbox_detail", args=[sent.pk]) in task.detail
    assert "Zebulon" not in task.detail
    assert tables_that_say(NAME) == {"approvals.Message"}  # bound to its approval


def test_what_they_said_of_their_own_motives_goes_even_where_it_names_nobody(here: Scene) -> None:
    request = here.request(contact=PERSON)
    who = request.prospect
    kinds = ("switch_force", "motive", "framework_answer")
    said = [
        make.signal(who, kind=kind, text="We must leave our old tool", data={"speaker": NAME, "force": "push", "n": 2})
        for kind in kinds
    ]
    by_other = make.signal(who, kind="switch_force", text="It is fine as it is", data={"speaker": "Kim Reed"})
    judged = make.evidence(who, here.version, cites=said[0], rationale="They must leave.", quote="We must leave")
    erase(here, request)
    assert {reload(row).text for row in said} == {"erased"}
    assert [reload(row).data for row in said] == [{}] * 3
    assert (reload(judged).rationale, reload(judged).quote) == ("erased", "erased")
    assert reload(by_other).text == "It is fine as it is"
    assert not Evidence.objects.filter(prospect=who, quote="We must leave").exists()
    assert Signal.objects.filter(prospect=who, kind__in=kinds).count() == 4, "the rows stay"


def test_the_log_that_nobody_can_take_words_out_of_holds_none_of_theirs(here: Scene) -> None:
    deal = make.deal(here.version)
    mover = make.user(here.client, Role.LEADER)
    deals.change_deal(
        deal.pk, client=here.client, actor=mover, name=f"Renewal with {NAME}", amount=Decimal(deal.amount)
    )
    word = Word(at=timezone.now(), actor=mover, reason=f"{NAME} said so")
    deals.move_deal(deal.pk, "lost", client=here.client, word=word)
    here.approve(here.request())
    stops.stop(client=here.client, actor=mover, level="client", reason=f"Called by {NAME}")
    dispatch.sweep(at=timezone.now())
    assert Dispatch.objects.get().reason == f"paused: Called by {NAME}"
    entries = AuditEntry.objects.values_list("event", "detail")
    assert "dispatch.postponed" in dict(entries)
    assert "Zebulon" not in json.dumps([detail for _, detail in entries])


def test_sql_takes_no_reason_away_without_a_tombstone(here: Scene) -> None:
    stop = stops.stop(client=here.client, actor=here.reviewer, level="client", reason="Why")
    stops.lift(stop.pk, client=here.client, actor=here.reviewer, reason="Done")
    BulkAction.objects.create(
        client=here.client, playbook=here.version.playbook, kind="pause", reason="Why", created_by=here.reviewer
    )
    refuses("UPDATE playbooks_stop SET reason = 'erased'", because="keeps what it was made with")
    refuses("UPDATE playbooks_stop SET lift_reason = 'erased'", because="was lifted, and stays so")
    refuses("UPDATE prospects_bulkaction SET reason = 'erased'", because="keeps what it was made with")
    assert Stop.objects.get().reason == "Why"
    assert Prospect.objects.count() == 0
