"""Every page, light and dark, wide and narrow: readable by everybody, no sideways scroll, nothing the policy blocks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page

from approvals.models import Task
from approvals.services import decide, dispatch
from approvals.services.seen import present
from playbooks.services import stops
from prospects.models import AgentRun
from prospects.services.funnel_cells import sweep_funnel
from tests import factories
from tests.browser.agents_at_work import leave_runs
from tests.browser.conftest import PHONE, WIDE
from tests.browser.desk import Desk

pytestmark = pytest.mark.django_db(transaction=True)
# What is not a page for a signed-in person: downloads, fragments, forms without a page of their own, other programs.
NOT_PAGES = {
    "home", "healthz", "readyz", "metrics", "logout", "switch_client", "preferences", "login", "approvals:changes",
    "approvals:bulk", "run_agents", "retry", "password_change_done", "password_reset_done", "password_reset_complete",
}  # fmt: skip
SIGNED_OUT = ("login", "password_reset", "password_reset_done", "password_reset_complete")


def plain_names(resolver: URLResolver | None = None, space: str = "") -> Iterator[str]:
    """The names of all addresses without arguments, the admin's left out."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace != "admin":
                yield from plain_names(entry, f"{entry.namespace}:" if entry.namespace else space)
        elif isinstance(entry, URLPattern) and entry.name and not entry.pattern.converters:
            yield f"{space}{entry.name}"


def is_page(name: str) -> bool:
    return name not in NOT_PAGES and "csv" not in name and "export" not in name


def pages_of(desk: Desk) -> list[str]:
    """Every address with something to see, the ones with an object included."""
    waiting, decided = desk.requests[1], desk.requests[0]
    sent = decided.dispatches.get()
    run = AgentRun.objects.earliest("pk")
    objects = [
        reverse("approvals:detail", args=[decided.pk]),
        *(
            f"{reverse('approvals:detail', args=[waiting.pk])}?act={act}"
            for act in ("edit", "reject", "defer", "redraft")
        ),
        reverse("approvals:outbox_detail", args=[sent.pk]),
        reverse("prospects:detail", args=[decided.prospect_id]),
        reverse("prospects:detail", args=[waiting.prospect_id]),
        reverse("agent", args=[run.agent]),
        reverse("run", args=[run.pk]),
        reverse("job", args=[run.convergence_id]),
        reverse("prospect_runs", args=[run.prospect_id]),
        reverse("trace", args=[run.trace_id]),
        f"{reverse('trace', args=[run.trace_id])}?prospect={run.prospect_id}",
        f"{reverse('prospects:detail', args=[run.prospect_id])}?show=refusal",
        f"{reverse('approvals:tasks')}?status=done",
        f"{reverse('approvals:queue')}?grade=B",
        f"{reverse('prospects:list')}?q=birch",
        f"{reverse('approvals:audit')}?event=decision.made",
    ]
    return [*(reverse(name) for name in plain_names() if is_page(name)), *objects]


def something_on_every_page(desk: Desk) -> None:
    """One request decided and sent, one task, one stop, runs that went well and did not, the funnel counted."""
    leave_runs(desk)
    first = desk.requests[0]
    decide.approve(first.pk, seen=present(first).seen, actor=desk.founder, client=desk.client)
    factories.end_undo_windows()
    dispatch.sweep(at=timezone.now())
    Task.objects.create(client=desk.client, kind="call", prospect=first.prospect, title="Call Dana Lee", detail="Ask.")
    stops.stop(
        client=desk.client, actor=desk.founder, level="agent", agent="message_hypothesis", reason="Checking words"
    )
    sweep_funnel()


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", WIDE), ("dark", WIDE), ("dark", PHONE)], ids=["light", "dark", "phone"]
)
def test_no_page_has_a_serious_fault(
    chromium: Browser, desk: Desk, post_office: None, scheme: str, size: dict[str, int]
) -> None:
    something_on_every_page(desk)
    faults: dict[str, list[str]] = {}
    with chromium.new_context(viewport=size, base_url=desk.url, color_scheme=scheme) as window:
        page = window.new_page()
        said: list[str] = []
        page.on("console", lambda line: said.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        for address in [reverse(name) for name in SIGNED_OUT]:
            page.goto(address)
            faults[address] = serious(page) + said
            said.clear()
        desk.sign_in(page)
        for address in pages_of(desk):
            answer = page.goto(address)
            width = page.evaluate("document.documentElement.scrollWidth")
            found = serious(page) + said + ([f"{width} px wide"] if width > size["width"] else [])
            faults[address] = found + ([] if answer.status == 200 else [f"status {answer.status}"])
            said.clear()
    assert {address: found for address, found in faults.items() if found} == {}
