"""People promoted in one batch: those on file are noted at once, those found outside when their cycle is written.

A person found outside may be on file already, at this company or elsewhere: only PostgreSQL knows, inside the cycle's
transaction. What somebody typed or imported is never overwritten; what a source said may be corrected by it later.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from django.db import connection

from prospects.erasure.keys import Newcomers, keys_by
from prospects.host.loading import CONTACT_COLUMNS, contact_of
from salesops.runtime.context import Context
from salesops.runtime.ports import Numbers, Run, Scope
from salesops.runtime.proposals import ContactProposal
from salesops.runtime.toolbox import Document
from salesops.runtime.views import ContactView
from salesops.sql import fetch

CONTACT = "contact"  # the kind of the signal that an assessment becomes
_FILLED = ("first_name", "last_name", "title", "seniority", "phone", "linkedin_url", "country", "time_zone")
_COMPLETED = tuple(name for name in _FILLED if name != "seniority")  # our own reading: whoever has a title keeps theirs

_BY_EMAIL = """
SELECT coalesce(merged_into_id, id), email_key FROM prospects_contact
WHERE client_id = %s AND email_key = ANY(%s) AND email_key <> ''
"""
_BY_ID = """
SELECT coalesce(merged_into_id, id), source, external_id FROM prospects_contact
WHERE client_id = %s AND external_id = ANY(%s) AND external_id <> ''
"""
_BY_NAME = """
SELECT id, company_id, lower(name) FROM prospects_contact
WHERE company_id = ANY(%s) AND lower(name) = ANY(%s) AND merged_into_id IS NULL ORDER BY id DESC
"""
_INSERT = """
INSERT INTO prospects_contact (id, client_id, company_id, external_id, source, name, email, email_key, email_status,
    first_name, last_name, title, seniority, phone, linkedin_url, country, time_zone, entity_type, synthetic,
    attributes, created_at, updated_at)
SELECT n.id, %(client)s, n.company, n.external_id, n.source, n.name, n.email, n.email_key, n.email_status, n.first_name,
    n.last_name, n.title, n.seniority, n.phone, n.linkedin_url, n.country, n.time_zone, '', false, n.attributes::jsonb,
    %(now)s, %(now)s
FROM unnest({arrays}) AS n ({names}) ORDER BY n.email_key, n.source, n.external_id
ON CONFLICT DO NOTHING RETURNING id
"""
# A column may be filled when it is empty, or still holds what a source said: then a later answer counts.
_MAY = "(k.{0} = '' OR k.{0} = k.attributes #>> '{{found,{0},value}}')"
_UPDATE = """
UPDATE prospects_contact k SET {columns},
    email = CASE WHEN {email} THEN n.email ELSE k.email END,
    email_key = CASE WHEN {email} THEN n.email_key ELSE k.email_key END,
    email_status = CASE
        WHEN {email} THEN n.email_status
        WHEN k.email_key = n.email_key AND (n.email_status IN ('verified', 'invalid') OR k.email_status = 'unknown')
        THEN n.email_status ELSE k.email_status END,
    company_id = coalesce(k.company_id, n.company),
    attributes = k.attributes || jsonb_build_object('found',
        coalesce(k.attributes -> 'found', '{{}}') || jsonb_strip_nulls(jsonb_build_object({found}))),
    updated_at = %(now)s
FROM unnest({arrays}) AS n ({names}) WHERE k.id = n.id
"""
_EMAIL = (
    "(k.email_key = '' AND n.email_key <> '' AND NOT EXISTS (SELECT 1 FROM prospects_contact o"
    " WHERE o.client_id = k.client_id AND o.email_key = n.email_key))"
)
# Whoever belongs to another company stays with it.
_CHOOSE = """
UPDATE prospects_prospect p SET contact_id = n.contact
FROM unnest(%s::bigint[], %s::bigint[]) AS n (prospect, contact) JOIN prospects_contact k ON k.id = n.contact
WHERE p.id = n.prospect AND p.contact_id IS DISTINCT FROM n.contact
    AND (k.company_id IS NOT DISTINCT FROM p.company_id OR p.company_id IS NULL
         OR k.company_id = (SELECT c.merged_into_id FROM prospects_company c WHERE c.id = p.company_id))
