"""Values as people write them: numbers, ranges, money, yes and no, dates. Every reader says None when it cannot tell.

Nothing here guesses: a text that could mean two things is *unreadable*, and the caller keeps it as given.
"""

# ruff: noqa: E501, SIM905 — word tables read better as running text
from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, wraps
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

MISSING = frozenset(
    "|-|--|---|–|—|.|..|?|n/a|na|n.a.|n.a|none|null|nil|nan|unknown|unbekannt|not available|not applicable|undefined|"
    "undisclosed|not disclosed|tbd|k.a.|#n/a|#name?|#value!|#ref!|#div/0!|#null!|#num!|\\n|(null)|(none)|(blank)|"
    "http://n/a|http://na|http://null|http://|https://".split("|")
)
MAX_INT = 2_147_483_647
LONGEST = 200  # characters of a number or a date: what is longer is neither, and nobody waits for it or keeps it
P = ParamSpec("P")
T = TypeVar("T")


def _remembered(read: Callable[Concatenate[str, P], T | None]) -> Callable[Concatenate[str, P], T | None]:
    """The reader with its latest answers at hand; of longer text it says None."""
    latest = lru_cache(maxsize=16384)(read)

    @wraps(read)
    def reader(text: str, /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        return latest(text, *args, **kwargs) if len(text) <= LONGEST else None  # type: ignore[arg-type]

    return reader


class Range(NamedTuple):
    """Both ends included; None = open. ``note`` says what had to be interpreted."""

    low: float | None
    high: float | None
    note: str = ""


class Money(NamedTuple):
    """Amounts in units of ``currency`` (ISO 4217 code or empty when not said)."""

    low: float | None
    high: float | None
    currency: str = ""


def is_missing(text: str, more: frozenset[str] = frozenset()) -> bool:
    """Whether a cell says nothing: empty, a dash, ``n/a``, a spreadsheet's error mark or a spelling in ``more``."""
    folded = text.casefold()
    return folded in MISSING or folded in more


_SCALES = {
    "": 1.0, "k": 1e3, "tsd": 1e3, "tausend": 1e3, "thousand": 1e3, "t": 1e3, "mille": 1e3, "lakh": 1e5, "lac": 1e5,
    "lakhs": 1e5, "m": 1e6, "mm": 1e6, "mn": 1e6, "mln": 1e6, "mio": 1e6, "million": 1e6, "millions": 1e6,
    "millionen": 1e6, "millones": 1e6, "milioni": 1e6, "mil": 1e6, "crore": 1e7, "crores": 1e7, "cr": 1e7, "b": 1e9,
    "bn": 1e9, "bln": 1e9, "billion": 1e9, "billions": 1e9, "mrd": 1e9, "milliarden": 1e9, "milliard": 1e9,
    "milliards": 1e9, "md": 1e9, "tn": 1e12, "trillion": 1e12,
}  # fmt: skip
_CURRENCIES = {
    "us$": "USD", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD", "nz$": "NZD", "hk$": "HKD", "s$": "SGD",
    "r$": "BRL", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY",
    "zł": "PLN", "kč": "CZK", "₪": "ILS", "rs.": "INR", "rs": "INR", "inr": "INR", "usd": "USD", "eur": "EUR",
    "euro": "EUR", "euros": "EUR", "gbp": "GBP", "chf": "CHF", "fr.": "CHF", "jpy": "JPY", "cny": "CNY", "rmb": "CNY",
    "aud": "AUD", "cad": "CAD", "nzd": "NZD", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "pln": "PLN", "czk": "CZK",
    "huf": "HUF", "brl": "BRL", "mxn": "MXN", "zar": "ZAR", "sgd": "SGD", "hkd": "HKD", "krw": "KRW", "ils": "ILS",
    "try": "TRY", "rub": "RUB", "dollars": "USD", "dollar": "USD", "pounds": "GBP",
}  # fmt: skip
_CURRENCY = re.compile("|".join(rf"(?<![a-z]){re.escape(key)}(?![a-z])" if key.isalpha() else re.escape(key)
                                for key in sorted(_CURRENCIES, key=len, reverse=True)))  # fmt: skip
_NUMBER = r"\d[\d.,'’\u00a0\u202f ]*"
_ONE = re.compile(rf"^({_NUMBER})\s*([a-z]*)\.?$")
_BETWEEN = re.compile(
    rf"^({_NUMBER})\s*([a-z]*)\.?\s*(?:-|to|bis|until|till|a|à|through|\.\.+|~)\s*({_NUMBER})\s*([a-z]*)\.?$"
)
_OPEN_HIGH = re.compile(
    rf"^(?:>=?|≥|over|more than|above|at least|from|min\.?|ab|über|mehr als|plus de)\s*({_NUMBER})\s*([a-z]*)\.?\+?$"
    rf"|^({_NUMBER})\s*([a-z]*)\.?\s*(?:\+|plus|and over|and above|or more|and more|und mehr|et plus|und darüber)$"
)
_OPEN_LOW = re.compile(
    rf"^(?:<=?|≤|under|less than|below|up to|at most|max\.?|unter|bis zu|bis|fewer than|moins de|jusqu'à)"
    rf"\s*({_NUMBER})\s*([a-z]*)\.?$"
)
_DASHES = str.maketrans({"–": "-", "—": "-", "−": "-", "‑": "-", "‒": "-", "\u00a0": " ", "\u202f": " "})
_PEOPLE = re.compile(
    r"\s*\(?\b(?:employees?|people|persons?|staff|ftes?|mitarbeiter(?:innen|\*innen|:innen)?|employés?|salariés?|"
    r"empleados|dipendenti|headcount|members?|medewerkers|anställda)\b\)?\.?\s*"
)
_ABOUT = re.compile(r"^(?:~|≈|ca\.?|circa|approx\.?|approximately|about|around|etwa|rund|env\.?|est\.?|c\.)\s*")
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero gennaio januari jän jänner",
            "feb february februar février fevrier febrero febbraio februari fev fév",
            "mar march märz maerz mars marzo maart mär mrz",
            "apr april avril abril aprile avr abr",
            "may mai mayo maggio mei maj",
            "jun june juni juin junio giugno",
            "jul july juli juillet julio luglio juil",
            "aug august août aout agosto augustus augusti",
            "sep sept september septembre septiembre settembre",
            "oct october oktober octobre octubre ottobre okt",
            "nov november novembre noviembre",
            "dec december dezember décembre decembre diciembre dicembre dez déc",
        ),
        start=1,
    )
    for name in names.split()
}
_SPREADSHEET = re.compile(r"^(?:(\d{1,2})-([a-zä]{3})|([a-zä]{3})-(\d{2}))$")


