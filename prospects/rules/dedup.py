"""Which records are about one company or one person, and why we think so.

Exact keys decide first (registered domain, e-mail address, id within one source). What is left is compared by name with
legal forms stripped, and a likeness of names alone is never certain: it needs the place, the date of birth or the
street beside it, or stays a question for a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from prospects.importing.identity import fold, name_key

SURE = 0.99
LIKELY = 0.85  # confidence from which two records may be merged without asking
PERHAPS = 0.65
NAME_LIKENESS = 92.0  # 0–100, rapidfuzz token_sort_ratio of names without legal forms
PERSON_THRESHOLD = 0.72
MAX_BLOCK = 200  # a block larger than this says nothing: it is a common word


@dataclass(frozen=True, slots=True)
class CompanyFacts:
    """What identifies a company. Empty means unknown and speaks neither for nor against."""

    id: int
    name: str
    domain: str = ""
    country: str = ""
    city: str = ""
    source: str = ""
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What identifies a person. Empty means unknown."""

    id: int
    first_name: str = ""
    last_name: str = ""
    email_key: str = ""
    birth_date: str = ""
    street_number: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    phone: str = ""
    national_id: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """Two records and why they are one. ``confidence`` is 0–1; ``one`` is the smaller id."""

    one: int
    other: int
    confidence: float
    reason: str

    @property
    def is_certain(self) -> bool:
        return self.confidence >= LIKELY


def match_companies(a: CompanyFacts, b: CompanyFacts) -> Match | None:
    """Whether two companies are one; None when nothing says so or something speaks against it."""
    one, other = sorted((a.id, b.id))
    if a.domain and a.domain == b.domain:
        return Match(one, other, SURE, f"same domain {a.domain}")
    if a.source == b.source and a.external_id and b.external_id:
        if a.external_id == b.external_id:
            return Match(one, other, SURE, f"same id {a.external_id} in {a.source}")
        return None  # their own source tells them apart
    if a.country and b.country and a.country != b.country:
        return None
    key_a, key_b = name_key(a.name), name_key(b.name)
    same_name = key_a == key_b or key_a.replace(" ", "") == key_b.replace(" ", "")
    likeness = 100.0 if same_name else fuzz.token_sort_ratio(key_a, key_b, score_cutoff=NAME_LIKENESS)
    if likeness < NAME_LIKENESS or _differ_in_a_number(key_a, key_b):
        return None
    return Match(one, other, *_weigh_names(a, b, likeness))


def _weigh_names(a: CompanyFacts, b: CompanyFacts, likeness: float) -> tuple[float, str]:
    words = "same name" if likeness == 100.0 else f"names alike ({likeness:.0f} of 100)"
    discount = 0.0 if likeness == 100.0 else 0.1
    if a.domain and b.domain:
        return PERHAPS - 0.1 - discount, f"{words}, but domains {a.domain} and {b.domain}"
    if a.city and b.city:
        if fold(a.city) == fold(b.city):
            return LIKELY + 0.07 - discount, f"{words}, same city {a.city}"
        return PERHAPS - 0.1 - discount, f"{words}, but cities {a.city} and {b.city}"
    if a.country and a.country == b.country:
        return LIKELY - discount, f"{words}, same country {a.country}"
    return PERHAPS - discount, words


def _differ_in_a_number(a: str, b: str) -> bool:
    """``Fund 2`` and ``Fund 3`` are alike and not the same."""
    return [w for w in a.split() if w.isdigit()] != [w for w in b.split() if w.isdigit()]


def match_people(a: PersonFacts, b: PersonFacts) -> Match | None:
    """Whether two people are one: address or id equal, or name and other facts alike enough together."""
    one, other = sorted((a.id, b.id))
    if a.email_key and a.email_key == b.email_key:
        return Match(one, other, SURE, "same e-mail address")
    total, got, reasons = 0.0, 0.0, []
    for label, weight, likeness in _PERSON_EVIDENCE:
        score = likeness(a, b)
        if score is None:
            continue
        total += weight
        got += weight * score
        if score >= 0.85:
            reasons.append(label)
    if total < 3.0 or len(reasons) < 2 or got / total < PERSON_THRESHOLD:
        return None
    share = got / total
    confidence = min(0.97, LIKELY + (share - PERSON_THRESHOLD) * 0.5) if len(reasons) >= 3 else PERHAPS
    return Match(one, other, round(confidence, 3), "same or nearly the same " + ", ".join(reasons))


