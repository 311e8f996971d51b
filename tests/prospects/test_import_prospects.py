"""Importing companies and people: once is enough, twice changes nothing, and nobody is doubled."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from playbooks.models import AuditEntry, Playbook
from prospects.importing.reading import UnreadableFile, open_source
from prospects.models import Company, Contact, ImportBatch, Prospect, Signal
from prospects.services.importing import runs
from prospects.services.importing.prospects import family, mapping_for, preview_prospects
from prospects.services.merging import merges
from tests import factories
from tests.prospects.import_files import DATA, counts, imported, playbook, write_csv
from tests.prospects.pairs import pair

pytestmark = pytest.mark.django_db

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


def written() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Company, Contact, Prospect, Signal))


def test_a_company_file_becomes_companies_prospects_and_profiles() -> None:
    into = playbook()
    report = imported(DATA / "companies.csv", into)
    assert counts(report) == {"created": 39, "merged": 1}
    assert written() == (39, 0, 39, 39)
    company = Company.objects.get(external_id="697")
    assert (company.name, company.domain, company.name_key, company.source) == (
        "Product Hunt", "producthunt.com", "product hunt", "list",
    )  # fmt: skip
    prospect = company.prospects.get()
    assert (prospect.stage, prospect.external_id, prospect.segment) == ("sourced", "697", company.industry)
    signal = prospect.signals.get()
    assert (signal.kind, signal.source) == ("profile", "companies.csv")
    assert signal.source_ref == f"{ImportBatch.objects.get().sha256[:12]}:row {signal.source_ref.rsplit(' ', 1)[1]}"
    assert signal.data["employees_min"] == company.employees_min
    assert prospect.facts_no == signal.fact_no > prospect.converged_no


def test_an_import_tells_the_planner_what_it_has_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", 20)
    into = playbook()
    imported(DATA / "companies.csv", into)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT most_common_vals::text FROM pg_stats"
            " WHERE tablename = 'prospects_company' AND attname = 'client_id'"
        )
        assert cursor.fetchall() == [(f"{{{into.client_id}}}",)]


def test_pages_on_shared_hosts_do_not_make_their_companies_one() -> None:
    imported(DATA / "companies.csv", playbook())
    domains = dict(
        Company.objects.filter(external_id__in=("64", "23370", "697", "1813")).values_list("external_id", "domain")
    )
    assert domains == {"64": "ycombinator.com", "23370": "", "697": "producthunt.com", "1813": ""}


def test_the_same_file_again_writes_nothing() -> None:
    into = playbook()
    imported(DATA / "companies.csv", into)
    before, facts = written(), set(Prospect.objects.values_list("id", "facts_no"))
    report = imported(DATA / "companies.csv", into)
    assert counts(report) == {"unchanged": 40}
    assert written() == before
    assert set(Prospect.objects.values_list("id", "facts_no")) == facts


def test_a_changed_row_updates_its_company_and_adds_one_profile(tmp_path: Path) -> None:
    into = playbook()
    header = "Id|Company|Website|Employees|Revenue|Hiring|City|Batch"
    imported(
        write_csv(tmp_path / "a.csv", header, "1|Acme|acme.com|11-50|$1m|no|Oslo|W1", "2|Birch|birch.io|5||no||"), into
    )
    path = write_csv(tmp_path / "b.csv", header, "1|Acme|acme.com|60||yes||W2", "2|Birch|birch.io|5||no||")
    report = imported(path, into)
    assert counts(report) == {"updated": 1, "unchanged": 1}
    acme = Company.objects.get(domain="acme.com")
    assert (acme.employees_min, acme.employees_max, acme.hiring) == (60, 60, True)
    assert (acme.city, acme.revenue_min) == ("Oslo", Decimal(1000000)), "what a file does not say stays"
    assert acme.attributes["batch"] == "W2"
    prospect = acme.prospects.get()
    assert prospect.signals.count() == 2
    assert prospect.facts_no == max(prospect.signals.values_list("fact_no", flat=True))


def test_an_older_observation_is_recorded_and_overwrites_nothing(tmp_path: Path) -> None:
    into = playbook()
    imported(write_csv(tmp_path / "new.csv", "Company|Domain|Employees|City", "Acme|acme.com|80|"), into, as_of=JUNE)
    report = imported(
        write_csv(tmp_path / "old.csv", "Company|Domain|Employees|City", "Acme|acme.com|20|Oslo"), into, as_of=MAY
    )
    assert counts(report) == {"updated": 1}
    acme = Company.objects.get()
    assert (acme.employees_min, acme.city) == (80, "Oslo")
    assert list(Signal.objects.order_by("id").values_list("observed_at", flat=True)) == [JUNE, MAY]


def test_rows_may_bring_their_own_date(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv", "Company|As of", "A|25/04/2026", "B|03/04/2026", "C|someday", "D|2999-01-01", "E|"
    )
    report = imported(path, playbook(), as_of=MAY)
    seen = {s.data["name"]: s.observed_at for s in Signal.objects.all()}
    assert seen["A"] == datetime(2026, 4, 25, tzinfo=UTC)
    assert seen["B"] == datetime(2026, 4, 3, tzinfo=UTC)
    assert seen["C"] == seen["D"] == seen["E"] == MAY
    assert len(report.notes) == 2


@pytest.mark.parametrize("chunk", [1, 2, 5000])
def test_two_rows_of_one_domain_are_merged_with_the_reason(tmp_path: Path, chunk: int, monkeypatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", chunk)
    into = playbook()
    path = write_csv(
        tmp_path / "a.csv", "Id|Company|Website|Employees|City",
        "1|Acme|acme.com|11-50|", "2|Birch|birch.io|5|", "3|Acme Inc.|https://www.acme.com/|99|Oslo",
        "4|Leafpress|acme.com|7|Rome",
    )  # fmt: skip
    report = imported(path, into)
    assert counts(report) == {"created": 2, "merged": 2}
    assert [merge["row"] for merge in report.merges] == [4, 5]
    assert "same domain acme.com" in str(report.merges[0]["reason"])
    assert "another name" in str(report.merges[1]["reason"])
    acme = Company.objects.get(domain="acme.com")
    assert (acme.employees_max, acme.city, acme.external_id) == (50, "Oslo", "1"), (
        "the first row stands, gaps are filled"
    )
    assert counts(imported(path, into)) == {"unchanged": 4}
    assert Signal.objects.count() == 3


def test_names_decide_only_where_nothing_speaks_against_it(tmp_path: Path) -> None:
    into = playbook()
    imported(write_csv(tmp_path / "a.csv", "Company|Country|City", "Acme GmbH|Germany|Berlin", "Cobalt|US|"), into)
    path = write_csv(
        tmp_path / "b.csv", "Company|Domain|Country|Employees",
        "ACME|acme.de|DE|5", "Acme|acme.fr|France|6", "Cobalt Inc.||US|7",
    )  # fmt: skip
    assert counts(imported(path, into)) == {"created": 1, "updated": 2}
    german = Company.objects.get(country="DE")
    assert (german.domain, german.employees_min, german.city) == ("acme.de", 5, "Berlin")


def test_one_name_with_ids_of_two_sources_stays_two_companies(tmp_path: Path) -> None:
    into = playbook()
    imported(
        write_csv(tmp_path / "a.csv", "Id|Company|Domain|Country", "1|Circle|circle.com|US"), into, source_name="a"
    )
    path = write_csv(tmp_path / "b.csv", "Id|Company|Country", "77|Circle|US", "78|Birch|")
    assert counts(imported(path, into, source_name="b")) == {"created": 2}
    without_country = write_csv(tmp_path / "c.csv", "Company|Domain", "Birch|birch.io")
    assert counts(imported(without_country, into, source_name="c")) == {"created": 1}


def test_a_name_of_several_companies_is_rejected_as_such(tmp_path: Path) -> None:
    into = playbook()
    imported(write_csv(tmp_path / "a.csv", "Company|Domain", "Acme|acme.com", "Acme|acme.io"), into)
    report = imported(write_csv(tmp_path / "b.csv", "Company|City", "Acme|Oslo"), into)
    assert counts(report) == {"rejected": 1}
    assert "2 companies are called Acme" in str(report.rejections[0]["reason"])


def test_an_id_outlives_a_change_of_domain_and_of_name(tmp_path: Path) -> None:
    into = playbook()
    header = "Id|Company|Domain"
    imported(write_csv(tmp_path / "a.csv", header, "1|Dodo Health|dodo.health", "2|Birch|birch.io"), into)
    report = imported(write_csv(tmp_path / "b.csv", header, "1|Dodo|dodo.ai", "2|Birch|dodo.ai"), into)
    assert counts(report) == {"updated": 2}
    assert list(Company.objects.order_by("external_id").values_list("name", "domain")) == [
        ("Dodo", "dodo.ai"), ("Birch", "birch.io"),
    ]  # fmt: skip


def test_ids_of_different_sources_are_different_ids(tmp_path: Path) -> None:
    into = playbook()
    for name, company in (("crm", "Acme"), ("directory", "Birch")):
        imported(write_csv(tmp_path / f"{name}.csv", "Id|Company", f"1|{company}"), into, source_name=name)
    assert Company.objects.count() == 2
    assert family("companies_2026-11-01 (2).csv.gz") == family("companies.csv") == "companies"


def test_companies_and_their_people_come_in_one_file(tmp_path: Path) -> None:
    into = playbook()
    path = write_csv(
        tmp_path / "a.csv", "Company|Domain|Name|Email|Title",
        "Acme|acme.com|Dana Lee|Dana@acme.com|CEO", "Acme|acme.com|Kim Ito|kim@acme.com|CTO",
        "Acme|acme.com|D. Lee|dana@ACME.com|Boss", "|| Jo Fox|jo@birch.io|",
    )  # fmt: skip
    report = imported(path, into)
    assert counts(report) == {"created": 3, "merged": 1}
    assert written() == (2, 3, 2, 3)
    prospect = Prospect.objects.get(company__domain="acme.com")
    assert prospect.contact is not None
    assert (prospect.contact.name, prospect.contact.title, prospect.contact.first_name) == ("Dana Lee", "CEO", "Dana")
    assert Company.objects.get(domain="birch.io").contacts.get().email_status == "syntax_ok"
    assert counts(imported(path, into)) == {"unchanged": 4}
    changed = write_csv(tmp_path / "b.csv", "Company|Domain|Name|Email|Title", "Acme|acme.com|Kim Ito|kim@acme.com|CFO")
    assert counts(imported(changed, into)) == {"updated": 1}
    assert Contact.objects.get(email_key="kim@acme.com").title == "CFO"


def test_households_are_people_without_a_company() -> None:
    into = playbook(kind=Playbook.Kind.HOUSEHOLD)
    report = imported(DATA / "people.csv", into)
    assert counts(report) == {"created": 50}
    assert written() == (0, 50, 50, 50)
    contact = Contact.objects.get(external_id="rec-0-org")
    assert contact.attributes["postcode"]
    profile = Signal.objects.filter(prospect__contact=contact).get()
    assert contact.last_name not in str(profile.data.values())
    assert counts(imported(DATA / "people.csv", into)) == {"unchanged": 50}


def test_people_without_address_or_id_are_known_by_name_and_facts(tmp_path: Path) -> None:
    into = playbook(kind=Playbook.Kind.HOUSEHOLD)
    path = write_csv(
        tmp_path / "a.csv", "First name|Last name|Street|Postcode",
        "Dana|Lee|1 Main St|2000", "Dana|Lee|9 Other Rd|2000", "dana|LEE|1 main st.|2000",
    )  # fmt: skip
    assert counts(imported(path, into)) == {"created": 2, "merged": 1}


def test_an_import_leaves_what_others_found_out_about_an_address(tmp_path: Path) -> None:
    into = playbook()
    header = "Company|Domain|Name|Email|Title"
    imported(write_csv(tmp_path / "a.csv", header, "Acme|acme.com|Dana|d@acme.com|CEO"), into)
    Contact.objects.update(email_status="invalid", entity_type="individual")
    imported(write_csv(tmp_path / "b.csv", header, "Acme|acme.com|Dana|d@acme.com|CFO"), into)
    contact = Contact.objects.get()
    assert (contact.title, contact.email_status, contact.entity_type) == ("CFO", "invalid", "individual")


def test_rejected_rows_go_to_a_file_with_the_reason_and_run_nothing_there(tmp_path: Path, settings) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    path = tmp_path / "a.csv"
    path.write_text('Company,Note\nAcme,fine\n,"=HYPERLINK(""x"")"\nBirch,a,b\n')
    report = imported(path, playbook())
    assert counts(report) == {"created": 1, "rejected": 2}
    with Path(report.error_file).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Note"] for row in rows] == ['\'=HYPERLINK("x")', "a | b"]
    assert "no company" in rows[0]["reason"]
    assert "3 cells" in rows[1]["reason"]
    batch = ImportBatch.objects.get()
    assert batch.error_file.path == report.error_file


def test_without_rejected_rows_there_is_no_file(tmp_path: Path, settings) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    report = imported(write_csv(tmp_path / "a.csv", "Company", "Acme"), playbook())
    assert report.error_file == ""
    assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


def test_every_import_leaves_one_audit_entry(tmp_path: Path) -> None:
    into = playbook()
    imported(write_csv(tmp_path / "a.csv", "Company", "Acme"), into)
    entry = AuditEntry.objects.for_client(into.client).get()
    assert entry.event == "import.finished"
    assert entry.detail["created"] == 1
    assert "Acme" not in str(entry.detail)
    assert entry.trace_id == Signal.objects.get().trace_id == ImportBatch.objects.get().trace_id


def test_a_preview_says_what_would_happen_and_writes_nothing(tmp_path: Path) -> None:
    into = playbook()
    imported(write_csv(tmp_path / "a.csv", "Company|Domain|Employees", "Acme|acme.com|5"), into)
    before = written()
    path = write_csv(tmp_path / "b.csv", "Company|Domain|Employees", "Acme|acme.com|6", "Birch|birch.io|x", "||")
    source = open_source(path)
    preview = preview_prospects(source, client=into.client, playbook=into, mapping=mapping_for(source, None))
    assert counts(preview.report) == {"created": 1, "updated": 1, "rejected": 1}
    assert [row["row"] for row in preview.rows] == [2, 3, 4]
    facts = {"domain": "acme.com", "employees_min": 6, "employees_max": 6, "name": "Acme"}
    assert list(preview.rows[0]["facts"].items()) == list(facts.items())  # the lower end comes first
    assert written() == before
    assert ImportBatch.objects.count() == 1
    assert AuditEntry.objects.count() == 1


def test_clients_share_nothing(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", "Id|Company|Domain|Name|Email", "1|Acme|acme.com|Dana|d@acme.com")
    for _ in range(2):
        assert counts(imported(path, playbook(factories.client()))) == {"created": 1}
    assert written() == (2, 2, 2, 2)


def test_one_company_may_be_worked_under_two_playbooks(tmp_path: Path) -> None:
    first = playbook()
    second = Playbook.objects.create(client=first.client, slug="second", name="Second")
    path = write_csv(tmp_path / "a.csv", "Company|Domain", "Acme|acme.com")
    assert counts(imported(path, first)) == {"created": 1}
    assert counts(imported(path, second)) == {"created": 1}
    assert written() == (1, 0, 2, 2)


def test_a_merged_company_leads_to_the_one_it_became(tmp_path: Path) -> None:
    into = playbook()
    header = "Id|Company|Domain|City"
    imported(write_csv(tmp_path / "a.csv", header, "1|Acme|acme.com|", "2|Acme Labs|acme.io|"), into)
    kept, gone = Company.objects.order_by("external_id")
    merges.merge(pair(kept, gone).pk, actor=factories.user(into.client, "admin"), client=into.client)
    report = imported(write_csv(tmp_path / "b.csv", header, "2|Acme Labs|acme.io|Oslo"), into)
    assert counts(report) == {"updated": 1}
    kept.refresh_from_db()
    assert (kept.domain, kept.external_id, kept.city) == ("acme.com", "1", "Oslo")


def test_the_number_of_queries_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    into = playbook()
    asked = []
    for n in (10, 300):
        path = write_csv(
            tmp_path / f"{n}.csv", "Id|Company|Domain", *(f"{n}-{i}|Co {n} {i}|co{n}x{i}.com" for i in range(n))
        )
        with CaptureQueriesContext(connection) as queries:
            imported(path, into)
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_an_import_that_broke_off_is_finished_by_the_next_run_of_the_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", 10)
    into = playbook()
    rows = [f"{i}|Co {i}|co{i}.com" for i in range(60)]
    path = write_csv(tmp_path / "a.csv", "Id|Company|Domain", *rows, "61|Again|co3.com", "||")
    real = runs.chunks

    def breaks_off(*arguments, **options):
        for chunk in real(*arguments, **options):
            if chunk.numbers[0] > 30:
                raise UnreadableFile("The file is cut off.")
            yield chunk

    with monkeypatch.context() as patch:
        patch.setattr(runs, "chunks", breaks_off)
        with pytest.raises(UnreadableFile):
            imported(path, into)
    batch = ImportBatch.objects.get()
    assert (batch.status, batch.processed, batch.created) == ("failed", 30, 30)
    report = imported(path, into)
    assert report.resumed_after == 30
    assert counts(report) == {"created": 60, "merged": 1, "rejected": 1}
    batch.refresh_from_db()
    assert (batch.status, batch.processed, ImportBatch.objects.count()) == ("done", 62, 1)
    assert written() == (60, 0, 60, 60)
    assert list(AuditEntry.objects.order_by("seq").values_list("event", flat=True)) == [
        "import.failed",
        "import.finished",
    ]


def test_a_person_can_stop_an_import_between_chunks(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", 10)
    into = playbook()
    real = runs.Run._progress

    def asked_to_stop(self, counts, seen):
        ImportBatch.objects.filter(pk=self.batch.pk).update(cancel_requested=True)
        return real(self, counts, seen)

    monkeypatch.setattr(runs.Run, "_progress", asked_to_stop)
    report = imported(write_csv(tmp_path / "a.csv", "Company", *(f"Co {i}" for i in range(50))), into)
    assert report.status == "cancelled"
    assert counts(report) == {"created": 10}
    assert Company.objects.count() == 10


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    rows = [
        "Robert'); DROP TABLE prospects_company;--|a.com",
        "<script>alert(1)</script>|b.com",
        "\\N|c.com",
        "tab\there|d.com",
    ]
    imported(write_csv(tmp_path / "a.csv", "Company|Domain", *rows), playbook())
    assert set(Company.objects.values_list("domain", "name")) >= {
        ("a.com", "Robert'); DROP TABLE prospects_company;--"), ("b.com", "<script>alert(1)</script>"),
        ("d.com", "tab\there"),
    }  # fmt: skip


def test_what_fits_no_column_costs_no_more_than_its_row(tmp_path: Path) -> None:
    longest = f"{'d' * 64}@{'a' * 60}.{'b' * 60}.{'c' * 60}.com"
    path = write_csv(
        tmp_path / "a.csv", "Company|Domain|Employees|Email|Title", f"||>2147483647|{longest}|CEO",
        f"Acme|acme.com|over 2,147,483,647|{'ΐ' * 64}@{'a' * 60}.com|CEO", "Birch|birch.io|5|b@birch.io|CEO",
    )  # fmt: skip
    assert counts(imported(path, playbook())) == {"created": 3}
    assert set(Contact.objects.values_list("email_key", flat=True)) == {longest, "b@birch.io"}


def test_a_letter_and_its_accent_come_in_as_one(tmp_path: Path) -> None:
    """As some systems write them; a greeting by the name as written would greet somebody else."""
    into = playbook()
    imported(
        write_csv(tmp_path / "a.csv", "Company|Domain|First name|Email", "Cafe\u0301|cafe.io|Zoe\u0308|z@cafe.io"), into
    )
    assert Contact.objects.get().first_name == "Zo\u00eb"
    again = write_csv(tmp_path / "b.csv", "Company|Domain|First name|Email", "Caf\u00e9|cafe.io|Zo\u00eb|z@cafe.io")
    assert counts(imported(again, into)) == {"unchanged": 1}


def test_half_a_character_in_a_json_file_is_left_out(tmp_path: Path, settings) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    path = tmp_path / "a.json"
    rows = r'[{"id": "\ud800x", "name": "Ac\udc00me", "employees": "\ud800"}, {"note": "\ud800 nobody"}]'
    path.write_text(rows)
    assert counts(imported(path, playbook())) == {"created": 1, "rejected": 1}
    assert Company.objects.values_list("external_id", "name").get() == ("x", "Acme")
