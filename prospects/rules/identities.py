"""What identifies a company or a person: the facts that duplicates are recognised by. Empty means unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CompanyFacts:
    """A company. ``filled`` counts the facts known about it; ``in_touch``: somebody there has heard from us."""

    id: int
    name: str
    domain: str = ""
    country: str = ""
    city: str = ""
    source: str = ""
    external_id: str = ""
    founded_year: int | None = None
    employees: int | None = None
    filled: int = 0
    in_touch: bool = False

    @property
    def key(self) -> str:
        """A name for it that is the same in every database."""
        return self.domain or (f"{self.source}:{self.external_id}" if self.external_id else self.name)


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """A person. ``company`` is the company they are at, by any name that is the same for both records."""

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
    linkedin: str = ""
    country: str = ""
    company: str = ""
    source: str = ""
    external_id: str = ""
    name: str = ""
    filled: int = 0
    in_touch: bool = False

    @property
    def key(self) -> str:
        """A name for them that is the same in every database and names nobody: it goes into records that stay."""
        known = self.email_key or f"{self.source}:{self.external_id}:{self.first_name}:{self.last_name}:{self.name}"
        return "person:" + hashlib.sha256(known.encode()).hexdigest()[:20]


# How a contact's own attributes may call what we look at: as the import names them, and as household files do.
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "birth_date": ("birth_date", "date_of_birth", "birthday", "dob"),
    "street": ("street", "address_1", "address"),
    "street_number": ("street_number", "house_number"),
    "postcode": ("postcode", "postal_code", "zip", "zip_code"),
    "city": ("city", "suburb", "town"),
    "national_id": ("national_id", "soc_sec_id", "ssn", "tax_id"),
}


def from_attributes(attributes: Mapping[str, Any]) -> dict[str, str]:
    """The identifying facts among a contact's free attributes."""
    found = {}
    for fact, names in _ATTRIBUTES.items():
        value = next((attributes[name] for name in names if attributes.get(name) not in (None, "")), "")
        found[fact] = str(value)[:200]
    return found
