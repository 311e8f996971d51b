"""The commands other people's scripts call: exit codes, one JSON document, words for people."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from playbooks.models import Playbook
from prospects.models import Company, ImportBatch, Prospect, Signal
from tests.prospects.import_files import DATA, playbook, write_csv

pytestmark = pytest.mark.django_db


@pytest.fixture
def into(settings, tmp_path: Path) -> Playbook:
    settings.MEDIA_ROOT = tmp_path / "media"
    return playbook()


def run(name: str, path: Path, into: Playbook, *options: str) -> str:
    out = io.StringIO()
    call_command(name, str(path), "--client", into.client.slug, "--playbook", into.slug, *options, stdout=out)
    return out.getvalue()


def test_json_is_one_document_with_the_counts(into: Playbook) -> None:
    document = json.loads(run("import_prospects", DATA / "companies.csv", into, "--json"))
    assert (document["created"], document["merged"], document["rejected"], document["unchanged"]) == (39, 1, 0, 0)
    assert document["status"] == "done"
    document = json.loads(run("import_signals", DATA / "company_changes.csv", into, "--json"))
    assert (document["created"], document["rejected"]) == (27, 2)
    assert Path(document["error_file"]).exists()


def test_people_read_counts_notes_and_where_rejected_rows_are(into: Playbook, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "Company|Employees", "Acme|plenty", "|5")
    said = run("import_prospects", path, into)
    assert "1 created · 0 updated · 0 merged · 0 unchanged · 1 rejected" in said
    assert "not a number of people (1 ×), e.g. row 2 “plenty”" in said
    assert "rejected-rows" in said


def test_rejected_rows_are_no_failure(into: Playbook, tmp_path: Path) -> None:
    run("import_prospects", write_csv(tmp_path / "a.csv", "Company", ""), into)
    run("import_signals", write_csv(tmp_path / "b.csv", "Prospect|Kind|At", "x|y|z"), into)


def test_a_file_that_cannot_be_read_exits_with_1(into: Playbook, tmp_path: Path) -> None:
    workbook = tmp_path / "a.xlsx"
    workbook.write_bytes(b"PK\x03\x04")
    for name in ("import_prospects", "import_signals"):
        for path in (workbook, tmp_path / "nowhere.csv"):
            with pytest.raises(CommandError) as caught:
                run(name, path, into)
            assert caught.value.returncode == 1
    assert not ImportBatch.objects.exists()


def test_unknown_clients_and_playbooks_are_answered_with_those_there_are(into: Playbook, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "Company", "Acme")
    with pytest.raises(CommandError, match=into.client.slug):
        call_command("import_prospects", str(path), "--client", "nobody", "--playbook", into.slug)
    with pytest.raises(CommandError, match=into.slug):
        call_command("import_prospects", str(path), "--client", into.client.slug, "--playbook", "nothing")


def test_a_dry_run_shows_the_columns_and_rows_and_writes_nothing(into: Playbook) -> None:
    document = json.loads(run("import_prospects", DATA / "companies.csv", into, "--dry-run", "--json"))
    assert (document["created"], document["status"], len(document["preview"])) == (39, "preview", 20)
    assert {"column": "team_size", "field": "employees", "confidence": 0.95, "why": "by its name"} in document[
        "columns"
    ]
    assert "team_size → employees" in run("import_prospects", DATA / "companies.csv", into, "--dry-run")
    assert not Company.objects.exists()
    assert not ImportBatch.objects.exists()


def test_a_mapping_file_overrides_the_guesses(into: Playbook, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "Wer|Wo|Company", "Acme|acme.com|ignored")
    mapping = tmp_path / "m.yaml"
    mapping.write_text("columns:\n  Wer: name\n  wo: domain\n  Company: ignore\ndefaults:\n  country: Norway\n")
    run("import_prospects", path, into, "--mapping", str(mapping))
    company = Company.objects.get()
    assert (company.name, company.domain, company.country, company.attributes) == ("Acme", "acme.com", "NO", {})
    mapping.write_text("Nowhere: name\n")
    with pytest.raises(CommandError, match="Nowhere"):
        run("import_prospects", path, into, "--mapping", str(mapping))


def test_as_of_dates_the_facts_and_source_names_the_ids(into: Playbook, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "companies-2026-03.csv", "Id|Company", "1|Acme")
    run("import_prospects", path, into, "--as-of", "2026-03-01", "--source", "crm")
    assert Signal.objects.get().observed_at.date().isoformat() == "2026-03-01"
    assert (Company.objects.get().source, Prospect.objects.get().source) == ("crm", "crm")
    with pytest.raises(CommandError, match="soon"):
        run("import_prospects", path, into, "--as-of", "soon")
