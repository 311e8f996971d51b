"""A population like a real client's, of any size: companies, people, evidence, scores and lives through the stages.

Written set by set in SQL, through all the triggers that guard the tables: what they refuse, this cannot make. The same
size and seed give the same population, apart from the time it is made at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from approvals.models import ApprovalRequest
from playbooks.models import Client, Criterion, Membership, Playbook, PlaybookVersion, Role, StageRule, User
from playbooks.rules import stages
from playbooks.services import lifecycle
from salesops.bench.words import BODY, CITIES, DOSSIER, FIRST, INDUSTRIES, LAST, NOUNS, SUBJECT, SUMMARY, TITLES, TRADES

DAYS = 180
#: How lives go: (share, stages after sourced). The shares add up to one.
LIVES: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.06, ()),
    (0.05, ("researched",)),
    (0.06, ("researched", "qualifying")),
    (0.20, ("researched", "qualifying", "rejected")),
    (0.22, ("researched", "qualifying", "stalled")),
    (0.05, ("researched", "qualifying", "nurture")),
    (0.05, ("researched", "qualifying", "stalled", "qualifying", "qualified")),
    (0.03, ("researched", "disqualified")),
    (0.14, ("researched", "qualifying", "qualified")),
    (0.07, ("researched", "qualifying", "qualified", "contacted")),
    (0.02, ("researched", "qualifying", "qualified", "contacted", "closed")),
    (0.03, ("researched", "qualifying", "qualified", "contacted", "engaged")),
    (0.02, ("researched", "qualifying", "qualified", "contacted", "engaged", "converted")),
)
_LONGEST = max(len(path) for _, path in LIVES)
_NEEDS_REASON = (stages.REJECTED, stages.STALLED, stages.NURTURE, stages.DISQUALIFIED, stages.CLOSED)


@dataclass(frozen=True, slots=True)
class Population:
    """A client with everything under it, and somebody who may look at it."""

    client: Client
    playbook: Playbook
    version: PlaybookVersion
    user: User
    size: int


def make_population(size: int) -> Population:
    """A new client with ``size`` prospects spread over the last half year, about one in seven waiting for approval."""
    population = make_client(size)
    arguments = {
        **_account_words(population),
        "bounds": _bounds(),
        "subject": SUBJECT,
        "body": BODY,
        "dossier": json.dumps(DOSSIER),
        "summary": json.dumps(SUMMARY),
        "expires": timezone.now() + timedelta(hours=72),
    }
    with connection.cursor() as cursor:
        make_accounts(population)
        for statement in (_PROSPECTS, _LIFE_TABLE):
            cursor.execute(statement, arguments)
        for statement in (_SIGNALS, _EVIDENCE, _SCORES, _PROJECTION):
            cursor.execute("ANALYZE")  # tables that were empty a moment ago would be planned as if they still were
            cursor.execute(statement, arguments)
        cursor.execute("ANALYZE")
        for step in range(1, _LONGEST + 1):
            _move(cursor, step, arguments)
        with transaction.atomic():
            cursor.execute(_MESSAGES, arguments)
            cursor.execute(_REQUESTS, arguments)
        cursor.execute("DROP TABLE bench_life")
        cursor.execute("ANALYZE")
    return population


def make_accounts(population: Population) -> None:
    """A company for each prospect to come, and a person in each; always the same ones."""
    words = _account_words(population)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.42)")
        cursor.execute(_COMPANIES, words)
        cursor.execute("ANALYZE prospects_company")
        cursor.execute(_CONTACTS, words)


def _account_words(population: Population) -> dict[str, Any]:
    return {
        "client": population.client.pk,
        "playbook": population.playbook.pk,
        "version": population.version.pk,
        "size": population.size,
        "now": timezone.now(),
        "days": DAYS,
        "trades": list(TRADES),
        "nouns": list(NOUNS),
        "industries": list(INDUSTRIES),
        "cities": list(CITIES),
        "first": list(FIRST),
        "last": list(LAST),
        "titles": list(TITLES),
        "tag": f"{population.client.pk}",
    }


def kept_population(size: int) -> Population | None:
    """The whole population of that size which an earlier run left in this database, if there is one."""
    written_last = ApprovalRequest.objects.filter(client__slug__startswith=f"bench-{size}-").order_by("-pk")
    last = written_last.select_related("client", "playbook_version__playbook").first()
    if last is None:
        return None
    user = User.objects.get(memberships__client=last.client, memberships__role=Role.ADMIN)
    return Population(last.client, last.playbook_version.playbook, last.playbook_version, user, size)


def make_client(size: int) -> Population:
    """A client with a playbook that rules and somebody who may see everything, and nobody to work on yet."""
    slug = f"bench-{size}-{Client.objects.count()}"
    client = Client.objects.create(
        slug=slug, name=f"Bench {size:,}", sender_name="Robin Fields", sender_email="robin@bench.example",
        postal_address="1 Harbour Street, Springfield, IL 62701, USA",
    )  # fmt: skip
    playbook = Playbook.objects.create(client=client, slug="bench", name="Bench")
    version = PlaybookVersion.objects.create(
        playbook=playbook, number=1, root_intent="Measure.", icp_industries=list(INDUSTRIES[:3]), money_per_month=100,
        countries=["US"],
    )  # fmt: skip
    # Nothing leaves draft that does not say by what it scores.
    Criterion.objects.create(
        version=version, layer="firmographic", category="fit", key="industry", label="Right industry",
        kind="in_set", weight=10, params={"attribute": "industry", "values": list(INDUSTRIES[:3])},
    )  # fmt: skip
    StageRule.objects.bulk_create(
        StageRule(
            version=version,
            from_stage=source,
            to_stage=target,
            min_categories=3 if (source, target) == (stages.QUALIFYING, stages.QUALIFIED) else 0,
        )
        for source, target in stages.PROSPECT_MOVES
        if target not in _NEEDS_REASON
    )
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        version = step(version, actor=None)
    user = User.objects.create_user(f"bench-{client.pk}@team.example", None, name="Bench")
    Membership.objects.bulk_create(Membership(user=user, client=client, role=role) for role in Role.values)
    return Population(client, playbook, version, user, size)


def _bounds() -> list[float]:
    """The upper end of each life's share, so that one random number picks a life."""
    bounds, total = [], 0.0
    for share, _ in LIVES:
        total += share
        bounds.append(round(total, 6))
    return bounds[:-1]