def _alike(a: str, b: str) -> float | None:
    """0–1, None when either is unknown. Typing errors cost little, other words cost all."""
    if not a or not b:
        return None
    one, other = fold(a), fold(b)
    if one == other:
        return 1.0
    likeness = JaroWinkler.similarity(one, other)
    return likeness if likeness >= 0.8 else 0.0


def _digits_alike(a: str, b: str) -> float | None:
    """Numbers as written: one slip of the finger (a digit wrong, two swapped) still counts for most of it."""
    if not a or not b:
        return None
    if a == b:
        return 1.0
    return 0.85 if len(a) > 3 and DamerauLevenshtein.distance(a, b, score_cutoff=1) <= 1 else 0.0


def _names_alike(a: PersonFacts, b: PersonFacts) -> float | None:
    """First and last name together, also the other way round: forms get filled in wrongly."""
    straight = [_alike(a.first_name, b.first_name), _alike(a.last_name, b.last_name)]
    crossed = [_alike(a.first_name, b.last_name), _alike(a.last_name, b.first_name)]
    best = 0.0
    known = False
    for pair in (straight, crossed):
        scores = [score for score in pair if score is not None]
        if scores:
            known = True
            best = max(best, sum(scores) / len(scores))
    return best if known else None


T = TypeVar("T", CompanyFacts, PersonFacts)
_Likeness = Callable[[PersonFacts, PersonFacts], float | None]
_PERSON_EVIDENCE: tuple[tuple[str, float, _Likeness], ...] = (
    ("name", 2.5, _names_alike),
    ("date of birth", 2.0, lambda a, b: _digits_alike(_bare(a.birth_date), _bare(b.birth_date))),
    ("national id", 2.0, lambda a, b: _digits_alike(a.national_id, b.national_id)),
    ("phone number", 1.5, lambda a, b: _digits_alike(_bare(a.phone)[-9:], _bare(b.phone)[-9:])),
    ("street", 1.0, lambda a, b: _alike(a.street, b.street)),
    ("street number", 0.4, lambda a, b: _digits_alike(a.street_number, b.street_number)),
    ("postcode", 0.8, lambda a, b: _digits_alike(a.postcode, b.postcode)),
    ("town", 0.6, lambda a, b: _alike(a.city, b.city)),
)


def _bare(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def duplicate_companies(companies: Sequence[CompanyFacts]) -> list[Match]:
    """Every likely pair, the surest first. Only companies that share a key or the start of a name are compared."""
    return _matches(companies, _company_blocks, match_companies)


def duplicate_people(people: Sequence[PersonFacts]) -> list[Match]:
    """Every likely pair, the surest first. Only people who share one of several coarse keys are compared."""
    return _matches(people, _person_blocks, match_people)


def _company_blocks(company: CompanyFacts) -> Iterator[str]:
    if company.domain:
        yield f"d:{company.domain}"
    words = name_key(company.name).split()
    if words:
        yield "n:" + "".join(words)[:6]
        yield "w:" + " ".join(sorted(words))[:12]
        yield "l:" + max(words, key=len)


def _person_blocks(person: PersonFacts) -> Iterator[str]:
    first, last = fold(person.first_name), fold(person.last_name)
    for name, value in (("m", person.email_key), ("b", _bare(person.birth_date)), ("i", person.national_id)):
        if value:
            yield f"{name}:{value}"
    for one, other in ((first, last), (last, first)):
        if one and other:
            yield f"n:{one[:3]}{other[:3]}"
    if person.street and person.postcode:
        yield f"s:{fold(person.street)[:6]}{person.postcode}"
    if last and person.postcode:
        yield f"p:{last[:4]}{person.postcode}"


def _matches(
    items: Sequence[T], blocks_of: Callable[[T], Iterable[str]], compare: Callable[[T, T], Match | None]
) -> list[Match]:
    blocks: dict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(items):
        for key in set(blocks_of(item)):
            blocks[key].append(position)
    compared: set[tuple[int, int]] = set()
    found: list[Match] = []
    for members in blocks.values():
        if not 1 < len(members) <= MAX_BLOCK:
            continue
        for i, one in enumerate(members):
            for other in members[i + 1 :]:
                if (one, other) in compared:
                    continue
                compared.add((one, other))
                match = compare(items[one], items[other])
                if match is not None:
                    found.append(match)
    return sorted(found, key=lambda m: (-m.confidence, m.one, m.other))
