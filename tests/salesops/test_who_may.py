"""Every verb asks for itself whether its actor may: whoever forgets it in a page, a command or an agent is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone

from approvals.models import ApprovalRequest, Task
from approvals.services import answer, consents, decide, going_live, suppress, task, undo
from approvals.services import request as requests
from approvals.services.seen import present
from playbooks.models import Client, PlaybookVersion, Role, Stop, User
from playbooks.services import clients, drafts, lifecycle, people, permissions, stops
from prospects.models import Convergence, Customer, Deal, ImportBatch, Prospect, SavedFilter, SourceState
from prospects.services import buying, list_filters, publishing, route_overrides, source_states, suggestions, what_if
from prospects.services.converging import convergences, retries
from prospects.services.erasing import erasure
from prospects.services.importing import uploads
from prospects.services.moving import by_person, deals
from prospects.services.moving.ledger import IllegalMove, Word
from salesops.dbtypes import new_trace_id
from salesops.errors import NotAllowed, Refusal
from tests import factories as make

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 9, 1, 9, tzinfo=UTC)
MOVERS = {"reviewer", "leader", "admin"}
RUNNERS = {"operator", "leader", "admin"}
EVERYBODY = {"reviewer", "leader", "admin", "operator"}
ADMIN = {"admin"}


@dataclass
class World:
    """One of everything that a verb can be about."""

    client: Client
    version: PlaybookVersion
    draft: PlaybookVersion
    prospect: Prospect
    deal: Deal
    customer: Customer
    request: ApprovalRequest
    state: SourceState
    batch: ImportBatch
    convergence: Convergence
    stop: Stop
    call: Task
    work: Task
    person: User

    def word(self, actor: User) -> Word:
        return Word(actor=actor, at=timezone.now(), reason="Test.", trace_id=new_trace_id())


@pytest.fixture
def world() -> World:
    version = make.version()
    client = version.playbook.client
    prospect = make.qualified(version)
    deal, customer = make.deal(version), make.customer(version)
    draft = drafts.new_version(version.playbook, actor=None, source=version)
    request = make.request(words=make.message(make.qualified(version), version))
    return World(
        client, version, draft, prospect, deal, customer, request,
        SourceState.objects.create(client=client, source="register", halted_at=NOW),
        ImportBatch.objects.create(
            client=client, playbook=version.playbook, kind="prospects", file_name="c.csv", sha256="0" * 64
        ),
        Convergence.objects.create(client=client, playbook=version.playbook, version=version, clock=NOW),
        stops.stop(client=client, actor=make.user(client), level="agent", agent="fit_evidence", reason="Test."),
        Task.objects.create(client=client, kind="call", prospect=prospect, title="Call"),
        Task.objects.create(client=client, kind="agent_work", prospect=prospect, agent="fit_evidence", form="signal",
                            title="Look", playbook_version=version),
        make.user(client),
    )  # fmt: skip


def _approved(w: World, actor: User) -> None:
    decide.approve(w.request.pk, seen=present(w.request).seen, actor=actor, client=w.client)


def _undone(w: World, actor: User) -> None:
    decision = make.decision(w.request, make.user(w.client))
    make.dispatch(decision, not_before=timezone.now() + timedelta(minutes=5))
    undo.undo(decision.pk, actor=actor, client=w.client)


def _opened_with(w: World, actor: User) -> None:
    row = SavedFilter.objects.create(client=w.client, owner=w.person, name="Hot", shared=True)
    list_filters.open_with(row, client=w.client, actor=actor)


Verb = Callable[[World, User], Any]
VERBS: dict[str, tuple[set[str], Verb]] = {
    "open a deal": (MOVERS, lambda w, a: deals.open_another(
        w.deal.prospect_id, client=w.client, actor=a, word=w.word(a))),
    "change a deal": (MOVERS, lambda w, a: deals.change_deal(
        w.deal.pk, client=w.client, actor=a, name="Big", amount=Decimal(7))),
    "move a deal": (MOVERS, lambda w, a: deals.move_deal(w.deal.pk, "proposal", client=w.client, word=w.word(a))),
    "move a customer": (MOVERS, lambda w, a: deals.move_customer(
        w.customer.pk, "healthy", client=w.client, word=w.word(a))),
    "move a prospect": (MOVERS, lambda w, a: by_person.move_prospect(
        w.prospect.pk, "nurture", client=w.client, word=w.word(a))),
    "set a route": (MOVERS, lambda w, a: route_overrides.override_routes(
        [w.prospect.pk], "hot", client=w.client, actor=a, reason="Test.")),
    "give a route back": (MOVERS, lambda w, a: route_overrides.lift_overrides(
        [w.prospect.pk], client=w.client, actor=a)),
    "try again": (RUNNERS, lambda w, a: retries.try_again([w.prospect.pk], client=w.client, actor=a)),
    "start agents": (RUNNERS, lambda w, a: convergences.start(client=w.client, playbook=w.version.playbook, actor=a)),
    "call agents back": (RUNNERS, lambda w, a: convergences.cancel(w.convergence.pk, client=w.client, actor=a)),
    "resume a source": (RUNNERS, lambda w, a: source_states.resume(w.state.pk, client=w.client, actor=a)),
    "bring a file in": (RUNNERS, lambda w, a: uploads.receive_upload(
        SimpleUploadedFile("c.csv", b"Company,Domain\nAcme,acme.example\n"), client=w.client,
        playbook=w.version.playbook, kind="prospects", actor=a)),
    "start an import": (RUNNERS, lambda w, a: uploads.start(w.batch, actor=a)),
    "stop an import": (RUNNERS, lambda w, a: uploads.cancel(w.batch, actor=a)),
    "choose an import's columns": (RUNNERS, lambda w, a: uploads.set_mapping(
        w.batch, {}, actor=a, day_first=None)),
    "publish": (ADMIN, lambda w, a: publishing.publish(
        w.draft, client=w.client, actor=a, note="Test.", applies_to="all")),
    "submit": (ADMIN, lambda w, a: lifecycle.submit(w.draft, actor=a, note="Test.")),
    "answer a note": (ADMIN, lambda w, a: suggestions.answer(0, client=w.client, actor=a, state="taken")),
    "change the sender": (ADMIN, lambda w, a: clients.save(w.client, fields=["sender_name"], actor=a)),
    "give roles": (ADMIN, lambda w, a: people.set_roles(w.person, client=w.client, roles=["leader"], actor=a)),
    "change permissions": (ADMIN, lambda w, a: permissions.set_matrix({}, client=w.client, actor=a)),
    "erase a person": (ADMIN, lambda w, a: erasure.erase_person(w.prospect.contact, actor=a, reason="Asked.")),
    "put consents on file": (ADMIN, lambda w, a: consents.record_consents([], client=w.client, actor=a)),
    "go live": (ADMIN, lambda w, a: going_live.go_live(w.client, actor=a, reason="Ready.", typed_name=w.client.name)),
    "back to the sandbox": ({"admin", "operator"}, lambda w, a: going_live.back_to_sandbox(w.client, actor=a)),
    "note what is wrong": (EVERYBODY, lambda w, a: suggestions.suggest(
        w.prospect, client=w.client, actor=a, rule="Industry", truth="No.")),
    "answer a letter": (EVERYBODY, lambda w, a: buying.tell_force(
        w.prospect.pk, "push", 1, quote=buying.Quote(NOW.date(), "We must.", "Dana"), client=w.client, actor=a,
        at=timezone.now())),
    "look ahead": (EVERYBODY, lambda w, a: what_if.start(w.draft, client=w.client, actor=a)),
    "keep a filter": (EVERYBODY, lambda w, a: list_filters.save_filter(
        "Hot", {"route": "hot"}, client=w.client, actor=a, shared=False, opens=True)),
    "begin with a filter": (EVERYBODY, _opened_with),
    "forget a filter": (EVERYBODY, lambda w, a: list_filters.remove_filter(0, client=w.client, actor=a)),
    "choose columns": (EVERYBODY, lambda w, a: list_filters.choose_columns(["route"], client=w.client, actor=a)),
    "stop": (EVERYBODY, lambda w, a: stops.stop(client=w.client, actor=a, level="client", reason="Test.")),
    "stop many": (EVERYBODY, lambda w, a: stops.pause_many([w.prospect.pk], client=w.client, actor=a, reason="Test.")),
    "resume many": (EVERYBODY, lambda w, a: stops.resume_many(
        [w.prospect.pk], client=w.client, actor=a, reason="Test.")),
    "lift a stop": (EVERYBODY, lambda w, a: stops.lift(w.stop.pk, client=w.client, actor=a, reason="Test.")),
    "stop every client": (ADMIN, lambda w, a: stops.stop(client=w.client, actor=a, level="everything", reason="Test.")),
    "suppress": (EVERYBODY, lambda w, a: suppress.add(
        [("email", "dana@acme.example")], client=w.client, actor=a, reason="Asked.", source="phone")),
    "leave somebody alone": (EVERYBODY, lambda w, a: suppress.leave_alone(
        [("email", "dana@acme.example")], client=w.client, actor=a, reason="Asked.", source="by hand")),
    "open a request": (EVERYBODY, lambda w, a: requests.mark_opened(w.request.pk, actor=a, client=w.client)),
    "approve": (MOVERS, _approved),
    "undo an approval": (MOVERS, _undone),
    "close a task": (MOVERS, lambda w, a: task.close(w.call.pk, actor=a, client=w.client, resolution="done")),
    "settle a doubt": (MOVERS, lambda w, a: task.resolve_unknown(w.call.pk, actor=a, client=w.client, went_out=True)),
    "work for an agent": (MOVERS, lambda w, a: answer.answer(w.work.pk, actor=a, client=w.client, filled_in={})),
}  # fmt: skip
#: how a verb may end for somebody who may: done, or told what else is in its way
ELSE = (Refusal, ObjectDoesNotExist, IllegalMove, ValueError)


def passes(verb: Verb, world: World, actor: User) -> bool:
    """Whether the verb lets this person through; whatever it did is taken back."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                verb(world, actor)
        except NotAllowed:
            return False
        except ELSE:
            pass
        transaction.set_rollback(True)
    return True


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_lets_through_whoever_holds_a_role_for_it_and_nobody_else(name: str, world: World) -> None:
    may, verb = VERBS[name]
    asking = {role.value: make.user(world.client, role) for role in Role}
    asking["admin of another client"] = make.user(make.client(), Role.ADMIN)
    asking["an admin who has left"] = make.user(world.client, *Role, is_active=False)
    asking["nobody's"] = make.user()
    assert {who for who, actor in asking.items() if passes(verb, world, actor)} == may


def test_the_system_needs_no_role(world: World) -> None:
    assert convergences.start(client=world.client, playbook=world.version.playbook, actor=None)
    assert retries.try_again([world.prospect.pk], client=world.client, actor=None) == 1
    assert deals.move_deal(
        world.deal.pk, "proposal", client=world.client, word=Word(actor=None, at=timezone.now(), reason="Rule.")
    )


def test_nobodys_list_begins_with_a_filter_they_cannot_see(world: World) -> None:
    theirs = SavedFilter.objects.create(client=world.client, owner=world.person, name="Mine", shared=False)
    with pytest.raises(NotAllowed):
        list_filters.open_with(theirs, client=world.client, actor=make.user(world.client))
