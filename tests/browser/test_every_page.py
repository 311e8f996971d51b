"""Every page, light and dark, wide and narrow: readable by everybody, no sideways scroll, nothing the policy blocks."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.tokens import default_token_generator
from django.test import Client as Visitor
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from playwright.sync_api import Browser, Page, expect

from approvals.models import Task
from approvals.services import decide, dispatch, suppress
from approvals.services.seen import present
from playbooks.models import PlaybookVersion
from playbooks.services import stops
from prospects.models import AgentRun
from prospects.services.funnel_cells import sweep_funnel
from tests import factories
from tests.browser.agents_at_work import leave_runs
from tests.browser.conftest import PHONE, WIDE
from tests.browser.desk import Desk
from tests.salesops.test_pages import addresses, furnished

pytestmark = pytest.mark.django_db(transaction=True)
DOWNLOADS = {"prospects:import_errors"}  # refuses where there is nothing to download
SIGNED_OUT = {
    "login", "password_reset", "password_reset_done", "password_reset_confirm", "password_reset_complete",
}  # fmt: skip


def seen_signed_out(desk: Desk) -> list[str]:
    """What a person sees who is not signed in, the link of a reset mail included."""
    link = [urlsafe_base64_encode(force_bytes(desk.founder.pk)), default_token_generator.make_token(desk.founder)]
    return [reverse(name, args=link if name == "password_reset_confirm" else []) for name in sorted(SIGNED_OUT)]


def pages_of(desk: Desk) -> list[str]:
    """Every address that answers a person with a page of its own, the ones with an object included.

    Which rows an address can name, ``furnished()`` says, where every new address has to be named anyway. Whatever
    takes posts only, leads elsewhere, downloads or answers a fragment is no page.
    """
    ids = {**furnished(desk.client), **rows_worth_seeing(desk)}
    named = [(name, arguments) for name, arguments in addresses() if name not in SIGNED_OUT | DOWNLOADS]
    found = [reverse(name, args=[ids[name]] if arguments else []) for name, arguments in named]
    visitor = Visitor()
    visitor.force_login(desk.founder)
    return [address for address in found if is_page(visitor, address)] + filtered(desk, ids)


def is_page(visitor: Visitor, address: str) -> bool:
    answer = visitor.get(address)
    if (
        answer.status_code in (302, 405)
        or answer.streaming
        or not answer.get("Content-Type", "").startswith("text/html")
    ):
        return False
    return answer.status_code != 200 or b"<html" in answer.content


def rows_worth_seeing(desk: Desk) -> dict[str, Any]:
    """The desk's own rows, where they show more than the plain ones."""
    waiting, decided = desk.requests[1], desk.requests[0]
    run = AgentRun.objects.for_client(desk.client).earliest("pk")
    return {
        "agent": run.agent,
        "approvals:detail": waiting.pk,
        "approvals:outbox_detail": decided.dispatches.get().pk,
        "approvals:answer_task": Task.objects.get(form="evidence").pk,
        "prospects:detail": waiting.prospect_id,
        "run": run.pk,
        "job": run.convergence_id,
        "prospect_runs": run.prospect_id,
        "trace": run.trace_id,
        "unsubscribe": suppress.unsubscribe_url(desk.client.pk, waiting.contact_id).rstrip("/").rpartition("/")[2],
    }


def filtered(desk: Desk, ids: dict[str, Any]) -> list[str]:
    """The same pages in another state: a form open, a filter set, a decision made, another kind of task."""
    waiting, decided = desk.requests[1], desk.requests[0]
    looked_for = Task.objects.get(form="signal")
    return [
        reverse("approvals:detail", args=[decided.pk]),
        *(f"{reverse('approvals:detail', args=[waiting.pk])}?act={a}" for a in ("edit", "reject", "defer", "redraft")),
        reverse("prospects:detail", args=[decided.prospect_id]),
        reverse("approvals:answer_task", args=[looked_for.pk]),
        f"{reverse('trace', args=[ids['trace']])}?prospect={ids['prospect_runs']}",
        f"{reverse('prospects:detail', args=[ids['prospect_runs']])}?show=refusal",
        f"{reverse('approvals:tasks')}?status=done",
        f"{reverse('approvals:queue')}?grade=B",
        f"{reverse('prospects:list')}?q=birch",
        f"{reverse('approvals:audit')}?event=decision.made",
    ]


def something_on_every_page(desk: Desk) -> None:
    """One request decided and sent, one task, one stop, runs that went well and did not, the funnel counted."""
    leave_runs(desk)
    first = desk.requests[0]
    decide.approve(first.pk, seen=present(first).seen, actor=desk.founder, client=desk.client)
    factories.end_undo_windows()
    dispatch.sweep(at=timezone.now())
    Task.objects.create(client=desk.client, kind="call", prospect=first.prospect, title="Call Dana Lee", detail="Ask.")
    Task.objects.create(
        client=desk.client, kind="agent_work", agent="fit_evidence", form="evidence", title="Judge fit: Cobalt Data",
        prospect=desk.requests[1].prospect, playbook_version=desk.version, asks=asks_of(desk.version),
    )  # fmt: skip
    stops.stop(
        client=desk.client, actor=desk.founder, level="agent", agent="message_hypothesis", reason="Checking words"
    )
    sweep_funnel()


def asks_of(version: PlaybookVersion) -> list[dict[str, str]]:
    """All criteria of a version, as an agent whose work a person does asks them."""
    rows = version.criteria.order_by("position")
    return [{"key": f"{row.scorecard}.{row.key}", "label": row.label, "layer": row.layer} for row in rows]


def serious(page: Page) -> list[str]:
    """What axe finds, without its look into style sheets, which would be fetched once more for it."""
    found = Axe().run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"][:3]
    ]


LOOKS = {"light": ("light", WIDE), "dark": ("dark", WIDE), "phone": ("dark", PHONE)}


#: Tables whose rows become cards where columns would not fit, and that must be scrolled sideways all the same.
TOO_WIDE = """[...document.querySelectorAll("table.cards")]
    .filter((t) => t.scrollWidth > t.parentElement.clientWidth + 1)
    .map((t) => `${t.className}: ${t.scrollWidth} px in ${t.parentElement.clientWidth}`)"""


def seen_in_every_look(page: Page) -> list[str]:
    """What is wrong with the page that stands there, in each look: nothing of it asks the server again."""
    expect(page.locator(".htmx-request")).to_have_count(0)
    found = []
    for look, (scheme, size) in LOOKS.items():
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        width = page.evaluate("document.documentElement.scrollWidth")
        wrong = serious(page) + ([f"{width} px wide"] if width > size["width"] else []) + page.evaluate(TOO_WIDE)
        found += [f"{look}: {what}" for what in wrong]
    page.set_viewport_size(WIDE)
    return found


def test_no_page_has_a_serious_fault(chromium: Browser, desk: Desk, post_office: None) -> None:
    something_on_every_page(desk)
    faults: dict[str, list[str]] = {}
    with chromium.new_context(viewport=WIDE, base_url=desk.url, reduced_motion="reduce") as window:
        page = window.new_page()
        said: list[str] = []
        page.on("console", lambda line: said.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))

        def see(address: str) -> None:
            answer = page.goto(address)
            found = seen_in_every_look(page) + said
            faults[address] = found + ([] if answer.status == 200 else [f"status {answer.status}"])
            said.clear()

        for address in seen_signed_out(desk):
            see(address)
        desk.sign_in(page)
        for address in pages_of(desk):
            see(address)
    assert {address: found for address, found in faults.items() if found} == {}
