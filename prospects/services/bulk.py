"""One thing done to many prospects: chosen at once, worked in batches, taken back by undo.

Who is meant is written down when it begins, so that what matches later changes nothing. Each batch is one transaction
that does the work and notes for every prospect what it had before; a worker that dies leaves the next batch waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Membership, Playbook, Role, Route, User
from playbooks.services import stops
from playbooks.services.authority import holds
from prospects.host.store import NoActiveVersion
from prospects.models import BulkAction, BulkItem, Prospect
from prospects.reading.prospect_list import ProspectFilters, ranked_prospects
from prospects.services import bulk_verbs
from prospects.services.converging import convergences
from prospects.services.route_overrides import OVERRIDERS, UnknownRoute, checked_reason
from salesops.errors import NotAllowed, Refusal

BATCH = 500
MOST_PAUSED = 1000  # whoever is about to act reads every stop: more of one kind are one stop over the playbook
SECONDS_QUIET = 60  # an action nobody has touched for so long is picked up by the sweep
KIND = BulkAction.Kind
#: who may do what to many at once
MAY: Mapping[str, tuple[Role, ...]] = {
    KIND.PAUSE: tuple(Role),
    KIND.RESUME: tuple(Role),
    KIND.ASSIGN: (Role.LEADER, Role.ADMIN, Role.OPERATOR),
    KIND.RERUN: (Role.LEADER, Role.ADMIN, Role.OPERATOR),
    KIND.ROUTE: OVERRIDERS,
    KIND.UNROUTE: OVERRIDERS,
}


class NobodyChosen(Refusal):
    """Nothing was selected, or nothing matches any more."""


class NotYours(Refusal):
    """A prospect that is not in this list."""


class TooMany(Refusal):
    """More than this can be done to at once."""


class CannotUndo(Refusal):
    """It is at work still, was taken back before, or leaves nothing to take back."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to do. ``owner`` None gives prospects back to nobody; ``reason`` is asked for by pauses and routes."""

    kind: str
    owner: User | None = None
    route: str = ""
    reason: str = ""


def begin(
    wish: Wish,
    *,
    client: Client,
    playbook: Playbook,
    actor: User,
    prospects: Sequence[int] = (),
    filters: ProspectFilters | None = None,
) -> BulkAction:
    """Start it on these prospects, or on all that pass ``filters``; the first batch is done when this returns.

    Raises NobodyChosen, NotYours for any prospect outside this client's playbook, TooMany, NotAllowed, and what each
    kind refuses.
    """
    _check(wish, client, playbook, actor)
    with transaction.atomic():
        action = BulkAction.objects.create(
            client=client, playbook=playbook, kind=wish.kind, chosen=filters.as_query() if filters else {},
            owner=wish.owner if wish.kind == KIND.ASSIGN else None,
            route=wish.route if wish.kind == KIND.ROUTE else "",
            reason=" ".join(wish.reason.split())[:300], created_by=actor,
        )  # fmt: skip
        if filters is not None:
            wanted = ranked_prospects(client, playbook, filters)
        else:
            wanted = Prospect.objects.for_client(client).filter(playbook=playbook, pk__in=set(prospects)).going_on()
        action.total = _note_who(action, wanted)
        if filters is None and action.total != len(set(prospects)):
            raise NotYours("Some of these prospects are not in this list any more. Choose again.")
        if not action.total:
            raise NobodyChosen("Choose at least one prospect.")
        if wish.kind == KIND.PAUSE and action.total > MOST_PAUSED:
            raise TooMany(f"Pause at most {MOST_PAUSED:,} at a time, or pause the whole playbook.")
        action.save(update_fields=["total"])
    if work(action.pk):
        nudge(action.pk)
    action.refresh_from_db()
    return action


def _check(wish: Wish, client: Client, playbook: Playbook, actor: User) -> None:
    if wish.kind not in MAY:
        raise NobodyChosen("Choose what to do.")
    if not holds(actor, client, MAY[wish.kind]):
        raise NotAllowed("Your roles do not allow this for many prospects at once.")
    if playbook.client_id != client.pk:
        raise NotYours("This list belongs to somebody else.")
    if wish.kind in (KIND.PAUSE, KIND.RESUME, KIND.ROUTE):
        checked_reason(wish.reason)
    if wish.kind == KIND.ROUTE and wish.route not in Route.values:
        raise UnknownRoute("Choose hot, warm or cold.")
    if wish.owner is not None and not Membership.objects.filter(client=client, user=wish.owner).exists():
        raise NotAllowed("Only somebody who works for this client can own its prospects.")
    if wish.kind == KIND.RERUN:
        if playbook.active_version is None:
            raise NoActiveVersion(f"{playbook} has no active version. Activate one, then run the agents.")
        brake = stops.in_force(client.pk, playbook.pk).everything
        if brake is not None:
            raise convergences.Stopped(f"Stopped: {brake.reason}")


