"""The differences of two versions as a founder reads them. Pure."""

from __future__ import annotations

from copy import deepcopy

import pytest

from playbooks.rules.difference_words import difference, summary, word_pieces
from playbooks.rules.document import Document
from playbooks.rules.yaml_io import parse
from playbooks.shipped import contacts

DEMO = parse((contacts.HERE / "demo.yaml").read_text())


@pytest.fixture
def other() -> Document:
    return deepcopy(DEMO)


def told(new: Document) -> list[str]:
    return [line.words for section in difference(DEMO, new) for line in section.lines]


def criterion(document: Document, key: str) -> dict[str, object]:
    return next(row for row in document.rows["criteria"] if row["key"] == key)


def test_the_same_words_make_no_difference(other: Document) -> None:
    other.head["change_note"] = "Only a note."
    assert difference(DEMO, other) == []


def test_a_threshold_and_a_layer_are_told_by_what_they_do(other: Document) -> None:
    other.head |= {"hot_threshold": 65.0, "weight_firmographic": 25, "emails_per_day": 150}
    before = DEMO.head
    assert told(other) == [
        f"Firmographic layer: weight {before['weight_firmographic']} → 25",
        f"Hot from {before['hot_threshold']:g} → 65",
        f"E-mails a day: {before['emails_per_day']} → 150",
    ]


def test_a_criterion_that_changed_names_each_change_and_of_lists_only_what_came_and_went(other: Document) -> None:
    row = criterion(other, "industry")
    values = list(row["params"]["values"])  # type: ignore[index]
    row["params"] = {**row["params"], "values": [*values[1:], "Aquaculture"]}  # type: ignore[dict-item]
    weight, row["weight"] = row["weight"], 33.0
    (line,) = told(other)
    assert f"weight {weight:g} → 33" in line
    assert f"values + Aquaculture, − {values[0]}" in line


def test_criteria_that_come_and_go_say_what_they_ask(other: Document) -> None:
    gone = criterion(other, "size")
    other.rows["criteria"].remove(gone)
    other.rows["criteria"].append({
        "key": "salesforce", "label": "Uses Salesforce", "scorecard": "icp", "layer": "firmographic",
        "category": "fit", "kind": "overlap", "weight": 10.0, "half_life_days": None, "missing": "unknown",
        "params": {"attribute": "technologies", "values": ["Salesforce"], "enough": 1},
    })  # fmt: skip
    lines = told(other)
    assert lines[0].startswith("+ criterion Uses Salesforce (firmographic, weight 10). Technologies include 1 of")
    assert lines[1].startswith(f"− criterion {gone['label']} (")


def test_a_new_order_names_the_one_that_moved(other: Document) -> None:
    rows = other.rows["templates"]
    assert len(rows) > 2
    rows.insert(0, rows.pop())
    assert told(other) == [f"{rows[0]['key']}: now first"]


def test_longer_words_are_compared_word_by_word(other: Document) -> None:
    row = other.rows["templates"][0]
    row["body"] = row["body"].replace("\n", " entirely\n", 1)
    (section,) = difference(DEMO, other)
    (line,) = section.lines
    assert line.words.endswith("body reworded")
    ((name, pieces),) = line.texts
    assert name == "Body"
    assert [piece.text.strip() for piece in pieces if piece.kind == "added"] == ["entirely"]
    assert "".join(p.text for p in pieces if p.kind != "added") == DEMO.rows["templates"][0]["body"]


def test_pieces_give_back_both_texts() -> None:
    old, new = "We sell pumps, cheaply.", "We sell heat pumps, well."
    pieces = word_pieces(old, new)
    assert "".join(p.text for p in pieces if p.kind != "added") == old
    assert "".join(p.text for p in pieces if p.kind != "removed") == new


def test_a_summary_counts_what_it_leaves_out(other: Document) -> None:
    other.head |= {"hot_threshold": 65.0, "warm_threshold": 35.0, "calls_per_day": 1}
    assert summary(difference(DEMO, other), most=2)[-1] == "and 1 more"
