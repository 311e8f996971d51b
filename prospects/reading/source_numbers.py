"""How the outside sources do: the numbers of the Sources page, bounded whatever the number of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal

from django.db.models import Count, Sum
from django.utils import timezone

from playbooks.models import Client, PlaybookVersion, Source
from playbooks.services.budgets import zone_of
from prospects.host.toolbox import LOOKS_UP
from prospects.models import Convergence, SourceAnswer, SourceState
from prospects.services import source_states
from prospects.sources.config import credential_of
from salesops.sql import fetch

SAMPLE = 2_000
# How many of the newest convergence's answers were there before it began.
_REUSED = """
SELECT a.source, count(*), count(*) FILTER (WHERE a.trace_id <> %(trace)s)
FROM (SELECT unnest(run.answers) AS id FROM (
        SELECT answers FROM prospects_agentrun
        WHERE convergence_id = %(convergence)s AND agent = ANY(%(agents)s) AND answers <> '{}' LIMIT %(sample)s) run
     ) used JOIN prospects_sourceanswer a ON a.id = used.id
WHERE a.client_id = %(client)s GROUP BY a.source
"""
_ORDER = ("halted", "keyless", "retired", "resting", "failing", "working", "idle", "off")


@dataclass(slots=True)
class Row:
    """One source by its key: where playbooks name it, how it stands, what it cost today, how often it was spared."""

    key: str
    kind: str = ""
    playbooks: list[str] = field(default_factory=list)
    enabled: bool = False
    state: SourceState | None = None
    keyless: str = ""  # what the environment lacks of its key, in words
    cost: Decimal = Decimal(0)
    asked: int = 0
    used: int = 0
    reused: int = 0

    @property
    def standing(self) -> str:
        """One word for how it is doing."""
        state = self.state
        if state is not None and state.halted_at is not None:
            return "halted"
        if self.keyless:
            return "keyless"
        if state is None:
            return "idle" if self.enabled else "off"
        if state.retired_at is not None:
            return "retired"
        if state.open_until is not None and state.open_until > timezone.now():
            return "resting"
        return "failing" if state.failures else "working"

    @property
    def spared(self) -> float | None:
        """The share of the last answers that came from the cache."""
        return self.reused / self.used if self.used else None


def rows(client: Client) -> list[Row]:
    """Every source that an active playbook names or that was ever asked, the ones in trouble first. Five queries."""
    found: dict[str, Row] = {}
    active = PlaybookVersion.Status.ACTIVE
    named = Source.objects.filter(version__status=active, version__playbook__client=client)
    for source in named.select_related("version__playbook").order_by("key"):
        row = found.setdefault(source.key, Row(source.key, source.get_kind_display()))
        row.playbooks.append(source.version.playbook.name)
        row.enabled = row.enabled or source.enabled
        if source.enabled:
            key = credential_of(source)
            row.keyless = row.keyless or (key if isinstance(key, str) else "")
    for state in source_states.states(client):
        found.setdefault(state.source, Row(state.source)).state = state
    for key, (asked, cost) in _today(client).items():
        if key in found:
            found[key].asked, found[key].cost = asked, cost
    for key, (used, reused) in _reused(client).items():
        if key in found:
            found[key].used, found[key].reused = used, reused
    return sorted(found.values(), key=lambda row: (_ORDER.index(row.standing), row.key))


def _today(client: Client) -> Mapping[str, tuple[int, Decimal]]:
    """Source → (answers fetched today, what they cost). The day is the client's."""
    zone = zone_of(client)
    start = datetime.combine(timezone.now().astimezone(zone).date(), time.min, zone)
    fresh = SourceAnswer.objects.for_client(client).filter(fetched_at__gte=start).order_by()
    sums = fresh.values_list("source").annotate(n=Count("pk"), cost=Sum("cost"))
    return {source: (n, cost) for source, n, cost in sums}


def _reused(client: Client) -> Mapping[str, tuple[int, int]]:
    """Source → (answers used in the newest convergence, those that were there before), over a sample of its runs."""
    newest = Convergence.objects.for_client(client).order_by("-pk").first()
    if newest is None:
        return {}
    given = {
        "trace": newest.trace_id, "convergence": newest.pk, "agents": sorted(LOOKS_UP), "sample": SAMPLE,
        "client": client.pk,
    }  # fmt: skip
    return {source: (used, reused) for source, used, reused in fetch(_REUSED, given)}
