"""Importing signals: they find their prospect, or say why not; the same observation is recorded once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from playbooks.models import Playbook
from prospects.models import Prospect, Signal
from tests import factories
from tests.prospects.import_files import DATA, counts, imported, playbook, signals_imported, write_csv

pytestmark = pytest.mark.django_db

HEADER = "Prospect|Kind|Observed at|Value|Text|Source"


def seen() -> list[Signal]:
    return list(Signal.objects.exclude(kind="profile").order_by("id"))


@pytest.fixture
def into(tmp_path: Path) -> Playbook:
    found = playbook()
    imported(
        write_csv(
            tmp_path / "companies.csv", "Id|Company|Domain|Name|Email",
            "C-1|Acme|acme.com|Dana|dana@acme.com", "C-2|Birch|birch.io||",
        ),
        found,
    )  # fmt: skip
    return found


def test_signals_find_their_prospect_by_domain_address_or_id(tmp_path: Path, into: Playbook) -> None:
    path = write_csv(
        tmp_path / "s.csv", HEADER,
        "https://www.acme.com/jobs|Job post|2026-04-01|3|Sales role|careers page",
        "DANA@acme.com|reply|2026-04-02||Yes!|",
        "C-2|funding|2026-04-03|$2m||news",
    )  # fmt: skip
    assert counts(signals_imported(path, into)) == {"created": 3}
    job, reply, funding = seen()
    assert (job.prospect.company.domain, job.kind, job.value, job.text, job.source) == (
        "acme.com", "job_post", 3, "Sales role", "careers page",
    )  # fmt: skip
    assert job.observed_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert reply.prospect_id == job.prospect_id
    assert reply.source == "s.csv"
    assert funding.prospect.external_id == "C-2"
    assert funding.data == {"value_given": "$2m"}
    assert funding.prospect.facts_no == funding.fact_no


def test_the_same_observation_is_recorded_once(tmp_path: Path, into: Playbook) -> None:
    row = "acme.com|news|2026-04-01||They raised money|press"
    path = write_csv(tmp_path / "s.csv", HEADER, row, row, "acme.com|news|2026-04-02||They raised money|press")
    assert counts(signals_imported(path, into)) == {"created": 2, "merged": 1}
    facts = Prospect.objects.get(external_id="C-1").facts_no
    assert counts(signals_imported(path, into)) == {"unchanged": 3}
    other = write_csv(tmp_path / "t.csv", HEADER, row)
    assert counts(signals_imported(other, into)) == {"unchanged": 1}
    assert len(seen()) == 2
    assert Prospect.objects.get(external_id="C-1").facts_no == facts


def test_rows_that_cannot_be_placed_say_why(tmp_path: Path, into: Playbook) -> None:
    path = write_csv(
        tmp_path / "s.csv", HEADER,
        "nobody.com|news|2026-04-01|||", "|news|2026-04-01|||", "acme.com||2026-04-01|||", "acme.com|news||||",
        "acme.com|news|3/4/2026|||", "acme.com|news|2999-01-01|||", "acme.com|profile|2026-04-01|||",
    )  # fmt: skip
    report = signals_imported(path, into)
    assert counts(report) == {"rejected": 7}
    reasons = {row["row"]: str(row["reason"]) for row in report.rejections}
    for row, words in enumerate(
        ("no prospect of this playbook", "names no prospect", "no kind", "no date", "one day", "future", "profiles"),
        start=2,
    ):
        assert words in reasons[row]
    assert not seen()


def test_an_id_of_two_prospects_is_ambiguous(tmp_path: Path, into: Playbook) -> None:
    imported(write_csv(tmp_path / "b.csv", "Id|Company|Domain", "C-1|Cobalt|cobalt.dev"), into, source_name="other")
    report = signals_imported(write_csv(tmp_path / "s.csv", HEADER, "C-1|news|2026-04-01|||"), into)
    assert counts(report) == {"rejected": 1}
    assert "several prospects" in str(report.rejections[0]["reason"])


def test_another_clients_prospects_are_nobody(tmp_path: Path, into: Playbook) -> None:
    stranger = playbook(factories.client())
    assert counts(signals_imported(write_csv(tmp_path / "s.csv", HEADER, "acme.com|news|2026-04-01|||"), stranger)) == {
        "rejected": 1
    }


def test_a_log_of_changes_becomes_change_signals() -> None:
    into = playbook()
    imported(DATA / "companies.csv", into)
    report = signals_imported(DATA / "company_changes.csv", into)
    assert counts(report) == {"created": 27, "rejected": 2}
    fields = {signal.data["field"] for signal in seen()}
    assert {signal.kind for signal in seen()} == {"change"}
    assert {"hiring", "employees"} <= fields
    hiring = next(signal for signal in seen() if signal.data["field"] == "hiring")
    assert {hiring.data["old"], hiring.data["new"]} == {True, False}


def test_a_file_cannot_set_what_only_agents_may_say(tmp_path: Path, into: Playbook) -> None:
    path = write_csv(tmp_path / "s.csv", f"{HEADER}|derived_from|confidence", "acme.com|news|2026-04-01||x|y|1|1")
    signals_imported(path, into)
    assert not {"derived_from", "confidence"} & set(seen()[0].data)


def test_households_are_found_by_address(tmp_path: Path) -> None:
    into = playbook(kind=Playbook.Kind.HOUSEHOLD)
    imported(write_csv(tmp_path / "p.csv", "Name|Email|Postcode", "Dana Lee|dana@mail.example|2000"), into)
    path = write_csv(tmp_path / "s.csv", HEADER, "dana@mail.example|reply|2026-04-01||Yes|")
    assert counts(signals_imported(path, into)) == {"created": 1}
