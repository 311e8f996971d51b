"""Made-up firms and households for the two shipped clients, always the same ones.

Nobody here exists: names are invented, addresses and domains lie under ``.example``, every row says that it is made up.
Dates end on :data:`AS_OF`; the demo moves them to the day it is loaded. ``python -m playbooks.shipped.synthetic``
writes the files anew.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from playbooks.shipped.contacts import FIRST_NAMES, HERE, LAST_NAMES

AS_OF = date(2026, 6, 2)
FIRMS, HOMES = 240, 260
SIGNALS = ("external id", "kind", "observed_at", "value", "text", "source", "hours to reply", "question", "answer")
FIRM_COLUMNS = (
    "Company id", "Company", "Domain", "Industry", "Employees", "Roof thousand sq ft", "Building", "City", "Region",
    "Country", "Status", "Site visits", "First name", "Last name", "Job title", "Email", "Time zone", "Synthetic",
    "As of",
)  # fmt: skip
HOME_COLUMNS = (
    "First name", "Last name", "Email", "Suburb", "Region", "Country", "Time zone", "Home", "Home type", "Built",
    "Ventilation", "Site visits", "Details source", "Synthetic", "As of",
)  # fmt: skip
CONSENTS = ("email", "type", "url", "captured at", "shown")

_FRONT = (
    "Agave", "Alder Mesa", "Bluestem", "Canyon", "Cinder", "Copper Flat", "Coyote", "Dry Creek", "Dustwood", "Eastgate",
    "Far Butte", "Granite", "High Plain", "Ironwood", "Juniper", "Lone Pine", "Long Draw", "Mesquite", "Painted Rock",
    "Palo Seco", "Red Mesa", "Rimrock", "Sage Hill", "Saltbush", "Sand Wash", "Silver Bend", "Stonecrop", "Sundown",
    "Tumbleweed", "White Tank", "Wide Sky", "Yucca",
)  # fmt: skip
_BACK = {
    "Cold storage": ("Cold Store", "Freezer Works", "Ice House"),
    "Food processing": ("Foods", "Bakery", "Packing"),
    "Warehousing": ("Storage", "Freight Yard", "Depot"),
    "Manufacturing": ("Metals", "Glassworks", "Plastics"),
    "Construction": ("Builders", "Concrete", "Steel"),
    "Retail": ("Furniture", "Garden Centers", "Outfitters"),
    "Property": ("Estates", "Land Company", "Holdings"),
    "Consulting": ("Advisers", "Partners", "Studio"),
    "Solar construction": ("Solar", "Sun Works", "Power Builders"),
}
_FITTING, _NEAR = tuple(_BACK)[:4], tuple(_BACK)[4:7]
_REACHED = (
    ("Phoenix", "Arizona", "America/Phoenix"), ("Tucson", "Arizona", "America/Phoenix"),
    ("Reno", "Nevada", "America/Los_Angeles"), ("El Paso", "Texas", "America/Denver"),
    ("Lubbock", "Texas", "America/Chicago"), ("Albuquerque", "New Mexico", "America/Denver"),
)  # fmt: skip
_FAR = (("Boise", "Idaho", "America/Boise"), ("Toledo", "Ohio", "America/New_York"))
_TITLES = ("Facilities Manager", "Operations Director", "Owner", "Chief Financial Officer")
_NEWS = {
    "building_permit": "Permit to re-roof the main building",
    "tender_published": "Bids wanted for roof and power work",
    "tariff_increase": "The utility's new rate applies to the site",
    "new_site": "Took over a second building",
}
_SUBURBS = (
    ("Kowhai Bay", "Wellington"), ("Rimuvale", "Wellington"), ("Toetoe Flat", "Manawatū"), ("Totara Rise", "Taranaki"),
    ("Orchard Spit", "Hawke's Bay"), ("Port Manuka", "Wellington"),
)  # fmt: skip
_FARTHER = (("Fern Gully", "Otago"), ("Glowworm Point", "Southland"))
_BOTHERS = (
    "Our bedrooms have wet windows every morning. What would you put in?",
    "The house feels stuffy when it is shut up in winter.",
    "Crying windows in the lounge, and the spare room smells.",
    "Condensation on the south side all winter. Can you help?",
)
_FORM = "https://warmwell.example/ask"
_TICKED = "Yes, Warmwell may e-mail me about home ventilation. I can unsubscribe at any time. Warmwell, 12 Sample Road."


class Draw:
    """Choices that depend on a name alone: no clock, no seed to lose."""

    def __init__(self, name: str) -> None:
        self._name, self._spent = name, 0

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` − 1."""
        self._spent += 1
        digest = hashlib.sha256(f"synthetic {self._name} {self._spent}".encode()).digest()
        return int.from_bytes(digest[:4]) % limit

    def of(self, choices: Sequence[Any]) -> Any:
        return choices[self.below(len(choices))]

    def day(self, newest: int, oldest: int) -> str:
        """A date so many days before AS_OF."""
        return (AS_OF - timedelta(days=newest + self.below(oldest - newest + 1))).isoformat()


