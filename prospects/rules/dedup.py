"""Which records are about one company or one person, how sure that is, and why.

Every comparison ends in a score (0–1) with its reasons: what agreed, what differed and what each was worth in bits (see
``likeness``). Two thresholds of the playbook turn scores into acts: from one on two records are merged without asking,
from the other on a person is asked, below nobody hears of it. A contradiction (another date of birth, another first
name, another domain) leaves the last word to a person, however much else agrees.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from rapidfuzz import fuzz

from playbooks.rules.twins import LIKELIER_ONE, MERGE, MOST_CONTRADICTED
from prospects.importing.identity import fold, name_key
from prospects.rules.blocking import MAX_BLOCK, company_keys, person_keys
from prospects.rules.identities import CompanyFacts, PersonFacts
from prospects.rules.likeness import SAME, Field, Reason, digits, digits_alike, probability, weigh, words_alike

__all__ = [
    "CompanyFacts",
    "Match",
    "PersonFacts",
    "duplicate_companies",
    "duplicate_people",
    "kept_first",
    "match_companies",
    "match_people",
]


@dataclass(frozen=True, slots=True)
class Match:
    """Two records that may be one. ``one`` is the smaller id; reasons come heaviest first."""

    one: int
    other: int
    score: float
    reasons: tuple[Reason, ...]

    @property
    def is_certain(self) -> bool:
        """Whether they are merged without asking where the playbook says nothing else."""
        return self.score >= MERGE


# --- companies -----------------------------------------------------------------------------------------------------

#: Two records that share a key are one in about two hundred and fifty cases: 8 bits against.
_COMPANY_PRIOR = -8.0
_DOMAIN = Field("domain", 20.0, -5.0)
_ENDING = Field("domain but for its ending", 6.0, -5.0)
_ENDING_AGAIN = 1.5
_EXTERNAL = Field("id in one source", 20.0, -6.0)
_COUNTRY = Field("country", 1.5, -5.0)
_CITY = Field("city", 4.5, -1.5, floor=0.9)
_FOUNDED = Field("year founded", 3.0, -1.5)
_SIZE = Field("number of employees", 0.5, -1.5)
_MOST_ELSE = _COUNTRY.agree + _CITY.agree + _FOUNDED.agree + _SIZE.agree
_NAME_DIFFERS = -8.0
_NAME_FLOOR = 0.86
_MOST_NAME_BITS = 12.0


def match_companies(a: CompanyFacts, b: CompanyFacts) -> Match | None:
    """Whether two companies are one; None when likelier two. The order of the two makes no difference."""
    a, b = _in_order(a, b)
    name, contradicts = _names(a, b)
    reasons = [name, *_known(_domains(a, b), _external(a, b))]
    # Two domains are two homes: of one company, perhaps, or of a company and its sister abroad.
    contradicts = contradicts or any(r.weight < 0 or r.what == _ENDING.what for r in reasons[1:])
    if _COMPANY_PRIOR + _total(reasons) + _MOST_ELSE < 0:
        return None  # nothing that is left to compare could make them likelier one than two
    reasons += _known(
        weigh(_COUNTRY, None if not (a.country and b.country) else float(a.country == b.country)),
        weigh(_CITY, words_alike(a.city, b.city)),
        weigh(_FOUNDED, _years_alike(a.founded_year, b.founded_year)),
        _sizes(a.employees, b.employees),
    )
    return _match(a.id, b.id, _COMPANY_PRIOR, reasons, contradicted=contradicts)


def _names(a: CompanyFacts, b: CompanyFacts) -> tuple[Reason, bool]:
    """What the names say. A long name says more: about a bit a letter, up to a limit."""
    likeness, words = _names_alike(*sorted((name_key(a.name), name_key(b.name))))
    worth = min(_MOST_NAME_BITS, 4.0 + 0.8 * min(len(_squashed(a.name)), len(_squashed(b.name))))
    if words in _TELL_APART:
        return Reason("name", _NAME_DIFFERS, words), True
    if likeness >= 1.0:
        return Reason("name", round(worth, 2), words), False
    if likeness < _NAME_FLOOR:
        return Reason("name", _NAME_DIFFERS, "different"), True
    share = (likeness - _NAME_FLOOR) / (1.0 - _NAME_FLOOR)
    return Reason("name", round(worth * (0.35 + 0.5 * share), 2), words), False


_TELL_APART = ("another number", "one word differs")


@lru_cache(maxsize=4096)
def _names_alike(one: str, other: str) -> tuple[float, str]:
    squashed_one, squashed_other = one.replace(" ", ""), other.replace(" ", "")
    if one == other or (squashed_one == squashed_other and squashed_one):
        return 1.0, "same but for its legal form and spelling"
    if _numbers(one) != _numbers(other):
        return 0.0, _TELL_APART[0]  # Fund 2 and Fund 3 are alike, and two
    if sorted(one.split()) == sorted(other.split()):
        return 0.99, "same words in another order"
    sorted_likeness = fuzz.token_sort_ratio(one, other) / 100
    squashed_likeness = fuzz.ratio(squashed_one, squashed_other) / 100
    likeness = max(sorted_likeness, squashed_likeness)
    if likeness >= _NAME_FLOOR and _one_word_replaced(one, other):
        return 0.0, _TELL_APART[1]
    if likeness < _NAME_FLOOR and _begins_with(one, other):
        return _NAME_FLOOR, "one is the beginning of the other"
    return likeness, "nearly the same"


def _one_word_replaced(one: str, other: str) -> bool:
    """``Acme Labs`` and ``Acme Lads`` are one with a slip; ``United Metal East`` and ``… West`` are two."""
    mine, theirs = set(one.split()), set(other.split())
    left, right = mine - theirs, theirs - mine
    if not (mine & theirs) or len(left) != 1 or len(right) != 1:
        return False
    return fuzz.ratio(left.pop(), right.pop()) < 80


def _begins_with(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= 5 and long.startswith(short + " ")


@lru_cache(maxsize=4096)
def _numbers(key: str) -> list[str]:
    return sorted(word for word in key.split() if word.isdecimal() or word in _ROMAN)


_ROMAN = frozenset("ii iii iv vi vii viii ix".split())  # noqa: SIM905


@lru_cache(maxsize=4096)
def _squashed(name: str) -> str:
    return name_key(name).replace(" ", "")


def _domains(a: CompanyFacts, b: CompanyFacts) -> Reason | None:
    if not a.domain or not b.domain:
        return None
    if a.domain == b.domain:
        return Reason(_DOMAIN.what, _DOMAIN.agree, SAME)
    label = a.domain.split(".", 1)[0]
    if label == b.domain.split(".", 1)[0] and len(label) > 2:
        # A label that is the name says it once more: Atlas has atlas.com, and so has another Atlas atlas.so.
        again = label.replace("-", "") in (_squashed(a.name), _squashed(b.name))
        return Reason(_ENDING.what, _ENDING_AGAIN if again else _ENDING.agree, SAME)
    return Reason(_DOMAIN.what, _DOMAIN.differ, "different")


def _external(a: CompanyFacts, b: CompanyFacts) -> Reason | None:
    if not (a.external_id and b.external_id and a.source == b.source):
        return None
    return weigh(_EXTERNAL, float(a.external_id == b.external_id))


def _years_alike(a: int | None, b: int | None) -> float | None:
    if a is None or b is None:
        return None
    return {0: 1.0, 1: 0.9}.get(abs(a - b), 0.0)


def _sizes(a: int | None, b: int | None) -> Reason | None:
    """Alike begins at a third, since heads are counted at different times; that is not the same number yet."""
    found = weigh(_SIZE, _sizes_alike(a, b))
    return Reason(found.what, found.weight, "of one order") if found and found.weight > 0 and a != b else found


def _sizes_alike(a: int | None, b: int | None) -> float | None:
    if not a or not b:
        return None
    return 1.0 if max(a, b) <= 3 * min(a, b) else 0.0 if max(a, b) > 10 * min(a, b) else None


# --- people --------------------------------------------------------------------------------------------------------

_PERSON_PRIOR = -9.0
_EMAIL = Field("e-mail address", 16.0, -2.0)
_LINKEDIN = Field("LinkedIn page", 16.0, -4.0)
_NATIONAL = Field("national id", 15.0, -6.0)
_BIRTH = Field("date of birth", 10.0, -5.0)
_PHONE = Field("phone number", 9.0, -1.0)
_FIRST = Field("first name", 5.0, -4.0, floor=0.8)
_LAST = Field("last name", 6.0, -4.5, floor=0.8)
_STREET = Field("street", 6.0, -1.5, floor=0.85)
_NUMBER = Field("street number", 2.0, -1.0)
_POSTCODE = Field("postcode", 4.5, -1.5)
_TOWN = Field("town", 3.0, -1.0, floor=0.85)
_EMPLOYER = Field("company", 6.0, -2.5)
_LAND = Field("country", 0.5, -3.0)
#: What contradicts: people do not change these, and twins and fathers differ in nothing else …
_FIXED = frozenset({_BIRTH.what, _NATIONAL.what, _FIRST.what})
#: … unless one of these is the same to the letter: nobody shares them, while families share a roof and an address.
_UNIQUE = frozenset({_NATIONAL.what, _LINKEDIN.what})


def match_people(a: PersonFacts, b: PersonFacts) -> Match | None:
    """Whether two people are one; None when likelier two. The order of the two makes no difference."""
    a, b = _in_order(a, b)
    reasons = _known(
        weigh(_EMAIL, None if not (a.email_key and b.email_key) else float(a.email_key == b.email_key)),
        weigh(_LINKEDIN, None if not (a.linkedin and b.linkedin) else float(a.linkedin == b.linkedin)),
        weigh(_NATIONAL, digits_alike(a.national_id, b.national_id)),
        weigh(_BIRTH, digits_alike(a.birth_date, b.birth_date)),
        weigh(_PHONE, digits_alike(digits(a.phone)[-9:], digits(b.phone)[-9:])),
        *_person_names(a, b),
        weigh(_STREET, words_alike(a.street, b.street)),
        weigh(_NUMBER, digits_alike(a.street_number, b.street_number)),
        weigh(_POSTCODE, _postcodes_alike(a.postcode, b.postcode)),
        weigh(_TOWN, words_alike(a.city, b.city)),
        weigh(_EMPLOYER, None if not (a.company and b.company) else float(a.company == b.company)),
        weigh(_LAND, None if not (a.country and b.country) else float(a.country == b.country)),
    )
    speaking = {reason.what for reason in reasons if reason.weight > 0}
    if not speaking - _WEAK or not speaking - _NAMES:
        return None  # a place alone is a town, a name alone is many people
    settled = any(reason.what in _UNIQUE and reason.words == SAME for reason in reasons)
    contradicted = not settled and any(reason.weight < 0 and reason.what in _FIXED for reason in reasons)
    return _match(a.id, b.id, _PERSON_PRIOR, reasons, contradicted=contradicted)


_NAMES = frozenset({_FIRST.what, _LAST.what, _LAND.what})
_WEAK = frozenset({_LAND.what, _EMPLOYER.what, _TOWN.what, _POSTCODE.what, _NUMBER.what})


def _person_names(a: PersonFacts, b: PersonFacts) -> list[Reason | None]:
    """First and last name, also the other way round: forms get filled in wrongly."""
    straight = [
        weigh(_FIRST, words_alike(a.first_name, b.first_name)),
        weigh(_LAST, words_alike(a.last_name, b.last_name)),
    ]
    crossed = [
        weigh(_FIRST, words_alike(a.first_name, b.last_name)),
        weigh(_LAST, words_alike(a.last_name, b.first_name)),
    ]
    if _total(crossed) > max(_total(straight), 0.0):
        return [
            Reason(r.what, round(r.weight - 0.5, 2), f"{r.words}, first and last swapped") for r in _known(*crossed)
        ]
    if straight[0] is not None and straight[0].weight < 0 and _is_initial(a.first_name, b.first_name):
        straight[0] = Reason(_FIRST.what, 1.5, "an initial that fits")
    return list(straight)


def _is_initial(a: str, b: str) -> bool:
    short, long = sorted((fold(a).strip(". "), fold(b).strip(". ")), key=len)
    return len(short) == 1 and long.startswith(short)


def _postcodes_alike(a: str, b: str) -> float | None:
    if not a or not b:
        return None
    one, other = ("".join(fold(text).split()) for text in (a, b))
    return 1.0 if one == other else digits_alike(one, other) if one.isdecimal() and other.isdecimal() else 0.0


# --- both ----------------------------------------------------------------------------------------------------------

T = TypeVar("T", CompanyFacts, PersonFacts)
_BETTER_FILLED = 3  # facts more: fewer are chance


def kept_first(a: T, b: T) -> tuple[T, T]:
    """(the one that is kept, the one merged into it): who has heard from us, the clearly better filled, the older."""
    older, newer = _in_order(a, b)
    if older.in_touch != newer.in_touch:
        return (older, newer) if older.in_touch else (newer, older)
    return (newer, older) if newer.filled >= older.filled + _BETTER_FILLED else (older, newer)


def _in_order(a: T, b: T) -> tuple[T, T]:
    return (a, b) if a.id <= b.id else (b, a)


def _known(*reasons: Reason | None) -> list[Reason]:
    return [reason for reason in reasons if reason is not None]


def _total(reasons: Iterable[Reason | None]) -> float:
    return sum(reason.weight for reason in reasons if reason is not None)


def _match(one: int, other: int, prior: float, reasons: list[Reason], *, contradicted: bool) -> Match | None:
    score = probability(prior, reasons)
    if contradicted:
        score = min(score, MOST_CONTRADICTED)
    if score < LIKELIER_ONE:
        return None
    ordered = sorted(reasons, key=lambda reason: (-abs(reason.weight), reason.what))
    return Match(one, other, round(score, 4), tuple(ordered))


def duplicate_companies(companies: Sequence[CompanyFacts]) -> list[Match]:
    """Every likely pair of a list in memory, the surest first. Only companies that share a key are compared."""
    return _matches(companies, company_keys, match_companies)


def duplicate_people(people: Sequence[PersonFacts]) -> list[Match]:
    """Every likely pair of a list in memory, the surest first. Only people who share a key are compared."""
    return _matches(people, person_keys, match_people)


def candidate_pairs(items: Sequence[T], keys_of: Callable[[T], Iterable[str]]) -> set[tuple[int, int]]:
    """Positions of the pairs that share a key in a block that is not too large."""
    blocks: dict[str, list[int]] = defaultdict(list)
    for position, item in enumerate(items):
        for key in keys_of(item):
            blocks[key].append(position)
    return {
        (one, other)
        for members in blocks.values()
        if 1 < len(members) <= MAX_BLOCK
        for i, one in enumerate(members)
        for other in members[i + 1 :]
    }


def _matches(
    items: Sequence[T], keys_of: Callable[[T], Iterable[str]], compare: Callable[[T, T], Match | None]
) -> list[Match]:
    compared = (compare(items[one], items[other]) for one, other in candidate_pairs(items, keys_of))
    return sorted((m for m in compared if m is not None), key=lambda m: (-m.score, m.one, m.other))
