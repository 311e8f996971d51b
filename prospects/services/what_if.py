"""What-if: all current prospects under a draft, before anybody publishes it. Writes no score and moves nobody.

One chunk is one transaction: it holds the row, so two workers never do the same, and a crash loses one chunk. Where it
stands is in the row; losing a Celery message costs seconds, the sweep sends it again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from playbooks.models import Client, Criterion, PlaybookVersion, Role, User
from playbooks.queries import document_of
from playbooks.rules.validation import problems
from playbooks.rules.yaml_io import dump
from playbooks.ruling import rulings
from playbooks.services.authority import require
from prospects.models import Prospect, Score, WhatIf, WhatIfChange
from prospects.reading.foresight import OPEN_STAGES, Foreseen, Foresight, open_ids
from prospects.rules.differences import Bounds, Stand, criterion_points, reasons
from prospects.rules.rescoring import ICP
from prospects.rules.written import lines_of
from salesops.errors import Refusal
from salesops.runtime.context import Context

log = structlog.get_logger(__name__)

CHUNK = 1000
SLICE = 20.0  # seconds one task works before it lets another have its turn
SILENT_AFTER = timedelta(seconds=20)
OPEN = (WhatIf.Status.QUEUED, WhatIf.Status.RUNNING)
#: In ``counts``: labels of criteria that nobody could judge without asking.
UNASKED = "unasked"
_SAME = ("scorecard", "key", "kind", "layer", "category", "params")  # a criterion that asks the very same


class NotJudgeable(Refusal):
    """The version breaks rules that a playbook keeps, so nobody can be judged by it."""


def fingerprint(version: PlaybookVersion) -> str:
    """sha256 of what the version says; the note on what changed is not a rule."""
    document = document_of(version)
    document.head = {**document.head, "change_note": ""}
    return hashlib.sha256(dump(document).encode()).hexdigest()


def start(version: PlaybookVersion, *, client: Client, actor: User | None, clock: datetime | None = None) -> WhatIf:
    """Queue a look at all current prospects under ``version``; the one under way when it says the same.

    Raises NotAllowed, NotJudgeable.
    """
    require(client, actor, tuple(Role), to="ask who would change")
    broken = problems(document_of(version))
    if broken:
        raise NotJudgeable(f"Correct the draft first: {'; '.join(map(str, broken[:3]))}.")
    print_of = fingerprint(version)
    with transaction.atomic():
        PlaybookVersion.objects.select_for_update(no_key=True).get(pk=version.pk)  # two clicks make one
        unfinished = WhatIf.objects.for_client(client).filter(version=version, status__in=OPEN).first()
        if unfinished is not None:
            if unfinished.fingerprint == print_of and not unfinished.cancel_requested:
                return unfinished
            _close(unfinished, WhatIf.Status.CANCELLED)
        WhatIf.objects.for_client(client).filter(version=version).delete()
        mine = Prospect.objects.for_client(client).filter(playbook=version.playbook_id, stage__in=OPEN_STAGES)
        mine = mine.going_on()
        made = WhatIf.objects.create(
            client=client, playbook_id=version.playbook_id, version=version, against=version.playbook.active_version,
            fingerprint=print_of, clock=clock or timezone.now(), total=mine.count(),
            up_to_id=mine.order_by("-pk").values_list("pk", flat=True).first() or 0, created_by=actor,
        )  # fmt: skip
        transaction.on_commit(lambda: nudge(made))
    return made


def work(what_if_id: int, *, seconds: float = SLICE) -> bool:
    """Work on it for a while; whether there is more to do. Nobody else works on it at the same time."""
    until = time.monotonic() + seconds
    foresight: Foresight | None = None
    while True:
        with transaction.atomic():
            row = WhatIf.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
            what_if = row.select_related("client", "version__playbook__client", "against").filter(
                pk=what_if_id, status__in=OPEN
            ).first()  # fmt: skip
            if what_if is None:
                return False
            if what_if.cancel_requested:
                _close(what_if, WhatIf.Status.CANCELLED)
                return False
            foresight = foresight or Foresight(what_if.version, now=what_if.clock)
            if not _next_chunk(what_if, foresight):
                return False
        if time.monotonic() > until:
            return True


def _next_chunk(what_if: WhatIf, foresight: Foresight) -> bool:
    ids = open_ids(what_if.playbook_id, after=what_if.at_id, up_to=what_if.up_to_id, size=CHUNK)
    counts = {name: Counter(what_if.counts.get(name, {})) for name in ("route", "tier", "verdict")}
    changed: list[tuple[Stand, Foreseen]] = []
    for context, foreseen in foresight.look(ids):
        before = _stand(context)
        for name, pair in _pairs(before, foreseen).items():
            counts[name][">".join(pair)] += 1
        if any(old != new for old, new in _pairs(before, foreseen).values()):
            changed.append((before, foreseen))
    WhatIfChange.objects.bulk_create(_changes(what_if, foresight, changed))
    what_if.status = WhatIf.Status.RUNNING
    what_if.at_id = ids[-1] if ids else what_if.up_to_id
    what_if.done += len(ids)
    what_if.changed += len(changed)
    what_if.counts = {**counts, UNASKED: _new_questions(what_if, foresight)}
    what_if.heartbeat_at = timezone.now()
    what_if.save(update_fields=["status", "at_id", "done", "changed", "counts", "heartbeat_at"])
    if len(ids) < CHUNK:
        _close(what_if, WhatIf.Status.DONE)
        return False
    return True


def _new_questions(what_if: WhatIf, foresight: Foresight) -> list[str]:
    """Criteria that ask something new of somebody, and that only a person or a language model can answer."""
    known: list[str] | None = foresight.scope.memory.get(UNASKED)
    if known is None:
        asked = [
            {json.dumps(row, sort_keys=True, default=str) for row in version.criteria.values_list(*_SAME)}
            for version in _ruling(what_if, foresight).values()
        ]
        old = set.intersection(*asked) if asked else set()
        view = {(c.scorecard, c.key): c for c in foresight.scope.playbook.criteria}
        known = []
        for criterion in foresight.unasked:
            row = view[(criterion.scorecard, criterion.key)]
            if json.dumps([getattr(row, name) for name in _SAME], sort_keys=True, default=str) not in old:
                known.append(criterion.label or criterion.key)
        foresight.scope.memory[UNASKED] = known
    return known


def _ruling(what_if: WhatIf, foresight: Foresight) -> dict[int, PlaybookVersion]:
    """The versions that rule today's prospects, by id: several where one was let loose on newcomers only."""
    known: dict[int, PlaybookVersion] | None = foresight.scope.memory.get("what_if_ruling")
    if known is None:
        newest = what_if.against_id
        held = rulings(what_if.playbook_id, newest) if newest is not None else []
        known = PlaybookVersion.objects.in_bulk([one.version_id for one in held])
        foresight.scope.memory["what_if_ruling"] = known
    return known


