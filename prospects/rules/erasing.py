"""What speaks of one person, and the same words with that person taken out of them.

Two ways: whatever was written to or about the person alone loses all its words; what was written about somebody else,
such as their company, loses those that name them. Ids, numbers, hashes and the shape of data stay in both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

#: What stands where words stood. PostgreSQL lets nothing else in: see ``prospects.erasure.sql``.
WORD = "erased"
_SHORTEST_NAME = 3
#: Thai, Japanese, Chinese and Korean: names of two signs, and no blank (or only a particle) between words.
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")
_FEWEST_DIGITS, _TELLING_DIGITS = 6, 8
#: Names of values that are part of how data is built, and name nobody: they are needed to add it up again.
_BUILD = frozenset({
    "angle", "at", "built_at", "category", "channel", "content_hash", "cost", "criterion", "currency", "deal_value",
    "expected_value", "fact_ref", "from_stage", "grade", "have", "id", "key", "kind", "label", "layer", "need",
    "not_before", "observed_at", "op", "route", "scorecard", "source", "stage", "status", "template_key", "tier",
    "to_stage", "until", "verdict", "version", "zone",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traces:
    """How a person shows in other people's words. ``ids``: their contacts, by which data names them."""

    anyhow: re.Pattern[str] | None
    as_written: re.Pattern[str] | None
    ids: frozenset[int] = frozenset()

    def in_(self, text: str) -> bool:
        """Whether the words give the person away."""
        return self.in_full(text) or (self.as_written is not None and bool(self.as_written.search(_plain(text))))

    def in_full(self, text: str) -> bool:
        """The same among people who have nothing to do with them: there a first or last name alone is another's."""
        return self.anyhow is not None and bool(self.anyhow.search(_plain(text)))


def traces_of(
    *, names: Iterable[str], parts: Iterable[str], addresses: Iterable[str], phones: Iterable[str],
    ids: Collection[int] = (),
) -> Traces:  # fmt: skip
    """Whole names, addresses and links in any case; first and last names alone only as written: "Will", not "will".

    A phone number is found however its digits are spaced.
    """
    patterns = [_any_of((*names, *addresses)), *map(_number, phones)]
    anyhow = "|".join(pattern for pattern in patterns if pattern)
    alone = _any_of(parts)
    return Traces(
        re.compile(anyhow, re.IGNORECASE) if anyhow else None, re.compile(alone) if alone else None, frozenset(ids)
    )


def _any_of(words: Iterable[str]) -> str:
    given = set(words)
    touching = {word for word in given if _UNSPACED.search(word)}
    apart = _either(word for word in given - touching if len(word) >= _SHORTEST_NAME)
    within = _either(word for word in touching if len(word) > 1)
    return "|".join(part for part in (rf"(?<!\w){apart}(?!\w)" if apart else "", within) if part)


def _either(words: Iterable[str]) -> str:
    found = sorted({re.escape(_plain(word)) for word in words}, key=lambda word: (-len(word), word))
    return f"(?:{'|'.join(found)})" if found else ""


def _number(phone: str) -> str:
    """The end of a number, where every way to write it is alike."""
    digits = re.sub(r"\D", "", phone)[-_TELLING_DIGITS:]
    return r"[\s()./-]*".join(digits) + r"(?!\d)" if len(digits) >= _FEWEST_DIGITS else ""


def _plain(text: str) -> str:
    """Without accents: "José" and "Jose" are one."""
    if text.isascii():
        return text
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def words(text: str, traces: Traces | None) -> str:
    """The text, or the one word that says it is gone. ``traces`` None: whatever it says."""
    gone = bool(text) and (traces is None or traces.in_(text))
    return WORD if gone else text


def data(value: Any, traces: Traces, *, whole: bool, parts: Collection[str] = ()) -> Any:
    """JSON of the same shape with words taken out. Numbers, yes and no, and what data is built by stay.

    A part that names one of the person's contacts by id, or goes by one of these names, is about them as a whole.
    """
    if isinstance(value, str):
        return words(value, None if whole else traces)
    if isinstance(value, list):
        return [data(item, traces, whole=whole, parts=parts) for item in value]
    if isinstance(value, dict):
        theirs = whole or value.get("contact_id") in traces.ids
        return {
            name: words(item, traces)
            if name in _BUILD and isinstance(item, str)
            else data(item, traces, whole=theirs or name in parts, parts=parts)
            for name, item in value.items()
        }
    return value


def is_erased(*texts: str) -> bool:
    """Whether nothing is left in any of these, and something was."""
    return WORD in texts and all(text in ("", WORD) for text in texts)


def plain_keys(
    *, emails: Iterable[str], ids: Iterable[tuple[str, str]], names: Iterable[str], companies: Collection[str]
) -> Iterator[str]:
    """By what somebody who comes in would be recognised: an address, a source's own id, a name at a company.

    ``names`` and ``companies`` (domains, or names as compared) are folded by the caller.
    """
    yield from (f"email:{email}" for email in emails if email)
    yield from (f"id:{source}:{given}" for source, given in ids if given)
    yield from (f"name:{name}@{company}" for name in names for company in companies if name and company)
