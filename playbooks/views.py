"""Reading playbooks: the list, one version, and what changed between two."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from playbooks import compare
from playbooks.criteria import LAYERS
from playbooks.document import Document
from playbooks.models import PlaybookVersion, Role
from playbooks.queries import document_of, playbooks_with_versions
from playbooks.services import budgets
from playbooks.yaml_io import dump
from salesops.access import ClientRequest, require_role
from salesops.partials import render_page


@require_GET
@require_role()
def playbook_list(request: ClientRequest) -> HttpResponse:
    """Every playbook of the client, each with its versions."""
    context = {"playbooks": playbooks_with_versions(request.client), "may_edit": _may_edit(request)}
    return render_page(request, "playbooks/list.html", context)


@require_GET
@require_role()
def version_page(request: ClientRequest, version_id: int) -> HttpResponse:
    """One version, whole."""
    version = _version(request, version_id)
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
    }
    return render_page(request, "playbooks/version.html", context)


def _limits_left(version: PlaybookVersion) -> list[budgets.Limit]:
    """What the present periods have used of each limit, while the version rules."""
    if version.status != PlaybookVersion.Status.ACTIVE:
        return []
    found = budgets.left(version, client=version.playbook.client, at=timezone.now())
    return [limit for limit in found if limit.limit or limit.used]


@require_GET
@require_role()
def version_diff(request: ClientRequest, version_id: int) -> HttpResponse:
    """What this version changes against another one (``against``, else the active one, else the one before it)."""
    version = _version(request, version_id)
    others = version.playbook.versions.exclude(pk=version.pk).order_by("-number")
    against = _against(request, version, list(others))
    changed = compare.changes(document_of(against), document_of(version)) if against is not None else []
    sections: dict[str, list[compare.Change]] = defaultdict(list)
    for change in changed:
        sections[change.section or "purpose"].append(change)
    context = {
        "version": version, "against": against, "others": others, "sections": dict(sections), "count": len(changed),
    }  # fmt: skip
    return render_page(request, "playbooks/diff.html", context)


@require_GET
@require_role()
def version_yaml(request: ClientRequest, version_id: int) -> HttpResponse:
    """The version as the file that ``load_playbook`` reads."""
    version = _version(request, version_id)
    response = HttpResponse(dump(document_of(version)), content_type="application/yaml; charset=utf-8")
    name = f"{version.playbook.slug}-v{version.number}.yaml"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _version(request: ClientRequest, version_id: int) -> PlaybookVersion:
    versions = PlaybookVersion.objects.for_client(request.client).select_related(
        "playbook__client", "created_by", "activated_by"
    )
    return get_object_or_404(versions, pk=version_id)


def _against(request: ClientRequest, version: PlaybookVersion, others: list[PlaybookVersion]) -> PlaybookVersion | None:
    wanted = request.GET.get("against", "")
    named = next((other for other in others if str(other.pk) == wanted), None)
    active = next((other for other in others if other.status == PlaybookVersion.Status.ACTIVE), None)
    before = next((other for other in others if other.number < version.number), None)
    chosen = named or active or before
    if chosen is not None:
        chosen.playbook = version.playbook
    return chosen


def _scorecards(document: Document) -> list[dict[str, Any]]:
    """Criteria grouped by scorecard, in order."""
    cards: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in document.rows["criteria"]:
        cards[row["scorecard"]].append(row)
    return [{"name": name, "rows": rows} for name, rows in cards.items()]


def _may_edit(request: ClientRequest) -> bool:
    return bool(request.user.is_staff and (Role.ADMIN.value in request.roles or request.user.is_superuser))


def _edit_url(request: ClientRequest, version: PlaybookVersion) -> str:
    return reverse("admin:playbooks_playbookversion_change", args=[version.pk]) if _may_edit(request) else ""
