"""Notes that the playbook is wrong. They change nothing: they wait on the playbook for its next version."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Role, User
from playbooks.ruling import rulings_of, version_for
from playbooks.services.authority import require, require_admin
from prospects.models import Prospect, Suggestion
from salesops.errors import NotAllowed, Refusal

State = Suggestion.State
RULE_LENGTH = 200


class SaysNothing(Refusal):
    """A note names a rule and says what is true instead."""


class Answered(Refusal):
    """Somebody was faster."""


@transaction.atomic
def suggest(prospect: Prospect, *, client: Client, actor: User, rule: str, truth: str) -> Suggestion:
    """Note that a rule of the playbook is wrong about this prospect. Raises NotAllowed, SaysNothing."""
    require(client, actor, tuple(Role), to="note what is wrong with a playbook")
    if prospect.client_id != client.pk:
        raise NotAllowed("This prospect is another client's.")
    if not rule.strip() or not truth.strip():
        raise SaysNothing("Name the rule that is wrong, and say what is true instead.")
    held = rulings_of([prospect.playbook_id]).get(prospect.playbook_id)
    version_id = prospect.converged_version_id or (version_for(held, prospect.created_at) if held else None)
    made = Suggestion.objects.create(
        client=client, playbook_id=prospect.playbook_id, version_id=version_id, prospect=prospect,
        rule=rule.strip()[:RULE_LENGTH], truth=truth.strip(), by=actor,
    )  # fmt: skip
    _record(made, AuditEvent.SUGGESTION_MADE, client, actor)
    return made


@transaction.atomic
def answer(suggestion_id: int, *, client: Client, actor: User, state: str, words: str = "") -> Suggestion:
    """Take a note up or decline it, once. Raises NotAllowed, SaysNothing, Answered."""
    require_admin(client, actor)
    made = Suggestion.objects.for_client(client).select_for_update().get(pk=suggestion_id)
    if made.state != State.OPEN:
        raise Answered(f"This note was {made.get_state_display().lower()} already.")
    if state not in (State.TAKEN, State.DECLINED):
        raise SaysNothing("Take the note up, or decline it.")
    if state == State.DECLINED and not words.strip():
        raise SaysNothing("Say in a sentence why not; whoever wrote the note will read it.")
    made.state, made.answer, made.answered_by, made.answered_at = State(state), words.strip(), actor, timezone.now()
    made.save(update_fields=["state", "answer", "answered_by", "answered_at"])
    _record(made, AuditEvent.SUGGESTION_ANSWERED, client, actor)
    return made


def _record(made: Suggestion, event: AuditEvent, client: Client, actor: User) -> None:
    detail = {"playbook": made.playbook_id, "prospect": made.prospect_id, "state": str(made.state)}
    audit.record(client=client, event=event, subject=made, actor=actor, trace_id=made.trace_id, detail=detail)
