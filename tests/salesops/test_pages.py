"""Promises that hold for every address: no other client's rows, the right roles, a strict policy, constant queries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from approvals.models import ApprovalRequest, Decision, Dispatch, Task
from approvals.services import suppress
from playbooks.models import Client, PlaybookVersion
from playbooks.services import stops
from prospects.models import (
    AgentRun,
    BulkAction,
    Convergence,
    ImportBatch,
    SavedFilter,
    SourceState,
    Suggestion,
    WhatIf,
    WhatIfChange,
)
from prospects.services.merging import merges
from tests import factories
from tests.prospects.pairs import pair

pytestmark = pytest.mark.django_db
# Addresses that no membership guards: signing in and out, health for machines, a token that is its own authority.
OPEN = {
    "login", "logout", "healthz", "readyz", "metrics", "preferences", "unsubscribe", "password_reset",
    "password_reset_done", "password_reset_confirm", "password_reset_complete",
    "password_change", "password_change_done",
}  # fmt: skip


def addresses(resolver: URLResolver | None = None, space: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every named address with its arguments, the admin's left out (it has its own tests)."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace != "admin":
                yield from addresses(entry, f"{entry.namespace}:" if entry.namespace else space)
        elif isinstance(entry, URLPattern) and entry.name:
            yield f"{space}{entry.name}", list(entry.pattern.converters)


IMPORT_PAGES = tuple(f"prospects:import{rest}" for rest in ("", "_mapping", "_start", "_cancel", "_errors"))
ANYONES = {"agent"}  # its argument names no row of a client
GUARDED = [(name, arguments) for name, arguments in addresses() if name not in OPEN]


def furnished(owner: Client, *, size: int = 1) -> dict[str, Any]:
    """Rows of every kind that an address can name, by the address's name."""
    version = factories.version(owner)
    person = factories.user(owner, "leader")
    ids: dict[str, Any] = {}
    for number in range(size):
        waiting = factories.request(words=factories.message(factories.qualified(version), version))
        approved = factories.request(words=factories.message(factories.qualified(version), version))
        decision = factories.decision(approved, person)
        sent = factories.dispatch(decision)
        task = Task.objects.create(client=owner, kind="call", prospect=approved.prospect, title=f"Call {number}")
        asked = Task.objects.create(
            client=owner, kind="agent_work", prospect=waiting.prospect, agent="fit_evidence", form="signal",
            title=f"Look {number}", playbook_version=version,
        )  # fmt: skip
        stop = stops.stop(client=owner, actor=person, level="agent", agent=f"agent_{number}", reason="Test")
        batch = ImportBatch.objects.create(
            client=owner, playbook=version.playbook, kind="prospects", file_name="companies.csv", sha256="0" * 64
        )
        run = Convergence.objects.create(
            client=owner, playbook=version.playbook, version=version, clock=factories.SEEN_ON
        )
        agent_run = AgentRun.objects.create(
            client=owner, convergence=run, cycle=1, agent="fit_evidence", implementation="rules",
            implementation_version="rules-1", prospect=waiting.prospect, playbook_version=version, watermark=1,
            at=factories.SEEN_ON, trace_id=run.trace_id,
        )  # fmt: skip
        open_pair, apart, joined = (pair(*(factories.company(owner) for _ in range(2))) for _ in range(3))
        merges.keep_apart(apart.pk, actor=person, client=owner)
        merge = merges.merge(joined.pk, actor=person, client=owner)
        deal, customer = factories.deal(version), factories.customer(version)
        note = Suggestion.objects.create(
            client=owner, playbook=version.playbook, prospect=waiting.prospect, by=person, rule="Industry", truth="No"
        )
        look, _ = WhatIf.objects.get_or_create(
            client=owner, version=version, status="done",
            defaults={"playbook": version.playbook, "fingerprint": "-", "clock": factories.SEEN_ON, "up_to_id": 0},
        )  # fmt: skip
        WhatIfChange.objects.create(what_if=look, prospect=waiting.prospect, new_route="hot", moved=number, why=["+1"])
        suppress.add([("email", f"{number}@left.example")], client=owner, actor=person, reason="Asked", source="phone")
        source = SourceState.objects.create(client=owner, source=f"source_{number}", halted_at=factories.SEEN_ON)
        kept = SavedFilter.objects.create(client=owner, owner=person, name=f"Kept {number}", shared=True)
        of_queue = SavedFilter.objects.create(
            client=owner, owner=person, page="approvals", name=f"Kept {number}", query={"grade": "A"}, shared=True
        )
        many = BulkAction.objects.create(
            client=owner, playbook=version.playbook, kind="assign", status="done", changed=1, created_by=person
        )
        ids = {
            "cancel_run": run.pk,
            "job": run.pk,
            "run": agent_run.pk,
            "prospect_runs": waiting.prospect_id,
            "trace": run.trace_id,
            "approvals:answer_task": asked.pk,
            "prospects:merge_pair": open_pair.pk,
            "prospects:keep_apart": open_pair.pk,
            "prospects:ask_again": apart.pk,
            "prospects:undo_merge": merge.pk,
            "prospects:resume_source": source.pk,
            **dict.fromkeys(IMPORT_PAGES, batch.pk),
            "playbooks:version": version.pk,
            "playbooks:diff": version.pk,
            "playbooks:yaml": version.pk,
            "playbooks:new_version": version.pk,
            "playbooks:two_people": version.playbook_id,
            "prospects:what_if": version.pk,
            "prospects:what_if_stop": version.pk,
            "prospects:what_if_csv": version.pk,
            "prospects:publish": version.pk,
            "prospects:suggest": waiting.prospect_id,
            "prospects:erase": waiting.contact_id,
            "prospects:suggestions": version.playbook_id,
            "prospects:answer_suggestion": note.pk,
            "where_used": version.pk,
            "prospects:detail": waiting.prospect_id,
            "prospects:pipelines": deal.prospect_id,
            "prospects:buying": deal.prospect_id,
            "prospects:move": deal.prospect_id,
            "prospects:open_deal": deal.prospect_id,
            "prospects:move_deal": deal.pk,
            "prospects:change_deal": deal.pk,
            "prospects:move_customer": customer.pk,
            "prospects:remove_filter": kept.pk,
            "approvals:remove_filter": of_queue.pk,
            "prospects:open_with": kept.pk,
            "prospects:bulk": many.pk,
            "prospects:undo_bulk": many.pk,
            "approvals:detail": waiting.pk,
            "approvals:opened": waiting.pk,
            "approvals:decide": waiting.pk,
            "approvals:diff": waiting.pk,
            "approvals:undo": decision.pk,
            "approvals:outbox_detail": sent.pk,
            "approvals:resolve_task": task.pk,
            "lift_stop": stop.pk,
        }
    return ids


