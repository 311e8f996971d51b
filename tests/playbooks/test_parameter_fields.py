"""Parameters as fields: whatever is stored is shown, read back and means the same; every parameter has a field."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.rules import params
from playbooks.rules.criteria import KINDS, parse_params
from playbooks.rules.sources import PARAMS
from playbooks.rules.wordlists import join_words, split_words
from playbooks.rules.yaml_io import parse
from playbooks.shipped import contacts

words = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1).filter(str.strip), max_size=4
)


@given(words)
def test_any_words_are_read_back(given_words: list[str]) -> None:
    assert split_words(join_words(given_words)) == [word.strip() for word in given_words]
    assert split_words(join_words(given_words).replace("\n", "\r\n")) == [word.strip() for word in given_words]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("B2B, Fintech", ["B2B", "Fintech"]),
        ("B2B\nFintech\n", ["B2B", "Fintech"]),
        ('"Acme, Inc.", Birch', ["Acme, Inc.", "Birch"]),
        (" , ,\n", []),
    ],
)
def test_commas_and_lines_part_words(text: str, read: list[str]) -> None:
    assert split_words(text) == read


def through_the_fields(section: str, kind: str, stored: dict[str, Any]) -> dict[str, Any]:
    shown = {param.name: params.spread(param, stored.get(param.name)) for param in params.params_of(section, kind)}
    return params.gathered(section, kind, shown)


EXAMPLES = (
    ("in_set", {"attribute": "industry", "values": ["B2B", "a, b"], "otherwise": 0.1,
                "partial": [{"values": ["X", "Y, Z"], "credit": 0.6}, {"values": ["Q"], "credit": 0}]}),
    ("in_range", {"attribute": "employees", "minimum": 0, "maximum": 40.5, "soft": 0, "soft_credit": 0}),
    ("overlap", {"kinds": ["reply", "call_accepted"], "enough": 1, "within_days": 30}),
    ("signal", {"kinds": ["reply"], "min_count": 2, "within_days": 14, "min_value": -3}),
    ("signal", {"kinds": {"hiring_stopped": 0, "funding": 1}}),
    ("measure", {"kinds": ["reply"], "statistic": "median", "unit": "h", "breakpoints": [[-1, 100], [24, 60.5]]}),
    ("phrase", {"phrases": ["too expensive", "no, thanks", "budget*"], "kinds": ["reply"]}),
    ("answer", {"question": "economic_buyer", "credits": {"yes": 100, "no": 0}}),
    ("answer", {"question": "economic_buyer", "credits": ["yes"]}),
    ("flag", {"attribute": "status", "values": ["Inactive"], "phrases": ["stop"], "within_days": 3}),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "stored"), EXAMPLES)
def test_what_is_stored_comes_back_from_its_fields(kind: str, stored: dict[str, Any]) -> None:
    assert parse_params(kind, through_the_fields("criteria", kind, stored)) == parse_params(kind, stored)


@pytest.mark.parametrize("name", ["demo.yaml", "solar.yaml", "ventilation.yaml"])
def test_every_shipped_criterion_comes_back_from_its_fields(name: str) -> None:
    for row in parse((contacts.HERE / name).read_text()).rows["criteria"]:
        again = through_the_fields("criteria", row["kind"], row["params"])
        assert parse_params(row["kind"], again) == parse_params(row["kind"], row["params"]), row["key"]


def test_sources_come_back_from_their_fields() -> None:
    stored = {"items": "data", "fields": {"technologies": "stack"}, "paging": {"style": "page", "parameter": "p"}}
    assert through_the_fields("sources", "json", stored) == stored


def test_every_parameter_of_every_kind_has_a_field() -> None:
    assert set(params.KINDS["criteria"]) == set(KINDS)
    for kind, stored in EXAMPLES:
        shown = {param.name for param in params.params_of("criteria", kind)}
        assert {field.name for field in fields(parse_params(kind, stored))} == shown
    for kind, model in PARAMS.items():
        assert {param.name for param in params.params_of("sources", kind)} == set(model.model_fields)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" 0.5 ", 0.5),
        ("-2", -2),
        ("1e3", 1000.0),
        ("three", "three"),
        ("1_000", "1_000"),
        ("", None),
        ("nan", "nan"),
    ],
)
def test_numbers_are_read_as_typed_and_nothing_else_is_made_a_number(text: str, value: Any) -> None:
    assert params.number(text) == value
    assert type(params.number(text)) is type(value)
