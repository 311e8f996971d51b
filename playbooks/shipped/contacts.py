"""Made-up people for the demo: one for each active US company of the shipped file, always the same ones.

Nobody here exists. Addresses lie under ``.example``, a top-level domain that is reserved and can receive no mail.
``python -m playbooks.shipped.contacts`` writes ``contacts.csv.gz`` anew.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
COLUMNS = (
    "Company id", "Company", "Domain", "First name", "Last name", "Job title", "Email", "Time zone",
    "Contact country", "Synthetic",
)  # fmt: skip

FIRST_NAMES = (
    "Ada", "Alba", "Amir", "Anika", "Arlo", "Bea", "Ben", "Cara", "Cleo", "Dana", "Dev", "Edda", "Eli", "Emre", "Esme",
    "Fay", "Finn", "Gia", "Gus", "Hana", "Hugo", "Ida", "Igor", "Ines", "Ivo", "Jade", "Joel", "Juno", "Kai", "Kira",
    "Lars", "Lena", "Leo", "Lia", "Luca", "Mara", "Mia", "Milo", "Nadia", "Nico", "Nils", "Noor", "Nora", "Olga",
    "Otis", "Pia", "Quinn", "Remy", "Rhea", "Rosa", "Rune", "Sami", "Sara", "Sven", "Tara", "Theo", "Uma", "Vera",
)  # fmt: skip
LAST_NAMES = (
    "Abernook", "Alderby", "Ashgrove", "Birchall", "Blackmere", "Bramwell", "Brightwater", "Calderon", "Carrow",
    "Castellane", "Corwin", "Dalby", "Darrow", "Dunmore", "Elmsworth", "Fairlie", "Fenwick", "Garrow", "Glenholm",
    "Hallam", "Harrowgate", "Hazeldine", "Holloway", "Ingleby", "Jarrow", "Kestrel", "Kirkwall", "Lanark", "Larkin",
    "Linden", "Lockhart", "Marlowe", "Merriweather", "Moorcroft", "Northam", "Oakhurst", "Orchard", "Pembury",
    "Quillan", "Ravensdale", "Redfern", "Rowntree", "Sandoval", "Selwyn", "Stonebridge", "Tamworth", "Thornbury",
    "Underhill", "Vale", "Wainwright", "Westbrook", "Whitlock", "Winslow", "Wren", "Yardley",
)  # fmt: skip
_TITLES = ((10, ("Founder", "Co-founder and CEO", "Founder and CEO")), (10**9, ("CEO", "Head of Sales", "VP Sales")))
_ZONES = {
    "America/Los_Angeles": ("CA", "WA", "OR", "NV"),
    "America/Denver": ("CO", "UT", "MT", "NM", "WY", "ID"),
    "America/Phoenix": ("AZ",),
    "America/Chicago": ("TX", "IL", "MN", "WI", "MO", "TN", "LA", "AL", "OK", "KS", "NE", "IA", "AR", "MS", "ND", "SD"),
    "America/New_York": (
        "NY", "MA", "FL", "GA", "PA", "NC", "NJ", "VA", "DC", "MD", "OH", "MI", "CT", "SC", "DE", "RI", "NH", "ME",
        "VT", "KY", "IN", "WV",
    ),
    "Pacific/Honolulu": ("HI",),
}  # fmt: skip
_ZONE_OF = {state: zone for zone, states in _ZONES.items() for state in states}
_STATE = re.compile(r", ([A-Z]{2}), USA")


def contact_rows(companies: Iterator[Mapping[str, str]]) -> Iterator[tuple[str, ...]]:
    """One row of :data:`COLUMNS` for each active US company with a team, drawn from a hash of its id."""
    taken = set()
    for company in companies:
        if company["Country"] != "United States" or company["Status"] != "Active" or company["Team size"] in ("", "0"):
            continue
        draw = hashlib.sha256(f"synthetic contact of {company['Company id']}".encode()).digest()
        first, last = FIRST_NAMES[draw[0] % len(FIRST_NAMES)], LAST_NAMES[draw[1] % len(LAST_NAMES)]
        titles = next(titles for most, titles in _TITLES if int(company["Team size"]) <= most)
        label = re.sub(r"[^a-z0-9-]+", "-", company["Domain"].lower()).strip("-") or f"company-{company['Company id']}"
        email = f"{first}.{last}@{label}.example".lower()
        if email in taken:
            continue
        taken.add(email)
        state = _STATE.search(company["Location"])
        zone = _ZONE_OF.get(state.group(1), "") if state else ""
        yield (
            company["Company id"], company["Company"], company["Domain"], first, last, titles[draw[2] % len(titles)],
            email, zone, "US", "yes",
        )  # fmt: skip


def shipped_companies() -> Iterator[dict[str, str]]:
    """The rows of the shipped company file."""
    with gzip.open(HERE / "companies.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def contacts_file() -> bytes:
    """The bytes of ``contacts.csv.gz``; the same at every call."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(contact_rows(shipped_companies()))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream:
        stream.write(text.getvalue().encode())
    return packed.getvalue()


if __name__ == "__main__":
    (HERE / "contacts.csv.gz").write_bytes(contacts_file())
