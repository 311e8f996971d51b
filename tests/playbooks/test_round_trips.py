"""Any valid playbook goes through the database unchanged: it is dumped byte for byte, and loads as the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from playbooks.queries import document_of
from playbooks.rules.criteria import CATEGORIES, KINDS, LAYERS, STATISTICS
from playbooks.rules.document import ROWS, TIERS, Document, arrange
from playbooks.rules.validation import problems
from playbooks.rules.yaml_io import dump, parse
from playbooks.services import drafts
from tests import factories
from tests.playbooks.test_yaml import DEMO

pytestmark = pytest.mark.django_db
_slugs = count()


def texts(longest: int) -> st.SearchStrategy[str]:
    """What people type, and what breaks files: line ends, quotes, colons, blanks at the ends, other alphabets."""
    odd = st.sampled_from(
        [": ", "#", "'", '"', "\n", "\r\n", "\t", " ", "- ", "é", "日本", "\u2028", "\x85", "null", "1e3"]
    )
    made = st.lists(odd | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=6)
    return made.map("".join).map(lambda text: text[:longest])


names = st.from_regex(r"[A-Za-z][A-Za-z0-9 _-]{0,10}[a-z]", fullmatch=True)
words = texts(12).filter(lambda text: bool(text.strip()))
lists = st.lists(words, min_size=1, max_size=3)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 4)) | st.integers(-(10**6), 10**6)
shares = st.floats(0, 1, allow_nan=False) | st.integers(0, 1)
points = st.floats(0, 100, allow_nan=False) | st.integers(0, 100)
days = st.floats(0.5, 900, allow_nan=False) | st.integers(1, 900)
amounts = st.decimals(0, 99_999, places=2)


def some(needed: dict[str, Any], **free: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(needed, optional=free)


@st.composite
def overlaps(draw: st.DrawFn) -> dict[str, Any]:
    given = draw(lists)
    wanted: dict[str, Any] = {"attribute": draw(words), "values": given} if draw(st.booleans()) else {"kinds": given}
    return {**wanted, **draw(some({}, enough=st.integers(1, len(given))))}


@st.composite
def ranges(draw: st.DrawFn) -> dict[str, Any]:
    low, high = sorted((draw(numbers), draw(numbers)))
    return draw(some({"attribute": words, "minimum": st.just(low), "maximum": st.just(high)}, soft=shares))


rising = st.lists(numbers, min_size=2, max_size=4, unique_by=float).map(sorted)
breakpoints = st.tuples(rising, st.lists(points, min_size=4, max_size=4)).map(
    lambda pair: [list(one) for one in zip(pair[0], pair[1], strict=False)]
)
PARAMS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "in_set": some(
        {"attribute": words, "values": lists}, otherwise=shares,
        partial=st.lists(st.fixed_dictionaries({"values": lists, "credit": shares}), max_size=2),
    ),
    "in_range": ranges(),
    "overlap": overlaps(),
    "signal": some({"kinds": lists | st.dictionaries(words, shares, min_size=1, max_size=3)},
                   min_count=st.integers(1, 9), within_days=days, min_value=numbers),
    "measure": some({"kinds": lists, "breakpoints": breakpoints}, statistic=st.sampled_from(STATISTICS), unit=words),
    "phrase": some({"phrases": lists}, kinds=lists, min_count=st.integers(1, 9), within_days=days),
    "answer": some({"question": words, "credits": lists | st.dictionaries(words, points, min_size=1, max_size=3)}),
    "flag": some({"attribute": words, "values": lists}, phrases=lists, within_days=days),
}  # fmt: skip


@st.composite
def criteria(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(KINDS))
    missing = draw(st.sampled_from(["unknown", "zero", "value"]))
    return {
        "key": "made", "label": draw(words), "scorecard": draw(st.sampled_from(["icp", "own"])),
        "layer": draw(st.sampled_from(LAYERS)), "category": draw(st.sampled_from(CATEGORIES)), "kind": kind,
        "weight": 0.0 if kind == "flag" else float(draw(points)), "half_life_days": draw(st.none() | days.map(float)),
        "missing": missing, "missing_value": float(draw(points)) if missing == "value" else None,
        "params": draw(PARAMS[kind]),
    }  # fmt: skip


@st.composite
def heads(draw: st.DrawFn) -> dict[str, Any]:
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=3, max_size=3)))
    weights = [high - low for low, high in zip([0, *cuts], [*cuts, 100], strict=True)]
    warm, hot = sorted(draw(st.lists(points.map(float), min_size=2, max_size=2, unique=True)))
    drawn = {
        "change_note": texts(200), "root_intent": texts(300).filter(lambda text: bool(text.strip())),
        "procedure": texts(400), "icp_description": texts(200), "icp_industries": lists, "icp_roles": st.lists(words),
        "money_per_month": amounts, "deal_value": amounts, "min_confidence": shares.map(float),
        "two_approvers": st.booleans(), "request_hours": st.integers(1, 900),
    }  # fmt: skip
    return {
        **draw(st.fixed_dictionaries(drawn)), "hot_threshold": hot, "warm_threshold": warm,
        **dict(zip((f"weight_{layer}" for layer in LAYERS), weights, strict=True)),
    }  # fmt: skip


def rows(name: str, *needed: Any, most: int = 3) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to so many rows of one kind, each telling itself apart."""
    identity = ROWS[name].identity
    drawn = st.fixed_dictionaries({slot.at: given for slot, given in zip(ROWS[name].slots, needed, strict=True)})
    return st.lists(drawn, max_size=most, unique_by=lambda row: tuple(row[column] for column in identity))


