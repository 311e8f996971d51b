"""The suppression list as people read it: who is on it, as far as keyed hashes tell, and whether somebody is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from approvals.models import Suppression
from approvals.rules.leave_alone import Keys, domain_of
from approvals.services.suppress import hashes_of, stored_forms
from playbooks.models import Client
from prospects.erasure.keys import known_as
from prospects.models import Contact

MOST_SHOWN = 20


@dataclass(frozen=True)
class Answer:
    """What holds for one address, domain, number or profile at a client, and whom the client knows by it."""

    hits: Sequence[Suppression]
    people: Sequence[Contact]


def suppressions_of(client: Client) -> QuerySet[Suppression]:
    """A client's own list. Those that hold for every client are only found by looking somebody up."""
    return Suppression.objects.for_client(client).select_related("created_by")


def look_up(client: Client, keys: Keys) -> Answer:
    """Whether somebody may be written to, as every message is asked: by what is named, its domain, all that the client
    knows of that person, and what holds for every client. A constant number of queries.
    """
    domain = domain_of(keys)
    people = list(_known_by(client, keys)[:MOST_SHOWN])
    forms = stored_forms([*keys, ("domain", domain)] if domain else keys)
    if domain:
        forms |= set(hashes_of(people))
    hits = Suppression.objects.filter(Q(client=client) | Q(client__isnull=True), key_hash__in=forms)
    return Answer(list(hits.select_related("created_by")[:MOST_SHOWN]), people)


def _known_by(client: Client, keys: Keys) -> QuerySet[Contact]:
    scope, key = keys[0]
    if scope == Suppression.Scope.EMAIL:
        return known_as(client, key)
    if scope == Suppression.Scope.DOMAIN:
        at_work = Contact.objects.for_client(client).filter(company__client=client, company__domain=key)
        return at_work.select_related("company").order_by("pk")
    return Contact.objects.none()
