from __future__ import annotations

from typing import Any

import pytest

from prospects.agents import deduplication, signal_extraction
from salesops.runtime.contract import Tools
from salesops.runtime.proposals import SignalProposal
from salesops.runtime.validation import check
from salesops.runtime.views import CompanyView, SignalView
from tests.runtime.memory import NOW, SEEN, context, playbook, scope, signal


def derive(*signals: SignalView) -> list[SignalProposal]:
    about = context(1)
    for seen in signals:
        about.add_signal(seen)
    found = signal_extraction.run([about.view()], Tools("signal_extraction", NOW, 0, playbook()))[1]
    for proposal in found:
        assert isinstance(proposal, SignalProposal)
        assert check(signal_extraction.AGENT, scope(), about, proposal) is None
    return list(found)  # type: ignore[arg-type]


def change(field: str, old: Any, new: Any) -> SignalView:
    return signal(1, kind="change", data={"field": field, "old": old, "new": new})


@pytest.mark.parametrize(
    ("record", "kind", "value"),
    [
        (change("hiring", "False", "True"), "hiring_started", None),
        (change("isHiring", True, False), "hiring_stopped", None),
        (change("team_size", "8", "14"), "team_growth", 14.0),
        (change("employees", 14, 8), "team_decline", 8.0),
        (change("status", "Active", "Acquired"), "status_changed", None),
        (change("stage", "Early", "Growth"), "growth_stage_reached", None),
        (change("__record__", "", "added"), "directory_listed", None),
    ],
)
def test_a_change_record_becomes_a_typed_signal(record: SignalView, kind: str, value: float | None) -> None:
    (found,) = derive(record)
    assert (found.kind, found.value, found.derived_from, found.observed_at) == (kind, value, 1, SEEN)


@pytest.mark.parametrize(
    "record",
    [
        change("team_size", "8", None),
        change("team_size", "8", "8"),
        change("team_size", "a few", "many"),
        change("hiring", None, True),
        change("hiring", True, "yes"),
        change("one_liner", "old words", "new words"),
        change("status", "Active", "Active"),
    ],
)
def test_a_change_that_says_nothing_yields_nothing(record: SignalView) -> None:
    assert derive(record) == []


def test_two_profiles_show_what_changed_between_them() -> None:
    before = signal(1, data={"employees_min": 8, "employees_max": 8, "hiring": False})
    after = signal(2, data={"employees_min": 12, "employees_max": 12, "hiring": True}, observed_at=NOW)
    found = derive(before, after)
    assert [(s.kind, s.derived_from, s.observed_at) for s in found] == [
        ("hiring_started", 2, NOW),
        ("team_growth", 2, NOW),
    ]


def test_a_band_of_employees_shows_no_growth() -> None:
    before = signal(1, data={"employees_min": 11, "employees_max": 50})
    after = signal(2, data={"employees_min": 51, "employees_max": 200}, observed_at=NOW)
    assert derive(before, after) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Big day. Globex raises $5M seed round. More soon.", "funding"),
        ("Globex expands to Canada.", "expansion"),
        ("We are hiring two account executives!", "hiring"),
        ("Globex partners with Initech.", "partnership"),
        ("Globex launches a new analytics tool.", "new_product"),
    ],
)
def test_an_announcement_is_recognised_and_quoted_word_for_word(text: str, kind: str) -> None:
    found = {s.kind: s for s in derive(signal(1, kind="news", text=text, data={}))}
    assert found[kind].quote in text
    assert found[kind].confidence < 0.9


def test_ordinary_words_announce_nothing() -> None:
    assert derive(signal(1, kind="news", text="The weather in Berlin was fine.", data={})) == []


def test_derived_signals_are_not_derived_again() -> None:
    assert derive(signal(1, kind="news", text="Globex raises $5M.", data={}, agent="signal_extraction")) == []


def company(**fields: Any) -> CompanyView:
    defaults = {
        "id": 1, "name": "Globex", "domain": "globex.example", "industry": "", "subindustry": "",
        "employees_min": None, "employees_max": None, "country": "US", "region": "", "city": "Austin", "location": "",
        "tags": (), "status": "", "hiring": None,
    }  # fmt: skip
    return CompanyView(**{**defaults, **fields})


def twins(*others: dict[str, Any]) -> list[SignalProposal]:
    about = context(5, company=company(), extras={"twins": list(others)})
    about.add_signal(signal(1))
    return list(deduplication.run([about.view()], Tools("deduplication", NOW, 0, playbook()))[5])  # type: ignore[arg-type]


def twin(number: int, **fields: Any) -> dict[str, Any]:
    return {"prospect_id": number, "name": "Globex", "key": "globex.test", "country": "US", "city": "Boston", **fields}


def test_the_later_of_two_prospects_with_one_name_is_marked_with_the_reason() -> None:
    (found,) = twins(twin(3))
    assert found.kind == "possible_duplicate"
    assert "same name, other domain" in found.text
    assert twins(twin(9)) == []


def test_the_same_place_makes_a_duplicate_likelier() -> None:
    (near,), (far,) = twins(twin(3, city="Austin")), twins(twin(3))
    assert near.confidence > far.confidence
