"""Where prospects' own rows speak of a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

from playbooks.models import User
from prospects.erasure.parts import Person, Sheet
from prospects.host.contact_ledger import CONTACT
from prospects.models import (
    AgentRun,
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
    Signal,
    StageTransition,
    Suggestion,
)


class ProspectsPart:
    """See :class:`prospects.erasure.parts.Part`. Nothing of ours waits for a person or leaves."""

    def hold(self, person: Person) -> None:
        """Their prospects and contacts are held already."""

    def withdraw(self, person: Person, *, actor: User, at: datetime) -> None:
        """Closing their prospects is the service's own."""

    def sheets(self, person: Person) -> Iterable[Sheet]:
        """Facts, judgements, moves, runs and notes; then what compared them with others, and what imports noted."""
        judged = _signals_about(person)
        mine = _by_prospect(person)
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
        yield Sheet(StageTransition.objects.filter(**here).only("prospect_id", "reason"), ("reason",), mine)
        yield Sheet(AgentRun.objects.filter(**here).only("prospect_id", "proposals"), ("proposals",), mine)
        yield Sheet(
            Diagnostic.objects.filter(**here).only("prospect_id", "message", "detail"), ("message", "detail"), mine
        )
        yield Sheet(Handoff.objects.filter(**here).only("prospect_id", "summary"), ("summary",), mine)
        yield Sheet(
            Suggestion.objects.filter(**here).only("prospect_id", "rule", "truth", "answer"),
            ("truth", "answer"),
            mine,
            named=("rule",),
        )
        yield Sheet(RouteOverride.objects.filter(**here).only("prospect_id", "reason"), ("reason",), mine)
        yield Sheet(Deal.objects.filter(**here).only("prospect_id", "name"), ("name",), mine)
        yield Sheet(
            Prospect.objects.filter(pk__in=person.prospects).only("verdict_reason", "verdict_missing", "next_action"),
            (),
            _never,
            named=("verdict_reason", "verdict_missing", "next_action"),
        )
        companies = Company.objects.filter(prospects__in=person.beside).only("attributes")
        yield Sheet(companies, (), _never, named=("attributes",))
        yield from _comparisons(person)
        yield Sheet(
            ImportBatch.objects.for_client(person.client).exclude(notes=[]).only("notes"), (), _never, named=("notes",)
        )


def _comparisons(person: Person) -> Iterable[Sheet]:
    pair = Q(one_contact__in=person.ids) | Q(other_contact__in=person.ids)
    joined = Q(kept_contact__in=person.ids) | Q(merged_contact__in=person.ids)
    yield Sheet(Duplicate.objects.filter(pair).only("reasons"), ("reasons",), _always, emptied=("reasons",))
    yield Sheet(Merge.objects.filter(joined).only("reasons"), ("reasons",), _always, emptied=("reasons",))


def _signals_about(person: Person) -> frozenset[int]:
    """Assessments of them as somebody to talk to, among their company's signals."""
    found = Signal.objects.filter(prospect__in=person.beside, kind=CONTACT, data__contact_id__in=person.ids)
    return frozenset(found.values_list("pk", flat=True))


def _by_prospect(person: Person) -> Callable[[Any], bool]:
    return lambda row: row.prospect_id in person.own


def _always(_: Any) -> bool:
    return True


def _never(_: Any) -> bool:
    return False


PART = ProspectsPart()
