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
from salesops.bench.agents import SEEN, make_agent_history
from salesops.bench.measure import Timing, time_page
from salesops.bench.population import Population, make_population

SMALL = 1_000
LARGE = 100_000
COMBINED = {"period": "all", "segment": "Fintech", "route": "hot"}
AIM_MS = 30.0
AIM_RATIO = 1.3


def run(size: int | None, say: Say) -> Iterator[Line]:
    """Each page at ``SMALL`` and at ``size`` prospects: median, p95 and queries, and large over small."""
    sizes = (SMALL, size or LARGE)
    timings: dict[tuple[str, int], Timing] = {}
    for n in sizes:
        start = perf_counter()
        population = make_population(n)
        make_agent_history(population)
        sweep_funnel()
        count_funnel(population.playbook.pk, COMBINED)  # a worker's, when many prospects have to be counted
        say(f"pages: made {n:,} prospects in {perf_counter() - start:.0f} s")
        browser = Browser(SERVER_NAME=_known_host())
        browser.force_login(population.user, backend="django.contrib.auth.backends.ModelBackend")
        for name, url in _pages(population):
            timings[name, n] = time_page(browser, url)
    for name in dict.fromkeys(name for name, _ in timings):
        small, large = timings[name, sizes[0]], timings[name, sizes[1]]
        for n, timing in ((sizes[0], small), (sizes[1], large)):
            note = f"p95 {timing.p95:.1f} ms, {timing.queries} queries, {timing.kilobytes:.0f} kB"
            yield Line(
                "pages", f"{name}, {n:,}", timing.median, "ms", f"≤ {AIM_MS:.0f} ms", timing.median <= AIM_MS, note
            )
        ratio = large.median / small.median
        note = "" if large.queries == small.queries else f"queries {small.queries} → {large.queries}"
        yield Line("pages", f"{name}, large over small", ratio, "×", f"≤ {AIM_RATIO}×", ratio <= AIM_RATIO, note)


def _known_host() -> str:
    """A host name that the settings allow."""
    return next((host.lstrip(".") for host in settings.ALLOWED_HOSTS if host != "*"), "localhost")


def _pages(population: Population) -> Iterator[tuple[str, str]]:
    """The pages with the addresses that cost most to answer for this client."""
    ranked = Prospect.objects.for_client(population.client).order_by("-priority", "-id")
    somebody = ranked[min(500, population.size // 2)]
    waiting = ApprovalRequest.objects.for_client(population.client).order_by("-priority", "-id").first()
    listing, funnel = reverse("prospects:list"), reverse("prospects:funnel")
    yield "queue", reverse("approvals:queue")
    if waiting is not None:
        yield "dossier", waiting.get_absolute_url()
    yield "prospect list", listing
    yield "prospect list, filtered", f"{listing}?{urlencode({'stage': 'qualified', 'route': 'hot'})}"
    yield "prospect list, searched", f"{listing}?{urlencode({'q': 'Ke'})}"
    yield "prospect page", somebody.get_absolute_url()
    yield "funnel", funnel
    yield "funnel, all time", f"{funnel}?period=all"
    yield "funnel, one filter", f"{funnel}?{urlencode({'period': 'all', 'segment': 'Fintech'})}"
    yield "funnel, two filters", f"{funnel}?{urlencode(COMBINED)}"
    yield "agents", reverse("agents")
    yield "one agent's runs", reverse("agent", args=[SEEN[0]])
    yield "its refused runs", f"{reverse('agent', args=[SEEN[0]])}?refused=1"
