"""Which records are one company or one person: the score, its reasons, and what no likeness may override."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playbooks.rules.twins import LIKELIER_ONE, MERGE, MOST_CONTRADICTED
from prospects.importing.legal_forms import LEADING_FORMS, TRAILING_FORMS
from prospects.rules.blocking import MAX_BLOCK, company_keys, person_keys
from prospects.rules.dedup import (
    candidate_pairs,
    duplicate_companies,
    duplicate_people,
    kept_first,
    match_companies,
    match_people,
)
from prospects.rules.identities import CompanyFacts, PersonFacts, from_attributes
from prospects.rules.likeness import Field, digits_alike, probability, weigh, words_alike
from tests.prospects.people_files import febrl_people

ACME = CompanyFacts(1, "Acme Robotics GmbH", "acme.example", "DE", "Berlin", "crm", "7")
DANA = PersonFacts(1, "Dana", "Lee", "dana@acme.example", company="acme", phone="+1 512 555 0199")


@pytest.mark.parametrize("with_national_id", [True, False])
def test_of_a_thousand_people_nearly_every_pair_is_found_and_none_is_merged_wrongly(with_national_id: bool) -> None:
    people, pairs = febrl_people(with_national_id=with_national_id)
    found = {(m.one, m.other): m for m in duplicate_people(people)}
    certain = {pair for pair, match in found.items() if match.is_certain}
    assert len(certain & pairs) / len(certain) >= 0.99
    assert len(found.keys() & pairs) / len(pairs) >= 0.99
    assert len(certain & pairs) / len(pairs) >= (0.94 if with_national_id else 0.86)
    assert len(found.keys() & pairs) / len(found) >= 0.99


def test_the_keys_bring_every_pair_together_and_few_others() -> None:
    people, pairs = febrl_people()
    candidates = candidate_pairs(people, person_keys)
    assert pairs <= candidates
    assert len(candidates) < 2 * len(pairs)


@pytest.mark.parametrize(
    ("other", "least", "most"),
    [
        (CompanyFacts(2, "ACME Robotics", "", "DE", "Berlin"), MERGE, 1.0),
        (CompanyFacts(2, "Acme Robotic", "", "DE", "Berlin"), LIKELIER_ONE, 1.0),
        (CompanyFacts(2, "Acme Robotics", "", "DE"), LIKELIER_ONE, MERGE),
        (CompanyFacts(2, "Acme Robotics", "acme.test", "DE", "Berlin"), LIKELIER_ONE, MOST_CONTRADICTED),
        (CompanyFacts(2, "Anything", "acme.example"), LIKELIER_ONE, MOST_CONTRADICTED),
    ],
)
def test_companies_that_may_be_one(other: CompanyFacts, least: float, most: float) -> None:
    match = match_companies(ACME, other)
    assert match is not None
    assert least <= match.score <= most


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ACME, CompanyFacts(2, "Acme Robotics", "", "FR")),
        (ACME, CompanyFacts(2, "Acme Robotics", "", "DE", "", "crm", "8")),
        (ACME, CompanyFacts(2, "Bolt Robotics", "", "DE", "Berlin")),
        (CompanyFacts(1, "Growth Fund 2", city="Berlin"), CompanyFacts(2, "Growth Fund 3", city="Berlin")),
        (CompanyFacts(1, "Growth Fund II", city="Berlin"), CompanyFacts(2, "Growth Fund III", city="Berlin")),
        (CompanyFacts(1, "Mango", "mango.example", "US"), CompanyFacts(2, "Mango", "mango-app.test", "US")),
        (CompanyFacts(1, "United Metal East", city="Leeds"), CompanyFacts(2, "United Metal West", city="Leeds")),
    ],
)
def test_companies_that_are_two(one: CompanyFacts, other: CompanyFacts) -> None:
    assert match_companies(one, other) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Globex Industries Ltd.", "GLOBEX INDUSTRIES LIMITED"), ("Globex Industries S.A.", "Globex Industries"),
        ("Globex Industries Sp. z o.o.", "Globex Industries spółka z ograniczoną odpowiedzialnością"),
        ("Globex Industries GmbH & Co. KG", "Globex Industries G.m.b.H."),
        ("OOO Globex Industries", "Globex Industries"),
        ("Globex Industries Pty Ltd", "Globex Industries Proprietary Limited"),
        ("PT Globex Industries Tbk", "Globex Industries"),
        ("株式会社Globex Industries", "株式会社 Globex Industries"), ("Globex Industries A/S", "Globex Industries AS"),
        ("Globex & Sons Industries", "Globex and Sons Industries"), ("Glóbex Industries", "Globex Industries"),
    ],
)  # fmt: skip
def test_a_legal_form_makes_no_other_company(one: str, other: str) -> None:
    match = match_companies(CompanyFacts(1, one, city="Lyon"), CompanyFacts(2, other, city="Lyon"))
    assert match is not None
    assert match.is_certain


def test_legal_forms_of_sixty_countries_are_known() -> None:
    assert len(TRAILING_FORMS) > 600
    assert len(LEADING_FORMS) > 40


@pytest.mark.parametrize(
    ("changes", "certain"),
    [
        ({"email_key": ""}, True),
        ({"first_name": "Dan", "email_key": ""}, True),
        ({"email_key": "dlee@acme.example", "phone": ""}, None),
        ({"first_name": "Lee", "last_name": "Dana"}, True),
        ({"first_name": "D.", "phone": ""}, True),
        ({"first_name": "Erin", "last_name": "Cho", "email_key": ""}, None),
    ],
)
def test_people_at_one_company(changes: dict[str, str], certain: bool | None) -> None:
    match = match_people(DANA, dataclasses.replace(DANA, id=2, **changes))  # type: ignore[arg-type]
    if certain:
        assert match is not None
        assert match.is_certain
    else:
        assert match is None or not match.is_certain


def test_a_name_alone_and_a_place_alone_are_nobody() -> None:
    assert match_people(PersonFacts(1, "Dana", "Lee"), PersonFacts(2, "Dana", "Lee")) is None
    town = {"postcode": "10115", "city": "Berlin", "company": "acme"}
    assert match_people(PersonFacts(1, **town), PersonFacts(2, **town)) is None


def test_twins_and_namesakes_are_left_to_a_person() -> None:
    home = {"street": "Harbour Street", "street_number": "4", "postcode": "10115", "city": "Berlin"}
    anna = PersonFacts(1, "Anna", "Berg", birth_date="1980-01-02", **home)
    twin = match_people(anna, PersonFacts(2, "Eva", "Berg", birth_date="1980-01-02", **home))
    father = match_people(anna, PersonFacts(3, "Anna", "Berg", birth_date="1951-07-30", **home))
    for match in (twin, father):
        assert match is not None
        assert match.score <= MOST_CONTRADICTED


def test_every_match_says_what_agreed_and_what_differed_heaviest_first() -> None:
    match = match_companies(ACME, CompanyFacts(2, "Acme Robotics", "acme.test", "DE", "Hamburg"))
    assert match is not None
    weights = {reason.what: reason.weight for reason in match.reasons}
    assert weights["name"] > 0 > weights["city"]
    assert [abs(r.weight) for r in match.reasons] == sorted((abs(r.weight) for r in match.reasons), reverse=True)


def test_the_better_filled_record_is_kept_else_the_older() -> None:
    old, new = CompanyFacts(1, "Acme", filled=4), CompanyFacts(2, "Acme", filled=5)
    assert kept_first(new, old) == (old, new)
    full = dataclasses.replace(new, filled=9)
    assert kept_first(old, full) == kept_first(full, old) == (full, old)


def test_free_attributes_are_read_by_their_usual_names() -> None:
    found = from_attributes({"date_of_birth": 19800102, "zip": "10115", "colour": "red"})
    assert found["birth_date"] == "19800102"
    assert found["postcode"] == "10115"


def test_a_common_word_is_no_block() -> None:
    companies = [CompanyFacts(i, f"Global {i}") for i in range(MAX_BLOCK + 2)]
    assert duplicate_companies(companies) == []


TEXT = st.text(alphabet="abeéoß ðñx-.&'12", max_size=14)
COMPANIES = st.builds(
    CompanyFacts, st.integers(1, 9), TEXT, st.sampled_from(["", "a.example", "a.test", "b.example"]),
    st.sampled_from(["", "DE", "FR"]), TEXT, st.just("crm"), st.sampled_from(["", "1", "2"]),
    st.none() | st.integers(1990, 1993), st.none() | st.integers(1, 100), st.integers(0, 9),
)  # fmt: skip
PEOPLE = st.builds(
    PersonFacts, st.integers(1, 9), TEXT, TEXT, st.sampled_from(["", "a@b.example", "c@b.example"]),
    birth_date=st.sampled_from(["", "19800102", "19800120"]), street=TEXT,
    postcode=st.sampled_from(["", "10115", "10116"]),
    city=TEXT, phone=st.sampled_from(["", "5550199", "5550198"]), company=st.sampled_from(["", "a", "b"]),
    filled=st.integers(0, 9),
)  # fmt: skip


@given(COMPANIES, COMPANIES)
@settings(max_examples=300)
def test_companies_match_the_same_way_round(a: CompanyFacts, b: CompanyFacts) -> None:
    b = dataclasses.replace(b, id=a.id + 1)
    assert match_companies(a, b) == match_companies(b, a)
    assert kept_first(a, b) == kept_first(b, a)


@given(PEOPLE, PEOPLE)
@settings(max_examples=300)
def test_people_match_the_same_way_round(a: PersonFacts, b: PersonFacts) -> None:
    b = dataclasses.replace(b, id=a.id + 1)
    found = match_people(a, b)
    assert found == match_people(b, a)
    assert found is None or (LIKELIER_ONE <= found.score <= 1 and found.one < found.other)


@given(PEOPLE, COMPANIES)
def test_keys_and_matches_are_the_same_every_time(person: PersonFacts, company: CompanyFacts) -> None:
    twin, copy = dataclasses.replace(person, id=99), dataclasses.replace(company, id=99)
    assert person_keys(person) == person_keys(twin)
    assert company_keys(company) == company_keys(copy)
    assert match_people(person, twin) == match_people(person, twin)
    assert all(0 < len(key) <= 24 for key in person_keys(person) | company_keys(company))


@given(PEOPLE)
def test_nothing_known_twice_is_never_a_contradiction(person: PersonFacts) -> None:
    found = match_people(person, dataclasses.replace(person, id=99))
    assert found is None or all(reason.weight >= 0 for reason in found.reasons)


@pytest.mark.parametrize(("likeness", "weight"), [(None, None), (1, 10), (0.9, 7.25), (0.8, 5), (0.799, -3), (0, -3)])
def test_at_its_floor_a_likeness_is_worth_half_of_agreement(likeness: float | None, weight: float | None) -> None:
    reason = weigh(Field("x", 10.0, -3.0, floor=0.8), likeness)
    assert (reason and reason.weight) == weight


@pytest.mark.parametrize(("prior", "chance"), [(-1, 0.5), (0, 2 / 3), (-3, 0.2), (4, 32 / 33)])
def test_bits_add_up_to_a_chance(prior: float, chance: float) -> None:
    one = weigh(Field("x", 1.0, -3.0), 1)
    assert one is not None
    assert probability(prior, [one]) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("a", "b", "likeness"),
    [
        ("12", "", None), ("no", "1", None), ("123", "123", 1), ("123", "124", 0), ("1234", "124", 0),
        ("1234", "1235", 0.95), ("1234", "2134", 0.95), ("12345", "1234", 0.95),  # one slip, from four digits on
        ("123456", "123465", 0.95), ("123456", "124467", 0), ("1234567", "1234598", 0.88),  # two, from seven on
        ("1234567", "1234890", 0), ("+1 (512) 555-0199", "15125550199", 1),
    ],
)  # fmt: skip
def test_slips_in_a_number(a: str, b: str, likeness: float | None) -> None:
    assert digits_alike(a, b) == digits_alike(b, a) == likeness


@pytest.mark.parametrize(
    ("a", "b", "least", "most"),
    [
        ("Bauer", "Bauer", 1, 1), ("bauer", "BAUER", 1, 1), ("Zoë", "Zoe", 1, 1), ("O'Neil", "Oneil", 0.999, 0.999),
        ("Bauer", "Gauer", 0.9, 0.9), ("Anna", "Anan", 0.9, 0.9),  # one slip, from four letters on
        ("Lee", "See", 0, 0.8), ("Bauer", "Meier", 0, 0.7), ("--", "..", 0, 0),
    ],
)  # fmt: skip
def test_slips_in_a_word(a: str, b: str, least: float, most: float) -> None:
    likeness = words_alike(a, b)
    assert likeness == words_alike(b, a)
    assert likeness is not None
    assert least <= likeness <= most
