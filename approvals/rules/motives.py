"""Words that tell somebody what moves them. A guess at a motive guides what we write; it is never written. Pure.

Two ways to give it away: words for one of the five motives (blame, status, effort, certainty, autonomy) said of the
reader, and a run of words taken from the guess that is on record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FEELS = (
    r"afraid|scared|anxious|nervous|insecure|embarrassed|ashamed|jealous|overwhelmed|lazy|desperate|"
    r"worried about (?:looking|being|your)|under pressure"
)
#: Said of the reader, these name a motive that only they could name.
_OF_YOU = re.compile(
    r"\byou(?:['’]re| are| must be| may be| might be| seem| feel| probably feel| sound)\s+"
    rf"(?:\w+\s+){{0,2}}?(?:{_FEELS})\b"
    r"|\b(?:what )?you (?:really|secretly|actually|deep down) (?:want|need|fear|care about|worry about)\b"
    r"|\bdeep down,? you\b"
    r"|\byou (?:do not|don['’]t) want to (?:be|get|take|look|seem|lose)\s+(?:\w+\s+){0,2}?"
    r"(?:blame[d]?|fault|fired|bad|stupid|weak|face|control)\b"
    r"|\byour (?:fears?|ego|insecurit(?:y|ies)|need for (?:control|certainty|status|approval|autonomy))\b"
    r"|\b(?:so (?:that )?)?nobody (?:can|will) blame you\b"
    r"|\b(?:make|makes|making) you look (?:good|better|smart|like a hero)\b"
    r"|\b(?:impress|cover yourself (?:with|before)) your (?:boss|board|manager|colleagues|peers)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
#: So many words in a row are no coincidence.
RUN = 5


def asserted(text: str, guesses: Iterable[str] = ()) -> str:
    """The first words that tell the reader their motive; empty when there are none."""
    found = _OF_YOU.search(text)
    if found is not None:
        return found.group()
    words = [(match.group().casefold(), match) for match in _WORD.finditer(text)]
    runs = {run for guess in guesses for run in _runs([w.casefold() for w in _WORD.findall(guess)])}
    for start in range(len(words) - RUN + 1):
        if tuple(word for word, _ in words[start : start + RUN]) in runs:
            return text[words[start][1].start() : words[start + RUN - 1][1].end()]
    return ""


def _runs(words: list[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1))
