"""The list of playbooks, one version, what changed between two; new drafts, and how many people it takes to publish."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from playbooks.models import Playbook, PlaybookVersion, Role
from playbooks.queries import document_of, playbooks_with_versions
from playbooks.rules.criteria import LAYERS
from playbooks.rules.difference_words import difference
from playbooks.rules.document import Document
from playbooks.rules.yaml_io import dump
from playbooks.services import budgets, drafts, lifecycle
from salesops.access import ClientRequest, require_role
from salesops.partials import render_page


@require_GET
@require_role()
def playbook_list(request: ClientRequest) -> HttpResponse:
    """Every playbook of the client, each with its versions."""
    context = {
        "playbooks": [_next_step(playbook) for playbook in playbooks_with_versions(request.client)],
        "may_edit": _may_edit(request),
        "may_publish": may_publish(request),
    }
    return render_page(request, "playbooks/list.html", context)


def _next_step(playbook: Playbook) -> dict[str, Any]:
    """A playbook with the draft that is open, and the version that a new one would be copied from."""
    versions: list[PlaybookVersion] = playbook.shown  # type: ignore[attr-defined]  # prefetched
    draft = next((version for version in versions if version.editable), None)
    ruling = next((version for version in versions if version.status == PlaybookVersion.Status.ACTIVE), None)
    return {"playbook": playbook, "draft": draft, "source": ruling or next(iter(versions), None)}


@require_GET
@require_role()
def version_page(request: ClientRequest, version_id: int) -> HttpResponse:
    """One version, whole."""
    version = version_of(request, version_id)
    document = document_of(version)
    context = {
        "version": version,
        "head": document.head,
        "rows": document.rows,
        "scorecards": _scorecards(document),
        "weights": [(layer, version.layer_weights[layer]) for layer in LAYERS],
        "others": version.playbook.versions.exclude(pk=version.pk).order_by("-number"),
        "edit_url": _edit_url(request, version),
        "limits": _limits_left(version),
        "may_publish": may_publish(request),
        "draft": drafts.open_draft(version.playbook),
        "activations": version.activations.select_related("by").order_by("-at"),
    }
    return render_page(request, "playbooks/version.html", context)


@require_POST
@require_role(Role.ADMIN)
def new_version(request: ClientRequest, version_id: int) -> HttpResponse:
    """Copy this version into a draft and open it; a draft that is open already is shown with who made it."""
    source = version_of(request, version_id)
    draft, made = drafts.draft_to_edit(source.playbook, actor=request.user, source=source)
    if made:
        messages.success(request, f"Version {draft.number} is a draft, copied from version {source.number}.")
    else:
        who = draft.created_by or "the system"
        messages.info(request, f"There is a draft already: version {draft.number}, made by {who}. Work on it together.")
    return redirect(_edit_url(request, draft) or reverse("playbooks:version", args=[draft.pk]))


@require_POST
@require_role(Role.ADMIN)
def two_people(request: ClientRequest, playbook_id: int) -> HttpResponse:
    """Ask for a second person before a version may rule, or stop asking."""
    playbook = get_object_or_404(Playbook.objects.for_client(request.client), pk=playbook_id)
    wanted = request.POST.get("wanted") == "yes"
    lifecycle.ask_for_two(playbook, wanted=wanted, actor=request.user)
    messages.success(request, "Two people publish from now on." if wanted else "One person may publish from now on.")
    return redirect("playbooks:list")


def _limits_left(version: PlaybookVersion) -> list[budgets.Limit]:
    """What the present periods have used of each limit, while the version rules."""
    if version.status != PlaybookVersion.Status.ACTIVE:
        return []
    found = budgets.usage(version, client=version.playbook.client, at=timezone.now())
    return [limit for limit in found if limit.limit or limit.used]


@require_GET
@require_role()
def version_diff(request: ClientRequest, version_id: int) -> HttpResponse:
    """What this version changes against another one (``against``, else the active one, else what it was made from)."""
    version = version_of(request, version_id)
    others = version.playbook.versions.exclude(pk=version.pk).order_by("-number")
    against = _against(request, version, list(others))
    sections = difference(document_of(against), document_of(version)) if against is not None else []
    context = {"version": version, "against": against, "others": others, "sections": sections}
    return render_page(request, "playbooks/diff.html", context)


@require_GET
@require_role()
def version_yaml(request: ClientRequest, version_id: int) -> HttpResponse:
    """The version as the file that ``load_playbook`` reads."""
    version = version_of(request, version_id)
    response = HttpResponse(dump(document_of(version)), content_type="application/yaml; charset=utf-8")
    name = f"{version.playbook.slug}-v{version.number}.yaml"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def version_of(request: ClientRequest, version_id: int) -> PlaybookVersion:
    """The client's version with that id, and everybody who had a hand in it; or 404."""
    versions = PlaybookVersion.objects.for_client(request.client).select_related(
        "playbook__client", "created_by", "activated_by", "submitted_by", "approved_by", "based_on"
    )
    return get_object_or_404(versions, pk=version_id)


def _against(request: ClientRequest, version: PlaybookVersion, others: list[PlaybookVersion]) -> PlaybookVersion | None:
    wanted = request.GET.get("against", "")
    named = next((other for other in others if str(other.pk) == wanted), None)
    active = next((other for other in others if other.status == PlaybookVersion.Status.ACTIVE), None)
    origin = next((other for other in others if other.pk == version.based_on_id), None)
    before = next((other for other in others if other.number < version.number), None)
    chosen = named or active or origin or before
    if chosen is not None:
        chosen.playbook = version.playbook
    return chosen


def _scorecards(document: Document) -> list[dict[str, Any]]:
    """Criteria grouped by scorecard, in order."""
    cards: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in document.rows["criteria"]:
        cards[row["scorecard"]].append(row)
    return [{"name": name, "rows": rows} for name, rows in cards.items()]


def may_publish(request: ClientRequest) -> bool:
    """Whether this person may copy and publish playbooks."""
    return Role.ADMIN in request.roles or request.user.is_superuser


def _may_edit(request: ClientRequest) -> bool:
    return request.user.is_staff and may_publish(request)


def _edit_url(request: ClientRequest, version: PlaybookVersion) -> str:
    return reverse("admin:playbooks_playbookversion_change", args=[version.pk]) if _may_edit(request) else ""
