"""The import pages: upload, columns, preview, progress, report; without JavaScript, for those who may."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from playbooks.models import AuditEntry, Client, Playbook, Role, User
from prospects.models import Company, ImportBatch, Signal
from prospects.services.importing import uploads
from prospects.services.importing.uploads import run_stored
from tests import factories
from tests.prospects.import_files import DATA, playbook

pytestmark = pytest.mark.django_db

CSV = "Id,Company,Website,Employees\n1,Acme,acme.com,11-50\n2,Birch,birch.io,plenty\n3,,,\n"


@pytest.fixture
def into(settings, tmp_path: Path) -> Playbook:
    settings.MEDIA_ROOT = tmp_path / "media"
    return playbook()


@pytest.fixture
def nudged(monkeypatch) -> list[int]:
    """Batches a worker was told about, instead of telling one."""
    told: list[int] = []
    monkeypatch.setattr(uploads, "nudge", told.append)
    return told


def signed_in(client: Client, *roles: Role) -> Browser:
    browser = Browser()
    browser.force_login(
        factories.user(client, *(roles or (Role.OPERATOR,))), backend="django.contrib.auth.backends.ModelBackend"
    )
    return browser


def upload(browser: Browser, into: Playbook, content: str | bytes = CSV, name: str = "list.csv", **more: str):
    file = SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)
    data = {"file": file, "kind": "prospects", "playbook": into.pk, **more}
    return browser.post(reverse("prospects:imports"), data)


def page(batch: ImportBatch, name: str = "import") -> str:
    return reverse(f"prospects:{name}", args=[batch.pk])


def test_a_file_goes_from_upload_to_report(into: Playbook, nudged: list[int]) -> None:
    browser = signed_in(into.client)
    response = upload(browser, into, as_of="2026-05-01", source_name="crm")
    batch = ImportBatch.objects.get()
    assert response.url == page(batch)
    assert (batch.status, batch.total, batch.mapping["source"]) == ("uploaded", 3, "crm")
    shown = browser.get(page(batch)).content.decode()
    assert "What importing would do" in shown
    assert "Acme" in shown
    assert "the row names no company" in shown
    assert not Company.objects.exists(), "looking writes nothing"
    assert ImportBatch.objects.get().status == "uploaded"

    columns = {"column_0": "external_id", "column_1": "name", "column_2": "website", "column_3": "keep"}
    assert browser.post(page(batch, "import_mapping"), columns).url == page(batch)
    assert ImportBatch.objects.get().mapping["columns"]["Employees"] == "keep"
    columns["column_3"] = "employees"
    browser.post(page(batch, "import_mapping"), {**columns, "start": "1"})
    assert ImportBatch.objects.get().status == "queued"
    assert nudged == [batch.pk]
    waiting = browser.get(page(batch)).content.decode()
    assert "Waiting for a worker" in waiting
    assert 'hx-trigger="every 1s"' in waiting

    run_stored(batch.pk)
    report = browser.get(page(batch)).content.decode()
    assert "every 1s" not in report
    assert "not a number of people" in report
    assert set(Company.objects.values_list("name", "employees_max")) == {("Acme", 50), ("Birch", None)}
    assert Signal.objects.first().observed_at.date().isoformat() == "2026-05-01"
    rejected = browser.get(page(batch, "import_errors"))
    assert rejected.headers["Content-Disposition"].startswith("attachment")
    assert b"reason" in b"".join(rejected.streaming_content)
    assert "list.csv" in browser.get(reverse("prospects:imports")).content.decode()
    run_stored(batch.pk)
    assert Signal.objects.count() == 2


def test_progress_is_a_fragment_of_the_report(into: Playbook, nudged: list[int]) -> None:
    browser = signed_in(into.client)
    upload(browser, into)
    batch = ImportBatch.objects.get()
    ImportBatch.objects.update(status="running", processed=2)
    part = browser.get(page(batch), headers={"HX-Request": "true", "HX-Target": "progress"}).content.decode()
    assert "2 of 3 rows" in part
    assert "<html" not in part


def test_signal_files_have_the_same_steps(into: Playbook, nudged: list[int]) -> None:
    browser = signed_in(into.client)
    upload(browser, into, (DATA / "companies.csv").read_bytes(), "companies.csv")
    run_batch_of(browser, nudged)
    upload(browser, into, (DATA / "company_changes.csv").read_bytes(), "changes.csv", kind="signals")
    batch = ImportBatch.objects.first()
    assert "Kind of signal" in browser.get(page(batch)).content.decode()
    run_batch_of(browser, nudged)
    batch.refresh_from_db()
    assert (batch.status, batch.created, batch.rejected) == ("done", 27, 2)


def run_batch_of(browser: Browser, nudged: list[int]) -> None:
    """Start the newest upload as it is proposed, and be the worker."""
    batch = ImportBatch.objects.order_by("-id").first()
    source = uploads.source_of(batch)
    choices = uploads.choices_for(batch, source)
    columns = {f"column_{i}": choice.target for i, choice in enumerate(choices)}
    browser.post(page(batch, "import_mapping"), {**columns, "start": "1"})
    run_stored(nudged[-1])


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"PK\x03\x04xxxx", "list.xlsx", "Excel"),
        (b"", "list.csv", "empty"),
        (b"\x00\x01\x02\x03\x04" * 90, "list.bin", "not a text file"),
        (b"\x1f\x8b\x08broken", "list.csv.gz", "damaged"),
    ],
)
def test_what_is_no_table_is_refused_beside_the_field(
    into: Playbook, content: bytes, name: str, words: str, tmp_path: Path
) -> None:
    response = upload(signed_in(into.client), into, content, name)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not ImportBatch.objects.exists()
    assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


def test_an_upload_that_is_too_large_says_how_large_it_may_be(into: Playbook, settings) -> None:
    settings.IMPORT_MAX_BYTES = 20
    response = upload(signed_in(into.client), into)
    assert response.status_code == 422
    assert "at most" in response.content.decode()
    assert not ImportBatch.objects.exists()


def test_a_small_upload_that_unpacks_without_end_is_given_up(into: Playbook, settings, tmp_path: Path) -> None:
    settings.IMPORT_MAX_UNPACKED_BYTES = 3_000_000
    bomb = gzip.compress(b"name,domain\n" + b"Acme,acme.com\n" * 1_000_000)
    assert len(bomb) < 200_000
    response = upload(signed_in(into.client), into, bomb, "list.csv.gz")
    assert response.status_code == 422
    assert "Unpacked, the file is larger than 3 MB" in response.content.decode()
    assert not ImportBatch.objects.exists()
    assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


def test_two_columns_cannot_mean_the_same(into: Playbook) -> None:
    browser = signed_in(into.client)
    upload(browser, into)
    batch = ImportBatch.objects.get()
    columns = {"column_0": "name", "column_1": "name", "column_2": "website", "column_3": "keep"}
    response = browser.post(page(batch, "import_mapping"), columns)
    assert response.status_code == 422
    assert "two columns" in response.content.decode()
    response = browser.post(page(batch, "import_mapping"), {**columns, "column_0": "shoe size"})
    assert response.status_code == 422


@pytest.mark.parametrize(("role", "allowed"), [
    (Role.OPERATOR, True), (Role.ADMIN, True), (Role.LEADER, True), (Role.REVIEWER, False),
])  # fmt: skip
def test_who_may_import(into: Playbook, role: Role, allowed: bool) -> None:
    browser = signed_in(into.client, role)
    assert browser.get(reverse("prospects:imports")).status_code == (200 if allowed else 403)
    assert upload(browser, into).status_code == (302 if allowed else 403)


def test_another_clients_import_does_not_exist(into: Playbook, nudged: list[int]) -> None:
    upload(signed_in(into.client), into)
    batch = ImportBatch.objects.get()
    stranger = signed_in(factories.client())
    assert stranger.get(page(batch)).status_code == 404
    for name in ("import_mapping", "import_start", "import_cancel"):
        assert stranger.post(page(batch, name)).status_code == 404
    assert stranger.get(page(batch, "import_errors")).status_code == 404
    assert upload(stranger, into).status_code == 422, "nor can a file go into another client's playbook"
    assert "list.csv" not in stranger.get(reverse("prospects:imports")).content.decode()


def test_get_changes_nothing_and_post_is_asked_for(into: Playbook) -> None:
    browser = signed_in(into.client)
    upload(browser, into)
    batch = ImportBatch.objects.get()
    for name in ("import_mapping", "import_start", "import_cancel"):
        assert browser.get(page(batch, name)).status_code == 405
    assert Browser().get(reverse("prospects:imports")).status_code == 302


def test_an_import_is_stopped_or_dropped_once(into: Playbook, nudged: list[int]) -> None:
    browser = signed_in(into.client)
    upload(browser, into)
    batch = ImportBatch.objects.get()
    ImportBatch.objects.update(status="running")
    for _ in range(2):
        browser.post(page(batch, "import_cancel"))
    batch.refresh_from_db()
    assert (batch.status, batch.cancel_requested) == ("running", True)
    ImportBatch.objects.update(status="done")
    assert browser.post(page(batch, "import_cancel")).status_code == 409
    assert browser.post(page(batch, "import_start")).status_code == 409
    ImportBatch.objects.update(status="uploaded", cancel_requested=False)
    browser.post(page(batch, "import_cancel"))
    batch.refresh_from_db()
    assert batch.status == "cancelled"
    said = AuditEntry.objects.filter(event="import.cancelled", actor=User.objects.get(), subject_id=batch.pk)
    assert [entry.detail["status"] for entry in said.order_by("seq")] == ["running", "cancelled"]


def test_the_sweep_finds_what_nobody_works_on(into: Playbook, nudged: list[int]) -> None:
    browser = signed_in(into.client)
    upload(browser, into)
    batch = ImportBatch.objects.get()
    command_line = ImportBatch.objects.create(
        client=into.client, playbook=into, kind="prospects", file_name="x.csv", sha256="0" * 64, status="running"
    )
    later = timezone.now() + timedelta(minutes=5)
    ImportBatch.objects.filter(pk=batch.pk).update(status="running")
    assert uploads.sweep(at=timezone.now()) == 0, "they may only just have begun"
    assert uploads.sweep(at=later) == 2
    assert nudged == [batch.pk]
    command_line.refresh_from_db()
    assert command_line.status == "failed"
    assert "goes on where it stopped" in command_line.error


def test_an_import_whose_file_is_gone_fails_in_words(into: Playbook, nudged: list[int]) -> None:
    browser = signed_in(into.client)
    upload(browser, into)
    batch = ImportBatch.objects.get()
    Path(batch.file.path).unlink()
    assert browser.get(page(batch)).status_code == 200
    ImportBatch.objects.update(status="queued")
    run_stored(batch.pk)
    batch.refresh_from_db()
    assert batch.status == "failed"
    assert batch.error


def test_uploads_are_kept_outside_what_is_served(settings) -> None:
    assert not Path(settings.MEDIA_ROOT).is_relative_to(Path(settings.STATIC_ROOT))


def test_hostile_text_is_escaped(into: Playbook) -> None:
    browser = signed_in(into.client)
    upload(browser, into, 'Company,<b>x</b>\n<script>alert(1)</script>,"=1+1"\n', "<i>.csv")
    shown = browser.get(page(ImportBatch.objects.get())).content.decode()
    assert "<script>alert(1)" not in shown
    assert "<b>x</b>" not in shown


def test_the_list_asks_a_constant_number_of_queries(into: Playbook, django_assert_max_num_queries) -> None:
    person: User = factories.user(into.client, Role.OPERATOR)
    ImportBatch.objects.bulk_create(
        ImportBatch(
            client=into.client,
            playbook=into,
            kind="prospects",
            file_name=f"{i}.csv",
            sha256="0" * 64,
            created_by=person,
        )
        for i in range(60)
    )
    browser = signed_in(into.client)
    with django_assert_max_num_queries(20):
        browser.get(reverse("prospects:imports"))
