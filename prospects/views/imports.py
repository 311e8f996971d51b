"""Importing in the browser: upload → what the columns mean, with a preview → import with progress → report."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from playbooks.models import Playbook
from prospects.importing.reading import UnreadableFile
from prospects.models import ImportBatch
from prospects.services.importing import uploads
from prospects.services.importing.reports import COUNTS
from prospects.views.import_forms import ColumnForm, UploadForm
from salesops.access import ClientRequest, require_role
from salesops.errors import Refusal
from salesops.paging import keyset_page
from salesops.partials import render_page

PAGE_SIZE = 25
_COUNT_WORDS = {
    "created": "New", "updated": "Updated", "merged": "Merged", "unchanged": "Unchanged", "rejected": "Rejected",
}  # fmt: skip
_TONES = {"done": "done", "failed": "danger", "running": "accent", "queued": "accent", "cancelled": "neutral"}


@require_http_methods(["GET", "POST"])
@require_role(*uploads.IMPORTERS)
def import_list(request: ClientRequest) -> HttpResponse:
    """The upload form and every import so far."""
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES, client=request.client)
        response = _received(request, form) if form.is_valid() else None
        return response or _list_page(request, form, status=422)
    return _list_page(request, UploadForm(client=request.client))


def _received(request: ClientRequest, form: UploadForm) -> HttpResponse | None:
    given = form.cleaned_data
    try:
        batch = uploads.receive_upload(
            given["file"], client=request.client, playbook=given["playbook"], kind=given["kind"], actor=request.user,
            as_of=given["as_of"], source_name=given["source_name"],
        )  # fmt: skip
    except Refusal as refusal:
        form.add_error("file", refusal.message)
        return None
    return redirect("prospects:import", batch.pk)


def _list_page(request: ClientRequest, form: UploadForm, status: int = 200) -> HttpResponse:
    batches = ImportBatch.objects.for_client(request.client).select_related("playbook", "created_by")
    page = keyset_page(batches, keys=("-id",), request=request, size=PAGE_SIZE)
    has_playbook = Playbook.objects.for_client(request.client).exists()
    context = {"form": form, "page": page, "has_playbook": has_playbook}
    return render_page(request, "prospects/import_list.html", context, partial="rows", status=status)


@require_GET
@require_role(*uploads.IMPORTERS)
def import_page(request: ClientRequest, pk: int) -> HttpResponse:
    """One import: mapping and preview, then progress, then the report."""
    batch = _batch(request, pk)
    if batch.status == ImportBatch.Status.UPLOADED:
        return _mapping_page(request, batch)
    return render_page(request, "prospects/import_report.html", _report(batch), partial="progress")


@require_POST
@require_role(*uploads.IMPORTERS)
def import_mapping(request: ClientRequest, pk: int) -> HttpResponse:
    """Store what the columns mean and show the preview again."""
    batch = _batch(request, pk)
    form = _column_form(batch, request.POST)
    if not form.is_valid():
        return _mapping_page(request, batch, form, status=422)
    try:
        uploads.set_mapping(batch, form.columns(), actor=request.user, day_first=form.chosen_day_first())
        if "start" in request.POST:
            uploads.start(batch, actor=request.user)
    except UnreadableFile as refusal:
        form.add_error(None, refusal.message)
        return _mapping_page(request, batch, form, status=422)
    return redirect("prospects:import", batch.pk)


@require_POST
@require_role(*uploads.IMPORTERS)
def import_start(request: ClientRequest, pk: int) -> HttpResponse:
    """Go on with an import that failed."""
    batch = _batch(request, pk)
    uploads.start(batch, actor=request.user)
    return redirect("prospects:import", batch.pk)


@require_POST
@require_role(*uploads.IMPORTERS)
def import_cancel(request: ClientRequest, pk: int) -> HttpResponse:
    """Stop an import; what came in stays."""
    batch = _batch(request, pk)
    uploads.cancel(batch, actor=request.user)
    messages.info(request, f"{batch.file_name}: stopping. What has come in already stays.")
    return redirect("prospects:import", batch.pk)


@require_GET
@require_role(*uploads.IMPORTERS)
def import_errors(request: ClientRequest, pk: int) -> FileResponse:
    """The rejected rows with their reasons, as CSV."""
    batch = _batch(request, pk)
    try:
        file = batch.error_file.open("rb")
    except (ValueError, FileNotFoundError) as error:
        raise Http404("This import rejected no rows.") from error
    return FileResponse(
        file, as_attachment=True, filename=f"rejected rows of import {batch.pk}.csv", content_type="text/csv"
    )


def _batch(request: ClientRequest, pk: int) -> ImportBatch:
    batches = ImportBatch.objects.for_client(request.client).select_related("client", "playbook", "created_by")
    return get_object_or_404(batches, pk=pk)


def _column_form(batch: ImportBatch, data: Any = None) -> ColumnForm:
    choices = uploads.choices_for(batch, uploads.source_of(batch))
    current = batch.mapping.get("columns", {})
    return ColumnForm(
        data, choices=choices, current=current, targets=uploads.targets_of(batch),
        day_first=batch.mapping.get("day_first"),
    )  # fmt: skip


def _mapping_page(
    request: ClientRequest, batch: ImportBatch, form: ColumnForm | None = None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"batch": batch, "sample": uploads.PREVIEW_SAMPLE, "count_words": _COUNT_WORDS}
    try:
        context["form"] = form or _column_form(batch)
        context["preview"] = preview = uploads.preview_of(batch)
    except UnreadableFile as refusal:
        context["unreadable"] = refusal.message
    else:
        context["counts"] = [(_COUNT_WORDS[name], preview.report.counts[name]) for name in COUNTS]
    return render_page(request, "prospects/import_mapping.html", context, status=status)


def _report(batch: ImportBatch) -> dict[str, Any]:
    running = batch.status in (ImportBatch.Status.QUEUED, ImportBatch.Status.RUNNING)
    return {
        "batch": batch,
        "running": running,
        "counts": [(name, _COUNT_WORDS[name], getattr(batch, name)) for name in COUNTS],
        "tone": _TONES.get(batch.status, "neutral"),
        "value_notes": [note for note in batch.notes if note.get("kind") == "value"],
        "file_notes": [note for note in batch.notes if note.get("kind") == "file"],
        "merges": [note for note in batch.notes if note.get("kind") == "merged"],
        "seconds": (batch.finished_at - batch.started_at).total_seconds()
        if batch.finished_at and batch.started_at
        else None,
    }