@pytest.mark.parametrize(("name", "arguments"), GUARDED, ids=[name for name, _ in GUARDED])
def test_a_visitor_is_sent_to_sign_in(client: Browser, name: str, arguments: list[str]) -> None:
    url = reverse(name, args=[1] * len(arguments))
    answers = [client.get(url), client.post(url)]
    assert {answer.status_code for answer in answers} <= {302, 405}
    assert all("/sign-in/" in answer["Location"] for answer in answers if answer.status_code == 302)
    assert any(answer.status_code == 302 for answer in answers)


OWNED = [(name, arguments) for name, arguments in GUARDED if arguments and name not in ANYONES]


def test_another_clients_object_does_not_exist(client: Browser) -> None:
    foreign = furnished(factories.client())
    assert not [name for name, _ in OWNED if name not in foreign], "say in furnished() which rows these name"
    client.force_login(factories.user(factories.client(), "reviewer", "leader", "admin", "operator"))
    words = {"action": "approve", "seen": "1|x|1|qualified|-", "reason": "x", "outcome": "done", "words": "x"}
    before = world()
    for name, _ in OWNED:
        url = reverse(name, args=[foreign[name]])
        answers = [client.get(url).status_code, client.post(url, words).status_code]
        assert set(answers) <= {404, 405}, name
        assert 404 in answers, name
        assert world() == before, name


def world() -> list[object]:
    return [
        Decision.objects.count(),
        sorted(Dispatch.objects.values_list("pk", "status")),
        sorted(ApprovalRequest.objects.values_list("pk", "status", "version")),
        sorted(Task.objects.values_list("pk", "status")),
    ]


def test_an_operator_reads_but_does_not_decide(client: Browser) -> None:
    owner = factories.client()
    mine = furnished(owner)
    client.force_login(factories.user(owner, "operator"))
    page = client.get(reverse("approvals:detail", args=[mine["approvals:detail"]]))
    assert page.status_code == 200
    assert 'id="decide"' not in page.content.decode()
    for name in ("approvals:decide", "approvals:undo", "approvals:resolve_task"):
        answer = client.post(reverse(name, args=[mine[name]]), {"action": "approve"})
        assert answer.status_code == 403
        assert "Not in your role" in answer.content.decode()


def test_an_address_that_only_takes_forms_says_so_when_it_is_opened(client: Browser) -> None:
    client.force_login(factories.user(factories.client()))
    answer = client.get(reverse("switch_client"))
    assert answer.status_code == 405
    assert answer["Allow"] == "POST"
    assert "only takes what a form sends" in answer.content.decode()


def test_a_refusal_leads_back_to_the_page_its_form_stood_on_and_nowhere_else(client: Browser) -> None:
    owner = factories.client()
    url = reverse("prospects:what_if", args=[furnished(owner)["prospects:what_if"]])
    client.force_login(factories.user(owner, "reviewer"))
    for page, leads in (("http://testserver/playbooks/", True), ("https://elsewhere.example/", False)):
        answer = client.post(url, headers={"Referer": page})
        assert answer.status_code == 403
        assert (f'href="{page}"' in answer.content.decode()) is leads


