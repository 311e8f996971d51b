"""The list of prospects at three sizes: does it stay flat to a million?

A lean client of each size, written in three statements: companies, people, and prospects with scores, owners and some
routes by hand. Stages and evidence are no matter to the list's cost; ``bench pages`` has them all at smaller sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

from django.db import connection
from django.urls import reverse
from django.utils import timezone

from prospects.funnel.filters import NONE
from prospects.models import Prospect
from prospects.reading.prospect_list import RANKING
from salesops.bench import Line, Say
from salesops.bench.measure import time_pages
from salesops.bench.pages import AIM_MS, AIM_RATIO, signed_in
from salesops.bench.population import DAYS, Population, make_accounts, make_client
from salesops.paging import cursor_at

SIZES = (10_000, 100_000)  # the smallest, too, fills a page with whatever is asked
_DEEP = 5_000  # rows before the page that stands for a late one

_PROSPECTS = """
    INSERT INTO prospects_prospect (client_id, playbook_id, company_id, contact_id, external_id, source, segment,
        stage, stage_seq, stage_since, composite, coverage, provisional, route, tier, priority, verdict,
        verdict_reason, verdict_missing, next_action, facts_no, converged_no, created_at, owner_id)
    SELECT %(client)s, %(playbook)s, c.id, k.id, c.external_id, c.source, c.industry, 'sourced', 0, c.born,
        round(score::numeric, 1), 0.5, true,
        CASE WHEN score >= 70 THEN 'hot' WHEN score >= 40 THEN 'warm' ELSE 'cold' END,
        'TIER_' || (1 + (rank < 80)::int + (rank < 60)::int + (rank < 40)::int), round(rank::numeric, 1), 'stalled',
        'Need is not evidenced yet.', '[]', '', 1, 0, c.born, CASE WHEN c.id %% 10 = 0 THEN %(user)s END
    FROM (SELECT id, external_id, source, industry, 20 + 75 * random() AS score, 100 * random() AS rank,
            %(now)s - random() * %(days)s * interval '1 day' AS born
        FROM prospects_company WHERE client_id = %(client)s) AS c
    JOIN prospects_contact k ON k.company_id = c.id
"""
_OVERRIDES = """
    INSERT INTO prospects_routeoverride (client_id, prospect_id, route, reason, created_by_id, created_at, trace_id)
    SELECT client_id, id, 'hot', 'Met at the fair', %(user)s, %(now)s, md5('bench') FROM prospects_prospect
    WHERE playbook_id = %(playbook)s AND id %% 100 = 0
"""


def run(size: int | None, say: Say) -> Iterator[Line]:
    """Each way to ask for the list: median and p95 at each size, and the largest over the smallest."""
    largest = size or SIZES[-1]
    sizes = sorted({n for n in SIZES if n < largest} | {largest})
    populations = [_made(n, say) for n in sizes]
    browsers = [signed_in(population) for population in populations]
    for pages in zip(*map(_pages, populations), strict=True):
        name = pages[0][0]
        timings = time_pages([(browser, url) for browser, (_, url) in zip(browsers, pages, strict=True)])
        for n, timing in zip(sizes, timings, strict=True):
            cost = f"CPU {timing.cpu:.1f} ms, {timing.queries} queries, {timing.kilobytes:.0f} kB"
            note = f"p95 {timing.p95:.1f} ms, {cost}"
            aim = f"≤ {AIM_MS:.0f} ms"
            yield Line("lists", f"{name}, {n:,}", timing.median, "ms", aim, timing.median <= AIM_MS, note)
        ratio = timings[-1].median / timings[0].median
        yield Line("lists", f"{name}, large over small", ratio, "×", f"≤ {AIM_RATIO}×", ratio <= AIM_RATIO)


def _made(size: int, say: Say) -> Population:
    start = perf_counter()
    population = make_client(size)
    make_accounts(population)
    named: dict[str, Any] = {
        "client": population.client.pk, "playbook": population.playbook.pk, "user": population.user.pk,
        "now": timezone.now(), "days": DAYS,
    }  # fmt: skip
    with connection.cursor() as cursor:
        for statement in (_PROSPECTS, _OVERRIDES):
            cursor.execute(statement, named)
        cursor.execute("VACUUM (ANALYZE) prospects_company, prospects_contact, prospects_prospect")
    say(f"lists: made {size:,} prospects in {perf_counter() - start:.0f} s")
    return population


def _pages(population: Population) -> Iterator[tuple[str, str]]:
    """The list as people ask for it, for this client."""
    listing = reverse("prospects:list")
    for name, query in (
        ("first page", {}),
        ("a route", {"route": "hot"}),
        ("a route and a tier", {"route": "cold", "tier": "TIER_1"}),
        ("a stage", {"stage": "sourced"}),
        ("a route and a tier that hardly meet", {"route": "hot", "tier": "TIER_4"}),
        ("nobody without a route", {"route": NONE}),
        ("a segment", {"segment": "Fintech"}),
        ("a segment and a route", {"segment": "Fintech", "route": "hot"}),
        ("a source", {"source": "companies.csv"}),
        ("an owner", {"owner": str(population.user.pk)}),
        ("routes by hand", {"by_hand": "1"}),
        ("searched", {"q": "Ke"}),
        ("searched and filtered", {"q": "K", "route": "hot"}),
        ("searched where hardly anybody is", {"q": "K", "route": "hot", "tier": "TIER_4"}),
        ("a late page", {"after": _late(population)}),
    ):
        yield f"list, {name}", f"{listing}?{urlencode(query)}" if query else listing


def _late(population: Population) -> str:
    """The cursor of a page far down, as its pager would give it."""
    everybody = Prospect.objects.for_client(population.client).filter(playbook=population.playbook)
    row = everybody.order_by(*RANKING)[min(_DEEP, population.size // 2)]
    return cursor_at(row, RANKING)