def _move(cursor: Any, step: int, arguments: dict[str, Any]) -> None:
    """Everybody's ``step``-th move: log rows and stages in one transaction, as the triggers ask."""
    targets = [path[step - 1] if len(path) >= step else "" for _, path in LIVES]
    sources = [(stages.SOURCED, *path)[step - 1] if len(path) >= step else "" for _, path in LIVES]
    named = {**arguments, "step": step, "targets": targets, "sources": sources}
    with transaction.atomic():
        cursor.execute(_TRANSITIONS, named)
        cursor.execute(_FOLLOW, named)
        cursor.execute(_HANDOFFS, named)


_PICK = "(%({0})s::text[])[1 + floor(random() * cardinality(%({0})s::text[]))::int]"


def _picked(statement: str, *names: str) -> str:
    """The statement with ``<name>`` standing for a random member of that argument."""
    for name in names:
        statement = statement.replace(f"<{name}>", _PICK.format(name))
    return statement


_COMPANIES = _picked(
    """
    INSERT INTO prospects_company (client_id, name, name_key, domain, external_id, source, website, industry,
        subindustry, employees_min, employees_max, country, region, city, location, tags, status, hiring,
        attributes, created_at, updated_at)
    SELECT %(client)s, name || ' ' || i, lower(name) || ' ' || i, 'c' || i || '-' || %(tag)s || '.example',
        'row-' || i, CASE WHEN i %% 5 = 0 THEN 'directory.csv' ELSE 'companies.csv' END, '', industry, '',
        size, size, 'US', '', city, city || ', USA', ARRAY['SaaS', industry], 'Active', i %% 3 = 0, '{}',
        %(now)s, %(now)s
    FROM (SELECT i, <trades> || ' ' || <nouns> AS name, <industries> AS industry, <cities> AS city,
            1 + floor(exp(random() * 6))::int AS size
        FROM generate_series(1, %(size)s) AS i) AS made
    """,
    "trades", "nouns", "industries", "cities",
)  # fmt: skip

