"""Reads what the runtime works on: a playbook version as one frozen value, and prospects' contexts in a few queries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import structlog

from playbooks.models import AgentAssignment, AgentPermission, Client, PlaybookVersion
from playbooks.rules.document import ROWS
from playbooks.rules.param_reader import ParamsError
from playbooks.rules.sources import SourceConfig, read_source
from playbooks.services.permissions import matrix
from salesops.runtime.context import Context
from salesops.runtime.playbook_views import (
    BrandRuleView,
    ChannelPolicyView,
    ClientView,
    CriterionView,
    PlaybookView,
    PropositionView,
    StageRuleView,
    StepView,
    TemplateView,
)
from salesops.runtime.views import CompanyView, ContactView, EvidenceView, ScoreView, SignalView
from salesops.runtime.words import ImplementationKind, Resource, Team
from salesops.sql import fetch

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = structlog.get_logger(__name__)

ViewT = TypeVar("ViewT", bound="DataclassInstance")

CONTACT_COLUMNS = (
    "k.id, k.name, k.first_name, k.last_name, k.title, k.seniority, k.email, k.email_status, k.phone, k.linkedin_url,"
    " k.country, k.time_zone, k.synthetic, k.source, k.entity_type"
)
MOST_PEOPLE = 50  # of one company that an agent is shown
_PEOPLE = f"""
SELECT o.company, {CONTACT_COLUMNS}
FROM unnest(%s::bigint[]) AS o (company) CROSS JOIN LATERAL (
    SELECT * FROM prospects_contact k WHERE k.merged_into_id IS NULL AND k.erased_at IS NULL AND k.company_id IN (
        SELECT c.id FROM prospects_company c WHERE c.id = o.company OR c.merged_into_id = o.company)
    ORDER BY k.id LIMIT {MOST_PEOPLE}) k
"""  # noqa: S608 — constants
_PROSPECTS = """
SELECT p.id, p.external_id, p.stage, p.stage_seq, p.stage_since, p.facts_no, p.route, p.tier, p.segment, p.verdict,
       p.composite, p.coverage, p.provisional, p.priority, p.verdict_reason, p.next_action, p.converged_no,
       p.converged_version_id, p.verdict_missing, p.failures, p.refreshed_at,
       c.id, c.name, c.domain, c.industry, c.subindustry, c.employees_min, c.employees_max, c.country, c.region,
       c.city, c.location, c.tags, c.status, c.hiring, c.founded_year,
       {contact}, k.email_key
FROM prospects_prospect p
LEFT JOIN prospects_company c0 ON c0.id = p.company_id
LEFT JOIN prospects_company c ON c.id = coalesce(c0.merged_into_id, c0.id)
LEFT JOIN prospects_contact k0 ON k0.id = coalesce(p.contact_id,
    (SELECT min(m.contact_id) FROM prospects_prospect m WHERE m.merged_into_id = p.id))
LEFT JOIN prospects_contact k ON k.id = coalesce(k0.merged_into_id, k0.id)
WHERE p.id = ANY(%s) ORDER BY p.id
""".replace("{contact}", CONTACT_COLUMNS)
_RUNS = """
SELECT prospect_id, agent, split_part(implementation_version, '!', 1), max(watermark) FILTER (WHERE status = 'ok'),
       array_agg(watermark) FILTER (WHERE status = 'again')
FROM prospects_agentrun
WHERE prospect_id = ANY(%s) AND playbook_version_id = %s AND status IN ('ok', 'again') GROUP BY 1, 2, 3
"""
_SIGNALS = """
SELECT s.prospect_id, s.id, s.kind, s.observed_at, s.value, s.text, s.data, s.source, s.source_ref, s.dedup_key,
       s.fact_no, coalesce(r.agent, '')