@pytest.mark.parametrize("url", ["/sign-in/", "/approvals/", "/nothing-here/", "/healthz"])
def test_nothing_inline_is_allowed_anywhere(client: Browser, url: str) -> None:
    client.force_login(factories.user(factories.client()))
    answer = client.get(url)
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]


def test_what_a_signed_in_person_sees_is_kept_by_no_shared_cache(client: Browser) -> None:
    client.force_login(factories.user(factories.client()))
    answer = client.get(reverse("approvals:queue"))
    assert "private" in answer["Cache-Control"]
    assert "HX-Target" in answer["Vary"]


def test_pages_carry_no_inline_script_style_or_handler(client: Browser) -> None:
    owner = factories.client()
    mine = furnished(owner)
    client.force_login(factories.user(owner, "reviewer", "leader", "admin"))
    plain = [reverse(name) for name, arguments in GUARDED if not arguments and "csv" not in name]
    own = [reverse(name, args=[mine[name]]) for name, arguments in GUARDED if name in mine]
    for url in [*plain, *own]:
        answer = client.get(url)
        if answer.streaming or not answer.get("Content-Type", "").startswith("text/html"):
            continue
        page = answer.content.decode()
        assert " style=" not in page, url
        assert "<style" not in page, url
        assert "<script>" not in page, url
        assert not [word for word in ("onclick=", "onload=", "onsubmit=", "onchange=") if word in page], url


# Pages that list rows, and pages of one row that furnished() names.
LISTS = (
    "approvals:queue", "approvals:outbox", "approvals:tasks", "approvals:audit", "approvals:suppressions", "stops",
    "prospects:list", "prospects:funnel", "prospects:duplicates", "prospects:merges", "prospects:sources",
    "prospects:erasures", "agents", "jobs", "work", "playbooks:list",
)  # fmt: skip
PAGES = (
    "approvals:detail", "approvals:outbox_detail", "prospects:detail", "run", "prospect_runs", "job", "trace",
    "playbooks:version", "prospects:what_if", "prospects:publish", "prospects:suggestions", "where_used",
    "approvals:answer_task",
)  # fmt: skip


def test_a_page_asks_as_many_questions_of_many_rows_as_of_few(client: Browser) -> None:
    few, many = _questions(client, size=1), _questions(client, size=8)
    assert few == many
    assert max(few.values()) <= 30, few


def _questions(client: Browser, *, size: int) -> dict[str, int]:
    """How many queries each page makes, by its name, for a client with so many rows of every kind."""
    owner = factories.client()
    ids = furnished(owner, size=size)
    client.force_login(factories.user(owner, "reviewer", "leader", "admin"))
    urls = {name: reverse(name) for name in LISTS}
    urls |= {name: reverse(name, args=[ids[name]]) for name in PAGES}
    urls["agent"] = reverse("agent", args=["fit_evidence"])
    counts = {}
    for name, url in urls.items():
        client.get(url)  # what is asked once only
        with CaptureQueriesContext(connection) as asked:
            assert client.get(url).status_code == 200, name
        counts[name] = len(asked)
    return counts


def test_the_shell_costs_one_query_and_only_when_it_is_drawn(client: Browser) -> None:
    owner = factories.client()
    client.force_login(factories.user(owner))
    with CaptureQueriesContext(connection) as whole:
        client.get(reverse("stops"))
    with CaptureQueriesContext(connection) as fragment:
        client.get(reverse("stops"), headers={"HX-Request": "true", "HX-Target": "dialog"})
    shell = [row for row in whole if "AS waiting" in row["sql"]]
    assert len(shell) == 1
    assert not [row for row in fragment if "AS waiting" in row["sql"]]


def test_polling_answers_nothing_while_nothing_moved(client: Browser) -> None:
    owner = factories.client()
    furnished(owner)
    client.force_login(factories.user(owner))
    version = client.get(reverse("approvals:queue")).context["version"]
    url = reverse("approvals:changes")
    assert client.get(url, {"v": version}).status_code == 204
    factories.request(factories.version(owner))
    moved = client.get(url, {"v": version})
    assert moved.status_code == 200
    assert 'hx-swap-oob="true"' in moved.content.decode()


def test_words_of_a_prospect_are_never_markup(client: Browser) -> None:
    ruling: PlaybookVersion = factories.version()
    owner = ruling.playbook.client
    company = factories.company(owner, name="<script>alert(1)</script>")
    who = factories.qualified(ruling, company=company, contact=factories.contact(owner, company))
    row = factories.request(
        words=factories.message(who, ruling, subject="<img src=x>"),
        dossier={"why_now": {"text": "<b>now</b>"}, "risks": [{"level": "caution", "text": "<i>x</i>"}]},
    )
    client.force_login(factories.user(owner))
    page = client.get(reverse("approvals:detail", args=[row.pk])).content.decode()
    for markup in ("<script>alert", "<img src=x>", "<b>now", "<i>x"):
        assert markup not in page
