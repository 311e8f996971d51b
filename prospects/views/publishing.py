"""Before a version rules: who would change, and the page on which it is published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from playbooks.models import Activation, PlaybookVersion, Role
from playbooks.queries import document_of
from playbooks.rules.difference_words import difference, summary
from playbooks.rules.validation import problems
from playbooks.services import lifecycle
from playbooks.views import may_publish, version_of
from prospects.models import Suggestion, WhatIf, WhatIfChange
from prospects.reading.trust import trusted
from prospects.reading.what_if import counted, filtered, moved, read_moves, totals
from prospects.services import publishing, what_if
from salesops.access import ClientRequest, require_role
from salesops.errors import NotAllowed, Refusal
from salesops.paging import keyset_page
from salesops.partials import render_page
from salesops.spreadsheets import csv_response

RANKING = ("-moved", "-id")
PAGE_SIZE = 50
Status = PlaybookVersion.Status


@require_http_methods(["GET", "POST"])
@require_role()
def what_if_page(request: ClientRequest, version_id: int) -> HttpResponse:
    """Who would change route, tier or verdict under this version, and why; POST looks anew."""
    version = version_of(request, version_id)
    if request.method == "POST":
        require_looker(request)
        what_if.start(version, client=request.client, actor=request.user)
        return redirect("prospects:what_if", version.pk)
    found = _latest(request, version)
    rules = version.status == Status.ACTIVE
    context: dict[str, Any] = {
        "version": version, "what_if": found, "rules": rules, "may_look": may_look(request) and not rules,
    }  # fmt: skip
    if found is not None:
        moves = read_moves(request.GET)
        rows = filtered(found, moves).select_related("prospect__company", "prospect__contact")
        context |= {
            "is_open": found.status in what_if.OPEN,
            "is_partial": _is_partial(found),
            "stale": _is_stale(found, version),
            "overtaken": _is_overtaken(found, version),
            "tables": counted(found.counts),
            "totals": totals(found.counts),
            "moves": moves,
            "page": keyset_page(rows, keys=RANKING, request=request, size=PAGE_SIZE),
        }
    return render_page(request, "playbooks/what_if.html", context, partial=("live", "rows"))


@require_POST
@require_role()
def stop_what_if(request: ClientRequest, version_id: int) -> HttpResponse:
    """Stop looking; what was found so far stays."""
    version = version_of(request, version_id)
    require_looker(request)
    found = _latest(request, version)
    if found is not None:
        what_if.cancel(found, actor=request.user)
    return redirect("prospects:what_if", version.pk)


@require_GET
@require_role()
def what_if_csv(request: ClientRequest, version_id: int) -> StreamingHttpResponse:
    """Everybody who would change, as CSV, through the same filter."""
    version = version_of(request, version_id)
    found = _latest(request, version)
    header = (
        "id", "name", "route", "new_route", "tier", "new_tier", "verdict", "new_verdict", "composite",
        "new_composite", "why", "provisional",
    )  # fmt: skip
    rows = filtered(found, read_moves(request.GET)).order_by(*RANKING) if found else WhatIfChange.objects.none()
    rows = rows.select_related("prospect__company", "prospect__contact")
    mark = "no" if found is None or found.trusted_today else "yes"  # type: ignore[attr-defined]  # annotated
    return csv_response(f"what-if-v{version.number}", header, _lines(rows.iterator(chunk_size=2000), mark))


def _lines(rows: Iterator[WhatIfChange], provisional: str) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield (
            row.prospect_id, str(row.prospect), row.route, row.new_route, row.tier, row.new_tier, row.verdict,
            row.new_verdict, row.composite, row.new_composite, " ".join(row.why), provisional,
        )  # fmt: skip


@require_http_methods(["GET", "POST"])
@require_role()
def publish_page(request: ClientRequest, version_id: int) -> HttpResponse:
    """Check, say why, and let a version rule: a draft, one in review, or an older one (a rollback)."""
    version = version_of(request, version_id)
    return _publish(request, version) if request.method == "POST" else _ask(request, version)


def _ask(request: ClientRequest, version: PlaybookVersion, refused: Refusal | None = None) -> HttpResponse:
    """The page; after a refusal with its reason, and with what was typed."""
    ruling = version.playbook.active_version
    if ruling is not None:
        ruling.playbook = version.playbook
    document = document_of(version)
    changed = difference(document_of(ruling), document) if ruling is not None and ruling.pk != version.pk else []
    found = _latest(request, version)
    step = _step(request, version)
    context = {
        "version": version,
        "ruling": ruling,
        "problems": problems(document) if version.status in (Status.DRAFT, Status.IN_REVIEW) else [],
        "changes": summary(changed, most=12),
        "what_if": found,
        "is_open": found is not None and found.status in what_if.OPEN,
        "is_partial": found is not None and _is_partial(found),
        "stale": found is not None and _is_stale(found, version),
        "overtaken": found is not None and _is_overtaken(found, version),
        "totals": totals(found.counts) if found is not None else {},
        "moved": moved(found.counts, "route") if found is not None else [],
        "open_notes": Suggestion.objects.filter(playbook=version.playbook_id, state=Suggestion.State.OPEN).count(),
        "may_publish": may_publish(request),
        "step": step,
        "choices": Activation.AppliesTo.choices,
        "note": request.POST.get("note", "" if step == "roll_back" else version.change_note),
        "applies_to": _applies_to(request),
        "seen": lifecycle.as_read(version),
        "read_again": refused.message if isinstance(refused, lifecycle.ReadAgain) else "",
        "no_note": refused.message if isinstance(refused, lifecycle.NoNote) else "",
    }
    return render_page(request, "playbooks/publish.html", context, status=refused.status if refused else 200)


def _step(request: ClientRequest, version: PlaybookVersion) -> str:
    """What this person may do with it now: publish, roll_back, submit, wait (for somebody else), or nothing."""
    two = version.playbook.two_person_publish
    if version.status == Status.RETIRED:
        return "roll_back"
    if version.status == Status.DRAFT:
        return "submit" if two else "publish"
    if version.status == Status.IN_REVIEW and two and version.submitted_by_id == request.user.pk:
        return "wait"
    return "publish" if version.status in (Status.IN_REVIEW, Status.APPROVED) else ""


def _publish(request: ClientRequest, version: PlaybookVersion) -> HttpResponse:
    """What is left to say or to read again is said on the page, which keeps what was typed; any other refusal goes to
    the one place that turns them into pages.
    """
    action, note = request.POST.get("action", ""), request.POST.get("note", "")
    here = redirect("prospects:publish", version.pk)
    if action == "send_back":
        lifecycle.send_back(version, actor=request.user)
        messages.success(request, f"{version} is a draft again.")
        return here
    if version.status == Status.ACTIVE:  # sent twice, or from the page before by the back button
        messages.info(request, f"{version} rules already; nothing was done twice.")
        return redirect("playbooks:version", version.pk)
    try:
        if action == "submit":
            lifecycle.require_note(note)
            lifecycle.submit(version, actor=request.user, note=note)
            messages.success(request, f"{version} waits for a second person.")
            return here
        ruling, job = publishing.publish(
            version, client=request.client, actor=request.user, note=note, applies_to=_applies_to(request),
            seen=request.POST.get("seen", ""),
        )  # fmt: skip
    except (lifecycle.NoNote, lifecycle.ReadAgain) as refusal:
        return _ask(request, version, refusal)
    if job is None:
        messages.warning(request, f"{ruling} rules. Work is stopped here, so nobody is judged by it yet.")
        return redirect("playbooks:version", ruling.pk)
    messages.success(request, f"{ruling} rules. The agents are looking at everybody it rules.")
    return redirect("job", job.pk)


def _applies_to(request: ClientRequest) -> str:
    """Whom it shall rule, everybody unless the form says otherwise."""
    given = request.POST.get("applies_to", "")
    return given if given in Activation.AppliesTo.values else Activation.AppliesTo.ALL.value


def may_look(request: ClientRequest) -> bool:
    """Whether this person may set a what-if to work: it looks at everybody."""
    return may_publish(request) or Role.LEADER in request.roles


def require_looker(request: ClientRequest) -> None:
    """Raises NotAllowed for whoever may not set a what-if to work."""
    if not may_look(request):
        raise NotAllowed("Leaders and admins may look at everybody under another version. Ask one of them.")


def _is_stale(found: WhatIf, version: PlaybookVersion) -> bool:
    """Whether the draft says something else by now. Only drafts change; while it is being looked at, nobody asks."""
    if not version.editable or found.status in what_if.OPEN:
        return False
    return found.fingerprint != what_if.fingerprint(version)


def _is_overtaken(found: WhatIf, version: PlaybookVersion) -> bool:
    """Whether another version rules by now than the one it was compared with; once it rules itself, nobody asks."""
    ruling = version.playbook.active_version
    if found.status in what_if.OPEN or (ruling is not None and ruling.pk == version.pk):
        return False
    return found.against_id != (ruling.pk if ruling is not None else None)


def _is_partial(found: WhatIf) -> bool:
    """Whether it ended before everybody was looked at: called off, or broken."""
    return found.status in (WhatIf.Status.CANCELLED, WhatIf.Status.FAILED)


def _latest(request: ClientRequest, version: PlaybookVersion) -> WhatIf | None:
    rows = WhatIf.objects.for_client(request.client).select_related("against", "created_by")
    return rows.filter(version=version).annotate(**trusted(request.client.pk)).first()