RETURNING p.id, p.contact_id
"""
_TYPES = {"id": "bigint", "company": "bigint"}


@dataclass(slots=True)
class _Held:
    context: Context
    run: Run
    proposal: ContactProposal
    document: Document
    key: str

    @property
    def company(self) -> int | None:
        return self.context.company.id if self.context.company is not None else None


#: (context, run, values of the signal) → the signal is held and seen.
HoldSignal = Callable[..., Any]


class ContactRows:
    """Promoted people of one batch. ``hold`` takes a signal in, to be written with the others."""

    def __init__(self, scope: Scope, numbers: Numbers, hold: HoldSignal) -> None:
        self._scope = scope
        self._numbers = numbers
        self._hold = hold
        self._found: list[_Held] = []
        self._chosen: dict[int, tuple[Context, int]] = {}

    def add(self, context: Context, run: Run, proposal: ContactProposal) -> bool:
        """Hold a person; False when the same was said before and nothing would change."""
        key = assessment_key(run.agent, proposal)
        said = any(s.dedup_key == key for s in context.signals)
        if proposal.document is not None:
            if not said:
                self._found.append(_Held(context, run, proposal, context.documents[proposal.document], key))
            return not said
        known = next(p for p in (*context.people, context.contact) if p is not None and p.id == proposal.contact_id)
        chosen = proposal.choose and (context.contact is None or context.contact.id != known.id)
        if chosen:
            self._chosen[context.id] = (context, known.id)
            _take_as_contact(context, known)
        if not said:
            self._signal(context, run, proposal, key, known.id, known.source, "")
        return chosen or not said

    def write(self, prospects: Collection[int]) -> None:
        """Write what these prospects' agents found and forget the rest. Inside the cycle's transaction."""
        found = [held for held in self._found if held.context.id in prospects]
        chosen = {i: contact for i, (_, contact) in self._chosen.items() if i in prospects}
        self._found.clear()
        self._chosen.clear()
        if found:
            chosen |= self._write_found(found)
        if chosen:
            moved = dict(fetch(_CHOOSE, [list(chosen), list(chosen.values())]))
            self._show_chosen([held.context for held in found], moved)

    def _write_found(self, found: list[_Held]) -> dict[int, int]:
        """Create or complete these people; returns who is to be whose contact."""
        found = self._not_erased(found)
        ids = self._recognised(found)
        fresh: dict[str, _Held] = {}
        for position, held in enumerate(found):
            if position not in ids:
                fresh.setdefault(held.proposal.person, held)
        made = self._create(list(fresh.values()))
        if made.keys() != fresh.keys():  # somebody else was quicker
            ids = self._recognised(found)
        places = {p: ids.get(p) or made.get(held.proposal.person) for p, held in enumerate(found)}
        known = {i: found[p] for p, i in places.items() if i is not None and found[p].proposal.person not in made}
        self._complete(known)
        chosen: dict[int, int] = {}
        for position, held in enumerate(found):
            contact = places[position]
            if contact is None:
                continue
            document = held.document
            self._signal(held.context, held.run, held.proposal, held.key, contact, document.source, document.ref)
            if held.proposal.choose:
                chosen.setdefault(held.context.id, contact)
        return chosen

    def _not_erased(self, found: list[_Held]) -> list[_Held]:
        """Without people who were erased: nobody brings them back. One query where nobody ever was."""
        newcomers = Newcomers(self._scope.client_id)
        if not newcomers:
            return found
        gone = newcomers.erased(dict(enumerate(map(_keys_of, found))))
        return [held for position, held in enumerate(found) if position not in gone]

    def _recognised(self, found: list[_Held]) -> dict[int, int]:
        """Position → the contact who is meant: the same address, the source's own id, the same name at the company."""
        client = self._scope.client_id
        by_email = {e: i for i, e in fetch(_BY_EMAIL, [client, [h.proposal.email for h in found if h.proposal.email]])}
        wanted = [h.proposal.external_id for h in found if h.proposal.external_id]
        by_id = {(s, e): i for i, s, e in fetch(_BY_ID, [client, wanted])} if wanted else {}
        companies = sorted({h.company for h in found if h.company is not None})
        names = [h.proposal.name.lower() for h in found]
        by_name = {(c, n): i for i, c, n in fetch(_BY_NAME, [companies, names])} if companies else {}
        ids: dict[int, int] = {}
        for position, held in enumerate(found):
            said = held.proposal
            known = (
                by_email.get(said.email)
                or by_id.get((held.document.source, said.external_id))
                or by_name.get((held.company, said.name.lower()))
            )
            if known is not None:
                ids[position] = known
        return ids

    def _create(self, fresh: list[_Held]) -> dict[str, int]:
        """Person → id of those that were not on file."""
        if not fresh:
            return {}
        numbered = {self._numbers.row("contact"): held for held in fresh}
        created = {row[0] for row in self._in_one(_INSERT, numbered)}
        return {held.proposal.person: i for i, held in numbered.items() if i in created}

    def _complete(self, known: dict[int, _Held]) -> None:
        if not known:
            return
        columns = ", ".join(
            f"{c} = CASE WHEN n.{c} <> '' AND {_MAY.format(c)} THEN n.{c} ELSE k.{c} END" for c in _COMPLETED
        )
        found = ", ".join(
            f"'{c}', CASE WHEN n.{c} <> '' AND {_MAY.format(c)} THEN (n.attributes::jsonb #> '{{found,{c}}}') END"
            for c in _COMPLETED
        )
        self._in_one(_UPDATE, known, columns=columns, found=found, email=_EMAIL)

    def _in_one(self, statement: str, rows: dict[int, _Held], **parts: str) -> list[tuple[Any, ...]]:
        """One statement over all of these people."""
        values = [self._values(i, held) for i, held in rows.items()]
        names = list(values[0])
        arrays = ", ".join(f"%({name})s::{_TYPES.get(name, 'text')}[]" for name in names)
        given: dict[str, Any] = {name: [row[name] for row in values] for name in names}
        with connection.cursor() as cursor:
            cursor.execute(
                statement.format(arrays=arrays, names=", ".join(names), **parts),
                {**given, "client": self._scope.client_id, "now": self._scope.now},
            )
            return list(cursor.fetchall()) if cursor.description else []

    def _values(self, contact_id: int, held: _Held) -> dict[str, Any]:
        said = held.proposal
        columns = {name: getattr(said, name) for name in _FILLED if name != "seniority"}
        columns["seniority"] = said.level.replace("_", " ")
        whence = {"source": held.document.source, "ref": held.document.ref, "at": said.observed_at.isoformat()}
        found = {name: {"value": value, **whence} for name, value in (*columns.items(), ("email", said.email)) if value}
        return {
            "id": contact_id, "company": held.company, "external_id": said.external_id, "source": held.document.source,
            "name": said.name, "email": said.email, "email_key": said.email, "email_status": said.email_status,
            **columns, "attributes": json.dumps({"found": found}),
        }  # fmt: skip

    def _show_chosen(self, contexts: list[Context], moved: dict[int, int]) -> None:
        """Agents of the next cycle see the contact who was chosen."""
        outside = {c.id: c for c in contexts if c.id in moved}
        if not outside:
            return
        ids = [moved[i] for i in outside]
        rows = fetch(f"SELECT {CONTACT_COLUMNS} FROM prospects_contact k WHERE k.id = ANY(%s)", [ids])  # noqa: S608
        views = {row[0]: contact_of(row) for row in rows}
        for prospect_id, context in outside.items():
            view = views[moved[prospect_id]]
            if view is not None:
                _take_as_contact(context, view)

    def _signal(
        self, context: Context, run: Run, said: ContactProposal, key: str, contact_id: int, source: str, ref: str
    ) -> None:
        """The assessment, without what names the person: that lives on the contact, where it can be erased."""
        self._hold(
            context, run, kind=CONTACT, observed_at=said.observed_at, value=said.value, text=said.title,
            data={**assessment(said), "contact_id": contact_id, "confidence": said.confidence},
            source=source, source_ref=ref, key=key,
        )  # fmt: skip