def number(text: str) -> float | None:
    """A bare number in either notation: ``1,200`` ``1.200`` ``1 200,5`` ``58.0``. None when it is none."""
    bare = re.sub(r"[\s'’\u00a0\u202f]", "", text)
    if len(bare) > 24:  # no amount of anything a company has
        return None
    if re.fullmatch(r"\d+", bare):
        return float(bare)
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", bare) or re.fullmatch(r"\d{1,3}(,\d{2})+,\d{3}(\.\d+)?", bare):
        return float(bare.replace(",", ""))  # the second form is the Indian grouping, 1,20,000
    if re.fullmatch(r"\d{1,3}(\.\d{3}){2,}(,\d+)?", bare) or re.fullmatch(r"\d{1,3}(\.\d{3})+,\d+", bare):
        return float(bare.replace(".", "").replace(",", "."))
    if re.fullmatch(r"\d+\.\d+", bare):
        return float(bare)
    if re.fullmatch(r"\d+,\d+", bare):
        return float(bare.replace(",", "."))
    return None


def signed_number(text: str) -> float | None:
    """Like :func:`number`, with a sign, a percent sign or a scale word (``-3``, ``12%``, ``1.2k``)."""
    folded = text.translate(_DASHES).strip().casefold()
    sign = -1.0 if folded.startswith("-") else 1.0
    if re.fullmatch(r"[+-]?\d+(\.\d+)?e[+-]?\d+", folded):
        return float(folded) if abs(float(folded)) < 1e300 else None
    found = _ONE.match(folded.lstrip("+-").removesuffix("%").strip())
    amount = _scaled(found[1], found[2]) if found else None
    return None if amount is None else sign * amount


def _scaled(digits: str, scale: str) -> float | None:
    value = number(digits)
    factor = _SCALES.get(scale)
    return None if value is None or factor is None else value * factor