_CONTACTS = _picked(
    """
    INSERT INTO prospects_contact (client_id, company_id, external_id, source, name, first_name, last_name, title,
        seniority, email, email_key, email_status, phone, linkedin_url, country, time_zone, synthetic, entity_type,
        attributes, created_at, updated_at)
    SELECT %(client)s, id, '', 'people.csv', f || ' ' || l, f, l, <titles>, '', lower(f) || '@' || domain,
        lower(f) || '@' || domain, 'syntax_ok', '', '', 'US', '', true, '', '{}', %(now)s, %(now)s
    FROM (SELECT id, domain, <first> AS f, <last> AS l FROM prospects_company WHERE client_id = %(client)s) AS made
    """,
    "first", "last", "titles",
)  # fmt: skip

_PROSPECTS = """
    INSERT INTO prospects_prospect (client_id, playbook_id, company_id, contact_id, external_id, source, segment,
        stage, stage_seq, stage_since, coverage, provisional, route, tier, priority, verdict, verdict_reason,
        verdict_missing, next_action, facts_no, converged_no, created_at)
    SELECT %(client)s, %(playbook)s, c.id, k.id, c.external_id, c.source, c.industry, 'sourced', 0, born, 0, true,
        '', '', 0, '', '', '[]', '', 1, 0, born
    FROM (SELECT id, external_id, source, industry, %(now)s - random() * %(days)s * interval '1 day' AS born
        FROM prospects_company WHERE client_id = %(client)s) AS c
    JOIN prospects_contact k ON k.company_id = c.id
"""

_LIFE_TABLE = """
    CREATE TEMP TABLE bench_life AS
    SELECT p.id, p.created_at AS born, width_bucket(random(), %(bounds)s::float8[]) AS life,
        round((20 + 75 * random())::numeric, 1)::float8 AS composite, round(random()::numeric, 3)::float8 AS priority,
        round((0.3 + 0.6 * random())::numeric, 2)::float8 AS coverage, p.created_at AS at, 0 AS seq
    FROM prospects_prospect p WHERE p.playbook_id = %(playbook)s;
    CREATE INDEX ON bench_life (id);
    ANALYZE bench_life
"""

_SIGNALS = """
    INSERT INTO prospects_signal (client_id, prospect_id, kind, observed_at, text, data, source, source_ref,
        dedup_key, fact_no, created_at, trace_id)
    SELECT %(client)s, l.id, kind, l.born, '', '{}', 'companies.csv', '0123456789ab:row ' || l.id, kind,
        nextval('fact_no'), l.born, md5('bench')
    FROM bench_life l, unnest(ARRAY['profile', 'hiring_started', 'team_growth']) AS kind
    WHERE kind = 'profile' OR l.life > 5
"""

_EVIDENCE = """
    INSERT INTO prospects_evidence (client_id, prospect_id, playbook_version_id, scorecard, layer, category,
        criterion, value, confidence, strong_negative, rationale, quote, signal_ids, fact_ref, source, observed_at,
        fact_no, created_at)
    SELECT %(client)s, s.prospect_id, %(version)s, 'icp',
        CASE s.kind WHEN 'profile' THEN 'firmographic' ELSE 'behavioral' END,
        CASE s.kind WHEN 'profile' THEN 'fit' WHEN 'hiring_started' THEN 'timing' ELSE 'need' END,
        s.kind, 90, 0.9, false, 'It says so in the file.', '', ARRAY[s.id], s.kind, s.source, s.observed_at,
        nextval('fact_no'), s.created_at
    FROM prospects_signal s JOIN bench_life l ON l.id = s.prospect_id WHERE l.life > 0
"""

_SCORES = """
    INSERT INTO prospects_score (client_id, prospect_id, playbook_version_id, scorecard, value, coverage,
        provisional, breakdown, computed_at, fact_no)
    SELECT %(client)s, id, %(version)s, 'icp', composite, coverage, true,
        '{"route": "", "layers": []}', born, nextval('fact_no')
    FROM bench_life WHERE life > 0
"""

_PROJECTION = """
    UPDATE prospects_prospect p SET composite = l.composite, coverage = l.coverage, priority = l.priority * 100,
        route = CASE WHEN l.composite >= 70 THEN 'hot' WHEN l.composite >= 40 THEN 'warm' ELSE 'cold' END,
        tier = 'TIER_' || (1 + (l.priority < 0.8)::int + (l.priority < 0.6)::int + (l.priority < 0.4)::int),
        verdict = 'stalled', verdict_reason = 'Need is not evidenced yet.', converged_version_id = %(version)s
    FROM bench_life l WHERE l.id = p.id AND l.life > 0
"""

