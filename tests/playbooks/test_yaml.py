from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playbooks import document as shape
from playbooks.document import ROWS, Document
from playbooks.shipped import contacts
from playbooks.yaml_io import PlaybookFileError, dump, parse

TEXT = (contacts.HERE / "demo.yaml").read_text()
DEMO = parse(TEXT)


def problems_of(text: str) -> list[str]:
    with pytest.raises(PlaybookFileError) as refused:
        parse(text)
    return refused.value.problems


def changed(path: list[str | int], value: Any) -> str:
    data = yaml.safe_load(TEXT)
    at = data
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return yaml.safe_dump(data, sort_keys=False)


def test_the_demo_round_trips_exactly() -> None:
    written = dump(DEMO)
    assert parse(written) == DEMO
    assert dump(parse(written)) == written


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["layer_weights", "firmographic"], 34, "layer_weights.investment: the four layer weights must sum to 100"),
        (["layer_weights", "firmographic"], "35", "layer_weights.firmographic: expected a whole number, got '35'"),
        (["thresholds", "hot"], 30, "thresholds.hot: expected hot above warm"),
        (["thresholds", "hott"], 30, "thresholds.hott: unknown here; expected one of"),
        (["budgets", "emails_per_day"], 0, "budgets.emails_per_day: expected a daily limit above 0"),
        (["budgets", "money_per_month"], None, "budgets.money_per_month: is missing"),
        (["budgets", "money_per_month"], 1.005, "budgets.money_per_month: expected an amount with at most two"),
        (["criteria", 1, "params", "minimum"], "three", "criteria[1].params.minimum: expected a number, got 'three'"),
        (["criteria", 1, "kind"], "guess", "criteria[1].kind: expected one of in_set"),
        (["criteria", 1, "key"], "industry", "criteria[1].key: icp → industry is already said in row 1"),
        (["criteria", 5, "weight"], 5, "criteria[5].weight: a flag rules out"),
        (["criteria", 0, "layer"], None, "criteria[0].layer: is missing"),
        (["stage_rules", 0, "to"], "qualfied", "expected a stage of the pipeline"),
        (["stage_rules", 0, "to"], "converted", "no prospect can move from sourced to converted"),
        (["templates", 0, "body"], "Hi {{ firstname }}", "templates[0].body: {{ firstname }} is no placeholder"),
        (["templates", 0, "requires"], ["hirng"], "templates[0].requires: this playbook has no criterion 'hirng'"),
        (["templates"], {"a": 1}, "templates: expected a list"),
        (["countries"], ["USA"], "countries: expected two-letter country codes"),
        (["kind"], "household", "icp.description: a household playbook needs a behavioral"),
        (["root_intent"], " ", "root_intent: say in one sentence"),
        (["surprise"], 1, "surprise: unknown here"),
    ],
)  # fmt: skip
def test_errors_name_the_path_and_what_was_expected(path: list[str | int], value: Any, problem: str) -> None:
    text = changed(path, value)
    if path == ["kind"]:
        text = text.replace("layer: behavioral", "layer: psychologic").replace(
            "layer: investment", "layer: psychologic"
        )
    assert any(problem in line for line in problems_of(text)), problems_of(text)


def test_an_empty_profile_and_a_playbook_without_a_way_to_qualify_are_refused() -> None:
    data = yaml.safe_load(TEXT)
    data["icp"] = {}
    data["stage_rules"] = []
    lines = problems_of(yaml.safe_dump(data))
    assert any(line.startswith("icp.industries: name at least one industry or a company size") for line in lines)
    assert any(line.startswith("stage_rules: a rule from qualifying to qualified") for line in lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected names with values, got nothing"),
        ("- a", "expected names with values"),
        ("a: 1\na: 2", "'a' is said twice"),
        ("a: &x [1]\nb: *x", "aliases are not used"),
        ("a: [", "not YAML"),
        ("a: !!python/object/apply:os.system [true]", "not YAML"),
        ("[" * 3000, "not YAML"),
        ("a: 2026-99-99", "not YAML"),
    ],
)
def test_what_is_not_a_playbook_is_refused_in_words(text: str, words: str) -> None:
    assert words in problems_of(text)[0]


def test_too_long_a_file_is_refused() -> None:
    assert "at most" in problems_of("a" * 2_000_001)[0]


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.lists(words, max_size=3), words, st.decimals(0, 10**6, places=2), st.floats(0.001, 9e5), st.booleans())
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_any_words_and_numbers_round_trip(
    names: list[str], text: str, money: Decimal, number: float, flag: bool
) -> None:
    document: Document = copy.deepcopy(DEMO)
    document.name = text
    document.head |= {"icp_roles": names, "procedure": text, "deal_value": money, "two_approvers": flag}
    document.rows["criteria"][0] |= {"label": text, "weight": number}
    document.rows["templates"][0]["angle"] = text
    document.rows["criteria"][0]["params"] = {"attribute": "industry", "values": ["x", *names]}
    if all(name.strip() for name in names):
        assert parse(dump(document)) == document


def test_every_row_shape_tells_its_rows_apart_by_its_own_columns() -> None:
    for row in ROWS.values():
        columns = {slot.at for slot in row.slots}
        assert set(row.identity) | set(row.sort_by) <= columns
    assert set(shape.head_slots()) >= {"root_intent", "weight_investment", "two_approvers"}
