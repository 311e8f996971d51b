"""Hard failures: what makes a message an F whatever else is good about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from approvals.rules import content, reading
from approvals.rules.quality_bands import Bands
from approvals.rules.quality_words import Words, says, stands_in, unresolved_placeholders

_GREETED = re.compile(
    r"^\s*(?:hi|hello|hey|dear|good (?:morning|afternoon|day)|kia ora|bonjour|hallo)[ \t]+([^,!\n:;–—-]{1,60})",
    re.IGNORECASE,
)
_GENERIC = {"there", "all", "everyone", "both", "team", "folks", "again", "from", "and"}
_NUMBER = re.compile(r"[$€£]?\d[\d.,]*\s?(?:%|[kmb]\b|percent\b|x\b)?", re.IGNORECASE)
_DURATION = re.compile(r"\b\d{1,2}(?:\s?(?:-|–|to)\s?\d{1,2})?[\s-]?(?:minutes?|mins?|hours?|hrs?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HardFailure:
    """Why a message cannot be requested at all, with the words at fault."""

    key: str
    saw: str
    words: tuple[str, ...] = ()


def hard_failures(text: Words, bands: Bands) -> tuple[HardFailure, ...]:
    """Every hard failure of the message, in a fixed order."""
    return tuple(
        failure
        for find in (_placeholders, _names, _claims, _thread, _identity, _shorteners, _suppressed)
        for failure in find(text, bands)
    )


def _placeholders(text: Words, _: Bands) -> Iterator[HardFailure]:
    found = unresolved_placeholders(f"{text.draft.subject}\n{text.draft.body}")
    if found:
        yield HardFailure("placeholder", "a placeholder was never filled in", found)


def _names(text: Words, _: Bands) -> Iterator[HardFailure]:
    greeted = _GREETED.match(text.prose)
    if greeted and not _greets(greeted.group(1).strip(), text):
        yield HardFailure("wrong_name", "greets somebody else", (greeted.group(1).strip(),))
    own = {text.draft.company_name.casefold(), ""}
    wrong = tuple(name for name in text.draft.foreign_names if name.casefold() not in own and text.has(name))
    if wrong:
        yield HardFailure("wrong_company", "names another company", wrong)


def _greets(name: str, text: Words) -> bool:
    plain, first = name.casefold(), text.draft.first_name.strip().casefold()
    if first and (plain == first or plain.startswith(f"{first} ")):
        return True
    company = text.draft.company_name.strip().casefold()
    return plain.split()[0] in _GENERIC or (bool(company) and plain in (company, f"{company} team", f"team {company}"))


def _claims(text: Words, bands: Bands) -> Iterator[HardFailure]:
    unproven = tuple(claim.sentence for claim in text.claims_used if not claim.covered)
    if unproven:
        yield HardFailure("claim", "a claim rests on no evidence", unproven)
    known = [term for fact in text.facts_used for term in fact.terms]
    known += [text.draft.company_name, text.draft.first_name, text.draft.sender_name]
    spoken = (reading.without_urls(text.draft.subject), *(reading.without_urls(s) for s in text.sentences))
    left = {sentence: text.uncovered(sentence) for sentence in spoken}
    numbers = tuple(
        found
        for sentence, rest in left.items()
        # "15 minutes" in the ask for a meeting promises nothing about anybody.
        for found in _bare_numbers(_DURATION.sub(" ", rest) if says(bands.meeting_asks, sentence) else rest, known)
    )
    if numbers:
        yield HardFailure("number", "a number rests on no evidence", numbers)
    said = tuple(sentence for sentence, rest in left.items() if says(bands.claim_patterns, rest))
    if said:
        yield HardFailure("customer", "customers or results are named without evidence", said)


def _bare_numbers(plain: str, known: list[str]) -> Iterator[str]:
    for term in sorted((term for term in known if any(char.isdigit() for char in term)), key=len, reverse=True):
        if stands_in(term, reading.folded(plain)):
            plain = re.sub(rf"(?<!\w){re.escape(term)}(?!\w)", " ", plain, flags=re.IGNORECASE)
    for match in _NUMBER.finditer(plain):
        yield match.group().strip().rstrip(".,")


def _thread(text: Words, _: Bands) -> Iterator[HardFailure]:
    mark = content.thread_mark(text.draft.subject)
    if mark and not text.draft.has_prior_thread:
        yield HardFailure("fake_thread", "pretends to answer an earlier message", (mark,))


def _identity(text: Words, _: Bands) -> Iterator[HardFailure]:
    draft = text.draft
    if not draft.identity_required:
        return
    missing = []
    if not content.says(draft.body, draft.sender_name):
        missing.append("the sender's name")
    if not content.says_address(draft.body, draft.postal_address):
        missing.append("the postal address")
    if not draft.unsubscribe_url or draft.unsubscribe_url not in draft.body:
        missing.append("the unsubscribe link")
    if missing:
        yield HardFailure("identity", f"missing: {', '.join(missing)}", tuple(missing))


def _shorteners(text: Words, bands: Bands) -> Iterator[HardFailure]:
    def host(link: str) -> str:
        return (urlsplit(link if "//" in link else f"//{link}").hostname or "").removeprefix("www.")

    try:
        found = tuple(link for link in reading.urls(text.draft.body) if host(link) in bands.shorteners)
    except ValueError:
        found = tuple(reading.urls(text.draft.body))
    if found:
        yield HardFailure("shortener", "a link hides where it leads", found)


def _suppressed(text: Words, _: Bands) -> Iterator[HardFailure]:
    if text.draft.suppressed:
        yield HardFailure("suppressed", "this recipient must not be written to")
