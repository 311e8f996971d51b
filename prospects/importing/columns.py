"""Which column means what: names people give their columns, matched to the facts a prospect has.

Matching looks at the name first (case, blanks, punctuation and the usual prefixes do not matter), then at the values
where a name could mean two things. A mapping file or the mapping page overrides every guess.
"""

# ruff: noqa: E501 — word tables read better as running text
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from prospects.importing.encoding import UnreadableFile

IGNORE = "ignore"
KEEP = "keep"  # no field of ours: kept under its own name as an attribute

COMPANY_FIELDS = (
    "external_id", "name", "domain", "website", "industry", "subindustry", "employees", "revenue", "country",
    "region", "city", "location", "tags", "status", "stage_label", "hiring", "founded_year", "description",
)  # fmt: skip
CONTACT_FIELDS = (
    "contact_external_id", "contact_name", "first_name", "last_name", "title", "seniority", "email", "phone",
    "linkedin_url", "contact_country", "street_number", "street", "postcode", "birth_date", "time_zone",
)  # fmt: skip
SIGNAL_FIELDS = (
    "prospect", "domain", "email", "external_id", "kind", "observed_at", "value", "text", "source", "field", "old",
    "new",
)  # fmt: skip
LABELS = {
    "external_id": "Company id", "name": "Company name", "domain": "Domain", "website": "Website",
    "industry": "Industry", "subindustry": "Sub-industry", "employees": "Employees", "revenue": "Revenue",
    "country": "Country", "region": "Region or state", "city": "City", "location": "Location (free text)",
    "tags": "Tags", "status": "Status", "stage_label": "Stage", "hiring": "Hiring", "founded_year": "Year founded",
    "description": "Description", "contact_external_id": "Contact id", "contact_name": "Contact's full name",
    "first_name": "First name", "last_name": "Last name", "title": "Job title", "seniority": "Seniority",
    "email": "E-mail", "phone": "Phone", "linkedin_url": "LinkedIn profile", "contact_country": "Contact's country",
    "street_number": "Street number", "street": "Street", "postcode": "Postcode", "birth_date": "Date of birth",
    "time_zone": "Time zone", "observed_at": "Observed at", "prospect": "Prospect", "kind": "Kind of signal",
    "value": "Value", "text": "Text", "source": "Source", "field": "Changed field", "old": "Old value",
    "new": "New value", "synthetic": "Synthetic (made up)", KEEP: "Keep as an attribute", IGNORE: "Leave out",
}  # fmt: skip

