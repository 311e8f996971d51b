"""What becomes of each row: pure decisions over what was looked up. Nothing is written here.

First come, first kept: within one file the first row about somebody states the facts, later rows only fill gaps.
Between files the newer observation wins, and an older one is recorded as history without overwriting anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from prospects.erasure.keys import TURNED_AWAY
from prospects.importing.identity import fold
from prospects.importing.records import Record, Side, as_json
from prospects.services.importing.lookup import (
    Directory,
    Known,
    KnownCompany,
    KnownContact,
    KnownProspect,
    Profile,
    Row,
    profile_key,
)
from prospects.services.importing.plan import (
    CREATED,
    MERGED,
    UNCHANGED,
    UPDATED,
    Change,
    Memory,
    NewProspect,
    NewSignal,
    OtherName,
    Plan,
    Terms,
)


class TurnedAway(Exception):  # noqa: N818 — an answer about a row, not a fault
    """A row that could be several companies, or is about somebody who was erased."""


class Decider:
    """Decides rows in file order. ``ids`` hand out numbers for companies, contacts and prospects to be created."""

    def __init__(
        self, terms: Terms, known: Known, memory: Memory, ids: tuple[Iterator[int], Iterator[int], Iterator[int]]
    ) -> None:
        self.terms, self.known, self.memory = terms, known, memory
        self._company_ids, self._contact_ids, self._prospect_ids = ids
        self.plan = Plan()
        self._free_ids: dict[tuple[str, int], str] = {}

    def decide(self, records: Sequence[Record]) -> Plan:
        for record in records:
            try:
                outcome, reason = self._decide(record)
            except TurnedAway as answer:
                self.plan.rejected.append((record, str(answer)))
                continue
            self.plan.outcomes.append((record.row, outcome, reason))
        for (kind, record_id), value in self._free_ids.items():
            self._other_name(kind, "external_id", value, record_id)
        return self.plan

    def _decide(self, record: Record) -> tuple[str, str]:
        if record.row in self.known.erased:
            raise TurnedAway(TURNED_AWAY)
        company, new_company, how = self._company(record)
        contact, new_contact = self._contact(record, company)
        prospect, new_prospect = self._prospect(record, company, contact)
        company_seen = company is not None and company.id in self.memory.companies
        seen = contact.id in self.memory.contacts if contact is not None else company_seen
        if company is not None:
            self.memory.companies.add(company.id)
        if contact is not None:
            self.memory.contacts.add(contact.id)
        key = profile_key(record, self.terms.sha256)
        written_under = prospect.keys.get(key)
        if written_under is not None:
            if written_under == self.terms.trace_id:
                self.memory.touched.add(prospect.id)
            prospect.said.append(record)
            return UNCHANGED, ""
        if seen:
            return self._merge(record, company, contact, prospect, key, how)
        latest = prospect.latest.get(record.who)
        if latest is not None and latest.digest == record.digest:
            prospect.said.append(record)
            return UNCHANGED, ""
        newer = latest is None or self._observed(record) >= latest.observed_at
        if company is not None and record.company is not None and not new_company:
            self._change_company(company, record.company, fill=company_seen or not newer)
        if contact is not None and record.contact is not None and not new_contact:
            self._change_contact(contact, record.contact, company, fill=not newer)
        self._signal(prospect, record, record.facts_json, key)
        return (CREATED if new_prospect or new_contact else UPDATED), ""

    def _observed(self, record: Record) -> datetime:
        return record.observed_at or self.terms.observed_at

    # --- who ---------------------------------------------------------------------------------------------------------

    def _company(self, record: Record) -> tuple[KnownCompany | None, bool, str]:
        """(company, is it new, by what it was recognised)."""
        side = record.company
        if side is None:
            return None, False, ""
        known = self.known.companies
        found = known.find(side)
        if found is None:
            found = self._same_name(side)
            how = f"name {side.name}"
        else:
            by_id = side.external_id and side.external_id in known.by_external_id
            how = f"id {side.external_id}" if by_id else f"domain {side.key}"
        if found is not None:
            self._names(known, found, side)
            return found, False, how
        company = KnownCompany(
            next(self._company_ids), side.external_id, self.terms.source, side.key, side.name_key, side.country,
            side.city,
        )  # fmt: skip
        self.plan.companies.append((company.id, side, False))
        known.add(company, source=self.terms.source)
        self.known.by_name.setdefault(company.name_key, []).append(company)
        return company, True, ""

    def _names(self, known: Directory[Row], row: Row, side: Side) -> None:
        """Remember by what else this company or person goes, so that rows and signals that use it find it."""
        if side.external_id and side.external_id not in known.by_external_id:
            if row.source == self.terms.source and not row.external_id and not row.merged:
                self._free_ids[known.kind, row.id] = side.external_id  # its own, if this row changes it
            else:
                self._other_name(known.kind, "external_id", side.external_id, row.id)
            known.by_external_id[side.external_id] = row
        if side.key and row.key and side.key not in known.by_key:
            self._other_name(known.kind, "key", side.key, row.id)

    def _other_name(self, kind: str, name: str, value: str, record_id: int) -> None:
        source = self.terms.source if name == "external_id" else ""
        self.plan.other_names.append(OtherName(kind, name, source, value, record_id))

    def _same_name(self, side: Side) -> KnownCompany | None:
        """By name, where nothing speaks against it and there is only one."""
        called_so = self.known.by_name.get(side.name_key, ())
        found = [company for company in called_so if not _speaks_against(side, company)]
        if len(found) > 1:
            if side.key or side.external_id:
                return None
            raise TurnedAway(f"{len(found)} companies are called {side.name}: a domain or an id is needed")
        return found[0] if found else None

    def _contact(self, record: Record, company: KnownCompany | None) -> tuple[KnownContact | None, bool]:
        side = record.contact
        if side is None:
            return None, False
        known = self.known.contacts
        found = known.find(side)
        if found is not None:
            self._names(known, found, side)
            return found, False
        company_id = company.id if company is not None else None
        contact = KnownContact(next(self._contact_ids), side.external_id, self.terms.source, side.key, company_id)
        self.plan.contacts.append((contact.id, company_id, side))
        known.add(contact, source=self.terms.source)
        return contact, True

    def _prospect(
        self, record: Record, company: KnownCompany | None, contact: KnownContact | None
    ) -> tuple[KnownProspect, bool]:
        known = self.known
        contact_id = contact.id if contact is not None else None
        if company is not None:
            prospect = known.prospect_by_company.get(company.id)
        else:
            prospect = known.prospect_by_contact.get(contact_id) if contact_id is not None else None
        if prospect is None:
            prospect = KnownProspect(next(self._prospect_ids), contact_id)
            company_id = company.id if company is not None else None
            self.plan.prospects.append(NewProspect(prospect.id, company_id, contact_id, record))
            if company_id is not None:
                known.prospect_by_company[company_id] = prospect
            elif contact_id is not None:
                known.prospect_by_contact[contact_id] = prospect
            return prospect, True
        if prospect.contact_id is None and contact_id is not None:
            prospect.contact_id = self.plan.main_contacts[prospect.id] = contact_id
        return prospect, False

    # --- what --------------------------------------------------------------------------------------------------------

    def _merge(
        self, record: Record, company: KnownCompany | None, contact: KnownContact | None, prospect: KnownProspect,
        key: str, how: str,
    ) -> tuple[str, str]:  # fmt: skip
        """A second row about the same one in this file: it may fill gaps, and changes nothing else."""
        side = record.contact if contact is not None else record.company
        reason = f"the same {how} as an earlier row" if contact is None else self._same_person(side)
        if contact is None and company is not None and side is not None and not _alike(side.name_key, company.name_key):
            verdict = MERGED if prospect.id in self.memory.touched else UNCHANGED
            return verdict, f"{reason}, under another name ({side.name}): its facts were left out"
        stated = prospect.stated()
        gap = {name: value for name, value in record.facts.items() if name not in stated}
        if gap:
            if company is not None and record.company is not None:
                self._change_company(company, record.company, fill=True)
            if contact is not None and record.contact is not None:
                self._change_contact(contact, record.contact, company, fill=True)
            self._signal(prospect, record, as_json(gap), key)
            added = ", ".join(name.replace("_", " ") for name in sorted(gap)[:5])
            return MERGED, f"{reason}; it added {added}"
        return (MERGED if prospect.id in self.memory.touched else UNCHANGED), reason

    @staticmethod
    def _same_person(side: Side | None) -> str:
        by = "e-mail address" if side is not None and side.key else "person"
        return f"the same {by} as an earlier row"

    def _change_company(self, company: KnownCompany, side: Side, *, fill: bool) -> None:
        self.plan.company_changes.append(self._change(self.known.companies, company, side, fill=fill))

    def _change_contact(self, contact: KnownContact, side: Side, company: KnownCompany | None, *, fill: bool) -> None:
        change = self._change(self.known.contacts, contact, side, fill=fill)
        if company is not None and contact.company_id is None:
            change.company_id = company.id
        self.plan.contact_changes.append(change)

    def _change(self, known: Directory[Row], row: Row, side: Side, *, fill: bool) -> Change:
        """What is to be updated. A row that was merged away keeps its keys: it must be found, and the merge undone."""
        holder = known.by_key.get(side.key) if side.key else None
        taken = holder is not None and (holder.id != row.id or holder.merged)
        if side.key and not taken and not fill:
            if row.key and row.key != side.key:
                self._other_name(known.kind, "key", row.key, row.id)
            row.key = side.key
            known.by_key[side.key] = row
        row.external_id = self._free_ids.pop((known.kind, row.id), row.external_id)
        return Change(row.id, side, fill, without_key=taken, without_external_id=row.merged)

    def _signal(self, prospect: KnownProspect, record: Record, facts_json: str, key: str) -> None:
        self.plan.signals.append(NewSignal(prospect.id, record, facts_json, key))
        self.memory.touched.add(prospect.id)
        prospect.keys[key] = self.terms.trace_id
        prospect.latest[record.who] = Profile(record.digest, self._observed(record))
        prospect.said.append(record)


def _speaks_against(side: Side, company: KnownCompany) -> bool:
    """Whether two companies of one name are two all the same: other domain, other id, other country.

    An id on one side and a domain on the other prove nothing: then country and city have to agree as well.
    """
    if (side.key and company.key) or (side.external_id and company.external_id):
        return True
    if side.country and company.country and side.country != company.country:
        return True
    if not ((side.key and company.external_id) or (side.external_id and company.key)):
        return False
    same_city = fold(side.city) == fold(company.city) if side.city and company.city else True
    return not (side.country and company.country and same_city)


def _alike(one: str, other: str) -> bool:
    """Whether two names of one domain are one name: equal, or one the beginning of the other."""
    return one == other or one.startswith(other) or other.startswith(one)
