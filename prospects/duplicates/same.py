"""Everybody a record is read as one with: whoever asks what one person heard has to ask about all of their records."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import F, Q
from django.db.models.functions import Coalesce

from prospects.models import Company, Contact


def people_like(contact_ids: Collection[int]) -> dict[int, set[int]]:
    """Contact id → all ids of the same person, itself among them. Two queries, one where nobody was merged."""
    return _alike(Contact, contact_ids)


def companies_like(company_ids: Collection[int]) -> dict[int, set[int]]:
    """Company id → all ids of the same company, itself among them. Two queries, one where none was merged."""
    return _alike(Company, company_ids)


def _alike(model: type[Contact] | type[Company], ids: Collection[int]) -> dict[int, set[int]]:
    found = {record: {record} for record in ids}
    merged = model._default_manager.filter(merged_into__isnull=False)
    of_theirs = merged.filter(Q(pk__in=ids) | Q(merged_into__in=ids))
    roots = dict.fromkeys(ids, 0) | dict(of_theirs.values_list("pk", "merged_into"))
    if not any(roots.values()):
        return found
    ends = {root or record for record, root in roots.items()}
    circles: dict[int, set[int]] = {end: {end} for end in ends}
    whole = merged.filter(merged_into__in=ends).annotate(root=Coalesce(F("merged_into"), F("id")))
    for record, root in whole.values_list("pk", "root"):
        circles[root].add(record)
    return {record: circles[roots.get(record) or record] for record in found}