# Names as people write them, reduced by `plain`. The first of a list is our own name.
_PROSPECT_NAMES: dict[str, str] = {
    "external_id": "external id, company id, account id, organization id, organisation id, record id, id, rec id, "
    "uuid, guid, crm id, permalink, object id, hubspot id, salesforce id, customer number, kundennummer",
    "name": "name, company, company name, organisation, organization, organisation name, organization name, account, "
    "account name, business, business name, employer, firm, firma, firmenname, unternehmen, societe, entreprise, "
    "raison sociale, nom de l entreprise, empresa, azienda, bedrijf, bedrijfsnaam, legal name, company legal name, "
    "trading name, brand, startup, startup name, client name, customer, customer name, foretag, virksomhed, yritys",
    "domain": "domain, domain name, company domain, company domain name, email domain, primary domain, web domain, "
    "website domain, root domain",
    "website": "website, url, web, web site, company url, company website, company web site, homepage, homepage url, "
    "home page, site, site web, webseite, internetseite, sitio web, sito web, website url, web address, www, "
    "organization website, link, internetadresse, pagina web",
    "industry": "industry, sector, vertical, category, category code, industry name, primary industry, branche, "
    "secteur, sector name, market, line of business, industria, settore, company industry, industries",
    "subindustry": "subindustry, sub industry, subsector, sub sector, sub category, subcategory, secondary industry, "
    "industry group, industry detail",
    "employees": "employees, employee count, headcount, head count, team size, company size, number of employees, "
    "no of employees, num employees, employees count, staff, staff count, size, mitarbeiter, mitarbeiterzahl, "
    "anzahl mitarbeiter, effectif, effectifs, nombre d employes, empleados, numero de empleados, dipendenti, fte, "
    "ftes, employee range, employees range, size range, workforce, total employees, company headcount, employee size, "
    "of employees, comp size, medewerkers, aantal medewerkers, anstallda",
    "revenue": "revenue, annual revenue, turnover, annual turnover, sales, annual sales, umsatz, jahresumsatz, "
    "chiffre d affaires, ca, facturacion, ingresos, fatturato, revenue range, annual revenue usd, revenue usd, "
    "estimated revenue, est revenue, arr, omzet, company revenue, sales volume, revenues, total revenue",
    "country": "country, country code, nation, land, pays, pais, paese, company country, hq country, "
    "headquarters country, country name, billing country, country region, account country, iso country",
    "region": "region, state, province, county, state code, state province, state region, bundesland, hq state, "
    "company state, billing state, departement, provincia, prefecture, state or province, hq region",
    "city": "city, town, suburb, locality, ort, stadt, ville, ciudad, citta, stad, hq city, company city, "
    "billing city, headquarters city, municipality, town city, city name",
    "location": "location, locations, all locations, headquarters, hq, hq location, headquarters location, address, "
    "company address, full address, place, standort, adresse, company location, based in, office location, anschrift",
    "tags": "tags, tag, keywords, labels, specialties, specialities, technologies, categories, topics, tag list, "
    "category list, stichworte, schlagworte",
    "status": "status, company status, operating status, lifecycle status, account status",
    "stage_label": "stage label, stage, company stage, funding stage, growth stage",
    "hiring": "hiring, is hiring, currently hiring, actively hiring, open jobs, has open jobs",
    "founded_year": "founded year, founded, year founded, year established, established, founding year, founded at, "
    "founded on, date founded, year of foundation, grundungsjahr, gegrundet, annee de creation, incorporation year, "
    "inception, year incorporated, foundation year",
    "description": "description, company description, about, long description, summary, short description, one liner, "
    "overview, bio, tagline, beschreibung",
    "contact_external_id": "contact external id, contact id, person id, lead id, member id, prospect id",
    "contact_name": "contact name, full name, person, person name, contact, contact person, lead name, "
    "ansprechpartner, nom complet, contact full name, decision maker, owner name, homeowner, householder, occupant",
    "first_name": "first name, firstname, given name, givenname, forename, first, vorname, prenom, nombre, nome, "
    "voornaam, contact first name, fname, christian name, fornamn, fornavn",
    "last_name": "last name, lastname, surname, family name, last, nachname, familienname, nom, nom de famille, "
    "apellido, apellidos, cognome, achternaam, contact last name, lname, sur name, efternamn, etternavn",
    "title": "title, job title, jobtitle, position, role, job, function, funktion, poste, cargo, contact title, "
    "job role, designation, job position, occupation, titel, berufsbezeichnung, headline",
    "seniority": "seniority, seniority level, management level, job level, level",
    "email": "email, e mail, email address, e mail address, mail, work email, business email, contact email, "
    "primary email, correo, correo electronico, courriel, emailadresse, e mail adresse, mailadresse, contact e mail, "
    "person email, email 1, adresse mail, adresse email, posta elettronica, personal email",
    "phone": "phone, phone number, telephone, tel, mobile, mobile phone, cell, cell phone, telefon, telefonnummer, "
    "telephone number, work phone, direct phone, direct dial, contact phone, company phone, telefono, handy, "
    "mobile number, phone 1, mobil, teléphone, landline, business phone, contact number",
    "linkedin_url": "linkedin url, linkedin, linkedin profile, person linkedin, person linkedin url, "
    "linkedin profile url, contact linkedin, li url, linkedin link",
    "contact_country": "contact country, person country",
    "street_number": "street number, house number, number, hausnummer, street no, house no, numero",
    "street": "street, address 1, address line 1, street address, strasse, rue, calle, via, street name, address1",
    "postcode": "postcode, post code, zip, zip code, zipcode, postal code, plz, code postal, codigo postal, cap",
    "birth_date": "birth date, date of birth, birthday, dob, birthdate, geburtsdatum, date de naissance",
    "time_zone": "time zone, timezone, tz, zeitzone",
    "synthetic": "synthetic, is synthetic, made up",
    "observed_at": "observed at, as of, as of date, updated, updated at, last updated, last modified, modified at, "
    "last update, snapshot date, data date, retrieved, retrieved at, captured at, date collected, stand, "
    "last activity, observed, date modified, modified date, record date, last seen",
}
_SIGNAL_NAMES: dict[str, str] = {
    "prospect": "prospect, who, account, company, lead, organisation, organization, target",
    "domain": "domain, website, url, company domain, web site, company url",
    "email": _PROSPECT_NAMES["email"],
    "external_id": "external id, id, company id, account id, record id, uuid, contact id, person id, permalink, crm id",
    "kind": "kind, signal, type, signal kind, signal type, event, event type, event name, activity, activity type, "
    "action, category",
    "observed_at": "observed at, at, date, time, timestamp, when, observed, event date, event time, occurred at, "
    "created at, happened at, datetime, date time, datum, occurred, day, observed on, event at, as of, updated at",
    "value": "value, amount, score, count, number, quantity, strength, wert, points",
    "text": "text, description, note, notes, details, detail, title, headline, message, body, comment, content, "
    "summary, subject, quote",
    "source": "source, source name, channel, origin, provider, url source, source url, quelle, found in",
    "field": "field, attribute, property, changed field, column, field name",
    "old": "old, old value, before, from, previous, previous value, was",
    "new": "new, new value, after, to, current, current value, is",
}
_SUFFIX = re.compile(r" (usd|eur|gbp|in usd|in eur|us|eu|fy\d*|\d{4})$|^(\d{4}|fy\d{2,4}|latest|total|approx|est) ")
_COMPANY_WORD = re.compile(
    r"\b(?:company|organi[sz]ation|account|employer|firm|firma|business|unternehmen|entreprise|societe|empresa|azienda)\b"
)
_PERSONAL = frozenset({"first_name", "last_name", "contact_name", "email", "title", "birth_date", "postcode"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One column's proposed meaning. ``confidence`` is 0–1; ``why`` is for the person who checks it."""

    column: str
    target: str
    confidence: float
    why: str
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """The decided mapping: column name → target, with the readings that cannot be guessed from one value.

    ``zero_is_missing``: targets in which 0 means "not known". ``day_first``: 3/4/2026 is the third of April; None =
    look at the whole column. ``missing``: further spellings of "nothing here". ``defaults``: target → value for rows
    that have none.
    """

    targets: dict[str, str]
    zero_is_missing: frozenset[str] = frozenset({"employees", "revenue", "founded_year"})
    day_first: bool | None = None
    missing: frozenset[str] = frozenset()
    defaults: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Plain data, equal for equal mappings: stored with the import and compared on resume."""
        return {
            "columns": dict(sorted(self.targets.items())),
            "zero_is_missing": sorted(self.zero_is_missing),
            "day_first": self.day_first,
            "missing": sorted(self.missing),
            "defaults": dict(sorted(self.defaults.items())),
        }


def plain(name: str) -> str:
    """A column name without what does not matter: case, accents, punctuation, underscores, camel case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    folded = unicodedata.normalize("NFKD", spaced).casefold().replace("ß", "ss")
    folded = "".join(character for character in folded if not unicodedata.combining(character))
    return " ".join(re.findall(r"[a-z0-9]+", folded))


def _index(names: Mapping[str, str]) -> dict[str, tuple[str, float]]:
    """Plain name → (target, confidence). Earlier names of a target are surer; the first target to claim one keeps it."""
    index: dict[str, tuple[str, float]] = {}
    for target, listed in names.items():
        for position, name in enumerate(listed.split(",")):
            confidence = 1.0 if position == 0 else 0.95 if position < 6 else 0.85
            for spelling in {plain(name), plain(name).replace(" ", "")}:
                index.setdefault(spelling, (target, confidence))
    return index


_PROSPECT_INDEX = _index(_PROSPECT_NAMES)
_SIGNAL_INDEX = _index(_SIGNAL_NAMES)


def _match(name: str, index: Mapping[str, tuple[str, float]]) -> tuple[str, float]:
    key = plain(name)
    for spelling, penalty in ((key, 0.0), (key.replace(" ", ""), 0.0), (_SUFFIX.sub("", key), 0.15)):
        if spelling in index:
            target, confidence = index[spelling]
            return target, confidence - penalty
    return KEEP, 0.0


def propose(header: Sequence[str], rows: Iterable[Sequence[str]] = (), *, signals: bool = False) -> list[Choice]:
    """A meaning for every column, the surest first to claim a target; the others keep their own names.

    ``rows`` are sample cells in header order: they settle the ambiguous names and are shown to the person who checks.
    """
    sampled = [list(row) for row in rows]
    columns = [[row[i].strip() for row in sampled if i < len(row) and row[i].strip()] for i in range(len(header))]
    index = _SIGNAL_INDEX if signals else _PROSPECT_INDEX
    guesses = [_guess(name, values, index) for name, values in zip(header, columns, strict=True)]
    if not signals:
        guesses = _settle_people(header, guesses)
    taken: dict[str, int] = {}
    for position in sorted(range(len(header)), key=lambda i: (-guesses[i][1], -_year(header[i]), i)):
        target = guesses[position][0]
        if target != KEEP and target not in taken:
            taken[target] = position
    return [
        _choice(name, guess, taken.get(guess[0]) == position, columns[position])
        for position, (name, guess) in enumerate(zip(header, guesses, strict=True))
    ]


def _year(name: str) -> int:
    """Of ``2006 Revenue`` and ``2009 Revenue`` the later one is meant."""
    found = re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", name)
    return int(found.group()) if found else 0


def _choice(name: str, guess: tuple[str, float, str], won: bool, values: list[str]) -> Choice:
    target, confidence, why = guess
    samples = tuple(value[:60] for value in dict.fromkeys(values))[:3]
    if target == KEEP:
        return Choice(name, KEEP, 0.0, "no field of this name; kept as an attribute", samples)
    if not won:
        return Choice(name, KEEP, 0.3, f"another column is the surer {LABELS[target].lower()}", samples)
    return Choice(name, target, confidence, why, samples)


def _guess(name: str, values: list[str], index: Mapping[str, tuple[str, float]]) -> tuple[str, float, str]:
    target, confidence = _match(name, index)
    if target != KEEP:
        return target, confidence, "by its name" if confidence >= 0.9 else "probably, by its name"
    if values and sum("@" in value and "." in value for value in values) > 0.8 * len(values):
        return "email", 0.6, "its values are e-mail addresses"
    if values and sum(bool(re.match(r"https?://[^/]*linkedin\.com/in/", value)) for value in values) > 0.8 * len(
        values
    ):
        return "linkedin_url", 0.6, "its values are LinkedIn profiles"
    return KEEP, 0.0, ""


def _settle_people(header: Sequence[str], guesses: list[tuple[str, float, str]]) -> list[tuple[str, float, str]]:
    """In a list of people ``id`` and ``name`` are the person's; with a company column they stay apart."""
    targets = [target for target, _, _ in guesses]
    people = sum(target in _PERSONAL for target in targets) >= 2
    employer = any(t == "name" and _COMPANY_WORD.search(plain(n)) for t, n in zip(targets, header, strict=True))
    companies = employer or any(t in ("domain", "website", "industry", "employees", "revenue") for t in targets)
    settled = list(guesses)
    for position, (name, (target, confidence, why)) in enumerate(zip(header, guesses, strict=True)):
        if target == "name" and plain(name) == "name" and (people or employer):
            settled[position] = ("contact_name", 0.8, "beside a company: the name is the person's")
        elif not people:
            continue
        elif target == "external_id" and not _COMPANY_WORD.search(plain(name)):
            settled[position] = ("contact_external_id", 0.8, "a list of people: the id is the person's")
        elif target == "country" and not companies:
            settled[position] = ("contact_country", confidence, why)
    return settled


def decide(choices: Iterable[Choice]) -> ColumnMap:
    """The proposal as it stands."""
    return ColumnMap({choice.column: choice.target for choice in choices})


def override(base: ColumnMap, given: Mapping[str, object], header: Sequence[str], targets: Sequence[str]) -> ColumnMap:
    """Apply a mapping file's or a form's choices over a proposal.

    ``given`` is either ``{column: target, …}`` or ``{"columns": {…}, "zero_is_missing": […], "day_first": bool,
    "missing": […], "defaults": {…}}``. Raises :class:`UnreadableFile` naming what does not fit.
    """
    named = given.get("columns")
    if isinstance(named, list):
        raise UnreadableFile("The mapping has to be a list of `column: field` lines.")
    rules: Mapping[str, object] = given if isinstance(named, Mapping) else {"columns": given}
    columns = named if isinstance(named, Mapping) else given
    chosen = _chosen(columns, header, targets)
    taken = {target for target in chosen.values() if target not in (KEEP, IGNORE)}
    merged = {c: (KEEP if t in taken and c not in chosen else t) for c, t in base.targets.items()} | chosen
    unknown = set(rules) - {"columns", "zero_is_missing", "day_first", "missing", "defaults"}
    if unknown:
        raise UnreadableFile(f"The mapping does not know {', '.join(sorted(map(str, unknown)))}.")
    day_first = rules.get("day_first", base.day_first)
    if day_first not in (None, True, False):
        raise UnreadableFile("In the mapping, day_first has to be true or false.")
    return ColumnMap(
        merged,
        frozenset(_words(rules.get("zero_is_missing", list(base.zero_is_missing)), "zero_is_missing")),
        day_first if isinstance(day_first, bool) else None,
        frozenset(word.casefold() for word in _words(rules.get("missing", list(base.missing)), "missing")),
        _defaults(rules.get("defaults", base.defaults), targets),
    )


def _chosen(columns: Mapping[Any, Any], header: Sequence[str], targets: Sequence[str]) -> dict[str, str]:
    """Accepts ``column: field`` and, where that is what was meant, ``field: column``."""
    by_plain = {plain(name): name for name in header}
    chosen: dict[str, str] = {}
    for raw_key, raw_value in columns.items():
        key, value = str(raw_key), IGNORE if raw_value in (None, False, "") else str(raw_value)
        column = key if key in header else by_plain.get(plain(key), "")
        target = plain(value).replace(" ", "_")
        if not column and key in targets:
            column, target = value if value in header else by_plain.get(plain(value), ""), key
        if not column:
            raise UnreadableFile(f"The mapping names the column “{key}”, which the file does not have.")
        if target not in (*targets, KEEP, IGNORE):
            raise UnreadableFile(
                f"The mapping sends “{column}” to “{value}”, which is no field. Fields: {', '.join(targets)}."
            )
        if target in chosen.values() and target not in (KEEP, IGNORE):
            raise UnreadableFile(f"The mapping sends two columns to {LABELS[target]}.")
        chosen[column] = target
    return chosen


def _words(value: object, name: str) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, (str, int, float)) for word in value):
        raise UnreadableFile(f"In the mapping, {name} has to be a list of words.")
    return [str(word) for word in value]


def _defaults(value: object, targets: Sequence[str]) -> dict[str, str]:
    if not isinstance(value, Mapping) or any(key not in targets for key in value):
        raise UnreadableFile(f"In the mapping, defaults has to be `field: value` lines. Fields: {', '.join(targets)}.")
    return {str(key): str(word) for key, word in value.items()}


def prospect_targets() -> tuple[str, ...]:
    return (*COMPANY_FIELDS, *CONTACT_FIELDS, "synthetic", "observed_at")


def signal_targets() -> tuple[str, ...]:
    return SIGNAL_FIELDS


def parse_mapping(text: str) -> dict[str, object]:
    """A mapping file (YAML). Raises :class:`UnreadableFile` with the line that is wrong."""
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 1}" if mark is not None else ""
        raise UnreadableFile(f"The mapping file is not valid YAML{where}.") from error
    if not isinstance(loaded, dict):
        raise UnreadableFile("The mapping file has to hold `column: field` lines.")
    return loaded


def field_named(name: str) -> str:
    """The field that a change log's word for it means: ``isHiring`` → ``hiring``; unknown words stay, made plain."""
    target, _ = _match(name, _PROSPECT_INDEX)
    return target if target != KEEP else plain(name).replace(" ", "_")[:60]
