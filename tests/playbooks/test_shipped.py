from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from approvals.rules import content, quality, reading
from playbooks.rules.criteria import LAYERS
from playbooks.rules.document import Document
from playbooks.rules.templating import fill, placeholders
from playbooks.rules.validation import problems
from playbooks.rules.yaml_io import parse
from playbooks.shipped import clients, contacts, synthetic

SENDER = {
    "sender_name": "Mara Ellison",
    "postal_address": "Quillmoor, 200 Sample Street, Springfield, IL 62701",
    "unsubscribe_url": "https://quillmoor.example/u/token",
}
SHIPPED = {name: parse((contacts.HERE / f"{name}.yaml").read_text()) for name in ("demo", "solar", "ventilation")}
DEMO = SHIPPED["demo"]
COMPANIES = {
    "demo": ("Zip", "Blue Harbor Robotics", "9Fin.ai"),
    "solar": ("Ice", "Red Mesa Cold Storage", "Bolt 9 Metals"),
    "ventilation": ("",),
}
#: What a fact may say in a message, where it is not a word or two like "Enterprise Software"
TOLD = {"fact.size": "112", "fact.team_growth": "112", "fact.hiring_now": "hiring", "fact.roof": "112"}


def rows(name: str) -> Iterator[dict[str, str]]:
    opener = gzip.open if name.endswith(".gz") else open
    with opener(contacts.HERE / name, "rt", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def test_only_the_allowed_facts_of_companies_are_shipped() -> None:
    first = next(rows("companies.csv.gz"))
    assert list(first) == [
        "Company id", "Company", "Domain", "Website", "Industry", "Subindustry", "Tags", "Team size", "Location",
        "Country", "Batch", "Status", "Stage", "Hiring", "As of",
    ]  # fmt: skip
    assert sum(1 for _ in rows("companies.csv.gz")) == 5950


def test_every_signal_is_dated_and_belongs_to_a_shipped_company() -> None:
    known = {row["Company id"] for row in rows("companies.csv.gz")}
    signals = list(rows("signals.csv"))
    assert len(signals) == 1187
    assert {row["external id"] for row in signals} <= known
    assert all("2026-04-07" <= row["observed_at"] <= "2026-06-02" for row in signals)


def test_made_up_people_live_on_a_reserved_domain_and_are_marked() -> None:
    people = list(rows("contacts.csv.gz"))
    assert len(people) > 2500
    assert all(row["Email"].endswith(".example") and row["Synthetic"] == "yes" for row in people)
    assert len({row["Email"] for row in people}) == len(people)


def test_the_made_up_people_are_always_the_same() -> None:
    shipped = gzip.decompress((contacts.HERE / "contacts.csv.gz").read_bytes())
    assert gzip.decompress(contacts.contacts_file()) == shipped


def test_the_made_up_firms_and_households_are_always_the_same_and_marked() -> None:
    for name, text in synthetic.files().items():
        assert (contacts.HERE / name).read_text(encoding="utf-8") == text
    for name in ("solar_companies.csv", "ventilation_homes.csv"):
        people = list(rows(name))
        assert 150 <= len(people) <= 400
        assert all(row["Email"].endswith(".example") and row["Synthetic"] == "yes" for row in people)
        assert len({row["Email"] for row in people}) == len(people)
    assert all(row["Domain"].endswith(".example") for row in rows("solar_companies.csv"))


def test_made_up_dates_move_to_the_day_a_demo_is_loaded(tmp_path: Path) -> None:
    name = "ventilation_consents.csv"
    to = date(2030, 3, 1)
    moved = clients.moved(contacts.HERE / name, written_on=date(2026, 6, 2), to=to, into=tmp_path)
    with moved.open(encoding="utf-8", newline="") as stream:
        after = list(csv.DictReader(stream))
    before = list(rows(name))
    assert [row["email"] for row in after] == [row["email"] for row in before]
    gaps = {
        date.fromisoformat(a["captured at"]) - date.fromisoformat(b["captured at"])
        for a, b in zip(after, before, strict=True)
    }
    assert gaps == {to - date(2026, 6, 2)}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_playbook_may_rule(name: str) -> None:
    assert problems(SHIPPED[name]) == []


def test_the_two_clients_weigh_what_tells_their_customers_apart() -> None:
    weights = [SHIPPED["solar"].head[f"weight_{layer}"] for layer in LAYERS]
    assert weights == [20, 25, 30, 25]
    homes = SHIPPED["ventilation"]
    assert homes.kind == "household"
    assert homes.head["countries"] == ["NZ"]
    assert homes.head["weight_behavioral"] + homes.head["weight_investment"] >= 80


def graded(playbook: str, template: dict[str, str], company: str, today: date) -> quality.Quality:
    """The template as message_hypothesis would fill and claim it, with every fact six months old."""
    proof = SHIPPED[playbook].rows["value_propositions"][0]["proof"]
    values = {"first_name": "Dana", "company": company, "sender_first_name": "Mara", "proof": proof}
    used = {p.name for text in (template["subject"], template["body"]) for p in placeholders(text) if p.criterion}
    evidence = {name: "September" if name.startswith("month") else "Enterprise Software" for name in used}
    evidence.update({name: words for name, words in TOLD.items() if name in used})
    subject, words = (fill(template[part], values | evidence) for part in ("subject", "body"))
    assert not subject.missing
    assert not words.missing
    claims = []
    for sentence in reading.sentences(words.text):
        if proof.rstrip(".") in sentence:
            claims.append(quality.Claim(sentence, source="value_proposition:1", kind="proof"))
        elif any(value in sentence for value in evidence.values()):
            claims.append(quality.Claim(sentence, (1,)))
    draft = quality.Draft(
        subject=subject.text,
        body=content.with_footer(words.text, **SENDER),
        today=today,
        first_name="Dana",
        company_name=company,
        facts=tuple(
            quality.Fact(name, (value,), (1,), "company", date(2026, 6, 2)) for name, value in evidence.items()
        ),
        claims=tuple(claims),
        **SENDER,
    )
    return quality.grade_message(draft)


@pytest.mark.parametrize(
    ("playbook", "template", "company"),
    [
        pytest.param(name, template, company, id=f"{name} {template['key']} {company}")
        for name, document in SHIPPED.items()
        for template, company in product(document.rows["templates"], COMPANIES[name])
    ],
)
def test_every_shipped_template_grades_a_even_when_its_facts_are_old(
    playbook: str, template: dict[str, str], company: str
) -> None:
    grade = graded(playbook, template, company, date(2026, 12, 1))
    assert not grade.hard
    assert grade.grade == "A", [check for check in grade.checks if not check.passed]


def test_the_demo_sells_only_where_its_law_is_known() -> None:
    assert DEMO.head["countries"] == ["US"]
    assert isinstance(DEMO, Document)
    assert {row["angle"] for row in DEMO.rows["templates"]} == {
        "problem-aware", "value-add", "direct", "social-proof",
    }  # fmt: skip


def test_the_solar_playbook_asks_for_more_of_bant_from_stage_to_stage() -> None:
    asked = [
        (row["from_stage"], row["to_stage"], row["min_score"])
        for row in SHIPPED["solar"].rows["stage_rules"]
        if row["scorecard"] == "bant" and row["route"] == "any"
    ]
    assert sorted(asked, key=lambda rule: rule[2]) == [
        ("engaged", "converted", 50), ("discovery", "proposal", 70), ("proposal", "negotiation", 85),
        ("negotiation", "won", 90),
    ]  # fmt: skip
