"""What it costs to keep the funnel's cells level with the facts."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from django.db import connection

from prospects.models import FunnelCell, Prospect
from prospects.services.funnel_cells import rebuild_funnel, sweep_funnel
from salesops.bench import Line, Say
from salesops.bench.population import make_population

SIZE = 20_000


def run(size: int | None, say: Say) -> Iterator[Line]:
    """A full rebuild, and a sweep after one prospect changed its route."""
    population = make_population(size or SIZE)
    say(f"funnel: made {population.size:,} prospects")
    start = perf_counter()
    rebuild_funnel(population.playbook)
    seconds = perf_counter() - start
    cells = FunnelCell.objects.filter(playbook=population.playbook).count()
    yield Line("funnel", "full rebuild", population.size / seconds, "prospects/s", note=f"{cells:,} cells")
    sweep_funnel()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE prospects_funnelcell")
    somebody = Prospect.objects.filter(playbook=population.playbook, stage="contacted").order_by("pk")
    seconds_of = []
    for prospect in somebody[:10]:
        Prospect.objects.filter(pk=prospect.pk).update(route="cold" if prospect.route == "hot" else "hot")
        start = perf_counter()
        swept = next(s for s in sweep_funnel() if s.playbook_id == population.playbook.pk)
        seconds_of.append((perf_counter() - start, swept.days))
    slowest, days = max(seconds_of)
    yield Line("funnel", "sweep after one change", slowest * 1000, "ms", note=f"{days} days counted again")
