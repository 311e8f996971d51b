"""How each source is doing: read before a batch, corrected after it, and resumed by a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog
from django.db import connection, transaction
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Role, User
from playbooks.services.authority import require
from prospects.models import SourceState
from prospects.sources.breaker import Learnt, Standing
from salesops.errors import Refusal

log = structlog.get_logger(__name__)

# Workers tell what they learnt, not what they think the row says: failures add up across workers, a success ends them,
# and a person's word (resumed_at) is newer than a failure that was seen before it.
_SAVE = """
INSERT INTO prospects_sourcestate AS s (client_id, source, failures, open_until, last_error, last_error_at, last_ok_at,
                                        halted_at, retired_at, warning)
VALUES (%(client)s, %(source)s, %(failures)s, %(open_until)s, %(error)s, %(error_at)s, %(ok_at)s, %(halted_at)s,
        %(retired_at)s, %(warning)s)
ON CONFLICT (client_id, source) DO UPDATE SET
  failures = CASE WHEN %(succeeded)s THEN EXCLUDED.failures ELSE s.failures + EXCLUDED.failures END,
  open_until = CASE WHEN %(succeeded)s THEN EXCLUDED.open_until
                    ELSE greatest(s.open_until, EXCLUDED.open_until) END,
  last_error = CASE WHEN EXCLUDED.last_error <> '' THEN EXCLUDED.last_error ELSE s.last_error END,
  last_error_at = coalesce(EXCLUDED.last_error_at, s.last_error_at),
  last_ok_at = coalesce(EXCLUDED.last_ok_at, s.last_ok_at),
  halted_at = CASE WHEN s.resumed_at > EXCLUDED.halted_at THEN s.halted_at
                   ELSE coalesce(s.halted_at, EXCLUDED.halted_at) END,
  retired_at = coalesce(s.retired_at, EXCLUDED.retired_at),
  warning = CASE WHEN EXCLUDED.warning <> '' THEN EXCLUDED.warning ELSE s.warning END
"""

#: who may let a source be asked again
RESUMERS = (Role.OPERATOR, Role.LEADER, Role.ADMIN)


class NotHalted(Refusal):
    """The source is neither halted nor retired: there is nothing to resume."""


def standings(client: Client, sources: Iterable[str]) -> dict[str, Standing]:
    """How these sources stand. One query."""
    rows = SourceState.objects.for_client(client).filter(source__in=list(sources))
    return {
        row.source: Standing(
            row.failures, row.open_until, row.last_error, row.last_error_at,
            halted=row.halted_at is not None, retired=row.retired_at is not None,
        )
        for row in rows
    }  # fmt: skip


def save(client: Client, learnt: Mapping[str, Learnt]) -> None:
    """Write down what was learnt about each source, at once. One statement a source, in their order."""
    if not learnt:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        for source in sorted(learnt):
            found = learnt[source]
            cursor.execute(
                _SAVE,
                {
                    "client": client.pk,
                    "source": source,
                    "succeeded": found.succeeded,
                    "failures": found.failures,
                    "open_until": found.open_until,
                    "error": found.error,
                    "error_at": found.error_at,
                    "ok_at": found.ok_at,
                    "halted_at": found.error_at if found.halted else None,
                    "retired_at": found.error_at if found.retired else None,
                    "warning": found.warning,
                },
            )
            if found.urgent:
                log.warning("source_braked", source=source, halted=found.halted, retired=found.retired)


def states(client: Client) -> list[SourceState]:
    """Every source that was ever asked for this client."""
    return list(SourceState.objects.for_client(client).select_related("resumed_by"))


@transaction.atomic
def resume(state_id: int, *, client: Client, actor: User) -> SourceState:
    """Let a halted, resting or retired source be asked again.

    Raises NotAllowed, SourceState.DoesNotExist, NotHalted.
    """
    require(client, actor, RESUMERS, to="let a source be asked again")
    state = SourceState.objects.for_client(client).select_for_update(of=("self",)).get(pk=state_id)
    if state.halted_at is None and state.retired_at is None and state.open_until is None:
        raise NotHalted(f"{state.source} is not halted.")
    detail = {"source": state.source, "halted": state.halted_at is not None, "retired": state.retired_at is not None}
    state.halted_at = state.retired_at = state.open_until = None
    state.failures = 0
    state.resumed_at, state.resumed_by = timezone.now(), actor
    state.save(update_fields=["halted_at", "retired_at", "open_until", "failures", "resumed_at", "resumed_by"])
    audit.record(client=client, event=AuditEvent.SOURCE_RESUMED, subject=state, actor=actor, detail=detail)
    return state
