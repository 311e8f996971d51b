"""Models as people meet them: an honest one, and those that lie, obey strangers or reach for what is not theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from salesops.bench.standin import Asked, Say, fenced

Answer = Mapping[str, Any]


def honest(asked: Asked) -> Say:
    """Answers every kind of question from the material alone, in words that stand there."""
    return Say(answer=_ANSWERS[form(asked)](asked))


def form(asked: Asked) -> str:
    """The form the answer is asked for in, by its first field."""
    return next(iter(asked.schema["properties"]))


def pieces(asked: Asked, name: str) -> dict[str, str]:
    """The labelled texts of a value, by the name before the first comma of the label."""
    return {piece.label.split(",")[0]: piece.text for piece in fenced(asked.question) if piece.name == name}


def lines(asked: Asked, name: str) -> dict[str, str]:
    """The lines of a value that begin with a name and a colon."""
    (piece,) = [piece for piece in fenced(asked.question) if piece.name == name]
    return dict(line.split(": ", 1) for line in piece.text.splitlines() if ": " in line)


def judged(name: str, source: str, words: str, **fields: Any) -> dict[str, Any]:
    given = {"criterion": name, "value": 90, "confidence": 0.85, "rationale": f"It says “{words[:60]}”.",
             "quote": words, "signals": [source]}  # fmt: skip
    return {**given, **fields}


def _evidence(asked: Asked) -> Answer:
    """The profile's lines for fit, need and risk; the newest piece for timing."""
    texts = pieces(asked, "signals")
    found = []
    for name in lines(asked, "criteria"):
        key = {"fit/icp.industry": "industry", "need/icp.hiring_now": "hiring", "risk/icp.active": "status"}.get(name)
        for source, text in texts.items():
            if key and f"{key}: " in text:
                found.append(judged(name, source, text.split(f"{key}: ")[1].splitlines()[0]))
                break
    return {"judgements": found}


def _signals(asked: Asked) -> Answer:
    source, text = next(iter(pieces(asked, "texts").items()))
    quote = text.split(".")[0]
    return {"observations": [{"kind": "expansion", "source": source, "quote": quote, "confidence": 0.7}]}


def _motives(asked: Asked) -> Answer:
    """One fear, in the first sentence of the newest text."""
    source, text = next(iter(pieces(asked, "texts").items()))
    return {"forces": [heard(source, text.split(".")[0])], "motives": []}


def heard(source: str, words: str, **fields: Any) -> dict[str, Any]:
    return {"force": "anxiety", "strength": 2, "source": source, "quote": words, **fields}


def _drafts(asked: Asked) -> Answer:
    facts = list(lines(asked, "facts"))
    first = {"text": "You are hiring, and each new hire needs new deals to pay for it.", "rests_on": facts[:2]}
    second = {"text": "We read the market for you and write first drafts.", "rests_on": ["p1"]}
    third = {"text": "Two founders at Larkmoor Data sent 180 first notes in 30 days.", "rests_on": ["p1"]}
    question = {"text": "Would it help to see ten names we would pick for you?", "rests_on": ["p1"]}
    question["text"] = "Would it help to see some names we would pick for you?"
    draft = {"channel": "email", "angle": "problem", "subject": "Your new hires",
             "paragraphs": [[first], [second, third], [question]], "why": "They hire now."}  # fmt: skip
    return {"drafts": [draft, {**draft, "angle": "direct", "subject": "Sales for you"}]}


def _option(asked: Asked) -> Answer:
    return {"option": next(iter(lines(asked, "options"))), "reason": "It is worth most."}


_ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "judgements": _evidence,
    "observations": _signals,
    "forces": _motives,
    "drafts": _drafts,
    "option": _option,
}


def says(kind: str, answer: Callable[[Asked], Answer]) -> Callable[[Asked], Say]:
    """An honest model but for one kind of question."""
    return lambda asked: Say(answer=answer(asked)) if form(asked) == kind else honest(asked)