@st.composite
def playbooks(draw: st.DrawFn) -> Document:
    """Valid ones: the demo's moves and templates, all else drawn."""
    more = [{**row, "key": f"made-{number}"} for number, row in enumerate(draw(st.lists(criteria(), max_size=4)))]
    made = {
        "criteria": [*DEMO.rows["criteria"], *more],
        "value_propositions": draw(rows("value_propositions", texts(20), words, words, texts(200))),
        "sequences": draw(rows("sequences", st.sampled_from(TIERS), st.integers(0, 90),
                               st.sampled_from(["preferred", "email"]), texts(20))),
        "brand_rules": draw(rows("brand_rules", words, st.sampled_from(["review", "block"]), texts(90))),
        "channels": [{**row, "unit_cost": draw(amounts), "reply_rate": float(draw(shares))}
                     for row in DEMO.rows["channels"]],
        "stage_rules": [{**row, "min_score": draw(st.none() | points.map(float)),
                         "confirm_from_value": draw(st.none() | amounts) if row["pipeline"] == "deal" else None}
                        for row in DEMO.rows["stage_rules"]],
    }  # fmt: skip
    whole = {**DEMO.rows, **{name: arrange(name, given) for name, given in made.items()}}
    head = {**DEMO.head, **draw(heads())}
    return replace(DEMO, slug=f"made-{next(_slugs)}", name=draw(words), head=head, rows=whole)


@given(playbooks())
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_what_is_loaded_is_dumped_byte_for_byte_and_loads_as_the_same(document: Document) -> None:
    assume(not problems(document))
    written = dump(document)
    client = factories.client()
    version, created = drafts.load_document(parse(written), client=client, actor=None)
    assert created
    stored = replace(document_of(version), client=document.client)
    assert stored == document
    assert dump(stored) == written
    again, created = drafts.load_document(parse(dump(stored)), client=client, actor=None)
    assert (again, created) == (version, False)
    copied = document_of(drafts.new_version(version.playbook, actor=None))
    assert copied.says_the_same(document_of(version))


@pytest.mark.parametrize("number", [10**16, 1e16, -(10**16), 1e300])
def test_a_number_too_large_to_come_back_as_it_was_is_refused_by_name(number: float) -> None:
    rule = {
        **DEMO.rows["criteria"][1],
        "params": {"attribute": "employees", "minimum": 1, "soft": 0.5, "maximum": number},
    }
    if number < 0:
        rule["params"] = {"attribute": "employees", "minimum": number}
    document = replace(
        DEMO, rows={**DEMO.rows, "criteria": [DEMO.rows["criteria"][0], rule, *DEMO.rows["criteria"][2:]]}
    )
    (problem,) = problems(document)
    assert problem.path.startswith("criteria[1].params.m")
    assert "1,000,000,000,000,000" in problem.words


def test_decimals_keep_their_cents() -> None:
    head = {**DEMO.head, "deal_value": Decimal("0.10"), "money_per_month": Decimal("99999.99")}
    document = replace(DEMO, head=head)
    version, _ = drafts.load_document(parse(dump(document)), client=factories.client(), actor=None)
    assert dump(replace(document_of(version), client=DEMO.client)) == dump(document)
