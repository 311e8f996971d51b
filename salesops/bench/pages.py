"""Server time of the pages people live in, for a small and a large client."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client as Browser
from django.urls import reverse

from approvals.models import ApprovalRequest
from prospects.models import Prospect
from prospects.services.funnel_cells import sweep_funnel
from prospects.tasks import count_funnel
from salesops.bench import Line, Say
from salesops.bench.agents import SEEN, has_agent_history, make_agent_history
from salesops.bench.measure import time_pages
from salesops.bench.population import Population, kept_population, make_population

SMALL = 1_000
LARGE = 100_000
COMBINED = {"period": "all", "segment": "Fintech", "route": "hot"}
AIM_MS = 30.0
AIM_RATIO = 1.3


def run(size: int | None, say: Say) -> Iterator[Line]:
    """Each page at ``SMALL`` and at ``size`` prospects: median, p95 and queries, and large over small."""
    sizes = (SMALL, size or LARGE)
    populations = [_furnished(n, say) for n in sizes]
    browsers = [signed_in(population) for population in populations]
    for (name, small_url), (_, large_url) in zip(*map(pages_of, populations), strict=True):
        small, large = time_pages(list(zip(browsers, (small_url, large_url), strict=True)))
        for n, timing in zip(sizes, (small, large), strict=True):
            note = (
                f"p95 {timing.p95:.1f} ms, CPU {timing.cpu:.1f} ms, {timing.queries} queries, {timing.kilobytes:.0f} kB"
            )
            aim = f"≤ {AIM_MS:.0f} ms"
            yield Line("pages", f"{name}, {n:,}", timing.median, "ms", aim, timing.median <= AIM_MS, note)
        ratio = large.median / small.median
        note = "" if large.queries == small.queries else f"queries {small.queries} → {large.queries}"
        yield Line("pages", f"{name}, large over small", ratio, "×", f"≤ {AIM_RATIO}×", ratio <= AIM_RATIO, note)


def _furnished(size: int, say: Say) -> Population:
    """A population with all that pages show of it; one that an earlier run kept is taken as it is."""
    start = perf_counter()
    population = kept_population(size)
    made = "found" if population else "made"
    population = population or make_population(size)
    if not has_agent_history(population):
        make_agent_history(population)
    sweep_funnel()
    count_funnel(population.playbook.pk, COMBINED)  # a worker's, when many prospects have to be counted
    say(f"pages: {made} {size:,} prospects in {perf_counter() - start:.0f} s")
    return population


def signed_in(population: Population) -> Browser:
    """Somebody of this client, at their browser."""
    browser = Browser(SERVER_NAME=_known_host())
    browser.force_login(population.user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def _known_host() -> str:
    """A host name that the settings allow."""
    return next((host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")


def pages_of(population: Population) -> Iterator[tuple[str, str]]:
    """The pages with the addresses that cost most to answer for this client."""
    ranked = Prospect.objects.for_client(population.client).order_by("-priority", "-id")
    waiting = ApprovalRequest.objects.for_client(population.client).order_by("-priority", "-id")[:1].get()
    listing, funnel, agent = reverse("prospects:list"), reverse("prospects:funnel"), reverse("agent", args=[SEEN[0]])
    yield "queue", reverse("approvals:queue")
    yield "dossier", waiting.get_absolute_url()
    yield "prospect list", listing
    yield "prospect list, filtered", f"{listing}?{urlencode({'stage': 'qualified', 'route': 'hot'})}"
    yield "prospect list, searched", f"{listing}?{urlencode({'q': 'Ke'})}"
    yield "prospect page", ranked[min(500, population.size // 2)].get_absolute_url()
    yield "prospect page, handed over", waiting.prospect.get_absolute_url()
    yield "funnel", funnel
    yield "funnel, all time", f"{funnel}?period=all"
    yield "funnel, one filter", f"{funnel}?{urlencode({'period': 'all', 'segment': 'Fintech'})}"
    yield "funnel, two filters", f"{funnel}?{urlencode(COMBINED)}"
    yield "agents", reverse("agents")
    yield "one agent's runs", agent
    yield "its refused runs", f"{agent}?refused=1"
    yield "tasks", reverse("approvals:tasks")
    yield "jobs", reverse("jobs")
