"""Turns a frozen dossier into what the page draws: sentences joined to the evidence under them, both ways round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Piece:
    """A stretch of text; ``refs`` are the numbers of the evidence it rests on, empty for plain text."""

    text: str
    refs: tuple[int, ...] = ()


@dataclass
class Shown:
    """A dossier ready for the template. ``layers`` carry numbered evidence."""

    layers: list[dict[str, Any]]
    subject: list[Piece]
    words: list[Piece]
    unplaced: list[Piece]
    why_now: dict[str, Any] | None
    gates: list[dict[str, Any]]


def show(dossier: dict[str, Any], *, subject: str, words: str) -> Shown:
    """Number the evidence in the order the page lists it and split the text at the sentences that rest on it."""
    layers, numbers = _numbered(dossier.get("why") or [])
    sentences = (dossier.get("message") or {}).get("sentences") or []
    claims = [
        Piece(str(sentence.get("text", "")).strip(), _refs(sentence.get("evidence_ids"), numbers))
        for sentence in sentences
    ]
    claims = [claim for claim in claims if claim.text and claim.refs]
    in_subject, rest = _split(subject, claims)
    in_words, unplaced = _split(words, rest)
    why_now = dossier.get("why_now")
    if why_now:
        why_now = {**why_now, "refs": _refs(why_now.get("evidence_ids"), numbers)}
    return Shown(layers, in_subject, in_words, unplaced, why_now, [_gate(gate) for gate in dossier.get("gates") or []])


def _numbered(why: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[int, int]]:
    numbers: dict[int, int] = {}
    layers = []
    for layer in why:
        rows = []
        for row in layer.get("evidence") or []:
            numbers.setdefault(row["id"], len(numbers) + 1)
            rows.append({**row, "no": numbers[row["id"]]})
        layers.append({**layer, "evidence": rows})
    return layers, numbers


def _gate(gate: dict[str, Any]) -> dict[str, Any]:
    have, need = gate.get("have"), gate.get("need")
    numbers = f"{have} of {need}" if have and need else str(have or "")
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