def _keys_of(held: _Held) -> frozenset[str]:
    said, company = held.proposal, held.context.company
    return keys_by(
        email=said.email, source=held.document.source, external_id=said.external_id, name=said.name,
        domain=company.domain if company else "", company=company.name if company else "",
    )  # fmt: skip


def _take_as_contact(context: Context, view: ContactView) -> None:
    context.contact = dataclasses.replace(view)
    context.prepared = False  # what outreach knows about the contact has to be asked again
    context.changed()


def assessment(said: ContactProposal) -> dict[str, Any]:
    """What agents and criteria read. The chosen contact's also count as facts about the prospect."""
    judged: dict[str, Any] = {
        "role_match": said.role_match,
        "level": said.level,
        "seniority": said.seniority,
        "authority": said.authority,
        "email_status": said.email_status,
        "linkedin": bool(said.linkedin_url),
        "channel": said.channel,
    }
    facts = {f"contact_{name}": value for name, value in judged.items()}
    chosen = {"sets": {**facts, "contact_title": said.title}} if said.choose else {}
    return {"person": said.person, **judged, "chosen": said.choose, "words": said.rationale, **chosen}


def assessment_key(agent: str, said: ContactProposal) -> str:
    """The name of an assessment: the same one of the same person has the same key in every database."""
    text = json.dumps([agent, CONTACT, said.title, assessment(said)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]
