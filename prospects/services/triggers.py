"""The triggers of every playbook that rules: what happened since the last look, and setting the agents to work on it.

A watch row per trigger says how far it has looked. Whoever holds its row lock looks, fires and moves it on in one
transaction, so that what happened sets the agents to work once, however many sweeps run, and a crash changes nothing.
While agents are stopped, or a convergence of the same depth is open, nothing is looked at: it is found afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import PlaybookVersion, Trigger
from playbooks.rules import triggers as rules
from playbooks.services import stops
from playbooks.services.budgets import zone_of
from prospects.models import Convergence, TriggerFiring, TriggerWatch
from prospects.services import metrics
from prospects.services.converging import convergences
from salesops.dbtypes import new_trace_id
from salesops.sweeps import each

log = structlog.get_logger(__name__)
NEVER = timedelta(days=36_500)

# Signals of a kind beyond what was looked at for good, and what must be known to look at them for good: the newest
# number, and which transactions may still bring an older one. One snapshot for all of it. The newest signals are found
# first, through the block ranges of their numbers, whatever the size of the table.
_LOOK = """
WITH moment AS MATERIALIZED (
    SELECT pg_snapshot_xmin(s)::text::bigint AS oldest, pg_snapshot_xmax(s)::text::bigint AS following,
           (SELECT last_value FROM fact_no) AS newest FROM pg_current_snapshot() AS s),
fresh AS MATERIALIZED (
    SELECT fact_no, prospect_id FROM prospects_signal WHERE fact_no > %(settled)s AND kind = %(kind)s),
found AS (
    SELECT f.fact_no FROM fresh AS f JOIN prospects_prospect AS p ON p.id = f.prospect_id
     WHERE p.playbook_id = %(playbook)s)
SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM found WHERE fact_no > %(mark)s),
       newest, oldest, following FROM moment
"""


@dataclass(frozen=True)
class Happened:
    """What a trigger saw that sets the agents to work, and the name that makes it happen once."""

    occurrence: str
    saw: Mapping[str, Any]


def sweep(*, at: datetime) -> int:
    """Look at every trigger that is due; how many fired. Any number of sweeps may run at once."""
    ruling = {(t.version.playbook_id, t.key): t for t in _ruling()}
    _follow(ruling.values(), at)
    due = TriggerWatch.objects.filter(next_at__lte=at).order_by("next_at", "pk")
    found = [(pk, ruling.get((playbook, key))) for pk, playbook, key in due.values_list("pk", "playbook_id", "key")]
    watched = [(pk, trigger) for pk, trigger in found if trigger is not None]
    return sum(
        each(watched, lambda one: _fired(*one, at), sweep="triggers", name=lambda one: f"{one[1].key} ({one[0]})")
    )


def _ruling() -> Sequence[Trigger]:
    """Every trigger that is on, of every version that rules. One query."""
    rows = Trigger.objects.filter(version__status=PlaybookVersion.Status.ACTIVE, enabled=True)
    return list(rows.select_related("version__playbook__client"))


def _spec(trigger: Trigger) -> str:
    """What the trigger watches, in one line: a change of it starts the watch afresh."""
    if trigger.kind == Trigger.Kind.EVENT:
        parts: tuple[Any, ...] = (trigger.signal_kind,)
    elif trigger.kind == Trigger.Kind.SCHEDULE:
        parts = (trigger.cron, zone_of(trigger.version.playbook.client).key)
    else:
        parts = (trigger.metric, trigger.comparison, f"{trigger.value:g}")
    return ":".join(str(part) for part in (trigger.kind, *parts))


def _follow(ruling: Iterable[Trigger], at: datetime) -> None:
    """One watch for each trigger that rules, none for the others. Three queries when nothing has changed."""
    known = {(w.playbook_id, w.key): w for w in TriggerWatch.objects.all()}
    wanted = {(t.version.playbook_id, t.key): t for t in ruling}
    gone = [w.pk for place, w in known.items() if place not in wanted]
    if gone:
        TriggerWatch.objects.filter(pk__in=gone).delete()
    fresh = [t for place, t in wanted.items() if place not in known or known[place].spec != _spec(t)]
    if fresh:
        TriggerWatch.objects.bulk_create(
            [_first(trigger, at) for trigger in fresh],
            update_conflicts=True,
            unique_fields=["playbook", "key"],
            update_fields=["spec", "since", "next_at", "settled_no", "seen", "mark_no", "mark_xid", "armed"],
        )


def _first(trigger: Trigger, at: datetime) -> TriggerWatch:
    """A watch that counts only what happens from now on."""
    newest = _newest_fact() if trigger.kind == Trigger.Kind.EVENT else 0
    watch = TriggerWatch(playbook_id=trigger.version.playbook_id, key=trigger.key, spec=_spec(trigger), since=at,
                         settled_no=newest, mark_no=newest)  # fmt: skip
    watch.next_at = _next_look(trigger, at)
    return watch


def _newest_fact() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM fact_no")
        return int(cursor.fetchone()[0])


def _next_look(trigger: Trigger, at: datetime) -> datetime:
    if trigger.kind != Trigger.Kind.SCHEDULE:
        return at
    try:
        return rules.next_due(trigger.cron, at, zone_of(trigger.version.playbook.client))
    except ValueError:
        return at + NEVER


@transaction.atomic
def _fired(watch_id: int, trigger: Trigger, at: datetime) -> bool:
    """Look at one trigger in a transaction of its own."""
    watch = TriggerWatch.objects.select_for_update(skip_locked=True).filter(pk=watch_id, next_at__lte=at).first()
    return watch is not None and watch.spec == _spec(trigger) and _look(watch, trigger, at)


def _look(watch: TriggerWatch, trigger: Trigger, at: datetime) -> bool:
    """Whether the trigger fired. Under the watch's lock."""
    happened = _LOOKS[trigger.kind](watch, trigger, at, _may_fire(trigger))
    if happened is not None:
        _fire(trigger, happened, at)
    return happened is not None


