"""Words that promise something sensitive, such as a dry home: allowed where the evidence under the sentence says them.

That a sentence cites evidence is not enough: what somebody saw has to speak of the very thing (Fair Trading Act 1986,
s. 12A: no representation without reasonable grounds at the time it is made).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from approvals.rules.reading import folded

#: Words that mean one thing: evidence that says one of them covers the others.
Families = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Backed:
    """A sentence of a message, and what the evidence it cites says."""

    sentence: str
    says: str


def backed(claims: Iterable[Mapping[str, Any]], said: Mapping[int, str]) -> tuple[Backed, ...]:
    """A message's claims with the words of their evidence; those that cite none are left out."""
    found = ((str(c.get("sentence", "")), c.get("evidence_ids") or ()) for c in claims)
    return tuple(
        Backed(sentence, " ".join(said[i] for i in ids if i in said))
        for sentence, ids in found
        if sentence.strip() and any(i in said for i in ids)
    )


def bare(text: str, families: Families, grounds: Iterable[Backed], names: Iterable[str] = ()) -> tuple[str, str]:
    """(the first sensitive word no evidence says, the first that some does), each "" when there is none.

    ``names`` of people and companies promise nothing, whatever words they are made of.
    """
    plain = _without(folded(text), names)
    covered = ""
    for family in families:
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, family))})\b")
        said = pattern.search(plain)
        if said is None:
            continue
        rest = _without(plain, [ground.sentence for ground in grounds if pattern.search(folded(ground.says))])
        left = pattern.search(rest)
        if left is not None:
            return left.group(), covered
        covered = covered or said.group()
    return "", covered


def _without(plain: str, parts: Iterable[str]) -> str:
    for part in sorted(filter(None, map(folded, parts)), key=len, reverse=True):
        plain = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", " ", plain)
    return plain
