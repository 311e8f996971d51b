"""One row understood: a company, a person, or both, ready to be compared with what is known and written.

The columns come out as lines of PostgreSQL's COPY text, because that is what they are used for, a hundred thousand
times over; the facts come out as a dictionary, because agents read those.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from prospects.importing import identity, values
from prospects.importing.columns import IGNORE, KEEP, ColumnMap, plain
from prospects.importing.copytext import escape, line
from prospects.importing.draft import MAX_KEPT, READERS, Draft, read_places
from prospects.importing.rows import Note, Refused, Row

MAX_DESCRIPTION = 5000

COMPANY_COLUMNS = (
    "external_id", "domain", "name", "name_key", "website", "industry", "subindustry", "employees_min",
    "employees_max", "revenue_min", "revenue_max", "country", "region", "city", "location", "tags", "status",
    "hiring", "founded_year", "attributes",
)  # fmt: skip
CONTACT_COLUMNS = (
    "external_id", "email_key", "name", "first_name", "last_name", "title", "seniority", "email", "phone",
    "linkedin_url", "country", "time_zone", "synthetic", "attributes",
)  # fmt: skip
_LENGTHS = {
    "external_id": 120, "name": 300, "website": 500, "industry": 120, "subindustry": 200, "region": 120, "city": 120,
    "location": 500, "status": 40, "stage_label": 120, "contact_external_id": 120, "contact_name": 200,
    "first_name": 100, "last_name": 100, "title": 200, "seniority": 40, "phone": 40, "linkedin_url": 300,
    "time_zone": 64, "street": 200, "street_number": 20, "postcode": 20, "birth_date": 30,
    "description": MAX_DESCRIPTION,
}  # fmt: skip
# Names with a meaning for the rules that read facts: a file must not be able to set them.
_RESERVED = frozenset({"confidence", "derived_from", "sets", "signal_id", *COMPANY_COLUMNS, *CONTACT_COLUMNS})
_IDS = ("external_id", "contact_external_id")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u2060\ufeff]")
_WHOLE = re.compile(r"^-?(?:0|[1-9]\d{0,14})$")
_DECIMAL = re.compile(r"^-?(?:0|[1-9]\d{0,14})\.\d{1,6}$")


#: One encoder for every row: keys in order, so that equal facts are equal text.
as_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


class Side(NamedTuple):
    """The company's or the person's half of a row; ``rest`` is COPY text of the columns above after the first two."""

    external_id: str
    key: str  # domain, or e-mail key
    name: str
    name_key: str
    country: str
    city: str
    industry: str
    rest: str

    def line(self, *, without_key: bool = False, without_external_id: bool = False) -> str:
        """The columns as COPY text; a key somebody else already holds can be left out."""
        external_id = "" if without_external_id else escape(self.external_id)
        key = "" if without_key else escape(self.key)
        return f"{external_id}\t{key}\t{self.rest}"


class Record(NamedTuple):
    """A sound row. ``facts_json`` goes into the profile signal; ``digest`` is equal for rows that say the same.

    Tuples and text, because rows travel between processes by the hundred thousand.
    """

    row: int
    company: Side | None
    contact: Side | None
    facts_json: str
    text: str
    digest: str
    observed_at: datetime | None
    notes: list[Note]

    @property
    def facts(self) -> dict[str, object]:
        """A new dictionary of the facts; few rows are ever asked."""
        found: dict[str, object] = json.loads(self.facts_json)
        return found

    @property
    def who(self) -> str:
        """Eight characters that tell the people of one company apart; zeros when the row is about the company."""
        if self.contact is None:
            return "0" * 8
        return hashlib.sha256((self.contact.external_id or self.contact.key).encode()).hexdigest()[:8]


class RowReader:
    """Turns rows into records under one mapping. Built once per import; ``day_first`` settles ambiguous dates."""

    def __init__(
        self, header: Sequence[str], mapping: ColumnMap, *, now: datetime, day_first: bool | None, people_only: bool
    ) -> None:
        self._now = now
        self._day_first = mapping.day_first if mapping.day_first is not None else day_first
        self._mapping = mapping
        self._people_only = people_only  # a household playbook: a person without a company is a prospect
        self._mapped = [
            (i, mapping.targets[name])
            for i, name in enumerate(header)
            if mapping.targets.get(name, KEEP) not in (KEEP, IGNORE)
        ]
        self._kept = [(i, kept_name(name)) for i, name in enumerate(header) if mapping.targets.get(name, KEEP) == KEEP]
        self._missing = mapping.missing
        self._zero = mapping.zero_is_missing

    def read(self, row: Row) -> Record | Refused:
        """What the row says, or why it says nothing."""
        if row.problem:
            return Refused(row.number, row.cells, row.problem)
        draft = Draft(row.number)
        self._collect(row.cells, draft)
        if not draft.given and not draft.kept:
            return Refused(row.number, row.cells, "the row is empty")
        reason = _identify(draft, people_only=self._people_only)
        if reason:
            return Refused(row.number, row.cells, reason)
        return self._finish(draft)

    def _collect(self, cells: list[str], draft: Draft) -> None:
        missing, more, given = values.MISSING, self._missing, draft.given
        for position, target in self._mapped:
            text = clean(cells[position])
            folded = text.casefold()
            if folded in missing or folded in more:
                continue
            limit = _LENGTHS.get(target)
            if limit is not None and len(text) > limit and target in _IDS:
                text = f"{text[:103]}~{hashlib.sha256(text.encode()).hexdigest()[:16]}"  # still one id, still unique
            elif limit is not None and len(text) > limit:
                draft.note(target, text, f"cut to {limit} characters")
                text = text[:limit].rstrip()
            given[target] = text
        for position, name in self._kept:
            text = clean(cells[position])
            folded = text.casefold()
            if folded not in missing and folded not in more:
                draft.kept[name] = typed(text[:MAX_KEPT])
        for target, default in self._mapping.defaults.items():
            given.setdefault(target, default)

    def _finish(self, draft: Draft) -> Record:
        given, facts = draft.given, draft.facts
        for target, read in READERS.items():
            if target in given:
                read(draft, given[target], self._zero)
        observed_at = self._observed_at(draft)
        read_places(draft)
        company = _company(draft) if draft.has_company else None
        contact = _contact(draft) if draft.has_person else None
        for name, value in draft.kept.items():
            facts.setdefault(name, value)
        identifying = [given.get(name, "") for name in _IDENTIFYING] if contact else []
        said = as_json(facts)
        whole = "\x1f".join((said, draft.text, *identifying))
        digest = hashlib.blake2b(whole.encode("utf-8", "replace"), digest_size=8).hexdigest()
        return Record(draft.row, company, contact, said, draft.text, digest, observed_at, draft.notes)

    def _observed_at(self, draft: Draft) -> datetime | None:
        text = draft.given.get("observed_at", "")
        if not text:
            return None
        found = values.moment(text, day_first=self._day_first)
        if found is None:
            draft.note("observed_at", text, "not a date that means one day; the import's own date is used")
        elif values.is_future(found, self._now):
            draft.note("observed_at", text, "in the future; the import's own date is used")
            return None
        return found


def clean(cell: str) -> str:
    """A cell without surrounding blanks and without characters that no text has. A letter and its accent are one."""
    if not cell.isascii():
        cell = unicodedata.normalize("NFC", cell)
    if cell.isprintable():
        return cell.strip()
    return _CONTROL.sub("", cell).strip()


def kept_name(column: str) -> str:
    """The attribute name of a column that is kept as it is: ``Batch`` → ``batch``."""
    name = plain(column).replace(" ", "_")[:60] or "column"
    return f"{name}_given" if name in _RESERVED else name


def typed(text: str) -> object:
    """Numbers and yes/no as such, so that rules can compare them; everything else, and ``007``, stays text."""
    if _WHOLE.match(text):
        return int(text)
    if _DECIMAL.match(text):
        return float(text)
    folded = text.casefold() if len(text) < 6 else ""
    return folded == "true" if folded in ("true", "false") else text


def _identify(draft: Draft, *, people_only: bool) -> str:
    """Find out who the row is about; returns why it is about nobody, or nothing."""
    given = draft.given
    _read_email(draft)
    _read_person_name(draft)
    draft.has_person = bool(given.get("contact_name") or given.get("email") or given.get("contact_external_id"))
    own = identity.own_domain(given.get("domain", ""), given.get("website", ""), given.get("name", ""))
    if own.note:
        draft.note("domain" if "domain" in given else "website", given.get("domain") or given["website"], own.note)
    domain = own.domain
    draft.has_company = bool(given.get("name") or domain or given.get("external_id"))
    if not draft.has_company and draft.has_person and not people_only:
        domain = identity.employer_domain(given.get("email", ""))
        draft.has_company = bool(domain)
    given["domain"] = domain
    if draft.has_company and not given.get("name"):
        _name_from_keys(draft)
        draft.has_company = bool(given.get("name"))
    if draft.has_company:
        return ""
    if not draft.has_person:
        return "the row names no company and no person"
    return "" if people_only else "the row names no company: a company name, a domain or a work e-mail is needed"


def _name_from_keys(draft: Draft) -> None:
    """A company whose name is missing or a spreadsheet error is called by its domain, or by the words in its id."""
    given = draft.given
    tail = re.split(r"[/\\]", given.get("external_id", "").rstrip("/"))[-1]
    name = given["domain"] or (tail if re.search(r"[^\W\d_]{2}", tail) else "")
    if name:
        draft.note("name", "", f"missing; called {name} by its domain or id")
        given["name"] = name


def _read_email(draft: Draft) -> None:
    text = draft.given.get("email", "")
    if not text:
        return
    key = identity.email_key(re.split(r"[;,\s]+(?=\S+@)", text)[0] if "@" in text else text)
    if key:
        draft.sides["email_key"] = key
        draft.given["email"] = key if not text.isascii() or len(text) > 254 or "<" in text else _bare(text, key)
    else:
        draft.keep_as_given("email", text, "not an e-mail address")
        del draft.given["email"]


def _bare(text: str, key: str) -> str:
    """The address as written, when it is only that; else as compared."""
    return text if text.casefold() == key else key


def _read_person_name(draft: Draft) -> None:
    given = draft.given
    parts = [given.get("first_name", ""), given.get("last_name", "")]
    if any(parts) and not given.get("contact_name"):
        given["contact_name"] = " ".join(part for part in parts if part)[:200]
    elif given.get("contact_name") and not any(parts):
        name = given["contact_name"]
        last, comma, first = name.partition(",")
        words = f"{first} {last}".split() if comma else name.split()
        if len(words) > 1:
            given["first_name"], given["last_name"] = words[0][:100], " ".join(words[1:])[:100]


# What names a person stays out of the facts that agents and the append-only history hold: it lives on the contact,
# where it can be erased. It still tells whether a row has changed.
_IDENTIFYING = (
    "contact_external_id", "contact_name", "first_name", "last_name", "email", "phone", "linkedin_url", "street",
    "street_number", "postcode", "birth_date",
)  # fmt: skip


_ADDRESS = ("street_number", "street", "postcode", "birth_date")


def _attributes(draft: Draft) -> str:
    return as_json(draft.kept) if draft.kept else "{}"


def _company(draft: Draft) -> Side:
    given, read, place = draft.given, draft.sides, draft.place
    name, key = given["name"], identity.name_key(given["name"])
    if draft.text:
        draft.kept["description"] = draft.text
    attributes = _attributes(draft)
    draft.kept.pop("description", None)
    key, external_id, industry = key or name.casefold(), given.get("external_id", ""), given.get("industry", "")
    cells: list[str | None] = [
        name, key, given.get("website", ""), industry, given.get("subindustry", ""), read.get("employees_min"),
        read.get("employees_max"), read.get("revenue_min"), read.get("revenue_max"), place.country, place.region,
        place.city, given.get("location", ""), read.get("tags", "{}"), given.get("status", ""), read.get("hiring"),
        read.get("founded_year"), attributes,
    ]  # fmt: skip
    return Side(external_id, given["domain"], name, key, place.country, place.city, industry, line(cells))


def _contact(draft: Draft) -> Side:
    given, read = draft.given, draft.sides
    email_key, external_id = read.get("email_key", ""), given.get("contact_external_id", "")
    name = given.get("contact_name") or given.get("email", "")[: _LENGTHS["contact_name"]] or external_id
    if not email_key and not external_id:
        street = f"{given.get('street_number', '')} {given.get('street', '')}"
        employer = (given["domain"] or identity.name_key(given["name"])) if draft.has_company else ""
        facts = (given.get("birth_date", ""), given.get("postcode", ""), street, given.get("phone", ""), employer)
        external_id = identity.person_key(name, *facts) or identity.person_key(name, str(draft.row))
    address: dict[str, object] = {str(k): given[k] for k in _ADDRESS if k in given}
    kept = address if draft.has_company else {**draft.kept, **address, **_household(draft)}
    country = read.get("contact_country") or draft.place.country
    for fact, present in (("has_email", email_key), ("has_phone", given.get("phone"))):
        draft.facts[fact] = bool(present)
    cells: list[str | None] = [
        name, given.get("first_name", ""), given.get("last_name", ""), given.get("title", ""),
        given.get("seniority", ""), given.get("email", ""), given.get("phone", ""), given.get("linkedin_url", ""),
        country, given.get("time_zone", ""), read.get("synthetic", "f"),
        as_json(kept) if kept else "{}",
    ]  # fmt: skip
    return Side(external_id, email_key, name, identity.fold(name), country, draft.place.city, "", line(cells))


def _household(draft: Draft) -> dict[str, str]:
    return {name: text for name, text in (("city", draft.place.city), ("region", draft.place.region)) if text}
