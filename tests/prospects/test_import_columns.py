"""Which column means what, and what a person's mapping may say."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from prospects.importing.columns import (
    IGNORE,
    KEEP,
    decide,
    override,
    parse_mapping,
    plain,
    propose,
    prospect_targets,
    signal_targets,
)
from prospects.importing.reading import UnreadableFile
from prospects.importing.records import Record, RowReader
from prospects.importing.rows import Refused, Row

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def meanings(header: str, *, signals: bool = False) -> dict[str, str]:
    return {choice.column: choice.target for choice in propose(header.split("|"), signals=signals)}


def read(header: str, *cells: str, people_only: bool = False, **rules: object) -> Record | Refused:
    names = header.split("|")
    mapping = override(decide(propose(names)), {"columns": {}, **rules}, names, prospect_targets())
    reader = RowReader(names, mapping, now=NOW, day_first=None, people_only=people_only)
    return reader.read(Row(2, list(cells), ""))


@pytest.mark.parametrize(
    ("column", "target"),
    [
        ("Company", "name"), ("ORGANISATION", "name"), ("account", "name"), ("Firmenname", "name"),
        ("website", "website"), ("Company URL", "website"), ("Domain", "domain"), ("Head Count", "employees"),
        ("team_size", "employees"), ("companySize", "employees"),
        ("# Employees", "employees"), ("Mitarbeiter", "employees"),
        ("E-Mail", "email"), ("emailAddress", "email"),
        ("2009 Revenue", "revenue"), ("Annual Revenue (USD)", "revenue"),
        ("isHiring", "hiring"), ("all_locations", "location"), ("date_of_birth", "birth_date"), ("ZIP", "postcode"),
        ("Last Updated", "observed_at"), ("as-of", "observed_at"), ("Shoe size", KEEP),
    ],
)  # fmt: skip
def test_columns_are_known_by_many_names(column: str, target: str) -> None:
    assert meanings(column)[column] == target


def test_the_surest_column_wins_and_the_others_keep_their_names() -> None:
    found = meanings("Headcount|Employees|2006 Revenue|2009 Revenue")
    assert found == {"Headcount": KEEP, "Employees": "employees", "2006 Revenue": KEEP, "2009 Revenue": "revenue"}


def test_in_a_list_of_people_id_and_name_are_the_persons() -> None:
    found = meanings("id|name|email|phone|postcode")
    assert (found["id"], found["name"]) == ("contact_external_id", "contact_name")
    found = meanings("id|company|first name|last name|email")
    assert (found["id"], found["company"]) == ("contact_external_id", "name")
    found = meanings("company id|company|name|email")
    assert (found["company id"], found["name"]) == ("external_id", "contact_name")


def test_nameless_columns_are_known_by_their_values() -> None:
    found = propose(["column 1", "column 2"], [["dana@acme.com", "x"], ["lee@birch.io", "y"]])
    assert [choice.target for choice in found] == ["email", KEEP]
    assert found[0].confidence < 0.7


def test_signal_files_and_change_logs() -> None:
    assert meanings("prospect|kind|observed_at|value|text|source", signals=True) == {
        name: name for name in ("prospect", "kind", "observed_at", "value", "text", "source")
    }
    found = meanings("date|id|field|old|new", signals=True)
    assert found == {"date": "observed_at", "id": "external_id", "field": "field", "old": "old", "new": "new"}


def test_a_mapping_overrides_and_frees_what_it_takes() -> None:
    header = ["Company", "Brand", "Size"]
    mapping = override(decide(propose(header)), {"brand": "name", "Size": None}, header, prospect_targets())
    assert mapping.targets == {"Company": KEEP, "Brand": "name", "Size": IGNORE}


def test_a_mapping_may_be_written_the_other_way_round() -> None:
    mapping = override(decide(propose(["Wer"])), {"name": "Wer"}, ["Wer"], prospect_targets())
    assert mapping.targets == {"Wer": "name"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"Nowhere": "name"}, "does not have"), ({"Company": "shoe_size"}, "no field"),
        ({"Company": "name", "Brand": "name"}, "two columns"), ({"columns": [1]}, "column: field"),
        ({"columns": {}, "day_first": "maybe"}, "day_first"), ({"columns": {}, "colour": 1}, "colour"),
        ({"columns": {}, "missing": "x"}, "missing"), ({"columns": {}, "defaults": {"shoe": 1}}, "defaults"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_is_refused_in_words(given: dict, words: str) -> None:
    header = ["Company", "Brand"]
    with pytest.raises(UnreadableFile, match=words):
        override(decide(propose(header)), given, header, prospect_targets())


def test_mapping_files_are_yaml() -> None:
    assert parse_mapping("columns:\n  Brand: name\nday_first: true\n") == {
        "columns": {"Brand": "name"},
        "day_first": True,
    }
    for text in ("a: [", "- x", "!!python/object:os.system {}"):
        with pytest.raises(UnreadableFile):
            parse_mapping(text)


def test_column_names_are_compared_without_case_blanks_and_accents() -> None:
    assert plain("  Número_de  Empleados ") == plain("numero de empleados") == "numero de empleados"


def test_a_row_of_a_company() -> None:
    record = read(
        "Id|Company|Website|Team size|Revenue|Location|Tags|Hiring|Founded|Batch",
        "7", " Acme GmbH ", "https://www.acme.de/x", "11-50", "€1.2m", "Berlin, Germany", "SaaS | AI", "yes", "2012",
        "W12",
    )  # fmt: skip
    assert isinstance(record, Record)
    assert record.company is not None
    assert (record.company.external_id, record.company.key, record.company.name_key) == ("7", "acme.de", "acme")
    assert record.facts == {
        "name": "Acme GmbH", "domain": "acme.de", "website": "https://www.acme.de/x", "employees_min": 11,
        "employees_max": 50, "revenue_min": 1200000, "revenue_max": 1200000, "hiring": True, "founded_year": 2012,
        "tags": ["SaaS", "AI"], "country": "DE", "city": "Berlin", "location": "Berlin, Germany", "batch": "W12",
        "revenue_currency": "EUR",
    } | record.facts  # fmt: skip
    assert record.notes == []


def test_an_unreadable_value_is_kept_reported_and_does_not_stop_the_row() -> None:
    record = read("Company|Employees|Revenue|Founded|Country", "Acme", "many", "lots", "long ago", "Atlantis")
    assert isinstance(record, Record)
    assert {n.column for n in record.notes} == {"Employees", "Revenue", "Year founded", "Country"}
    assert record.facts["employees_given"] == "many"
    assert "employees_min" not in record.facts


def test_zero_means_missing_where_the_mapping_says_so() -> None:
    header = "Company|Employees|Revenue"
    record = read(header, "Acme", "0", "$0")
    assert isinstance(record, Record)
    assert not {"employees_min", "revenue_min"} & set(record.facts)
    record = read(header, "Acme", "0", "$0", zero_is_missing=[])
    assert isinstance(record, Record)
    assert record.facts["employees_max"] == 0


def test_a_file_cannot_set_what_only_agents_may_say() -> None:
    record = read("Company|confidence|derived_from|sets", "Acme", "1", "2", "3")
    assert isinstance(record, Record)
    assert not {"confidence", "derived_from", "sets"} & set(record.facts)
    assert record.facts["confidence_given"] == 1


def test_what_names_a_person_stays_out_of_the_facts() -> None:
    record = read(
        "Company|First name|Last name|Email|Phone|Title", "Acme", "Dana", "Lee", "Dana@Acme.com", "+1 5", "CEO"
    )
    assert isinstance(record, Record)
    assert record.contact is not None
    assert record.contact.key == "dana@acme.com"
    assert record.facts["title"] == "CEO"
    assert not any(word in repr(record.facts) for word in ("Dana", "Lee", "dana@", "+1 5"))


def test_who_a_row_is_about() -> None:
    person = read("First name|Last name|Email", "Dana", "Lee", "dana@acme.com")
    assert isinstance(person, Record)
    assert person.company is not None
    assert person.company.key == "acme.com"
    free = read("First name|Last name|Email", "Dana", "Lee", "dana@gmail.com")
    assert isinstance(free, Refused)
    assert "company" in free.reason
    household = read("First name|Last name|Email", "Dana", "Lee", "dana@gmail.com", people_only=True)
    assert isinstance(household, Record)
    assert household.company is None
    assert isinstance(read("Company|Email", "", ""), Refused)
    nameless = read("Company|Website", "#NAME?", "acme.com")
    assert isinstance(nameless, Record)
    assert nameless.company is not None
    assert nameless.company.name == "acme.com"


def test_rows_that_say_the_same_have_one_digest() -> None:
    one, other, changed = (read("Company|City|Phone", "Acme", "Oslo", phone) for phone in ("1", "1", "2"))
    people = [read("Company|Name|Phone", "Acme", "Dana Lee", phone) for phone in ("1", "2")]
    assert isinstance(one, Record)
    assert isinstance(other, Record)
    assert isinstance(changed, Record)
    assert one.digest == other.digest
    assert all(isinstance(record, Record) for record in people)
    assert people[0].digest != people[1].digest  # type: ignore[union-attr]


def test_targets_are_closed_lists() -> None:
    assert "name" in prospect_targets()
    assert "kind" in signal_targets()


@pytest.mark.parametrize(
    "column",
    ["Employees", "Revenue", "Founded", "Hiring", "Tags", "Location", "Website", "Email", "Phone", "Contact Name",
     "Last Updated", "LinkedIn", "Country", "Title"],
)  # fmt: skip
@pytest.mark.parametrize("filling", [" ", "1 - ", "a.", "a@", "-"])
def test_a_cell_made_to_be_slow_is_read_at_once(column: str, filling: str) -> None:
    """Twenty thousand blanks inside one cell took six seconds once; a cell may hold ten times as many."""
    slow = f"1{filling * (150_000 // len(filling))}x"
    started = time.process_time()
    read(f"Company|Domain|{column}", "Acme", "acme.example", slow)
    assert time.process_time() - started < 1