def _note_who(action: BulkAction, prospects: QuerySet[Prospect]) -> int:
    """Write down who is meant, in one statement however many; returns how many."""
    sql, params = prospects.order_by("pk").values_list("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO prospects_bulkitem (action_id, prospect_id) SELECT %s, who.id FROM ({sql}) who (id)",  # noqa: S608
            [action.pk, *params],
        )
        return int(cursor.rowcount)


def work(action_id: int) -> bool:
    """Do the next batch, forwards or backwards; whether more is left. Doing it twice at once is harmless."""
    with transaction.atomic():
        rows = BulkAction.objects.select_for_update(skip_locked=True, of=("self",))
        action = rows.select_related("client", "playbook", "created_by", "undone_by").filter(pk=action_id).first()
        if action is None or not action.is_open:
            return False
        back = action.status == BulkAction.Status.UNDOING
        actor = action.undone_by if back else action.created_by
        if actor is None or not holds(actor, action.client, MAY[action.kind]):
            _finish(action, back=back)  # who asked for it has left: what is not done yet stays as it is
            action.save(update_fields=["status"])
            return False
        items = list(action.items.filter(state="changed" if back else "waiting").order_by("pk")[:BATCH])
        changed = bulk_verbs.undo(action, items) if back else bulk_verbs.do(action, items)
        BulkItem.objects.bulk_update(items, ["state", "before", "ref"])
        action.done += len(items)
        action.changed += -changed if back else changed
        action.heartbeat_at = timezone.now()
        more = len(items) == BATCH
        if not more:
            _finish(action, back=back)
        action.save(update_fields=["done", "changed", "heartbeat_at", "status"])
    return more


def _finish(action: BulkAction, *, back: bool) -> None:
    action.status = BulkAction.Status.UNDONE if back else BulkAction.Status.DONE
    actor = action.undone_by if back else action.created_by
    detail = {"kind": action.kind, "prospects": action.total, "changed": action.changed}
    event = AuditEvent.BULK_UNDONE if back else AuditEvent.BULK_DONE
    audit.record(
        client=action.client, event=event, subject=action, actor=actor, trace_id=action.trace_id, detail=detail
    )
    if action.kind == KIND.RERUN:
        # Whoever stopped the playbook meanwhile has the last word: these prospects stay due until it goes on.
        with suppress(NoActiveVersion, convergences.Stopped, NotAllowed):
            convergences.start(client=action.client, playbook=action.playbook, actor=actor)


def undo(action_id: int, *, client: Client, actor: User) -> BulkAction:
    """Take it back: what somebody has changed since stays. Raises CannotUndo, BulkAction.DoesNotExist, NotAllowed."""
    with transaction.atomic():
        action = BulkAction.objects.for_client(client).select_for_update(of=("self",)).get(pk=action_id)
        if not holds(actor, client, MAY[action.kind]):
            raise NotAllowed("Your roles do not allow you to take this back.")
        if not action.can_be_undone:
            raise CannotUndo("There is nothing to take back: it is at work still, or was taken back before.")
        action.status, action.undone_by, action.done, action.total = (
            BulkAction.Status.UNDOING, actor, 0, action.changed,
        )  # fmt: skip
        action.heartbeat_at = timezone.now()
        action.save(update_fields=["status", "undone_by", "done", "total", "heartbeat_at"])
    if work(action_id):
        nudge(action_id)
    action.refresh_from_db()
    return action


def nudge(action_id: int) -> None:
    """Wake a worker. Losing the message costs a minute: the sweep sends it again."""
    from prospects.tasks import work_on_many  # tasks import this module

    with suppress(BrokerError, ConnectionError):
        work_on_many.delay(action_id)


def sweep(*, at: datetime) -> int:
    """Nudge actions that nobody has worked on for a while; how many."""
    quiet = at - timedelta(seconds=SECONDS_QUIET)
    open_ones = BulkAction.objects.filter(
        status__in=[BulkAction.Status.RUNNING, BulkAction.Status.UNDOING], heartbeat_at__lt=quiet
    )
    ids = list(open_ones.order_by("pk").values_list("pk", flat=True)[:50])
    for pk in ids:
        nudge(pk)
    return len(ids)
