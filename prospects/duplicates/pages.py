"""What the pages of duplicates show: two records side by side, what differs, why they may be one, who they are here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from playbooks.models import Client
from prospects.importing.identity import fold, registrable_domain
from prospects.models import Alias, Company, Contact, Duplicate, Merge, Prospect
from prospects.rules.identities import from_attributes
from prospects.rules.likeness import digits

_ENDS = ("one_company", "other_company", "one_contact__company", "other_contact__company")
_MERGE_ENDS = ("kept_company", "merged_company", "kept_contact__company", "merged_contact__company")
#: As much as a heaviest reason can weigh, in bits: the length of its bar.
HEAVIEST = 20.0
MOST_ALIASES = 5
COUNTED = 999  # more questions than this are "999+"
# Plain SQL: the list of prospects shows it on every page.
_COUNT_OPEN = """
SELECT count(*) FROM (SELECT FROM prospects_duplicate
    WHERE client_id = %s AND status = 'open' AND NOT automatic LIMIT %s) AS waiting
"""


@dataclass(frozen=True, slots=True)
class ShownField:
    """One fact of both records. ``differs`` only where both are known."""

    label: str
    one: str
    other: str
    differs: bool


@dataclass(frozen=True, slots=True)
class ShownReason:
    """One thing compared; ``start`` and ``width`` place its bar between −20 and 20 bits."""

    what: str
    words: str
    weight: float

    @property
    def start(self) -> float:
        return round(min(0.0, self.width_signed), 2)

    @property
    def width(self) -> float:
        return round(abs(self.width_signed), 2)

    @property
    def width_signed(self) -> float:
        return max(-HEAVIEST, min(HEAVIEST, self.weight))

    @property
    def signed(self) -> str:
        """``+9.0`` or ``−2.0``."""
        return f"{'+' if self.weight >= 0 else '−'}{abs(self.weight):.1f}"


@dataclass(slots=True)
class ShownRecord:
    """One end of a pair."""

    record: Company | Contact
    is_kept: bool
    prospects: list[Prospect] = field(default_factory=list)


@dataclass(slots=True)
class ShownPair:
    """Everything a person needs to say whether two records are one."""

    pair: Duplicate
    one: ShownRecord
    other: ShownRecord
    fields: list[ShownField]
    reasons: list[ShownReason]
    merge: Merge | None = None

    @property
    def ends(self) -> tuple[ShownRecord, ShownRecord]:
        return self.one, self.other

    @property
    def percent(self) -> int:
        """The score in whole percent, never 100: nothing is certain before somebody says so."""
        return min(99, int(self.pair.score * 100))

    @property
    def differing(self) -> int:
        return sum(shown.differs for shown in self.fields)


def open_pairs(client: Client) -> QuerySet[Duplicate]:
    """Pairs that wait for a person; order by ("-score", "-id")."""
    return _with_ends(Duplicate.objects.for_client(client).filter(status=Duplicate.Status.OPEN, automatic=False))


def apart_pairs(client: Client) -> QuerySet[Duplicate]:
    """Pairs that people kept apart; order by ("-decided_at", "-id")."""
    kept = Duplicate.objects.for_client(client).filter(status=Duplicate.Status.APART, decided_at__isnull=False)
    return _with_ends(kept).select_related("decided_by", *_ENDS)


def merges_of(client: Client) -> QuerySet[Merge]:
    """Merges, undone ones among them; order by ("-id",)."""
    return Merge.objects.for_client(client).select_related("by", "undone_by", "run", *_MERGE_ENDS)


def _with_ends(pairs: QuerySet[Duplicate]) -> QuerySet[Duplicate]:
    return pairs.select_related(*_ENDS)


def count_open(client: Client) -> int:
    """How many pairs wait, up to ``COUNTED`` + 1; from the index of those that do."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_OPEN, [client.pk, COUNTED + 1])
        return int(cursor.fetchone()[0])


def shown_pairs(pairs: Sequence[Duplicate]) -> list[ShownPair]:
    """The pairs (with their ends loaded) as the page shows them: four queries, however many."""
    worked = _prospects(pairs)
    names = _aliases(pairs)
    merges = {row.duplicate_id: row for row in _latest_merges(pairs)}
    return [_shown(pair, worked, names, merges.get(pair.pk)) for pair in pairs]


def _ends(pairs: Iterable[Duplicate]) -> tuple[list[int], list[int]]:
    companies: list[int] = []
    people: list[int] = []
    for pair in pairs:
        (companies if pair.kind == "company" else people).extend((pair.one.pk, pair.other.pk))
    return companies, people


