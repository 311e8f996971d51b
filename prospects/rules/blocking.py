"""Keys under which likely duplicates meet, so that nobody is ever compared with everybody.

Each record gets a handful of keys; two records are compared when they share one. A pair with a slip of the pen in one
field still shares a key made of another. Keys are short text, a letter for their kind before a colon; they are stored
and indexed (``prospects.models.BlockingKey``), so that looking somebody up costs the same at any size of the table.
"""

from __future__ import annotations

from collections.abc import Iterator

from prospects.importing.identity import fold, name_key
from prospects.rules.identities import CompanyFacts, PersonFacts
from prospects.rules.likeness import digits

#: A block with more records than this is a common word, not an identity: it is passed over, and the other keys decide.
MAX_BLOCK = 100
#: Changes whenever the same facts would give other keys: stored ones are then made anew.
KEYS_VERSION = 1
_LENGTH = 24
_SHORTEST = 3
_LONG_NAME = 14
_NOBODY = frozenset(
    "info sales contact hello office mail team support admin hi jobs careers press marketing help billing".split()  # noqa: SIM905
)


def company_keys(company: CompanyFacts) -> frozenset[str]:
    """The keys of a company: its domain's own label, and its name by beginning, ending, longest words and sound."""
    return frozenset(key[:_LENGTH] for key in _company(company))


def person_keys(person: PersonFacts) -> frozenset[str]:
    """The keys of a person: addresses, numbers and dates whole or halved, names by sound beside a place."""
    return frozenset(key[:_LENGTH] for key in _person(person))


def _company(company: CompanyFacts) -> Iterator[str]:
    if company.domain:
        label = company.domain.split(".", 1)[0].replace("-", "")
        if len(label) >= _SHORTEST:
            yield f"d:{label}"
            yield f"n:{label[:10]}"  # a domain is mostly the name in one word
    words = name_key(company.name).split()
    squashed = "".join(words)
    if len(squashed) < _SHORTEST:
        return
    yield f"n:{squashed[:10]}"
    if len(squashed) >= 6:
        yield f"k:{_skeleton(squashed)[:10]}"
        yield f"q:{squashed[:4]}{squashed[-4:]}"  # a slip in the middle
    if len(squashed) >= _LONG_NAME:
        # A slip at the beginning leaves the end, which has to reach past the trade everybody is in: … Technologies.
        yield f"e:{squashed[: -_LONG_NAME - 1 : -1]}"
    long_words = sorted(words, key=lambda word: (-len(word), word))[:2]
    if len(words) > 1:
        yield f"w:{' '.join(sorted(long_words))}"
    if len(words) > 1 and company.city:
        yield f"1:{long_words[0]}:{fold(company.city)[:6]}"


def _person(person: PersonFacts) -> Iterator[str]:
    yield from _numbers(person)
    yield from _addresses(person)
    first, last = _letters(person.first_name), _letters(person.last_name)
    if first and last:
        yield f"n:{'/'.join(sorted((_sound(first), _sound(last))))}"
    for name in (first, last):
        if name:
            yield from _name_at_a_place(name, person)
    street, postcode = _letters(person.street), _letters(person.postcode)
    if street and postcode:
        yield f"s:{street[:6]}{postcode}"


def _addresses(person: PersonFacts) -> Iterator[str]:
    if person.linkedin:
        yield f"l:{person.linkedin[-20:]}"
    if person.email_key:
        yield f"m:{person.email_key}"
        local = person.email_key.split("@", 1)[0].replace(".", "")
        if len(local) >= 6 and local not in _NOBODY:
            yield f"u:{local}"


def _name_at_a_place(name: str, person: PersonFacts) -> Iterator[str]:
    """One of the two names beside a postcode, a town, a street or an employer: the other name may be misspelt."""
    if person.postcode:
        yield f"p:{name[:4]}{_letters(person.postcode)}"
    if person.city:
        yield f"t:{_sound(name)}:{_letters(person.city)[:6]}"
    if person.street:
        yield f"a:{name[:3]}:{_letters(person.street)[:8]}"
    if person.company:
        yield f"c:{_sound(name)}:{person.company}"


def _numbers(person: PersonFacts) -> Iterator[str]:
    """Whole and in halves: one wrong digit leaves one half untouched."""
    for letter, value, half in (
        ("b", digits(person.birth_date), 0),
        ("i", digits(person.national_id), 4),
        ("h", digits(person.phone)[-9:], 0),
    ):
        if len(value) < 4:
            continue
        yield f"{letter}:{value}"
        if half and len(value) >= 2 * half - 1:
            yield f"{letter}<{value[:half]}"
            yield f"{letter}>{value[-half:]}"


def _letters(text: str) -> str:
    return "".join(character for character in fold(text) if character.isalnum())


_SOUNDS = {
    letter: code for code, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for letter in letters
}


def _sound(word: str) -> str:
    """The first letter and up to three groups of consonants (Soundex, US patent 1,261,167)."""
    coded = word[:1]
    previous = _SOUNDS.get(word[:1], 0)
    for letter in word[1:]:
        code = _SOUNDS.get(letter, 0)
        if code and code != previous:
            coded += str(code)
        if letter not in "hw":
            previous = code
        if len(coded) == 4:
            break
    return coded


def _skeleton(text: str) -> str:
    """The letters without vowels and doubles: most slips are in those."""
    kept = text[:1]
    for letter in text[1:]:
        if letter not in "aeiouy" and letter != kept[-1:]:
            kept += letter
    return kept
