from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import date
from itertools import product

import pytest

from approvals.rules import content, quality, reading
from playbooks.document import Document
from playbooks.shipped import contacts
from playbooks.templating import fill, placeholders
from playbooks.yaml_io import parse

SENDER = {
    "sender_name": "Mara Ellison",
    "postal_address": "Quillmoor, 200 Sample Street, Springfield, IL 62701",
    "unsubscribe_url": "https://quillmoor.example/u/token",
}
DEMO = parse((contacts.HERE / "demo.yaml").read_text())
PROOF = DEMO.rows["value_propositions"][0]["proof"]


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


def graded(template: dict[str, str], company: str, today: date) -> quality.Quality:
    """The template as message_hypothesis would fill and claim it, with every fact six months old."""
    values = {"first_name": "Dana", "company": company, "sender_first_name": "Mara", "proof": PROOF}
    used = {p.name for text in (template["subject"], template["body"]) for p in placeholders(text) if p.criterion}
    evidence = {name: "September" if name.startswith("month") else "Enterprise Software" for name in used}
    evidence.update(dict.fromkeys(used & {"fact.size", "fact.team_growth"}, "112"))
    evidence.update(dict.fromkeys(used & {"fact.hiring_now"}, "hiring"))
    subject, words = (fill(template[part], values | evidence) for part in ("subject", "body"))
    assert not subject.missing
    assert not words.missing
    claims = []
    for sentence in reading.sentences(words.text):
        if PROOF.rstrip(".") in sentence:
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
    ("template", "company"), list(product(DEMO.rows["templates"], ["Zip", "Blue Harbor Robotics", "9Fin.ai"]))
)
def test_every_shipped_template_grades_a_even_when_its_facts_are_old(template: dict[str, str], company: str) -> None:
    grade = graded(template, company, date(2026, 12, 1))
    assert not grade.hard
    assert grade.grade == "A", [check for check in grade.checks if not check.passed]


def test_the_demo_sells_only_where_its_law_is_known() -> None:
    assert DEMO.head["countries"] == ["US"]
    assert isinstance(DEMO, Document)
    assert {row["angle"] for row in DEMO.rows["templates"]} == {
        "problem-aware", "value-add", "direct", "social-proof",
    }  # fmt: skip
