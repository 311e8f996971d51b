"""Where prospects' own rows speak of a person."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from playbooks.models import Membership, Stop, User
from prospects.erasure.parts import Person, Sheet, always, never
from prospects.host.contact_ledger import CONTACT
from prospects.models import (
    AgentRun,
    BulkAction,
    Company,
    Deal,
    Diagnostic,
    Duplicate,
    Evidence,
    Handoff,
    ImportBatch,
    Merge,
    Prospect,
    RouteOverride,
    SavedFilter,
    Signal,
    StageTransition,
    Suggestion,
)


class ProspectsPart:
    """See :class:`prospects.erasure.parts.Part`. Nothing of ours waits for a person or leaves."""

    def hold(self, person: Person) -> None:
        """Their prospects and contacts are held already."""

    def withdraw(self, person: Person, *, actor: User, at: datetime) -> None:  # noqa: ARG002
        """Forget filters that are called after them or look for them. Closing their prospects is the service's own."""
        rows = SavedFilter.objects.for_client(person.client)
        named = [row.pk for row in rows if person.traces.in_(f"{row.name}\n{json.dumps(row.query)}")]
        rows.filter(pk__in=named).delete()

    def sheets(self, person: Person) -> Iterable[Sheet]:
        """Facts, judgements, moves, runs and notes; then what compared them with others, and what imports noted."""
        yield from _facts(person)
        yield from _work(person)
        companies = Company.objects.filter(prospects__in=person.beside).only("attributes")
        yield Sheet(companies, (), never, named=("attributes",))
        yield from _comparisons(person)
        yield from _said_of_many(person)
        imports = ImportBatch.objects.for_client(person.client).exclude(notes=[]).only("notes")
        yield Sheet(imports, (), never, named=("notes",))


def _facts(person: Person) -> Iterable[Sheet]:
    judged = _signals_about(person)
    here = {"prospect__in": person.prospects}
    yield Sheet(
        Signal.objects.filter(**here).only("prospect_id", "text", "data", "source_ref"),
        ("text", "data"),
        lambda row: row.prospect_id in person.own or row.pk in judged,
        named=("source_ref",),
        emptied=("data",),
    )
    yield Sheet(
        Evidence.objects.filter(**here).only("prospect_id", "rationale", "quote", "signal_ids"),
        ("rationale", "quote"),
        lambda row: row.prospect_id in person.own or not judged.isdisjoint(row.signal_ids),
    )


def _work(person: Person) -> Iterable[Sheet]:
    """What was done on their prospects, by whomever, and where these stand."""
    here = {"prospect__in": person.prospects}
    yield Sheet(StageTransition.objects.filter(**here).only("prospect_id", "reason"), ("reason",), person.is_own)
    yield Sheet(AgentRun.objects.filter(**here).only("prospect_id", "proposals"), ("proposals",), person.is_own)
    notes = Diagnostic.objects.filter(**here).only("prospect_id", "message", "detail")
    yield Sheet(notes, ("message", "detail"), person.is_own)
    yield Sheet(Handoff.objects.filter(**here).only("prospect_id", "summary"), ("summary",), person.is_own)
    suggestions = Suggestion.objects.filter(**here).only("prospect_id", "rule", "truth", "answer")
    yield Sheet(suggestions, ("truth", "answer"), person.is_own, named=("rule",))
    yield Sheet(RouteOverride.objects.filter(**here).only("prospect_id", "reason"), ("reason",), person.is_own)
    yield Sheet(Deal.objects.filter(**here).only("prospect_id", "name"), ("name",), person.is_own)
    words = ("verdict_reason", "verdict_missing", "next_action")
    yield Sheet(Prospect.objects.filter(pk__in=person.prospects).only(*words), (), never, named=words)


def _comparisons(person: Person) -> Iterable[Sheet]:
    pair = Q(one_contact__in=person.ids) | Q(other_contact__in=person.ids)
    joined = Q(kept_contact__in=person.ids) | Q(merged_contact__in=person.ids)
    yield Sheet(Duplicate.objects.filter(pair).only("reasons"), ("reasons",), always, emptied=("reasons",))
    yield Sheet(Merge.objects.filter(joined).only("reasons"), ("reasons",), always, emptied=("reasons",))


def _said_of_many(person: Person) -> Iterable[Sheet]:
    """Why people stopped something or did one thing to many, whatever it was about."""
    ours = Membership.objects.filter(client=person.client).values("user")
    of_everything = Q(client__isnull=True) & (Q(created_by__in=ours) | Q(lifted_by__in=ours))
    yield Sheet(
        Stop.objects.filter(Q(client=person.client) | of_everything).only("reason", "lift_reason"),
        (),
        never,
        named=("reason", "lift_reason"),
    )
    yield Sheet(
        BulkAction.objects.for_client(person.client).only("reason", "chosen"), (), never, named=("reason", "chosen")
    )


def _signals_about(person: Person) -> frozenset[int]:
    """Among their company's signals: assessments of them as somebody to talk to, and what they said themselves.

    What moves somebody and what holds them back is theirs, word for word, even where no word names them.
    """
    theirs = Signal.objects.filter(prospect__in=person.beside)
    found = set(theirs.filter(kind=CONTACT, data__contact_id__in=person.ids).values_list("pk", flat=True))
    said = theirs.filter(data__has_key="speaker").values_list("pk", "data__speaker")
    found.update(pk for pk, speaker in said.iterator(chunk_size=500) if person.traces.in_(str(speaker)))
    return frozenset(found)


PART = ProspectsPart()
