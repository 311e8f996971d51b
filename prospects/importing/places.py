"""Countries from what people write: names in several languages, codes, and the last part of a free-text location."""

# ruff: noqa: E501, SIM905 — word tables read better as running text
from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

_US = frozenset(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR "
    "PA PR RI SC SD TN TX UT VT VA WA WV WI WY".split()
)
_US_NAMES = frozenset(
    "alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|district of columbia|florida|hawaii|idaho|"
    "illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|"
    "missouri|montana|nebraska|nevada|new hampshire|new jersey|new mexico|new york|north carolina|north dakota|ohio|"
    "oklahoma|oregon|pennsylvania|rhode island|south carolina|south dakota|tennessee|texas|utah|vermont|virginia|"
    "washington|west virginia|wisconsin|wyoming|sf bay|san francisco bay area|bay area|silicon valley|new york city".split("|")
)  # fmt: skip
_CA = frozenset("AB BC MB NB NL NS ON PE QC SK YT NU".split())
_CA_NAMES = frozenset(
    "alberta|british columbia|manitoba|new brunswick|newfoundland and labrador|nova scotia|ontario|"
    "prince edward island|quebec|saskatchewan".split("|")
)
_AU = frozenset("NSW VIC QLD TAS ACT".split())
_AU_NAMES = frozenset(
    "new south wales|queensland|south australia|tasmania|western australia|northern territory|"
    "australian capital territory".split("|")
)
# A two-letter code that is both an American state and a country: these cities say which.
_CITIES = {
    "DE": "berlin|hamburg|munich|munchen|cologne|koln|frankfurt|frankfurt am main|stuttgart|dusseldorf|leipzig|"
    "dresden|hannover|nuremberg|nurnberg|bremen|essen|dortmund|bonn|karlsruhe|mannheim|heidelberg|munster|aachen",
    "IN": "bangalore|bengaluru|mumbai|delhi|new delhi|hyderabad|pune|chennai|kolkata|ahmedabad|gurgaon|gurugram|noida",
    "IL": "tel aviv|tel aviv yafo|jerusalem|haifa|herzliya|ramat gan|petah tikva|netanya|beer sheva",
    "CA": "toronto|montreal|vancouver|ottawa|calgary|edmonton|quebec|winnipeg|waterloo|mississauga|halifax|victoria",
    "CO": "bogota|medellin|cali|barranquilla|cartagena",
    "AR": "buenos aires|cordoba|rosario|mendoza",
    "MT": "valletta|sliema|st julians",
    "PA": "panama city",
    "MA": "casablanca|rabat|marrakech|tangier",
    "ID": "jakarta|bandung|surabaya|denpasar|bali",
    "GA": "libreville",
    "AL": "tirana",
    "ME": "podgorica",
    "MD": "chisinau",
    "SC": "victoria mahe",
}
_CITY_COUNTRY = {(code, city): code for code, cities in _CITIES.items() for city in cities.split("|")}
_NOWHERE = frozenset(
    "remote|worldwide|global|distributed|anywhere|remote first|fully remote|partly remote|various".split("|")
)


class Place(NamedTuple):
    """City, region (as written) and ISO 3166-1 alpha-2 country; empty where unknown."""

    city: str = ""
    region: str = ""
    country: str = ""


def compared(text: str) -> str:
    """Text as names are compared: no case, accents or punctuation."""
    folded = unicodedata.normalize("NFKD", text).casefold().replace("ß", "ss")
    return " ".join(re.findall(r"\w+", "".join(c for c in folded if not unicodedata.combining(c))))


class _Table(NamedTuple):
    codes: frozenset[str]
    by_name: dict[str, str]


@lru_cache(maxsize=1)
def _table() -> _Table:
    codes: set[str] = set()
    by_name: dict[str, str] = {}
    text = resources.files("prospects.importing").joinpath("countries.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        code, code3, _, *names = line.split("|")
        codes.add(code)
        for name in (*names, code3.casefold()):
            if name:
                by_name.setdefault(name, code)
    return _Table(frozenset(codes), by_name)


@lru_cache(maxsize=4096)
def country_code(text: str) -> str:
    """ISO 3166-1 alpha-2 of a country's name or code (two or three letters); empty when it is none."""
    table = _table()
    given = text.strip()
    if len(given) == 2 and given.upper() in table.codes:
        return given.upper()
    if given.upper() == "UK":
        return "GB"
    name = compared(given)
    return table.by_name.get(name, "") or table.by_name.get(name.removeprefix("the "), "")


@lru_cache(maxsize=4096)
def country_of_region(region: str) -> str:
    """The country that alone has a state or province of this name; empty when several do, or none."""
    given, name = region.strip(), compared(region)
    for codes, names, country in ((_US, _US_NAMES, "US"), (_CA, _CA_NAMES, "CA")):
        if given in codes or name in names:
            return country
    return "AU" if given.upper() in _AU or name in _AU_NAMES else ""


@lru_cache(maxsize=16384)
def place_of(text: str) -> Place:
    """City, region and country of a free-text location such as ``London, England, United Kingdom``.

    Of several places (separated by ``;``, ``|`` or line ends) the first that says something counts.
    """
    for part in re.split(r"[;|\n]", text):
        place = _one_place(part)
        if any(place):
            return place
    return Place()


def _one_place(text: str) -> Place:
    bare = re.sub(r"\((?:[^()]*)\)", "", text)
    parts = [part.strip() for part in re.split(r",| [-–/] ", bare) if part.strip()]
    parts = [part for part in parts if compared(part) not in _NOWHERE]
    if not parts:
        return Place()
    last = re.sub(r"\s+\d[\d -]*$|^[A-Z]{0,2}-?\d{4,5}\s+", "", parts[-1]).strip() or parts[-1]
    city = parts[0] if len(parts) > 1 else ""
    if len(last) == 2 and last.upper() == last and len(parts) > 1:
        return _with_code(parts, last)
    code = country_code(last)
    if len(parts) == 1:
        if (code and len(last) > 3) or last.upper() in ("USA", "UK", "UAE"):
            country = country_of_region(last) if compared(last) == "georgia" else code
            return Place("", "", country)
        region = country_of_region(last) if len(last) > 3 or last in _US else ""
        return Place("" if region and compared(last) != "new york" else last, last if region else "", region)
    region = parts[-2] if len(parts) > 2 else ""
    if compared(last) == "georgia":  # the country's cities are few; everything else is the American state
        in_country = compared(city) in ("tbilisi", "batumi", "kutaisi", "rustavi")
        return Place(city, "" if in_country else last, "GE" if in_country else "US")
    if code:
        return Place(city, region, code)
    of_region = country_of_region(last)
    return Place(city, last if of_region else region, of_region or code)


def _with_code(parts: list[str], code: str) -> Place:
    """``City, XX``: XX is an American state unless the city or the rest says it is a country."""
    city = parts[0]
    if len(parts) > 2 and country_code(code) and country_of_region(code) != country_code(parts[-2]):
        return Place(city, parts[-2], country_code(code))
    if (code, compared(city)) in _CITY_COUNTRY:
        return Place(city, "", code)
    country = country_of_region(code)
    if country:
        return Place(city, code, country)
    return Place(city, "", country_code(code))