@dataclass
class Told:
    """What is known of one made-up prospect: its row, and what happened, as rows of a signal file."""

    row: tuple[Any, ...]
    signals: list[tuple[Any, ...]] = field(default_factory=list)
    consent: tuple[str, ...] | None = None


def _signal(who: str, kind: str, day: str, source: str, text: str = "", **more: Any) -> tuple[Any, ...]:
    named = {"external id": who, "kind": kind, "observed_at": day, "text": text, "source": source}
    named |= {name.replace("_", " "): value for name, value in more.items()}
    return tuple(named.get(column, "") for column in SIGNALS)


# Of twenty: three are ready, six have a reason to hear from us, four only fit, four do not, three rule themselves out.
_SHARES = ("ready",) * 3 + ("reason",) * 6 + ("fits",) * 4 + ("poor",) * 4 + ("out",) * 3


def firms() -> Iterator[Told]:
    """One firm after another, with whoever runs its building."""
    names: set[str] = set()
    for number in range(1, FIRMS + 1):
        draw = Draw(f"firm {number}")
        yield _firm(number, _SHARES[number % len(_SHARES)], draw, names)


def _firm(number: int, share: str, draw: Draw, names: set[str]) -> Told:
    fitting = share in ("ready", "fits") or draw.below(4) > 0
    industry = draw.of(_FITTING if fitting else _NEAR)
    if share == "poor":
        industry = draw.of((*_NEAR, "Consulting", "Consulting"))
    closing = share == "out" and draw.below(3) == 0
    if share == "out" and not closing and draw.below(2):
        industry = "Solar construction"
    name = next(n for n in _names(draw, industry) if n not in names)
    names.add(name)
    label = "-".join(name.casefold().split())
    city, region, zone = draw.of(_FAR if share == "poor" and draw.below(2) else _REACHED)
    roof = 5 + draw.below(16) if share == "poor" else 24 + draw.below(160)
    people = 600 + draw.below(900) if share == "poor" and draw.below(2) else 22 + draw.below(300)
    visits = {"ready": 5 + draw.below(6), "reason": 1 + draw.below(6), "fits": 0, "poor": draw.below(2)}.get(share, 2)
    first, last = draw.of(FIRST_NAMES), draw.of(LAST_NAMES)
    building = "Leased" if share == "poor" else draw.of(("Owned", "Owned", "Owned", "Long lease"))
    who = f"F{number:04}"
    row = (
        who, name, f"{label}.example", industry, people, roof, building, city, region, "US",
        "Closing" if closing else "Open", visits, first, last, draw.of(_TITLES),
        f"{first}.{last}@{label}.example".casefold(), zone, "yes", AS_OF.isoformat(),
    )  # fmt: skip
    return Told(row, list(_FIRM_LIVES[share](who, draw)))


