from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playbooks.rules import document as shape
from playbooks.rules.document import IDENTITY, ROWS, SECTIONS, Document, Slot, head_slots
from playbooks.rules.reference import reference
from playbooks.rules.yaml_io import Fault, PlaybookFileError, dump, parse, read
from playbooks.shipped import contacts

TEXT = (contacts.HERE / "demo.yaml").read_text()
DEMO = parse(TEXT)


def problems_of(text: str) -> list[str]:
    with pytest.raises(PlaybookFileError) as refused:
        parse(text)
    return refused.value.problems


def faults_of(text: str) -> list[Fault]:
    with pytest.raises(PlaybookFileError) as refused:
        parse(text)
    return refused.value.faults


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
    assert any("icp.industries: name at least one industry or a company size" in line for line in lines)
    assert any("stage_rules: a rule from qualifying to qualified" in line for line in lines)


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


def test_lines_are_those_of_the_file_whatever_its_layout() -> None:
    text = TEXT.replace("      minimum: 3\n", "      minimum: three\n").replace("hot: 70", "hott: 70")
    wrong = {fault.path: fault for fault in faults_of(text)}
    lines = text.splitlines()
    hott = wrong["thresholds.hott"]
    assert "hott: 70" in lines[hott.line - 1]
    assert hott.words.endswith("did you mean hot?")
    text = text.replace("hott: 70", "hot: 70").replace("from: sourced, to: researched", "from: sourced, to: reserched")
    by_path = {fault.path: fault for fault in faults_of(text)}
    assert "minimum: three" in lines[by_path["criteria[1].params.minimum"].line - 1]
    rule = by_path["stage_rules[0].to"]
    assert "to: reserched" in text.splitlines()[rule.line - 1]
    assert rule.words.endswith("did you mean researched?")


def test_what_is_missing_is_told_at_the_line_around_it() -> None:
    text = TEXT.replace("    label: Team of 3 to 40 people\n", "")
    (fault,) = faults_of(text)
    assert (fault.path, fault.words) == ("criteria[1].label", "is missing; expected text")
    assert "key: size" in text.splitlines()[fault.line - 1]
    assert str(fault).startswith(f"line {fault.line}: criteria[1].label: ")


def test_rows_out_of_order_are_told_by_their_place_in_the_file() -> None:
    data = yaml.safe_load(TEXT)
    data["brand_rules"] = [{"phrase": "z"}, {"phrase": "a"}, {"phrase": "z"}]
    (fault,) = faults_of(yaml.safe_dump(data))
    assert (fault.path, fault.words) == ("brand_rules[2].phrase", "z is already said in row 1")


def test_a_parameter_nobody_knows_is_refused_with_what_may_be_meant() -> None:
    (fault,) = faults_of(TEXT.replace("      minimum: 3\n", "      minimun: 3\n"))
    assert fault.path == "criteria[1].params.minimun"
    assert fault.words.endswith("did you mean minimum?")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (".inf", "thresholds.hot"),
        (".nan", "thresholds.hot"),
        ("1" + "0" * 400, "thresholds.hot"),
        ('"\\0"', "root_intent"),
        ('"\\ud800"', "root_intent"),
    ],
)
def test_what_no_column_holds_is_refused_by_name(value: str, path: str) -> None:
    lines = [
        f"{line.split(':')[0]}: {value}" if line.strip().startswith(f"{path.split('.')[-1]}:") else line
        for line in TEXT.splitlines()
    ]
    assert path in {fault.path for fault in faults_of("\n".join(lines))}


def test_a_date_is_no_plain_value() -> None:
    (fault,) = faults_of(TEXT.replace("values: [Active]", "values: [2026-05-04]"))
    assert (fault.path, fault.words.partition(",")[0]) == ("criteria[4].params", "expected names with values")


def test_the_page_of_names_is_in_step_with_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "playbook-yaml.md").read_text()
    assert page == reference(), "manage.py playbook_reference > docs/playbook-yaml.md"
    assert [name for name in (*SECTIONS, *ROWS) if name and f"`{name}`" not in page] == []


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
amounts = st.decimals(-(10**9), 10**9, places=2)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
OF_KIND: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "whole": st.integers(-(10**12), 10**12),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "money": amounts,
    "price": st.decimals(-1000, 1000, places=4),
    "flag": st.booleans(),
    "words": st.lists(texts, max_size=3),
    "params": st.dictionaries(texts, plain, max_size=3),
}


def values_of(slots: Iterable[Slot]) -> st.SearchStrategy[dict[str, Any]]:
    def of(slot: Slot) -> st.SearchStrategy[Any]:
        given = st.sampled_from(slot.choices) if slot.choices else OF_KIND[slot.kind]
        return st.none() | given if slot.default is None else given

    return st.fixed_dictionaries({slot.at: of(slot) for slot in slots})


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Whole documents, right in form and free in everything else."""
    names = draw(values_of(IDENTITY))
    head = draw(values_of(slot for _, slot in head_slots().values()))
    rows = {name: shape.arrange(name, draw(st.lists(values_of(row.slots), max_size=2))) for name, row in ROWS.items()}
    return Document(**names, head=head, rows=rows)


@given(documents())
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
def test_any_document_is_read_back_as_it_was_and_written_again_the_same(document: Document) -> None:
    written = dump(document)
    assert read(written) == document
    assert dump(read(written)) == written


def test_every_row_shape_tells_its_rows_apart_by_its_own_columns() -> None:
    for row in ROWS.values():
        columns = {slot.at for slot in row.slots}
        assert set(row.identity) | set(row.sort_by) <= columns
    assert set(shape.head_slots()) >= {"root_intent", "weight_investment", "two_approvers"}
