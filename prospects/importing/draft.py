"""A row while it is being understood: what its columns said, and what could be read of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from prospects.importing import places, values
from prospects.importing.columns import LABELS
from prospects.importing.copytext import text_array
from prospects.importing.rows import Note

MAX_KEPT = 2000  # characters of a column kept under its own name
MAX_TAGS = 50
_TAG_MARKS = re.compile(r"[|;\n]")


class Draft:
    """A row while it is being understood."""

    __slots__ = ("facts", "given", "has_company", "has_person", "kept", "notes", "place", "row", "sides", "text")

    def __init__(self, row: int) -> None:
        self.row = row
        self.given: dict[str, str] = {}
        self.kept: dict[str, object] = {}
        self.facts: dict[str, object] = {}
        self.sides: dict[str, str] = {}  # values that were read, as COPY text
        self.notes: list[Note] = []
        self.place = places.Place()
        self.text = ""
        self.has_company = self.has_person = False

    def note(self, target: str, value: str, message: str) -> None:
        self.notes.append(Note(self.row, LABELS.get(target, target), value[:120], message))

    def keep_as_given(self, target: str, value: str, message: str) -> None:
        """An unreadable value: reported, and kept under a name of its own where no rule mistakes it for the fact."""
        self.note(target, value, message)
        self.kept[f"{target}_given"] = value[:MAX_KEPT]


def read_places(draft: Draft) -> None:
    given, facts = draft.given, draft.facts
    place = places.place_of(given["location"]) if "location" in given else places.Place()
    region, city = given.get("region") or place.region, given.get("city") or place.city
    country = ""
    if "country" in given:
        country = places.country_code(given["country"])
        if not country:
            draft.keep_as_given("country", given["country"], "not a country")
    country = country or place.country or places.country_of_region(given.get("region", ""))
    draft.place = places.Place(city[:120], region[:120], country)
    for name, value in (("country", country), ("region", region), ("city", city), ("location", given.get("location"))):
        if value:
            facts[name] = value


def _employees(draft: Draft, text: str, zero: frozenset[str]) -> None:
    found = values.headcount(text)
    if found is None:
        draft.keep_as_given("employees", text, "not a number of people")
        return
    if found.note:
        draft.note("employees", text, found.note)
    if found.high == 0 and "employees" in zero:
        return
    _range(draft, "employees", found.low, found.high, int)


def _revenue(draft: Draft, text: str, zero: frozenset[str]) -> None:
    found = values.money(text)
    if found is None:
        draft.keep_as_given("revenue", text, "not an amount of money")
        return
    if found.high == 0 and "revenue" in zero:
        return
    _range(draft, "revenue", found.low, found.high, _plain_number)
    if found.currency:
        draft.kept["revenue_currency"] = found.currency


def _plain_number(value: float) -> int | float:
    return int(value) if value == int(value) else round(value, 2)


def _range(
    draft: Draft, name: str, low: float | None, high: float | None, shape: Callable[[float], int | float]
) -> None:
    for end, value in (("min", low), ("max", high)):
        if value is not None:
            number = shape(value)
            draft.facts[f"{name}_{end}"] = number
            draft.sides[f"{name}_{end}"] = str(number)


def _hiring(draft: Draft, text: str, _zero: frozenset[str]) -> None:
    found = values.truth(text)
    if found is None:
        draft.keep_as_given("hiring", text, "neither yes nor no")
        return
    draft.facts["hiring"] = found
    draft.sides["hiring"] = "t" if found else "f"


def _founded(draft: Draft, text: str, zero: frozenset[str]) -> None:
    if text in ("0", "0.0") and "founded_year" in zero:
        return
    found = values.year(text)
    if found is None:
        draft.keep_as_given("founded_year", text, "not a year")
        return
    draft.facts["founded_year"] = found
    draft.sides["founded_year"] = str(found)


def _tags(draft: Draft, text: str, _zero: frozenset[str]) -> None:
    parts = _TAG_MARKS.split(text)
    if len(parts) == 1:
        parts = text.split(",")
    found = list(dict.fromkeys(part.strip()[:80] for part in parts if part.strip()))[:MAX_TAGS]
    draft.facts["tags"] = found
    draft.sides["tags"] = text_array(found)


def _fact(name: str, fact: str = "") -> Callable[[Draft, str, frozenset[str]], None]:
    def read(draft: Draft, text: str, _zero: frozenset[str]) -> None:
        draft.facts[fact or name] = text

    return read


def _stage_label(draft: Draft, text: str, _zero: frozenset[str]) -> None:
    draft.kept["stage_label"] = text


def _description(draft: Draft, text: str, _zero: frozenset[str]) -> None:
    draft.text = text


def _contact_country(draft: Draft, text: str, _zero: frozenset[str]) -> None:
    code = places.country_code(text)
    if code:
        draft.sides["contact_country"] = code
        draft.facts["contact_country"] = code
    else:
        draft.keep_as_given("contact_country", text, "not a country")


def _synthetic(draft: Draft, text: str, _zero: frozenset[str]) -> None:
    if values.truth(text):
        draft.sides["synthetic"] = "t"
        draft.facts["synthetic"] = True


READERS: dict[str, Callable[[Draft, str, frozenset[str]], None]] = {
    "name": _fact("name"),
    "domain": lambda draft, text, zero: _fact("domain")(draft, text, zero) if text else None,
    "website": _fact("website"),
    "industry": _fact("industry"),
    "subindustry": _fact("subindustry"),
    "status": _fact("status"),
    "stage_label": _stage_label,
    "employees": _employees,
    "revenue": _revenue,
    "hiring": _hiring,
    "founded_year": _founded,
    "tags": _tags,
    "description": _description,
    "title": _fact("title"),
    "seniority": _fact("seniority"),
    "time_zone": _fact("time_zone"),
    "contact_country": _contact_country,
    "synthetic": _synthetic,
}