FROM prospects_signal s LEFT JOIN prospects_agentrun r ON r.id = s.run_id
WHERE s.prospect_id = ANY(%s) ORDER BY s.fact_no
"""
#: What counts under a version (twice its id): evidence made under it, and, of other versions of its playbook, what
#: was said of a criterion that asks the very same. Weights, labels and half-lives may differ: they judge nothing.
COUNTS = """(e.playbook_version_id = %s OR (e.playbook_version_id, e.scorecard, e.criterion) IN (
    SELECT o.version_id, o.scorecard, o.key FROM playbooks_criterion m
    JOIN playbooks_playbookversion v ON v.id = m.version_id
    JOIN playbooks_playbookversion w ON w.playbook_id = v.playbook_id AND w.id <> v.id
    JOIN playbooks_criterion o ON o.version_id = w.id AND o.scorecard = m.scorecard AND o.key = m.key
        AND o.kind = m.kind AND o.layer = m.layer AND o.category = m.category AND o.params = m.params
    WHERE m.version_id = %s))"""
_EVIDENCE = f"""
SELECT DISTINCT ON (e.prospect_id, e.scorecard, e.criterion)
       e.prospect_id, e.id, e.scorecard, e.criterion, e.layer, e.category, e.value, e.confidence, e.strong_negative,
       e.rationale, e.quote, e.signal_ids, e.fact_ref, e.source, e.observed_at, e.fact_no, coalesce(r.agent, '')
FROM prospects_evidence e LEFT JOIN prospects_agentrun r ON r.id = e.run_id
WHERE e.prospect_id = ANY(%s) AND {COUNTS}
ORDER BY e.prospect_id, e.scorecard, e.criterion, e.observed_at DESC, e.id DESC
"""  # noqa: S608 — constants
_SCORES = """
SELECT DISTINCT ON (prospect_id, scorecard)
       prospect_id, id, computed_at, scorecard, value, coverage, provisional, breakdown::text