def _names(draw: Draw, industry: str) -> Iterator[str]:
    while True:
        yield f"{draw.of(_FRONT)} {draw.of(_BACK[industry])}"


def _news(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    kind = draw.of(tuple(_NEWS))
    source = "county records" if kind == "building_permit" else "trade press"
    yield _signal(who, kind, draw.day(3, 40), source, _NEWS[kind])


def _ready(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    yield from _news(who, draw)
    words = draw.of((
        "Rates went up again and the demand charges are the worst of it.",
        "The board wants a plan for the power bill before winter.",
        "Our customers ask where the power comes from, and the power bill hurts.",
    ))  # fmt: skip
    yield _signal(who, "reply", draw.day(8, 30), "mailbox", words, hours_to_reply=1 + draw.below(20))
    yield _signal(who, "answer", draw.day(5, 8), "call", question="objection", answer=draw.of(("none", "timing")))
    yield _signal(who, "meeting_held", draw.day(4, 7), "calendar", "Met on site for half an hour")
    if draw.below(3):
        yield _signal(who, "bills_shared", draw.day(2, 6), "mailbox", "Sent twelve months of bills")
    if draw.below(2):
        yield _signal(who, "stakeholder_introduced", draw.day(2, 5), "mailbox", "Brought in the finance lead")


def _reason(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    yield from _news(who, draw)
    if draw.below(3) == 0:
        words = "Tell me what it does to a power bill like ours."
        yield _signal(who, "reply", draw.day(5, 40), "mailbox", words, hours_to_reply=6 + draw.below(90))
        answer = draw.of(("price", "timing", "roof age"))
        yield _signal(who, "answer", draw.day(3, 5), "call", question="objection", answer=answer)
    if draw.below(5) == 0:
        yield _signal(who, "meeting_missed", draw.day(2, 20), "calendar", "Nobody came")


def _fits(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    if draw.below(3) == 0:
        yield from _news(who, draw)


def _poor(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    if draw.below(2):
        yield _signal(who, "site_closed", draw.day(10, 60), "trade press", "One site closes this year")
    words = "We only rent here, so this is not for us."
    yield _signal(who, "call_note", draw.day(5, 60), "call", words)
    answer = draw.of(("landlord", "board said no"))
    yield _signal(who, "answer", draw.day(5, 60), "call", question="objection", answer=answer)


def _firm_out(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    yield from _news(who, draw)
    if draw.below(2):
        yield _signal(who, "complained", draw.day(2, 30), "mailbox", "Take me off your list")


Life = Callable[[str, Draw], Iterator[tuple[Any, ...]]]
_FIRM_LIVES: dict[str, Life] = {"ready": _ready, "reason": _reason, "fits": _fits, "poor": _poor, "out": _firm_out}


def homes() -> Iterator[Told]:
    """One household after another. Whoever came from a bought list has given no consent, and hears nothing."""
    for number in range(1, HOMES + 1):
        yield _home(number, _SHARES[number % len(_SHARES)], Draw(f"home {number}"))


def _home(number: int, share: str, draw: Draw) -> Told:
    first, last = draw.of(FIRST_NAMES), draw.of(LAST_NAMES)
    email = f"{first}.{last}{number}@household.example".casefold()
    suburb, region = draw.of(_FARTHER if share == "poor" and draw.below(2) else _SUBURBS)
    lives = draw.of(("Owner-occupier",) * 6 + ("Landlord",))
    kind = draw.of(("house", "house", "house", "townhouse"))
    if share == "poor":
        lives, kind = draw.of(("Landlord", "Owner-occupier")), "apartment"
    rents = share == "out" and draw.below(3) == 0
    owned_one = share == "out" and not rents and draw.below(2) == 0
    visits = {"ready": 6 + draw.below(8), "reason": 2 + draw.below(6), "fits": draw.below(2)}.get(share, draw.below(3))
    from_list = (share == "fits" and draw.below(2) == 0) or (share == "reason" and draw.below(6) == 0)
    source = "a list of homes for sale" if from_list else "the form on our website that you filled in"
    row = (
        first, last, email, suburb, region, "New Zealand", "Pacific/Auckland", "Tenant" if rents else lives, kind,
        1920 + draw.below(85), "installed" if owned_one else "none", visits, source, "yes", AS_OF.isoformat(),
    )  # fmt: skip
    consent = None if from_list else (email, "express", _FORM, draw.day(62, 90), _TICKED)
    return Told(row, list(_HOME_LIVES[share](email, draw)), consent)


def _prices(who: str, draw: Draw, times: int) -> Iterator[tuple[Any, ...]]:
    for nth in range(times):
        yield _signal(who, "prices_viewed", draw.day(2 + 6 * nth, 6 + 6 * nth), "website", "Looked at the price page")


def _home_ready(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    yield _signal(who, "enquiry", draw.day(20, 60), "website", draw.of(_BOTHERS))
    yield from _prices(who, draw, 2)
    yield _signal(who, "assessment_booked", draw.day(3, 18), "booking calendar", "Booked a home assessment")
    if draw.below(3) == 0:
        yield _signal(who, "photos_sent", draw.day(2, 9), "mailbox", "Sent photos of three rooms")
    if draw.below(2):
        yield _signal(who, "answer", draw.day(2, 9), "call", question="objection", answer=draw.of(("none", "price")))


def _home_reason(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    first = draw.of(("enquiry", "calculator_used", "guide_downloaded"))
    words = draw.of(_BOTHERS) if first == "enquiry" else ""
    yield _signal(who, first, draw.day(8, 50), "website", words)
    yield from _prices(who, draw, 2)
    if draw.below(2):
        yield _signal(who, "email_clicked", draw.day(2, 30), "mailbox", "Clicked the guide")
    if draw.below(6) == 0:
        yield _signal(who, "assessment_cancelled", draw.day(2, 20), "booking calendar", "Called the visit off")


def _home_fits(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    if draw.below(2):
        yield from _prices(who, draw, 1)
    if draw.below(3) == 0:
        yield _signal(who, "guide_downloaded", draw.day(30, 60), "website")


def _home_poor(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    yield _signal(who, "email_opened", draw.day(20, 60), "mailbox")
    answer = draw.of(("moving house", "not now"))
    yield _signal(who, "answer", draw.day(5, 40), "call", question="objection", answer=answer)
    yield _signal(who, "assessment_cancelled", draw.day(2, 30), "booking calendar", "Called the visit off")


def _home_out(who: str, draw: Draw) -> Iterator[tuple[Any, ...]]:
    yield _signal(who, "enquiry", draw.day(20, 60), "website", draw.of(_BOTHERS))
    yield from _prices(who, draw, 2)
    if draw.below(2):
        yield _signal(who, "unsubscribed", draw.day(2, 15), "mailbox", "Used the unsubscribe link")


_HOME_LIVES: dict[str, Life] = {
    "ready": _home_ready,
    "reason": _home_reason,
    "fits": _home_fits,
    "poor": _home_poor,
    "out": _home_out,
}


def files() -> dict[str, str]:
    """File name → its text; the same at every call."""
    built, lived = list(firms()), list(homes())
    by_email = tuple("email" if column == "external id" else column for column in SIGNALS)
    return {
        "solar_companies.csv": _csv(FIRM_COLUMNS, [told.row for told in built]),
        "solar_signals.csv": _csv(SIGNALS, [row for told in built for row in told.signals]),
        "ventilation_homes.csv": _csv(HOME_COLUMNS, [told.row for told in lived]),
        "ventilation_signals.csv": _csv(by_email, [row for told in lived for row in told.signals]),
        "ventilation_consents.csv": _csv(CONSENTS, [told.consent for told in lived if told.consent]),
    }


def _csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    for name, text in files().items():
        (HERE / name).write_text(text, encoding="utf-8")