# A move comes some minutes to some weeks after the last one; one that would lie in the future has not happened.
_TRANSITIONS = """
    UPDATE bench_life SET at = at + exp(random() * 8) * interval '10 minutes', seq = CASE WHEN seq = %(step)s - 1
        THEN seq ELSE -1 END WHERE (%(targets)s::text[])[life + 1] <> '';
    INSERT INTO prospects_stagetransition (client_id, prospect_id, playbook_version_id, pipeline, seq, from_stage,
        to_stage, at, seconds, agent, reason, evidence_ids, transaction, trace_id)
    SELECT %(client)s, l.id, %(version)s, 'prospect', %(step)s, (%(sources)s::text[])[life + 1],
        (%(targets)s::text[])[life + 1], l.at, extract(epoch FROM l.at - p.stage_since), 'qualification',
        'As the playbook says.',
        CASE WHEN (%(targets)s::text[])[life + 1] = 'qualified' THEN ARRAY(
            SELECT e.id FROM prospects_evidence e WHERE e.prospect_id = l.id) ELSE '{}' END, 0, md5('bench')
    FROM bench_life l JOIN prospects_prospect p ON p.id = l.id
    WHERE (%(targets)s::text[])[life + 1] <> '' AND l.at <= %(now)s AND l.seq = %(step)s - 1
"""

_FOLLOW = """
    UPDATE prospects_prospect p SET stage = t.to_stage, stage_seq = t.seq, stage_since = t.at
    FROM prospects_stagetransition t WHERE t.prospect_id = p.id AND t.seq = %(step)s AND p.playbook_id = %(playbook)s;
    UPDATE bench_life l SET seq = p.stage_seq FROM prospects_prospect p WHERE p.id = l.id
"""

# Drafting is another team's work than judging.
_HANDOFFS = """
    INSERT INTO prospects_handoff (client_id, prospect_id, transition_id, from_team, to_team, stage, summary,
        evidence_ids, at, trace_id)
    SELECT t.client_id, t.prospect_id, t.id, 'qualification', 'conversion', t.to_stage, %(summary)s::jsonb,
        t.evidence_ids, t.at, t.trace_id
    FROM prospects_stagetransition t JOIN bench_life l ON l.id = t.prospect_id
    WHERE t.seq = %(step)s AND l.seq = %(step)s AND t.to_stage = 'qualified'
"""

_MESSAGES = """
    INSERT INTO approvals_message (client_id, prospect_id, contact_id, playbook_version_id, channel, sender, recipient,
        subject, body, attachments, rule_version, content_hash, template_key, angle, claims, evidence_ids, why_now,
        rationale, confidence, confidence_low, confidence_high, quality_points, grade, quality, compliance,
        compliance_detail, fact_no, created_at, trace_id)
    SELECT %(client)s, p.id, p.contact_id, %(version)s, 'email', 'robin@bench.example', k.email, %(subject)s, %(body)s,
        '{}', 'bench', salesops_content_hash('email', k.email, 'robin@bench.example', %(subject)s, %(body)s, '{}',
        'bench'), 'direct', 'direct', '[]', '{}', 'Hiring since May', 'Rests on three facts.', 0.7, 0.6, 0.8, 92, 'A',
        '{}', 'PASS', '{}', nextval('fact_no'), p.stage_since, md5('bench')
    FROM prospects_prospect p JOIN prospects_contact k ON k.id = p.contact_id
    WHERE p.playbook_id = %(playbook)s AND p.stage = 'qualified'
"""

_REQUESTS = """
    INSERT INTO approvals_approvalrequest (client_id, prospect_id, contact_id, playbook_version_id, message_id, channel,
        status, version, content_hash, facts_no, dossier, grade, composite, priority, expires_at, created_at, trace_id)
    SELECT %(client)s, m.prospect_id, m.contact_id, %(version)s, m.id, m.channel, 'waiting', 1, m.content_hash,
        p.facts_no, %(dossier)s::jsonb, m.grade, p.composite, p.priority, %(expires)s, m.created_at, md5('bench')
    FROM approvals_message m JOIN prospects_prospect p ON p.id = m.prospect_id WHERE m.client_id = %(client)s
"""