def _prospects(pairs: Sequence[Duplicate]) -> dict[tuple[str, int], list[Prospect]]:
    companies, people = _ends(pairs)
    found: dict[tuple[str, int], list[Prospect]] = {}
    rows = Prospect.objects.select_related("playbook", "company", "contact").order_by("pk")
    for kind, ids in (("company", companies), ("contact", people)):
        for row in rows.filter(**{f"{kind}__in": ids}) if ids else ():
            found.setdefault((kind, getattr(row, f"{kind}_id")), []).append(row)
    return found


def _aliases(pairs: Sequence[Duplicate]) -> dict[tuple[str, int], list[str]]:
    companies, people = _ends(pairs)
    found: dict[tuple[str, int], list[str]] = {}
    for row in Alias.objects.filter(Q(company__in=companies) | Q(contact__in=people)).order_by("pk"):
        end = ("company", row.company_id) if row.company_id is not None else ("contact", row.contact_id or 0)
        found.setdefault(end, []).append(row.value)
    return found


def _latest_merges(pairs: Sequence[Duplicate]) -> QuerySet[Merge]:
    return Merge.objects.filter(duplicate__in=[pair.pk for pair in pairs], undone_at__isnull=True).select_related(
        *_MERGE_ENDS
    )


def _shown(
    pair: Duplicate,
    worked: dict[tuple[str, int], list[Prospect]],
    names: dict[tuple[str, int], list[str]],
    merge: Merge | None,
) -> ShownPair:
    ends = [
        ShownRecord(record, kept, worked.get((pair.kind, record.pk), []))
        for record, kept in ((pair.one, not pair.keep_other), (pair.other, pair.keep_other))
    ]
    known = [names.get((pair.kind, end.record.pk), []) for end in ends]
    reasons = [ShownReason(r.get("what", ""), r.get("words", ""), float(r.get("weight", 0))) for r in pair.reasons]
    return ShownPair(pair, ends[0], ends[1], _fields(ends[0].record, ends[1].record, known), reasons, merge)


def _fields(one: Company | Contact, other: Company | Contact, aliases: list[list[str]]) -> list[ShownField]:
    rows = zip(_facts(one, aliases[0]), _facts(other, aliases[1]), strict=True)
    return [
        ShownField(label, mine, theirs, _differ(label, mine, theirs))
        for (label, mine), (_, theirs) in rows
        if mine or theirs
    ]


def _differ(label: str, mine: str, theirs: str) -> bool:
    """Whether the two say different things; where a record came from says nothing about who it is."""
    if not mine or not theirs or label in _ABOUT_THE_RECORD:
        return False
    if label == "Phone":
        return digits(mine)[-9:] != digits(theirs)[-9:]
    return fold(mine) != fold(theirs)


def _facts(record: Company | Contact, aliases: list[str]) -> list[tuple[str, str]]:
    also = ", ".join(aliases[:MOST_ALIASES])
    facts = _company_facts(record) if isinstance(record, Company) else _person_facts(record)
    return [
        *facts,
        ("Also known as", also),
        ("Source", record.source),
        ("Known since", f"{record.created_at:%d %b %Y}"),
    ]


_ABOUT_THE_RECORD = frozenset({"Source", "Id in source", "Known since", "Also known as"})


def _company_facts(company: Company) -> list[tuple[str, str]]:
    return [
        ("Name", company.name),
        ("Domain", company.domain),
        ("Website", "" if registrable_domain(company.website) == company.domain else company.website),
        ("Industry", company.industry),
        ("Employees", _range(company.employees_min, company.employees_max)),
        ("City", company.city),
        ("Country", company.country),
        ("Founded", str(company.founded_year or "")),
        ("Status", company.status),
        ("Tags", ", ".join(sorted(company.tags)[:8])),
        ("Id in source", company.external_id),
    ]


def _person_facts(person: Contact) -> list[tuple[str, str]]:
    known: dict[str, Any] = from_attributes(person.attributes)
    number = f"{known['street_number']} {known['street']}".strip()
    # Ids that the import made up for people without one say nothing to anybody.
    given = "" if person.external_id.startswith("person:") else person.external_id
    return [
        ("Name", person.name),
        ("Company", person.company.name if person.company else ""),
        ("Title", person.title),
        ("E-mail", person.email),
        ("Phone", person.phone),
        ("LinkedIn", person.linkedin_url),
        ("Born", known["birth_date"]),
        ("Street", number),
        ("Postcode", known["postcode"]),
        ("Town", known["city"]),
        ("Country", person.country),
        ("Id in source", given),
    ]


def _range(low: int | None, high: int | None) -> str:
    if low is None or high is None or low == high:
        return str(low if low is not None else high if high is not None else "")
    return f"{low}–{high}"