def _ends(text: str) -> tuple[float | None, float | None] | None:
    """(low, high) of a number or range with scales; the unit of the second end holds for both when only it has one."""
    if found := _ONE.match(text):
        value = _scaled(found[1], found[2])
        return None if value is None else (value, value)
    if found := _BETWEEN.match(text):
        low, high = _scaled(found[1], found[2] or found[4]), _scaled(found[3], found[4])
        if low is not None and high is not None and low > high and not found[2] and found[4]:
            low = _scaled(found[1], "")
        return None if low is None or high is None or low > high else (low, high)
    if found := _OPEN_HIGH.match(text):
        value = _scaled(found[1] or found[3], found[2] or found[4] or "")
        return None if value is None else (value, None)
    if found := _OPEN_LOW.match(text):
        value = _scaled(found[1], found[2])
        return None if value is None else (None, value)
    return None


@_remembered
def headcount(text: str) -> Range | None:
    """Employees as a range of whole numbers: ``11-50``, ``1,200``, ``58.0``, ``10,001+``, ``<10``, ``2 to 10 people``."""
    folded = _PEOPLE.sub(" ", text.translate(_DASHES).casefold()).strip()
    if folded in ("self employed", "self-employed", "solo", "freelancer", "sole trader"):
        return Range(1, 1)
    folded = _ABOUT.sub("", folded)
    if re.fullmatch(r"\d{1,3}(\.\d{3})+", folded):  # nobody employs 1.2 people
        folded = folded.replace(".", "")
    ends = _ends(folded)
    if ends is None:
        return _mangled(folded)
    low, high = ends
    if any(end is not None and (end != int(end) or end > MAX_INT) for end in ends):
        return None
    if low is None and high is not None:
        strict = folded.startswith(("<", "under", "less", "below", "unter", "fewer", "moins")) and "=" not in folded
        return Range(1, max(1, high - 1) if strict else high)
    if low is not None and high is None and re.match(r">(?!=)|over|more|above|über|mehr als|plus de", folded):
        low = min(low + 1, MAX_INT)
    return Range(low, high)


def _mangled(text: str) -> Range | None:
    """``11-50`` and ``2-10`` turned into dates by a spreadsheet: ``Nov-50``, ``10-Feb``, ``2-Oct``."""
    found = _SPREADSHEET.match(text)
    if found is None:
        return None
    month = _MONTHS.get(found[2] or found[3])
    if month is None:
        return None
    other = int(found[1] or found[4])
    low, high = sorted((month, other))
    return Range(low, high, f"read as {low}-{high}: a spreadsheet had turned it into a date")


_EITHER = re.compile(r"(?<![\d.,])[1-9]\d{0,2}\.\d{3}(?!\s*[\da-z.,])")  # 1.200 is 1200 in half of Europe


@_remembered
def money(text: str) -> Money | None:
    """An amount or a range of amounts: ``$15.6 million``, ``$10M–$50M``, ``€1,2 Mrd.``, ``1.234.567,89 EUR``."""
    folded = text.translate(_DASHES).casefold().strip()
    codes = {_CURRENCIES[found] for found in _CURRENCY.findall(folded)}
    if len(codes) > 1:
        return None
    bare = re.sub(r"\s+", " ", _CURRENCY.sub(" ", folded)).strip()
    bare = _ABOUT.sub("", re.sub(r"\s*(?:/|per |pro )\s*(?:year|yr|annum|jahr|an)$| p\.?a\.?$", "", bare))
    if _EITHER.search(bare):
        return None
    ends = _ends(bare)
    if ends is None or any(end is not None and end >= 1e15 for end in ends):
        return None
    return Money(ends[0], ends[1], codes.pop() if codes else "")


_TRUE = frozenset("true|t|yes|y|1|1.0|x|✓|✔|on|ja|j|oui|o|si|sí|sì|s|да|wahr|vrai|verdadero|active|hiring".split("|"))
_FALSE = frozenset("false|f|no|n|0|0.0|off|nein|non|нет|falsch|faux|falso|nee|nej|inactive|not hiring|✗|✘".split("|"))


def truth(text: str) -> bool | None:
    """Yes or no in the usual spellings; a positive count (open jobs) is a yes."""
    folded = text.strip().casefold()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    count = number(folded)
    return None if count is None else count > 0