def _pairs(before: Stand, foreseen: Foreseen) -> dict[str, tuple[str, str]]:
    route, tier, verdict, *_ = foreseen.standing
    return {"route": (before.route, route), "tier": (before.tier, tier), "verdict": (before.verdict, verdict)}


def _stand(context: Context) -> Stand:
    return Stand(context.route, context.tier, context.verdict, context.composite, context.priority)


def _changes(
    what_if: WhatIf, foresight: Foresight, changed: Sequence[tuple[Stand, Foreseen]]
) -> Iterable[WhatIfChange]:
    """Rows that say who changes and why. One query for what their scores were made of, and under which version."""
    scored = _scored([foreseen.prospect_id for _, foreseen in changed])
    ruling = _ruling(what_if, foresight)
    now_bounds = _bounds(what_if.version)
    labels = _labels(foresight, ruling)
    for before, foreseen in changed:
        version_id, old = scored.get(foreseen.prospect_id, (what_if.against_id, {}))
        then = _bounds(ruling[version_id]) if version_id in ruling else now_bounds
        was = _founded(before, old)
        now = _after(foreseen)
        yield WhatIfChange(
            what_if=what_if, prospect_id=foreseen.prospect_id, route=was.route, new_route=now.route, tier=was.tier,
            new_tier=now.tier, verdict=was.verdict, new_verdict=now.verdict, composite=was.composite,
            new_composite=now.composite, moved=abs((now.composite or 0.0) - (was.composite or 0.0)),
            why=reasons(was, now, labels, (then, now_bounds)),
        )  # fmt: skip


