"""Which words an edit took out and which it put in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "added", "removed"]

_PIECE = re.compile(r"\s+|[^\W_]+(?:['’-][^\W_]+)*|.", re.UNICODE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that stayed, came or went."""

    kind: Kind
    text: str


def words(before: str, after: str) -> tuple[Piece, ...]:
    """The edit as runs of text. The "same" and "removed" runs spell `before`; "same" and "added" spell `after`."""
    return tuple(_merged(_pieces(_PIECE.findall(before), _PIECE.findall(after))))


def _pieces(old: list[str], new: list[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(a=old, b=new, autojunk=False)
    for _, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        gone, come = "".join(old[old_from:old_to]), "".join(new[new_from:new_to])
        if gone == come:
            yield Piece("same", gone)
            continue
        if gone:
            yield Piece("removed", gone)
        if come:
            yield Piece("added", come)


def _merged(pieces: Iterator[Piece]) -> Iterator[Piece]:
    last: Piece | None = None
    for piece in pieces:
        if last is not None and last.kind == piece.kind:
            last = Piece(last.kind, last.text + piece.text)
            continue
        if last is not None and last.text:
            yield last
        last = piece
    if last is not None and last.text:
        yield last


def changed(pieces: tuple[Piece, ...]) -> bool:
    """Whether the edit did anything at all."""
    return any(piece.kind != "same" for piece in pieces)


def as_json(pieces: tuple[Piece, ...]) -> list[dict[str, str]]:
    """For the Decision row: a list of {"kind", "text"}."""
    return [{"kind": piece.kind, "text": piece.text} for piece in pieces]
