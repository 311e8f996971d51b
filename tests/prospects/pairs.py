"""Companies and people known twice, with the pair on record."""

from __future__ import annotations

from typing import Any

from playbooks.models import PlaybookVersion
from prospects.models import Company, Contact, Duplicate, Prospect
from salesops.dbtypes import new_trace_id
from tests import factories as make


def pair(one: Company | Contact, other: Company | Contact, **fields: Any) -> Duplicate:
    """Two records that may be one, as the agent would have found them."""
    kind = "company" if isinstance(one, Company) else "contact"
    first, second = sorted((one, other), key=lambda record: record.pk)
    defaults = {"score": 0.9, "reasons": [{"what": "name", "words": "same", "weight": 9.0}], "trace_id": new_trace_id()}
    return Duplicate.objects.create(
        client_id=one.client_id, kind=kind, **{f"one_{kind}": first, f"other_{kind}": second}, **{**defaults, **fields}
    )


def twins(under: PlaybookVersion, *, domains: tuple[str, str] = ("globex.example", "")) -> tuple[Prospect, Prospect]:
    """Two prospects of one playbook whose companies carry one name, each with a signal."""
    client = under.playbook.client
    found = []
    for domain in domains:
        account = make.company(
            client, name="Globex Industries", name_key="globex industries", domain=domain, city="Austin"
        )
        who = make.prospect(under, company=account, contact=make.contact(client, account, name="Sam Poe"))
        make.signal(who, data={"name": account.name})
        found.append(settled(who))
    return found[0], found[1]


def settled(who: Prospect) -> Prospect:
    """At rest: every fact has been seen."""
    newest = max(who.signals.values_list("fact_no", flat=True), default=1)
    Prospect.objects.filter(pk=who.pk).update(facts_no=newest, converged_no=newest)
    who.refresh_from_db()
    return who
