"""A draft as the quality checks see it: the words before the footer, cut into sentences, with its facts and claims."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal

from approvals.rules import reading
from approvals.rules.content import split_footer

_PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\{\{|\}\}|\$\{[^}]*\}|\{[a-z_]+\}|<[A-Za-z_]+ ?[A-Za-z_]*>"
    r"|\[[A-Za-z][A-Za-z _/-]{0,40}\]|%[A-Z][A-Z_]+%|\*\|[A-Z_:]+\|\*"
    r"|\bNone\b(?! (?:of|the)\b)|\bundefined\b|\bNaN\b|\bnull\b|\bTODO\b|\bXX+\b|\blorem ipsum\b"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something evidence says. It counts only when one of `terms` literally stands in the words."""

    key: str
    terms: tuple[str, ...]
    evidence_ids: tuple[int, ...]
    about: Literal["company", "person"] = "company"
    observed_on: date | None = None

    @classmethod
    def cited(
        cls,
        key: str,
        quote: str,
        evidence_id: int,
        claims: Iterable[Mapping[str, Any]],
        *,
        company: str,
        observed_on: date,
    ) -> Fact:
        """Evidence that a message cites: its quote, and what the message's claims about it say, are the words to find.

        The company's own name proves nothing.
        """
        said = (
            str(term)
            for claim in claims
            if evidence_id in (claim.get("evidence_ids") or ())
            for term in (claim.get("terms") or [claim.get("sentence", "")])
        )
        terms = tuple(term for term in (quote, *said) if term and term != company)
        return cls(key, terms, (evidence_id,), "company", observed_on)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence and what it rests on: evidence rows, or an approved playbook text named by `source`."""

    sentence: str
    evidence_ids: tuple[int, ...] = ()
    source: str = ""
    kind: Literal["fact", "proof"] = "fact"

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Claim:
        """A claim as messages keep it."""
        return cls(
            sentence=str(stored.get("sentence", "")),
            evidence_ids=tuple(stored.get("evidence_ids") or ()),
            source=str(stored.get("source", "")),
            kind="proof" if stored.get("kind") == "proof" else "fact",
        )

    @property
    def covered(self) -> bool:
        return bool(self.evidence_ids or self.source)


@dataclass(frozen=True, slots=True)
class Draft:
    """One message to grade. `body` is the whole body with its footer; `touch` is 1 for the first one to this person."""

    subject: str
    body: str
    today: date
    first_name: str = ""
    company_name: str = ""
    facts: tuple[Fact, ...] = ()
    claims: tuple[Claim, ...] = ()
    touch: int = 1
    images: int = 0
    attachments: int = 0
    has_prior_thread: bool = False
    suppressed: bool = False
    sender_name: str = ""
    postal_address: str = ""
    unsubscribe_url: str = ""
    identity_required: bool = True
    foreign_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Words:
    """The draft's words, each view computed once."""

    draft: Draft
    prose: str

    @classmethod
    def of(cls, draft: Draft) -> Words:
        return cls(draft=draft, prose=split_footer(draft.body)[0])

    @cached_property
    def words(self) -> tuple[str, ...]:
        return reading.words(self.prose)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        return reading.sentences(self.prose)

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Links in the words; the unsubscribe link does not count."""
        own = self.draft.unsubscribe_url
        return tuple(link for link in reading.urls(self.prose) if not own or link != own)

    @cached_property
    def folded(self) -> str:
        return reading.folded(f"{self.draft.subject}\n{self.prose}")

    def has(self, term: str) -> bool:
        """Whether a term stands in subject or words as whole words, in any case."""
        return stands_in(term, self.folded)

    @cached_property
    def facts_used(self) -> tuple[Fact, ...]:
        return tuple(
            fact for fact in self.draft.facts if fact.evidence_ids and any(self.has(term) for term in fact.terms)
        )

    @cached_property
    def claims_used(self) -> tuple[Claim, ...]:
        return tuple(claim for claim in self.draft.claims if reading.folded(claim.sentence) in self.folded)

    def uncovered(self, sentence: str) -> str:
        """What of the sentence no claim that rests on something says; "" where a claim says all of it.

        A claim speaks for its own words: one about "the reps" covers no number that stands elsewhere in the sentence.
        """
        plain, rest = reading.folded(sentence), sentence
        covered = (claim.sentence for claim in self.draft.claims if claim.covered and claim.sentence.strip())
        for said in sorted(covered, key=len, reverse=True):
            if stands_in(plain, reading.folded(said)):
                return ""
            words = r"\s+".join(re.escape(word).replace("'", "['’]") for word in said.replace("’", "'").split())
            # "40" is not all of "40%", "$40" or "1,40".
            rest = re.sub(rf"(?<![\w$€£])(?<!\d[.,]){words}(?![\w%])(?![.,]\d)", " ", rest, flags=re.IGNORECASE)
        return rest.strip()


def says(patterns: Iterable[str], sentence: str) -> bool:
    """Whether any of the patterns stands in the sentence; case does not matter."""
    return any(re.search(pattern, sentence, re.IGNORECASE) for pattern in patterns)


def stands_in(term: str, folded: str) -> bool:
    """Whether a term stands in already folded text, not as part of a longer word."""
    plain = reading.folded(term)
    if not plain or plain not in folded:
        return False
    return re.search(rf"(?<!\w){re.escape(plain)}(?!\w)", folded) is not None


def unresolved_placeholders(text: str) -> tuple[str, ...]:
    """Template marks that were never filled in, in the order they stand: `{{ name }}`, `[Name]`, `%FIRST%`, "None"."""
    return tuple(dict.fromkeys(match.group() for match in _PLACEHOLDER.finditer(text)))
