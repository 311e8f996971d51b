"""Erasing one person: their words go from every table, what was decided stays provable, and nobody brings them back."""

from __future__ import annotations

import io
import json
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from approvals.models import ApprovalRequest, CapturedMail, Decision, Dispatch, Message, Task
from approvals.services import dispatch, settle, suppress
from approvals.services.erase import OnItsWay
from approvals.verify import history
from playbooks import audit
from playbooks.models import AuditEntry, Role
from prospects.models import Alias, Contact, Erasure, Evidence, ModelAnswer, Prospect, Signal, SourceAnswer
from prospects.services.converging import claims
from prospects.services.erasing.erasure import AtWork, NoReason, NotErasable, erase_person, preview
from prospects.services.merging import merges
from salesops.dbtypes import new_trace_id
from salesops.errors import NotAllowed
from tests import factories as make
from tests.approvals.cheats import insert
from tests.approvals.scene import Scene, content_hash_of, reload, scene, soon
from tests.prospects.pairs import pair
from tests.refusals import refuses

pytestmark = pytest.mark.django_db

NAME, EMAIL, PHONE = "Zebulon Quartermain", "zebulon@acme.example", "+1 415 555 0142"
WORDS = """Hi Zebulon,

I saw that you are hiring for sales. How do your new reps find their first accounts today?

We hand your reps a short list each morning, with the reason to write and where it comes from.

Would it help if I sent you the list made for your team?
"""
PERSON = {"name": NAME, "first_name": "Zebulon", "last_name": "Quartermain", "email": EMAIL, "phone": PHONE}


@pytest.fixture
def here() -> Scene:
    return scene()


def known(here: Scene) -> ApprovalRequest:
    """A request to somebody who is spoken of all over."""
    request = here.request(WORDS, contact=PERSON)
    prospect, trace = request.prospect, new_trace_id()
    said = make.signal(prospect, kind="news", text=f"{NAME} joined as VP Sales", data={"who": NAME, "headcount": 40})
    make.signal(prospect, kind="news", text="Raised a round", data={"amount": 5})
    make.evidence(
        prospect, here.version, cites=said, rationale=f"{NAME} decides here.", quote=f"{NAME} joined", value=70
    )
    Alias.objects.create(client=here.client, kind="contact", name="key", value="zeb@old.example",
                         contact=request.contact, trace_id=trace)  # fmt: skip
    ModelAnswer.objects.create(client=here.client, prospect=prospect, key="k" * 64, agent="a", model="m", prompt="p",
                               outcome="answered", text=f"Write to {NAME}", trace_id=trace)  # fmt: skip
    for number, words in enumerate((f"Contact: {EMAIL}", "Nothing about anybody")):
        SourceAnswer.objects.create(client=here.client, source="web", type="page", lookup_key=f"{number}" * 64,
                                    subject="acme.example", status="ok", fetched_at=soon(),
                                    documents=[{"text": words}])  # fmt: skip
    CapturedMail.objects.create(message_id="<x@y>", rcpt_to=EMAIL.upper(), subject="Hi Zebulon", raw=WORDS.encode())
    Task.objects.create(client=here.client, kind="review", prospect=prospect, title=f"Decide soon: {NAME}")
    return request


def admin(here: Scene) -> Any:
    return make.user(here.client, Role.ADMIN)


def erase(here: Scene, contact: Contact) -> Erasure:
    done = erase_person(reload(contact), actor=admin(here), reason="asked by letter of 3 May")
    with connection.cursor() as cursor:  # what commit would judge
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    return done


def tables_that_say(*words: str) -> set[str]:
    """Every table of ours in which some row says one of these, in whatever column."""
    found = set()
    for model in apps.get_models():
        if model._meta.app_label not in ("playbooks", "prospects", "approvals"):
            continue
        with connection.cursor() as cursor:
            for word in words:
                cursor.execute(
                    f"SELECT 1 FROM {model._meta.db_table} t WHERE t::text ILIKE %s OR t::text ILIKE %s LIMIT 1",
                    [f"%{word}%", f"%{word.encode().hex()}%"],
                )
                if cursor.fetchone():
                    found.add(model._meta.label)
    return found


def test_no_table_speaks_of_an_erased_person(here: Scene) -> None:
    request = known(here)
    sent = here.approve(request).dispatch
    assert sent is not None
    dispatch.queue_due(limit=5)
    claim = dispatch.claim_next(at=soon())
    assert isinstance(claim, dispatch.Claim)
    assert settle.settle(sent.pk, claim.token, settle.given_to_a_person(), at=soon())
    assert len(tables_that_say("Zebulon")) >= 8  # the search finds what is there
    done = erase(here, request.contact)
    assert tables_that_say("Zebulon", "Quartermain", "zebulon@acme", "zeb@old", "555 0142") == set()
    assert reload(sent).status == "accepted"
    assert done.counts["messages"] == 1
    assert {"signals", "evidence", "dispatches", "captured mail", "source answers"} <= done.counts.keys()
    assert Signal.objects.filter(text="Raised a round", data={"amount": 5}).exists()
    assert SourceAnswer.objects.filter(documents=[{"text": "Nothing about anybody"}], forgotten_at=None).exists()
    assert Evidence.objects.filter(value=70, rationale="erased", quote="erased").exists()