@_remembered
def year(text: str) -> int | None:
    """A year between 1500 and 2100, also out of a date."""
    found = re.fullmatch(r"(\d{4})(?:\.0+)?", text.strip())
    if found is None:
        found = re.fullmatch(r"(\d{4})(?:-\d{1,2}){0,2}(?:[T ].*)?", text.strip())
    value = int(found[1]) if found else getattr(moment(text) or moment(text, day_first=True), "year", 0)
    return value if 1500 <= value <= 2100 else None


_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{1,2}:\d{2}.*)?$")
_NUMERIC = re.compile(
    r"^(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*(am|pm)?)?$"
)
_WORDY = re.compile(
    r"^(?:[a-zé]+,\s+)?(?:(\d{1,2})(?:st|nd|rd|th|\.)?[ -]+(?:of |de )?([a-zäöûéè]+)\.?,?[ -]+(\d{4})"
    r"|([a-zäöûéè]+)\.?[ -]+(\d{1,2})(?:st|nd|rd|th)?,?[ -]+(\d{4}))(?:,?\s+(?:at )?(\d{1,2}):(\d{2})(?::\d{2})?\s*(am|pm)?)?$"
)
_COMPACT = re.compile(r"^(?:19|20)\d{6}$")
_EPOCH = re.compile(r"^\d{9,10}(?:\.\d+)?$|^\d{12,13}$")


@_remembered
def moment(text: str, *, day_first: bool | None = None) -> datetime | None:
    """A date or time as an aware datetime; without an offset it is UTC. ISO 8601, ``31.12.2025``, ``12 Nov 2025``,
    ``Nov 12, 2025 3:04 pm``, ``20251231``, seconds or milliseconds since 1970.

    ``3/4/2025`` could be two days: it is None unless ``day_first`` settles it (points always mean day first).
    """
    given = text.strip()
    try:
        return _moment(given, day_first)
    except (ValueError, OverflowError):
        return None


def _moment(given: str, day_first: bool | None) -> datetime | None:
    if _ISO.match(given):
        return _aware(datetime.fromisoformat(re.sub(r" ?(?:UTC|GMT|Z)$", "+00:00", given)))
    if _EPOCH.match(given):
        seconds = float(given)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    if _COMPACT.match(given):
        return datetime.strptime(given, "%Y%m%d").replace(tzinfo=UTC)
    folded = given.casefold()
    if found := _NUMERIC.match(folded):
        day = _numeric_date(found[1], found[2], found[3], found[4], day_first)
        return None if day is None else _at(day, found[5], found[6], found[8])
    if found := _WORDY.match(folded):
        month = _MONTHS.get(found[2] or found[4])
        if month is None:
            return None
        day = date(int(found[3] or found[6]), month, int(found[1] or found[5]))
        return _at(day, found[7], found[8], found[9])
    return None


def _numeric_date(first: str, mark: str, second: str, third: str, day_first: bool | None) -> date | None:
    if len(first) == 4:
        return date(int(first), int(second), int(third))
    if len(first) > 2:
        return None
    a, b, year_ = int(first), int(second), int(third)
    if len(third) == 2:
        year_ += 2000 if year_ < 70 else 1900
    elif len(third) != 4:
        return None
    if mark == "." or a > 12 or a == b:
        return date(year_, b, a)
    if b > 12:
        return date(year_, a, b)
    if day_first is None:
        return None
    return date(year_, b, a) if day_first else date(year_, a, b)


def _at(day: date, hour: str | None, minute: str | None, half: str | None) -> datetime:
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half == "pm" else 0)
    return datetime(day.year, day.month, day.day, hours, int(minute or 0), tzinfo=UTC)


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def day_order(values: Iterable[str]) -> bool | None:
    """Whether a column writes the day first, from its unambiguous dates; None when there are none or they disagree."""
    first = second = False
    for value in values:
        found = _NUMERIC.match(value.strip().casefold())
        if found and len(found[1]) <= 2 and found[2] != ".":
            first = first or int(found[1]) > 12
            second = second or int(found[3]) > 12
    return None if first == second else first


def is_future(value: datetime, now: datetime) -> bool:
    """Later than now by more than a day: no clock or time zone explains that."""
    return value > now + timedelta(days=1)
