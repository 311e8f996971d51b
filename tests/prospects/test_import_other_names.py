"""Somebody known by several ids, domains or addresses: rows and signals find them by each, merged or not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from playbooks.models import Playbook, Role
from prospects.models import Alias, Company, Contact, Prospect, Signal
from prospects.services.merging import merges
from tests import factories as make
from tests.prospects.import_files import DATA, counts, imported, playbook, signals_imported, write_csv
from tests.prospects.pairs import pair

pytestmark = pytest.mark.django_db

COMPANIES = "Id|Company|Domain|Country|City"
SIGNALS = "Prospect|Kind|Observed at|Text"
MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def into() -> Playbook:
    return playbook()


def test_a_second_id_of_a_company_is_kept_and_signals_that_cite_it_arrive(tmp_path: Path, into: Playbook) -> None:
    imported(write_csv(tmp_path / "c.csv", COMPANIES, "C-1|Acme|acme.com|US|", "C-2|Acme|acme.com|US|"), into)
    company = Company.objects.get()
    assert [(a.name, a.source, a.value, a.company) for a in Alias.objects.all()] == [
        ("external_id", "list", "C-2", company)
    ]
    report = signals_imported(
        write_csv(tmp_path / "s.csv", SIGNALS, "C-1|news|2026-05-01|One", "C-2|news|2026-05-02|Two"), into
    )
    assert counts(report) == {"created": 2}
    assert {s.prospect for s in Signal.objects.exclude(kind="profile")} == {Prospect.objects.get()}


def test_a_later_file_finds_the_company_by_its_second_id(tmp_path: Path, into: Playbook) -> None:
    imported(write_csv(tmp_path / "1.csv", COMPANIES, "C-1|Acme|acme.com|US|"), into, as_of=MAY)
    imported(write_csv(tmp_path / "2.csv", COMPANIES, "C-2|Acme|acme.com|US|"), into, as_of=MAY)
    report = imported(write_csv(tmp_path / "3.csv", COMPANIES, "C-2|Acme Labs||US|Austin"), into, as_of=JUNE)
    assert counts(report) == {"updated": 1}
    assert Company.objects.get().city == "Austin"
    assert Company.objects.get().external_id == "C-1"


def test_a_domain_that_was_given_up_still_leads_to_its_company(tmp_path: Path, into: Playbook) -> None:
    imported(write_csv(tmp_path / "1.csv", COMPANIES, "C-1|Acme|acme.com|US|"), into, as_of=MAY)
    imported(write_csv(tmp_path / "2.csv", COMPANIES, "C-1|Acme|acme.io|US|"), into, as_of=JUNE)
    assert Company.objects.get().domain == "acme.io"
    assert {a.value for a in Alias.objects.filter(name="key")} >= {"acme.com"}
    report = signals_imported(write_csv(tmp_path / "s.csv", SIGNALS, "acme.com|news|2026-05-01|One"), into)
    assert counts(report) == {"created": 1}
    imported(write_csv(tmp_path / "3.csv", COMPANIES, "|Acme Inc|acme.com|US|Austin"), into, as_of=JUNE)
    assert Company.objects.count() == 1
    assert Company.objects.get().domain == "acme.io"


def test_ids_of_another_source_are_kept_too(tmp_path: Path, into: Playbook) -> None:
    imported(write_csv(tmp_path / "1.csv", COMPANIES, "C-1|Acme|acme.com|US|"), into)
    imported(write_csv(tmp_path / "2.csv", COMPANIES, "77|Acme|acme.com|US|Austin"), into, source_name="crm")
    report = imported(write_csv(tmp_path / "3.csv", COMPANIES, "77|Acme Group||US|Boston"), into, source_name="crm")
    assert counts(report) == {"updated": 1}
    assert Company.objects.count() == 1
    assert Alias.objects.get(name="external_id").source == "crm"


def test_a_first_id_becomes_the_companys_own_and_no_other_name(tmp_path: Path, into: Playbook) -> None:
    imported(write_csv(tmp_path / "1.csv", COMPANIES, "|Acme|acme.com|US|"), into, as_of=MAY)
    imported(write_csv(tmp_path / "2.csv", COMPANIES, "C-1|Acme|acme.com|US|Austin"), into, as_of=JUNE)
    assert Company.objects.get().external_id == "C-1"
    assert not Alias.objects.exists()


def test_people_are_found_by_an_earlier_address(tmp_path: Path, into: Playbook) -> None:
    header = "Company|Domain|Contact id|Name|Email"
    imported(write_csv(tmp_path / "1.csv", header, "Acme|acme.com|K-1|Dana Lee|dana@acme.com"), into, as_of=MAY)
    imported(write_csv(tmp_path / "2.csv", header, "Acme|acme.com|K-1|Dana Lee|dlee@acme.com"), into, as_of=JUNE)
    assert Contact.objects.get().email_key == "dlee@acme.com"
    imported(write_csv(tmp_path / "3.csv", header, "Acme|acme.com||Dana Lee|dana@acme.com"), into, as_of=JUNE)
    assert Contact.objects.get().email_key == "dlee@acme.com"
    report = signals_imported(write_csv(tmp_path / "s.csv", SIGNALS, "dana@acme.com|reply|2026-05-01|Yes"), into)
    assert counts(report) == {"created": 1}


def merged(into: Playbook, tmp_path: Path) -> tuple[Prospect, Prospect, Path]:
    """Two companies of one file that somebody made one."""
    path = write_csv(
        tmp_path / "both.csv", COMPANIES, "C-1|Acme Robotics|acme.com|US|Austin", "C-2|Acme Robots|acme.io|US|Austin"
    )
    imported(path, into)
    one, other = Prospect.objects.order_by("pk")
    actor = make.user(into.client, Role.ADMIN)
    merges.merge(pair(one.company, other.company).pk, actor=actor, client=into.client)
    return one, other, path


def test_the_same_file_again_writes_nothing_after_a_merge(tmp_path: Path, into: Playbook) -> None:
    _, _, path = merged(into, tmp_path)
    before = Signal.objects.count()
    assert counts(imported(path, into)) == {"unchanged": 2}
    assert Signal.objects.count() == before


def test_news_about_a_merged_company_reaches_the_one_that_goes_on(tmp_path: Path, into: Playbook) -> None:
    one, other, _ = merged(into, tmp_path)
    file = write_csv(
        tmp_path / "s.csv", SIGNALS, "acme.io|news|2026-05-02|Two", "C-2|news|2026-05-03|Three",
        "acme.com|news|2026-05-04|Four",
    )  # fmt: skip
    assert counts(signals_imported(file, into)) == {"created": 3}
    assert set(Signal.objects.filter(kind="news").values_list("prospect", flat=True)) == {one.pk}
    assert counts(signals_imported(file, into)) == {"unchanged": 3}
    imported(write_csv(tmp_path / "n.csv", COMPANIES, "C-2|Acme Robots|acme.io|US|Boston"), into)
    assert Prospect.objects.count() == 2
    assert Company.objects.get(pk=one.company_id).city == "Boston"
    assert Company.objects.get(pk=other.company_id).domain == "acme.io"


def test_a_company_merged_elsewhere_gets_no_second_prospect(tmp_path: Path, into: Playbook) -> None:
    _, _, path = merged(into, tmp_path)
    second = Playbook.objects.create(client=into.client, slug="second", name="Second")
    imported(path, second)
    assert Prospect.objects.filter(playbook=second).count() == 1


def test_other_names_cost_ordinary_rows_nothing(into: Playbook) -> None:
    imported(DATA / "companies.csv", into)
    assert Alias.objects.count() == 1  # the one row of that file that repeats a domain under another id