def _may_fire(trigger: Trigger) -> bool:
    """Not while agents are stopped, and not into an open convergence: a firing's own covers all that came before it."""
    playbook = trigger.version.playbook
    if stops.in_force(playbook.client_id, playbook.pk).everything is not None:
        return False
    return not Convergence.objects.filter(playbook=playbook, depth=trigger.depth, status__in=convergences.OPEN).exists()


def _event(watch: TriggerWatch, trigger: Trigger, at: datetime, free: bool) -> Happened | None:
    """Signals that were not there at the last look. Counted, because numbers do not become visible in their order."""
    del at
    if not free:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            _LOOK,
            {
                "settled": watch.settled_no,
                "mark": watch.mark_no,
                "kind": trigger.signal_kind,
                "playbook": watch.playbook_id,
            },
        )
        count, beyond_mark, newest, oldest, following = cursor.fetchone()
    fresh, before = count - watch.seen, (watch.seen, watch.settled_no, watch.mark_no)
    happened = None
    if fresh > 0:
        happened = Happened(f"{watch.settled_no}+{count}", {"signals": fresh, "kind": trigger.signal_kind})
    watch.seen = count
    if watch.mark_xid <= oldest and newest > watch.settled_no:
        # Nobody who could still bring a number up to the mark is at work any more: it is looked at for good.
        watch.settled_no, watch.seen = watch.mark_no, beyond_mark
        watch.mark_no, watch.mark_xid = newest, following
    if before != (watch.seen, watch.settled_no, watch.mark_no):
        watch.save(update_fields=["seen", "settled_no", "mark_no", "mark_xid"])
    return happened


def _schedule(watch: TriggerWatch, trigger: Trigger, at: datetime, free: bool) -> Happened | None:
    """Its time has come, now or while nobody could look: once, however often it was missed."""
    if not free:
        return None
    due = watch.next_at
    watch.next_at = _next_look(trigger, at)
    watch.save(update_fields=["next_at"])
    return Happened(due.isoformat(), {"due": due.isoformat(), "late_seconds": round((at - due).total_seconds())})


def _threshold(watch: TriggerWatch, trigger: Trigger, at: datetime, free: bool) -> Happened | None:
    """The number went beyond its threshold, having been on the other side since it last did."""
    limit = float(trigger.value or 0)
    now = metrics.read(trigger.metric, watch.playbook_id, at=at, enough=math.floor(limit) + 2)
    beyond = rules.reached(trigger.comparison, limit, now)
    if now is None or beyond != watch.armed or (beyond and not free):
        return None
    watch.armed = not beyond
    watch.crossings += beyond
    watch.save(update_fields=["armed", "crossings"])
    if not beyond:
        return None
    saw = {"metric": trigger.metric, "value": now, "comparison": trigger.comparison, "threshold": limit}
    return Happened(f"{watch.since.isoformat()} #{watch.crossings}", saw)


Look = Callable[[TriggerWatch, Trigger, datetime, bool], Happened | None]
_LOOKS: Mapping[str, Look] = {"event": _event, "schedule": _schedule, "threshold": _threshold}


def _fire(trigger: Trigger, happened: Happened, at: datetime) -> None:
    """Open the convergence and write down why. Raises what `convergences.start` raises, and then nothing happened."""
    playbook = trigger.version.playbook
    convergence = convergences.start(client=playbook.client, playbook=playbook, actor=None, depth=trigger.depth)
    firing = TriggerFiring.objects.create(
        client=playbook.client, playbook=playbook, version=trigger.version, key=trigger.key, kind=trigger.kind,
        occurrence=happened.occurrence, saw=dict(happened.saw), convergence=convergence, at=at,
        trace_id=convergence.trace_id or new_trace_id(),
    )  # fmt: skip
    audit.record(
        client=playbook.client, event=AuditEvent.TRIGGER_FIRED, subject=firing, actor=None, trace_id=firing.trace_id,
        detail={"key": trigger.key, "kind": trigger.kind, "convergence": convergence.pk, "saw": firing.saw},
    )  # fmt: skip
    log.info("trigger_fired", trigger=trigger.key, playbook=playbook.pk, convergence=convergence.pk)