def test_history_is_still_provable_and_says_what_was_erased(here: Scene) -> None:
    request = known(here)
    decided = here.approve(request)
    was = (Message.objects.get(pk=request.message_id).content_hash, Decision.objects.get().content_hash)
    erase(here, request.contact)
    assert (Message.objects.get(pk=request.message_id).content_hash, Decision.objects.get().content_hash) == was
    assert decided.dispatch is not None
    for command in ("verify_audit", "verify_decisions"):
        out = io.StringIO()
        call_command(command, stdout=out)
        assert "Erased on request: 1 person, 1 message." in out.getvalue()
    call_command("verify_audit", as_json=True, stdout=(out := io.StringIO()))
    assert json.loads(out.getvalue())["erased"] == {"people": 1, "messages": 1}
    assert list(history.erasures()) == []
    assert audit.verify(here.client) is None
    entry = AuditEntry.objects.get(event="person.erased")
    assert entry.detail == {"contacts": [request.contact_id], "rows": sum(Erasure.objects.get().counts.values())}


def test_what_waits_is_called_off_and_nobody_writes_to_them_again(here: Scene) -> None:
    request = here.request(WORDS, contact=PERSON)
    other = here.approved()
    task = Task.objects.create(client=here.client, kind="call", prospect=request.prospect, title="Call", dispatch=None)
    held = here.approve(request).dispatch
    assert held is not None
    erase(here, request.contact)
    assert (reload(held).status, reload(held).reason) == ("cancelled", "erased on request")
    assert reload(request).status == "approved"  # a decision stays what it was
    assert reload(other).status != "cancelled"
    assert reload(task).status == "open"  # their company is still worked
    assert reload(request.prospect).contact is None
    assert Prospect.objects.due().filter(pk=request.prospect_id).exists()
    again = make.contact(here.client, email=EMAIL)
    assert suppress.suppressed(here.client, [again]) == {again.pk}
    refuses(*insert(message_to(here, request)), because="erased")


def message_to(here: Scene, request: ApprovalRequest) -> Message:
    """Another message to the same person, not saved."""
    message = Message.objects.get(pk=request.message_id)
    message.pk, message.recipient = None, "zebulon@acme.example"
    message.content_hash = content_hash_of(message)
    return message


def test_a_waiting_request_is_withdrawn(here: Scene) -> None:
    request = here.request(WORDS, contact=PERSON)
    erase(here, request.contact)
    assert reload(request).status == "cancelled"
    assert AuditEntry.objects.filter(event="request.cancelled", subject_id=request.pk).count() == 1


def test_a_message_that_is_just_leaving_and_agents_at_work_come_first(here: Scene) -> None:
    sending = here.approved(contact=PERSON)
    dispatch.queue_due(limit=5)
    assert isinstance(dispatch.claim_next(at=soon()), dispatch.Claim)
    before = tables_that_say("Zebulon")
    with pytest.raises(OnItsWay, match="try again"):
        erase(here, sending.contact)
    free = here.request(contact={"name": "Yolanda Quist"})
    with psycopg.connect(**connection.get_connection_params()) as worker:
        worker.execute("SELECT pg_advisory_lock(%s)", [claims._SPACE + free.prospect_id])
        with pytest.raises(AtWork, match="Agents"):
            erase(here, free.contact)
    assert tables_that_say("Zebulon") == before


def test_a_crash_at_any_line_erases_nothing(here: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    request = known(here)
    before = {
        model: list(model.objects.order_by("pk").values()) for model in (Message, Contact, Signal, Dispatch, Task)
    }
    for step in ("_remember", "_write", "_empty_records", "_close"):
        with monkeypatch.context() as broken:
            broken.setattr(f"prospects.services.erasing.erasure.{step}", crash)
            with pytest.raises(ZeroDivisionError):
                erase(here, request.contact)
    assert {model: list(model.objects.order_by("pk").values()) for model in before} == before
    assert not Erasure.objects.exists()
    assert erase(here, request.contact).counts


def crash(*_: Any) -> None:
    raise ZeroDivisionError


def test_a_household_loses_every_word_and_number_about_it_and_is_closed(here: Scene) -> None:
    person = make.contact(here.client, **PERSON)
    prospect = Prospect.objects.create(client=here.client, playbook=here.version.playbook, contact=person, source="x")
    said = make.signal(prospect, text="Damp walls", data={"rooms": 4})
    make.evidence(prospect, here.version, cites=said, rationale="The walls are damp.", value=66)
    erase(here, person)
    assert (reload(said).text, reload(said).data) == ("erased", {})
    assert Evidence.objects.get(prospect=prospect).value == 66
    assert Evidence.objects.get(prospect=prospect).rationale == "erased"
    prospect = reload(prospect)
    assert (prospect.stage, str(prospect), prospect.contact_id) == ("closed", "Erased person", person.pk)
    assert not Prospect.objects.due().filter(pk=prospect.pk).exists()


def test_all_records_of_a_person_go_together(here: Scene) -> None:
    one, other = here.request(WORDS, contact=PERSON), here.request(contact={**PERSON, "email": "z@old.example"})
    merges.merge(pair(one.contact, other.contact).pk, actor=admin(here), client=here.client, keep=one.contact_id)
    done = erase(here, other.contact)
    assert sorted(done.contact_ids) == sorted([one.contact_id, other.contact_id])
    assert tables_that_say("Zebulon", "z@old") == set()


def test_only_an_admin_erases_for_a_reason_and_once(here: Scene) -> None:
    contact = here.request(WORDS, contact=PERSON).contact
    for role in (Role.LEADER, Role.OPERATOR, Role.REVIEWER):
        with pytest.raises(NotAllowed):
            erase_person(contact, actor=make.user(here.client, role), reason="asked")
    with pytest.raises(NoReason):
        erase_person(contact, actor=admin(here), reason="  ")
    assert preview(contact) == erase(here, contact).counts
    with pytest.raises(NotErasable, match="already"):
        erase(here, contact)