def _scored(ids: Sequence[int]) -> dict[int, tuple[int, dict[str, Any]]]:
    """By prospect, the version its newest composite was computed under, and what it was added up from."""
    scores = Score.objects.filter(prospect__in=ids, scorecard=ICP)
    newest = scores.order_by("prospect_id", "-pk").distinct("prospect_id")
    rows = newest.values_list("prospect_id", "playbook_version_id", "breakdown")
    return {prospect: (version, breakdown) for prospect, version, breakdown in rows}


def _bounds(version: PlaybookVersion) -> Bounds:
    return Bounds(version.hot_threshold, version.warm_threshold)


def _labels(foresight: Foresight, ruling: Mapping[int, PlaybookVersion]) -> dict[str, str]:
    known: dict[str, str] | None = foresight.scope.memory.get("what_if_labels")
    if known is None:
        asked = Criterion.objects.filter(version__in=list(ruling), scorecard=ICP).order_by("version__number")
        old = asked.values_list("key", "label")
        new = [(c.key, c.label) for c in foresight.model.icp.criteria]
        known = foresight.scope.memory["what_if_labels"] = {k: label or k for k, label in [*old, *new]}
    return known


def _founded(before: Stand, breakdown: Mapping[str, Any]) -> Stand:
    """The stand of today with what its stored score was added up from."""
    layers = [(row["layer"], row["weight"], row["coverage"]) for row in breakdown.get("layers", [])]
    lines = [(line.criterion, line.layer, line.contribution) for line in lines_of(breakdown)]
    ruled_out = "ruled out" if breakdown.get("strong_negative") else ""
    points = criterion_points(layers, lines)
    return Stand(before.route, before.tier, before.verdict, before.composite, before.priority, points, ruled_out)


def _after(foreseen: Foreseen) -> Stand:
    composite = foreseen.rescored.composite
    route, tier, verdict, value, _, priority = foreseen.standing
    layers = [(name, weight, found.coverage) for name, weight, found in _weighed(foreseen)]
    lines = [(line.criterion, line.layer, line.contribution) for r in composite.layers.values() for line in r.breakdown]
    negative = composite.strong_negative
    ruled_out = (negative.rationale or "a strong negative was found.") if negative is not None else ""
    lacking = foreseen.missing[0] if foreseen.missing else foreseen.reason
    return Stand(route, tier, verdict, value, priority, criterion_points(layers, lines), ruled_out, lacking)


def _weighed(foreseen: Foreseen) -> Iterable[tuple[str, float, Any]]:
    weights = foreseen.weights
    return [(name, weights[name], found) for name, found in foreseen.rescored.composite.layers.items()]


def cancel(what_if: WhatIf, *, actor: User | None) -> None:
    """Ask the worker to stop after its present chunk. A finished one stays as it is. Raises NotAllowed."""
    require(what_if.client, actor, tuple(Role), to="call this off")
    WhatIf.objects.filter(pk=what_if.pk, status__in=OPEN).update(cancel_requested=True)
    nudge(what_if)


def fail(what_if_id: int, error: Exception) -> None:
    """Say that it broke, with the trace to look it up by."""
    what_if = WhatIf.objects.filter(pk=what_if_id, status__in=OPEN).first()
    if what_if is not None:
        what_if.error = f"It broke ({type(error).__name__}). Trace {what_if.trace_id}."
        _close(what_if, WhatIf.Status.FAILED)


def _close(what_if: WhatIf, status: str) -> None:
    what_if.status, what_if.finished_at = status, timezone.now()
    what_if.save(update_fields=["status", "finished_at", "error"])


def nudge(what_if: WhatIf) -> None:
    """Wake a worker through Celery."""
    from prospects.tasks import look_ahead  # tasks import this module

    with suppress(BrokerError, ConnectionError):
        look_ahead.delay(what_if.pk)


def sweep(*, at: datetime) -> int:
    """Nudge those that nobody has worked on for a while; how many."""
    silent = list(WhatIf.objects.filter(status__in=OPEN, heartbeat_at__lt=at - SILENT_AFTER).order_by("pk")[:20])
    for what_if in silent:
        nudge(what_if)
    return len(silent)
