"""Typed signals out of raw ones: what changed between two files, what a change record says, what a text announces.

Each derived signal names the one it was drawn from and when that was observed. Nothing is guessed: an announcement is
recognised by its words, and the words are quoted.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from prospects.agents.model_signals import NAME, signals_by_model
from prospects.rules.criteria import sentence_around
from salesops.numerals import number_in, plain_number
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import SignalProposal
from salesops.runtime.views import ProspectView, SignalView
from salesops.runtime.words import ImplementationKind, Key, Phase, Team

_PROFILE, _CHANGE = "profile", "change"
_TEXTS = frozenset(
    {"news", "post", "press_release", "blog", "review", "web_page", "job_post", "page", "job_posting", "text"}
)
_SURE, _LIKELY = 0.9, 0.7
_LONGEST = 2000  # characters of a signal's words: a file may hold longer ones

# What an announcement is called, and the words it is recognised by (whole words, any case).
_ANNOUNCEMENTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"\b(?:{words})\b", re.IGNORECASE))
    for kind, words in (
        (
            "funding",
            r"raises|raised|funding round|seed round|series [a-f]|led the round|closes? \$[\d.]+ ?(?:m|million)",
        ),
        ("expansion", r"expands? (?:in)?to|expansion|opens? (?:a |an |its )?(?:new )?office|new market"),
        ("new_product", r"launch(?:es|ed)?|introduc(?:es|ed)|unveil(?:s|ed)|now available|new product"),
        ("hiring", r"is hiring|are hiring|we're hiring|hiring for|open positions?|join our team"),
        ("regulatory", r"regulation|compliance deadline|new law|licen[cs]ed by|approved by the (?:fda|fca|sec)"),
        ("partnership", r"partners? with|partnership|teams? up with|integrates? with"),
        ("technology", r"migrat(?:es|ed|ing) to|switch(?:es|ed) to|adopts?|rolls? out"),
    )
)


def run(batch: Batch, tools: Tools) -> Answers:
    """The derived signals of each prospect; none where nothing new can be drawn."""
    del tools
    return {prospect.id: list(_derived(prospect)) for prospect in batch}


def _derived(prospect: ProspectView) -> Iterator[SignalProposal]:
    profiles = sorted((s for s in prospect.signals if s.kind == _PROFILE), key=lambda s: (s.observed_at, s.fact_no))
    for before, after in itertools.pairwise(profiles):
        for field in ("hiring", "status", "stage_label"):
            if field in before.data and field in after.data:
                yield from _changed(after, field, before.data[field], after.data[field])
        yield from _changed(after, "employees", _headcount(before.data), _headcount(after.data))
    for signal in prospect.signals:
        if signal.agent == NAME:
            continue  # derived already
        if signal.kind == _CHANGE:
            field = str(signal.data.get("field", ""))
            yield from _changed(signal, field, signal.data.get("old"), signal.data.get("new"), sets=True)
        elif signal.kind in _TEXTS and signal.text:
            yield from _announced(signal)


def _headcount(data: Mapping[str, Any]) -> float | None:
    """People, when the file gave a number; a band such as 11–50 cannot show growth."""
    low, high = data.get("employees_min"), data.get("employees_max")
    exact = data.get("employees", low if low == high else None)
    return number_in(exact)


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).casefold())


def _changed(origin: SignalView, field: str, old: Any, new: Any, *, sets: bool = False) -> Iterator[SignalProposal]:
    """What a change of one field means. ``sets``: the origin is no profile, so the new value has to be carried on."""
    if field in ("hiring", "is_hiring", "isHiring"):
        was, now = _truth(old), _truth(new)
        if was is not None and now is not None and was is not now:
            kind, words = ("hiring_started", "Started hiring.") if now else ("hiring_stopped", "Stopped hiring.")
            yield _signal(origin, kind, "hiring", words, {"hiring": now} if sets else {})
    elif field in ("employees", "team_size", "headcount"):
        yield from _team(origin, number_in(old), number_in(new), sets=sets)
    elif field == "status" and old and new and old != new:
        yield _signal(origin, "status_changed", "status", f"Status: {old} → {new}.", {"status": new} if sets else {})
    elif field in ("stage", "stage_label") and str(new).casefold() == "growth" != str(old).casefold():
        yield _signal(origin, "growth_stage_reached", "stage_label", "Moved to the growth stage.", {})
    elif field in ("record", "__record__") and str(new) and not old:
        yield _signal(origin, "directory_listed", "directory", "Listed for the first time.", {})


def _team(origin: SignalView, old: float | None, new: float | None, *, sets: bool) -> Iterator[SignalProposal]:
    if old is None or new is None or old == new:
        return
    kind = "team_growth" if new > old else "team_decline"
    words = f"Team went from {plain_number(old)} to {plain_number(new)}."
    carried = {"employees_min": int(new), "employees_max": int(new)} if sets else {}
    yield _signal(origin, kind, "employees", words, carried, value=new, data={"before": old})


def _signal(
    origin: SignalView,
    kind: str,
    attribute: str,
    text: str,
    sets: Mapping[str, Any],
    *,
    value: float | None = None,
    data: Mapping[str, Any] | None = None,
) -> SignalProposal:
    return SignalProposal(
        kind=kind,
        observed_at=origin.observed_at,
        value=value,
        text=text[:_LONGEST],
        data={**(data or {}), **({"sets": dict(sets)} if sets else {})},
        derived_from=origin.id,
        attribute=attribute,
        confidence=_SURE,
    )


def _announced(origin: SignalView) -> Iterator[SignalProposal]:
    for kind, pattern in _ANNOUNCEMENTS:
        match = pattern.search(origin.text)
        if match is None:
            continue
        sentence = sentence_around(origin.text, match.start(), match.end())
        yield SignalProposal(
            kind=kind,
            observed_at=origin.observed_at,
            text=sentence,
            data={"words": match.group()},
            derived_from=origin.id,
            attribute=kind,
            confidence=_LIKELY,
            quote=sentence,
        )


AGENT = Agent(
    name=NAME,
    team=Team.LEAD_GEN,
    phase=Phase.DISCOVERY,
    order=2,
    reads=frozenset({Key.SIGNALS}),
    writes=frozenset({Key.SIGNALS}),
    ignores=frozenset({"contact_finder"}),
    implementations={
        ImplementationKind.RULES: Implementation(run, version="2"),
        ImplementationKind.LLM: signals_by_model(_TEXTS, run),
    },
)
