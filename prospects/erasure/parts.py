"""Taking one person out of every app's rows. Each app says which of its rows speak of them; nobody here imports it.

An app registers its part in its ``AppConfig.ready()``::

    register_part("approvals", erase.PART)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db.models import QuerySet

from playbooks.models import Client, User
from prospects.models import Contact
from prospects.rules.erasing import Traces


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody under all records they are known by. ``own``: prospects that are this person and no company.

    ``beside``: prospects of the company they work for; what names the person there goes, the rest stays.
    """

    client: Client
    contacts: tuple[Contact, ...]
    own: frozenset[int]
    beside: frozenset[int]
    traces: Traces

    @property
    def ids(self) -> list[int]:
        """The contacts' ids."""
        return [contact.pk for contact in self.contacts]

    @property
    def prospects(self) -> list[int]:
        """Every prospect that may speak of them."""
        return sorted(self.own | self.beside)

    @property
    def addresses(self) -> set[str]:
        """Their e-mail addresses, in small letters."""
        found = {address.lower() for contact in self.contacts for address in (contact.email, contact.email_key)}
        return found - {""}

    def is_own(self, row: Any) -> bool:
        """Whether a row that hangs on a prospect is about this person alone."""
        return row.prospect_id in self.own


def always(_: Any) -> bool:
    """Every row of the table is about the person alone."""
    return True


def never(_: Any) -> bool:
    """No row of the table is about the person alone."""
    return False


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of one table that may speak of somebody.

    ``columns`` lose everything where ``whole`` says that the row is about them alone; elsewhere, and in ``named``
    always, only what names them, and ``parts``: names in data whose values are about them all the same. ``emptied``
    are columns of data that are then emptied, numbers and all.
    """

    rows: QuerySet[Any]
    columns: tuple[str, ...]
    whole: Callable[[Any], bool]
    named: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


class Part(Protocol):
    """What an app does when somebody is erased, inside the one transaction of it."""

    def hold(self, person: Person) -> None:
        """Lock what waits for them or is about to leave. Raises Refusal when something cannot be called back."""
        ...

    def withdraw(self, person: Person, *, actor: User, at: datetime) -> None:
        """Call off what ``hold`` locked, and see to it that nobody contacts them again."""
        ...

    def sheets(self, person: Person) -> Iterable[Sheet]:
        """Where they may be spoken of."""
        ...


_parts: dict[str, Part] = {}


def register_part(name: str, part: Part) -> None:
    """Let ``part`` take part in every erasure. Registering a name again replaces it."""
    _parts[name] = part


def parts() -> Collection[Part]:
    """Every app's part, in the order of their names."""
    return [_parts[name] for name in sorted(_parts)]