FROM prospects_score WHERE prospect_id = ANY(%s) AND playbook_version_id = %s
ORDER BY prospect_id, scorecard, id DESC
"""


@dataclass(slots=True)
class Place:
    """Where a prospect stands in its own table: what the host keeps beside the context while a batch runs."""

    stage_seq: int
    stage_since: datetime
    reason: str
    next_action: str
    converged_no: int
    version_id: int | None = None
    missing: list[str] = field(default_factory=list)
    score_id: int | None = None
    scored_at: datetime | None = None
    judged: Any = None
    failures: int = 0
    refreshed_at: datetime | None = None
    due_again_at: datetime | None = None
    handoffs: list[Any] = field(default_factory=list)  # those nobody has taken up: handoffs.Open


ICP = "icp"


_MEMBERS = "SELECT merged_into_id, id FROM prospects_prospect WHERE merged_into_id = ANY(%s) ORDER BY 1, 2"
_ALL_EVIDENCE = _EVIDENCE.replace("SELECT DISTINCT ON (e.prospect_id, e.scorecard, e.criterion)", "SELECT")
#: The kind of the signal that a merge was undone: from there on some facts may rest on what can no longer be read.
MERGED, MERGE_UNDONE = "merged", "merge_undone"
MEMBERS = "members"  # in Context.extras: ids of the prospects merged into this one, whose signals it reads as its own


def new_contexts(ids: Sequence[int], version_id: int) -> dict[int, Context]:
    """Contexts with the projections, account and person of these prospects and the runs made under this version."""
    contexts = {row[0]: _context(row) for row in fetch(_PROSPECTS, [list(ids)])}
    for owner, member in fetch(_MEMBERS, [list(ids)]):
        contexts[owner].extras[MEMBERS] = (*members_of(contexts[owner]), member)
    for prospect_id, agent, version, watermark, again in fetch(_RUNS, [list(ids), version_id]):
        context = contexts[prospect_id]
        if watermark is not None:
            context.runs[(agent, version)] = watermark
        if again:
            context.tries[(agent, version)] = sum(seen > (watermark or 0) for seen in again)
    return contexts


def _context(row: tuple[Any, ...]) -> Context:
    company = _company(row[21:36])
    contact, email_key = contact_of(row[36:]), row[-1]
    key = row[1] or (company.domain if company else "") or email_key or f"#{row[0]}"
    return Context(
        id=row[0],
        key=key,
        stage=row[2],
        facts_no=row[5],
        route=row[6],
        tier=row[7],
        segment=row[8],
        verdict=row[9],
        composite=row[10],
        coverage=row[11],
        provisional=row[12],
        priority=row[13],
        company=company,
        contact=contact,
        row=Place(
            stage_seq=row[3], stage_since=row[4], reason=row[14], next_action=row[15], converged_no=row[16],
            version_id=row[17], missing=json.loads(row[18]), failures=row[19], refreshed_at=row[20],
        ),
    )  # fmt: skip


def _company(row: Sequence[Any]) -> CompanyView | None:
    if row[0] is None:
        return None
    return CompanyView(
        id=row[0], name=row[1], domain=row[2], industry=row[3], subindustry=row[4], employees_min=row[5],
        employees_max=row[6], country=row[7], region=row[8], city=row[9], location=row[10], tags=tuple(row[11]),
        status=row[12], hiring=row[13], founded_year=row[14],
    )  # fmt: skip


def contact_of(row: Sequence[Any]) -> ContactView | None:
    """A row of ``CONTACT_COLUMNS`` as agents see it."""
    if row[0] is None:
        return None
    return ContactView(
        id=row[0], name=row[1], first_name=row[2], last_name=row[3], title=row[4], seniority=row[5], email=row[6],
        email_status=row[7], phone=row[8], linkedin_url=row[9], country=row[10], time_zone=row[11], synthetic=row[12],
        source=row[13], entity_type=row[14],
    )  # fmt: skip


def members_of(context: Context) -> tuple[int, ...]:
    """The prospects merged into this one."""
    members: tuple[int, ...] = context.extras.get(MEMBERS, ())
    return members


def owners_of(contexts: Mapping[int, Context]) -> dict[int, int]:
    """Prospect id → the context that reads its rows: itself, or what it was merged into."""
    owners = {i: i for i in contexts}
    for context in contexts.values():
        for member in members_of(context):
            owners.setdefault(member, context.id)
    return owners


def load_facts(contexts: Mapping[int, Context], version_id: int) -> None:
    """Signals, evidence in force under this version and latest scores: three queries, however many prospects."""
    ids = list(contexts)
    _load_signals(contexts)
    parted = [i for i, c in contexts.items() if any(s.kind == MERGE_UNDONE for s in c.signals)]
    whole = [i for i in ids if i not in set(parted)] if parted else ids
    for row in fetch(_EVIDENCE, [whole, version_id, version_id]):
        contexts[row[0]].add_evidence(EvidenceView(*(*row[1:11], tuple(row[11]), *row[12:])))
    if parted:
        _load_what_still_counts(contexts, parted, version_id)
    for prospect_id, score_id, at, scorecard, value, coverage, provisional, breakdown in fetch(
        _SCORES, [ids, version_id]
    ):
        context = contexts[prospect_id]
        context.scores[scorecard] = ScoreView(scorecard, value, coverage, provisional, orjson.loads(breakdown))
        if scorecard == ICP:
            context.row.score_id, context.row.scored_at = score_id, at


def _load_signals(contexts: Mapping[int, Context]) -> None:
    """Each prospect's signals, those of prospects merged into it among them; one observation counts once."""
    owners = owners_of(contexts)
    merged = len(owners) > len(contexts)
    rows = fetch(_SIGNALS, [list(owners)])
    own = {(row[0], row[9]) for row in rows if row[0] in contexts} if merged else set()
    for row in rows:
        owner = owners[row[0]]
        if owner != row[0]:
            if (owner, row[9]) in own:
                continue
            own.add((owner, row[9]))
        contexts[owner].add_signal(SignalView(*(*row[1:6], json.loads(row[6]), *row[7:])))
    for context in contexts.values():
        if any(s.kind == MERGE_UNDONE for s in context.signals):
            context.signals[:] = _still_founded(context.signals)


def _still_founded(signals: Sequence[SignalView]) -> list[SignalView]:
    """Without what was derived from signals that cannot be read any more. They come in the order they were made."""
    kept: dict[int, SignalView] = {}
    for signal in signals:
        origin = signal.data.get("derived_from")
        if isinstance(origin, Mapping) and origin.get("signal_id") not in kept:
            continue
        kept[signal.id] = signal
    return list(kept.values())


