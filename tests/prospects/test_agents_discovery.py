from __future__ import annotations

from typing import Any

import pytest

from prospects.agents import deduplication, signal_extraction
from prospects.duplicates.twins import Twins
from prospects.rules.identities import CompanyFacts
from salesops.runtime.contract import Tools
from salesops.runtime.proposals import MergeProposal, SignalProposal
from salesops.runtime.validation import check
from salesops.runtime.views import SignalView
from salesops.runtime.words import Refused
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
        change("team_size", "8", "inf"),
        change("team_size", "nan", "8"),
        change("team_size", "8", "1e999"),
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


GLOBEX = CompanyFacts(5, "Globex Industries", "globex.example", "US", "Austin")


def merges(own: CompanyFacts, *others: CompanyFacts) -> list[MergeProposal]:
    """What deduplication proposes for a prospect of this company, having been handed these twins."""
    ids = {"company": (frozenset({own.id}), frozenset(other.id for other in others))}
    about = context(5, extras={"twins": (Twins("company", own, others),), "identities": ids})
    about.add_signal(signal(1))
    found = deduplication.run([about.view()], Tools("deduplication", NOW, 0, playbook()))[5]
    for proposal in found:
        assert check(deduplication.AGENT, scope(), about, proposal) is None  # type: ignore[arg-type]
    return list(found)  # type: ignore[arg-type]


def test_a_likely_twin_is_proposed_with_score_and_reasons() -> None:
    (found,) = merges(GLOBEX, CompanyFacts(3, "Globex Industries Inc.", "", "US", "Austin"))
    assert (found.kept, found.merged, found.kind) == (3, 5, "company")
    assert found.score > 0.99
    assert found.reasons[0].what == "name"


def test_the_surest_twin_comes_first_and_strangers_are_not_mentioned() -> None:
    near, far = CompanyFacts(3, "Globex Industries", "", "US", "Austin"), CompanyFacts(2, "Globex Industries", "", "US")
    found = merges(GLOBEX, far, near, CompanyFacts(1, "Initech", "", "US", "Austin"))
    assert [proposal.kept for proposal in found] == [3, 2]


def test_nobody_is_merged_with_a_record_that_was_not_handed_over() -> None:
    (found,) = merges(GLOBEX, CompanyFacts(3, "Globex Industries", "", "US", "Austin"))
    about = context(5, extras={"identities": {"company": (frozenset({5}), frozenset({4}))}})
    objection = check(deduplication.AGENT, scope(), about, found)
    assert objection is not None
    assert objection.kind is Refused.PROVENANCE


def test_words_of_any_length_are_cut_to_what_a_signal_holds() -> None:
    (found,) = derive(change("status", "Active", "word " * 1000))
    assert len(found.text) == 2000
    assert found.data["sets"] == {"status": "word " * 1000}


def test_a_sentence_without_end_is_quoted_from_what_it_announces() -> None:
    told = "and so on " * 60 + "they opened: Globex raises more money than ever before"
    (found,) = derive(signal(1, kind="news", text=told, data={}))
    assert found.kind == "funding"
    assert found.quote.startswith("raises more money")
