"""Turns a frozen dossier into what the page draws: sentences joined to the evidence under them, both ways round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

READING_ORDER = {"timing": 0, "need": 1, "fit": 2, "commitment": 3, "risk": 4}


@dataclass(frozen=True)
class Piece:
    """A stretch of text; ``refs`` are the numbers of the evidence it rests on, empty for plain text.

    ``approved``: it claims something that rests on words approved in the playbook rather than on evidence.
    """

    text: str
    refs: tuple[int, ...] = ()
    approved: bool = False


@dataclass
class Shown:
    """A dossier ready for the template.

    ``key_rows`` make the case at a glance: what speaks against, what the words rest on, and the strongest of each
    category. ``layers`` hold all evidence in full. Both carry the same numbers.
    """

    layers: list[dict[str, Any]]
    key_rows: list[dict[str, Any]]
    subject: list[Piece]
    words: list[Piece]
    unplaced: list[Piece]
    why_now: dict[str, Any] | None
    gates: list[dict[str, Any]]


def show(dossier: dict[str, Any], *, subject: str, words: str) -> Shown:
    """Number the evidence in the order the page lists it and split the text at the sentences that rest on it."""
    sentences = (dossier.get("message") or {}).get("sentences") or []
    cited = {number for part in [*sentences, dossier.get("why_now") or {}] for number in part.get("evidence_ids") or []}
    layers, key_rows, numbers = _numbered(dossier.get("why") or [], cited)
    claims = [
        Piece(
            text=str(sentence.get("text", "")).strip(),
            refs=_refs(sentence.get("evidence_ids"), numbers),
            approved=not sentence.get("evidence_ids"),
        )
        for sentence in sentences
    ]
    claims = [claim for claim in claims if claim.text and (claim.refs or claim.approved)]
    in_subject, rest = _split(subject, claims)
    in_words, unplaced = _split(words, rest)
    why_now = dossier.get("why_now")
    if why_now:
        why_now = {**why_now, "refs": _refs(why_now.get("evidence_ids"), numbers)}
    gates = [_gate(gate) for gate in dossier.get("gates") or []]
    return Shown(layers, key_rows, in_subject, in_words, unplaced, why_now, gates)


def _numbered(
    why: list[dict[str, Any]], cited: set[int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[int, int]]:
    """All layers with numbered evidence, the key rows among it, and the number of each evidence id."""
    layers = [{**layer, "evidence": sorted(layer.get("evidence") or [], key=_weightiest)} for layer in why]
    rows = {row["id"]: row for layer in layers for row in layer["evidence"]}
    wanted = {row["id"] for row in rows.values() if row.get("strong_negative") or row["id"] in cited}
    wanted |= _strongest(list(rows.values()), covered={rows[number].get("category") for number in wanted})
    key_rows = sorted((rows[number] for number in sorted(wanted)), key=_weightiest)
    numbers: dict[int, int] = {}
    for row in [*key_rows, *rows.values()]:
        numbers.setdefault(row["id"], len(numbers) + 1)
    for layer in layers:
        layer["evidence"] = [{**row, "no": numbers[row["id"]]} for row in layer["evidence"]]
    return layers, [{**row, "no": numbers[row["id"]]} for row in key_rows], numbers


def _strongest(rows: list[dict[str, Any]], *, covered: set[Any]) -> set[int]:
    """The strongest row of each category that is not covered yet; a risk that was only ruled out makes no case."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        category = str(row.get("category", ""))
        if category and category != "risk" and category not in covered:
            best[category] = max(best.get(category, row), row, key=_strength)
    return {row["id"] for row in best.values()}


def _strength(row: dict[str, Any]) -> float:
    return float(row.get("value") or 0) * float(row.get("confidence") or 0)


def _weightiest(row: dict[str, Any]) -> tuple[bool, int]:
    """What speaks against comes first, then what makes the case; checks that merely passed come last."""
    category = str(row.get("category", ""))
    return not row.get("strong_negative"), READING_ORDER.get(category, len(READING_ORDER))


def _gate(gate: dict[str, Any]) -> dict[str, Any]:
    """The gate with what it measured against what it asks for: "81 ≥ 50"; words stand alone while they agree."""
    have, need = str(gate.get("have") or ""), str(gate.get("need") or "")
    if have[:1].isdigit() and need[:1].isdigit():
        numbers = f"{have} {'≥' if gate.get('passed') else '<'} {need}"
    else:
        numbers = have if gate.get("passed") or not need else f"{have or 'nothing'}, needs {need}"
    return {**gate, "numbers": numbers}


def _refs(ids: list[int] | None, numbers: dict[int, int]) -> tuple[int, ...]:
    return tuple(sorted({numbers[number] for number in ids or [] if number in numbers}))


def _split(text: str, claims: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """``text`` cut at the claims found in it, in order, and the claims that stand nowhere in it."""
    found = [(position, claim) for claim in claims if (position := text.find(claim.text)) >= 0]
    found.sort(key=lambda pair: pair[0])
    placed = {id(claim) for _, claim in found}
    pieces: list[Piece] = []
    end = 0
    for position, claim in found:
        if position < end:
            continue
        pieces.append(Piece(text[end:position]))
        pieces.append(claim)
        end = position + len(claim.text)
    pieces.append(Piece(text[end:]))
    return [piece for piece in pieces if piece.text], [claim for claim in claims if id(claim) not in placed]