def _load_what_still_counts(contexts: Mapping[int, Context], ids: Sequence[int], version_id: int) -> None:
    """Evidence of prospects that a merge was undone for: the newest per criterion that rests on readable signals."""
    readable = {i: {signal.id for signal in contexts[i].signals} for i in ids}
    for row in fetch(_ALL_EVIDENCE, [list(ids), version_id, version_id]):
        if readable[row[0]].issuperset(row[11]):
            contexts[row[0]].add_evidence(EvidenceView(*(*row[1:11], tuple(row[11]), *row[12:])))


def load_people(contexts: Mapping[int, Context]) -> None:
    """The people on file at each prospect's company: one query, however many prospects."""
    by_company: dict[int, list[Context]] = {}
    for context in contexts.values():
        if context.company is not None:
            by_company.setdefault(context.company.id, []).append(context)
    for company, *row in fetch(_PEOPLE, [list(by_company)]) if by_company else ():
        view = contact_of(row)
        for context in by_company[company]:
            if view is not None:
                context.people.append(view)


def playbook_view(version: PlaybookVersion) -> PlaybookView:
    """The whole version with its child rows, frozen."""
    playbook = version.playbook
    return _view(
        PlaybookView,
        version,
        kind=playbook.kind,
        client=_view(ClientView, playbook.client),
        tier_thresholds=(version.tier_1_threshold, version.tier_2_threshold, version.tier_3_threshold),
        criteria=_views(CriterionView, version.criteria),
        templates=_views(TemplateView, version.templates),
        channels=_views(ChannelPolicyView, version.channel_policies),
        propositions=_views(PropositionView, version.value_propositions),
        stage_rules=_views(StageRuleView, version.stage_rules),
        brand_rules=_views(BrandRuleView, version.brand_rules),
        sequences=_views(StepView, version.sequence_steps),
        delivers=delivered(version),
    )


def _view(kind: type[ViewT], row: Any, /, **others: Any) -> ViewT:
    """A view of a row: the columns both know by one name, lists as tuples, and what goes by another name."""
    values = {field.name: getattr(row, field.name) for field in fields(kind) if field.name not in others}
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}, **others)


def _views(kind: type[ViewT], rows: Any) -> tuple[ViewT, ...]:
    return tuple(_view(kind, row) for row in rows.all())


def delivered(version: PlaybookVersion) -> frozenset[str]:
    """The kinds of document that the version's sources give."""
    return frozenset(kind for config in configs_of(version) for kind in config.delivers)


def configs_of(version: PlaybookVersion) -> list[SourceConfig]:
    """The version's sources that are switched on, in its order.

    A frozen version may hold one that today's rules refuse: it is left out, and the log says so.
    """
    columns = [slot.at for slot in ROWS["sources"].slots]
    configs = []
    for row in version.sources.all():
        if not row.enabled:
            continue
        try:
            configs.append(read_source({column: getattr(row, column) for column in columns}))
        except ParamsError as refused:
            log.warning("source_not_usable", source=row.key, version=version.pk, problems=refused.problems)
    return configs


Cells = frozenset[tuple[Team, Resource]]


def permissions(client: Client) -> tuple[Cells, Cells]:
    """The (team, resource) cells that may write for this client, and those that may not even read. One query."""
    cells = {(Team(team), Resource(what)): access for (team, what), (access, _) in matrix(client).items()}
    access = AgentPermission.Access
    return (
        frozenset(cell for cell, granted in cells.items() if granted == access.WRITE),
        frozenset(cell for cell, granted in cells.items() if granted == access.NONE),
    )


def assignments(version_id: int) -> dict[str, ImplementationKind]:
    """Which implementation of each agent this version asks for."""
    rows = AgentAssignment.objects.filter(version=version_id).values_list("agent", "implementation")
    return {agent: ImplementationKind(implementation) for agent, implementation in rows}
