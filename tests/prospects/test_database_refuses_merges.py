"""What PostgreSQL refuses about merges, whoever asks: pointers without merges, merges without pointers, rewriting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from playbooks.models import PlaybookVersion, Role
from prospects.models import Alias, Company, Duplicate, Merge, Prospect
from prospects.services.merging import merges
from tests import factories as make
from tests.prospects.pairs import pair, twins
from tests.refusals import refuses

pytestmark = pytest.mark.django_db

MERGE = (
    "INSERT INTO prospects_merge (client_id, kind, kept_company_id, merged_company_id, score, reasons, at, trace_id)"
    " VALUES (%s, 'company', %s, %s, 1, '[]', now(), 'x')"
)


@pytest.fixture
def under() -> PlaybookVersion:
    return make.version()


def merged(under: PlaybookVersion) -> tuple[Prospect, Prospect, Merge]:
    one, other = twins(under)
    actor = make.user(one.client, Role.ADMIN)
    row = merges.merge(pair(one.company, other.company).pk, actor=actor, client=one.client)
    return Prospect.objects.get(pk=one.pk), Prospect.objects.get(pk=other.pk), row


def refuses_together(*statements: tuple[str, list[Any]], because: str) -> None:
    """Several statements in one transaction; its commit must be refused."""
    with pytest.raises(DatabaseError, match=because):
        _together(statements)


def _together(statements: Sequence[tuple[str, list[Any]]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for sql, params in statements:
            cursor.execute(sql, params)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize("table", ["company", "contact"])
def test_a_pointer_without_a_merge(under: PlaybookVersion, table: str) -> None:
    one, other = twins(under)
    ends = [getattr(one, f"{table}_id"), getattr(other, f"{table}_id")]
    refuses(
        f"UPDATE prospects_{table} SET merged_into_id = %s WHERE id = %s", ends, because="points where its merges lead"
    )


def test_a_company_born_merged(under: PlaybookVersion) -> None:
    account = make.company(under.playbook.client)
    columns = [f.column for f in Company._meta.concrete_fields if f.column not in ("id", "merged_into_id", "domain")]
    names = ", ".join(columns)
    refuses(
        f"INSERT INTO prospects_company ({names}, domain, merged_into_id) SELECT {names}, 'twin.example', id"
        " FROM prospects_company WHERE id = %s",
        [account.pk],
        because="points where its merges lead",
    )


def test_a_merge_that_its_company_does_not_follow(under: PlaybookVersion) -> None:
    one, other = twins(under)
    refuses(MERGE, [one.client_id, one.company_id, other.company_id], because="was not followed by its record")


def test_a_merge_that_its_prospects_do_not_follow(under: PlaybookVersion) -> None:
    one, other = twins(under)
    refuses_together(
        (MERGE, [one.client_id, one.company_id, other.company_id]),
        ("UPDATE prospects_company SET merged_into_id = %s WHERE id = %s", [one.company_id, other.company_id]),
        because="did not go along",
    )


def test_a_pointer_past_the_end_of_the_chain(under: PlaybookVersion) -> None:
    one, other, _ = merged(under)
    third = make.company(one.client)
    refuses(
        "UPDATE prospects_company SET merged_into_id = %s WHERE id = %s",
        [third.pk, other.company_id],
        because="points where its merges lead",
    )


def test_taking_a_pointer_back_without_undoing(under: PlaybookVersion) -> None:
    _, other, _ = merged(under)
    refuses(
        "UPDATE prospects_company SET merged_into_id = NULL WHERE id = %s",
        [other.company_id],
        because="points where its merges lead",
    )
    refuses_together(
        ("UPDATE prospects_prospect SET merged_into_id = NULL WHERE id = %s", [other.pk]),
        ("UPDATE prospects_company SET merged_into_id = merged_into_id WHERE id = %s", [other.company_id]),
        because="did not go along",
    )


def test_undoing_without_taking_the_pointer_back(under: PlaybookVersion) -> None:
    one, _, row = merged(under)
    actor = make.user(one.client, Role.ADMIN)
    refuses(
        "UPDATE prospects_merge SET undone_at = now(), undone_by_id = %s WHERE id = %s",
        [actor.pk, row.pk],
        because="was not followed by its record",
    )


def test_undoing_twice_and_rewriting(under: PlaybookVersion) -> None:
    one, _, row = merged(under)
    actor = make.user(one.client, Role.ADMIN)
    refuses("UPDATE prospects_merge SET score = 0.1 WHERE id = %s", [row.pk], because="keeps what it was made with")
    refuses("UPDATE prospects_merge SET by_id = NULL WHERE id = %s", [row.pk], because="keeps what it was made with")
    refuses("UPDATE prospects_merge SET undone_at = now() WHERE id = %s", [row.pk], because="undone_by_a_person")
    merges.undo(row.pk, actor=actor, client=one.client)
    refuses("UPDATE prospects_merge SET undone_at = NULL WHERE id = %s", [row.pk], because="undone once")
    refuses("DELETE FROM prospects_merge", because="cannot be deleted")
    refuses("TRUNCATE prospects_merge CASCADE", because="cannot be truncated")


def test_merging_what_is_merged(under: PlaybookVersion) -> None:
    one, other, _ = merged(under)
    third = make.company(one.client)
    for kept, gone in ((third.pk, other.company_id), (other.company_id, third.pk), (third.pk, third.pk)):
        refuses(MERGE, [one.client_id, kept, gone], because="not merged already")


def test_merging_across_clients(under: PlaybookVersion) -> None:
    one, _ = twins(under)
    stranger = make.company(make.client())
    refuses(MERGE, [one.client_id, one.company_id, stranger.pk], because="two records of its client")


def test_a_company_merged_with_a_person(under: PlaybookVersion) -> None:
    one, other = twins(under)
    with pytest.raises(IntegrityError, match="merge_of_one_kind"), transaction.atomic():
        Merge.objects.create(
            client=one.client, kind="company", kept_company=one.company, merged_company=other.company,
            kept_contact=one.contact, score=1,
        )  # fmt: skip


def test_a_prospect_that_goes_on_as_a_stranger(under: PlaybookVersion) -> None:
    one, other = twins(under)
    refuses("UPDATE prospects_prospect SET merged_into_id = %s WHERE id = %s", [one.pk, other.pk], because="goes on as")
    refuses("UPDATE prospects_prospect SET merged_into_id = id WHERE id = %s", [one.pk], because="goes on as")


def test_evidence_on_the_others_signals_before_they_are_one_and_after(under: PlaybookVersion) -> None:
    one, other = twins(under)
    theirs = other.signals.get()
    with pytest.raises(IntegrityError, match="signals of its own prospect"), transaction.atomic():
        make.evidence(one, under, cites=theirs)
    actor = make.user(one.client, Role.ADMIN)
    row = merges.merge(pair(one.company, other.company).pk, actor=actor, client=one.client)
    borrowed = make.evidence(one, under, cites=theirs)
    with pytest.raises(IntegrityError, match="signals of its own prospect"), transaction.atomic():
        make.evidence(other, under, cites=one.signals.filter(kind="profile").get())
    merges.undo(row.pk, actor=actor, client=one.client)
    with pytest.raises(IntegrityError, match="signals of its own prospect"), transaction.atomic():
        make.evidence(one, under, cites=theirs)
    with pytest.raises(DatabaseError, match="can no longer read"), transaction.atomic():
        make.move(Prospect.objects.get(pk=one.pk), under, "researched", evidence_ids=[borrowed.pk])


def test_a_pair_keeps_its_two_and_is_kept_apart_by_a_person(under: PlaybookVersion) -> None:
    one, other = twins(under)
    found = pair(one.company, other.company)
    third = make.company(one.client)
    refuses("UPDATE prospects_duplicate SET other_company_id = %s WHERE id = %s", [third.pk, found.pk], because="keeps")
    refuses("UPDATE prospects_duplicate SET status = 'apart' WHERE id = %s", [found.pk], because="apart_by_a_person")
    refuses("UPDATE prospects_duplicate SET status = 'lost' WHERE id = %s", [found.pk], because="status_known")
    refuses("DELETE FROM prospects_duplicate", because="cannot be deleted")
    with pytest.raises(IntegrityError, match="duplicate_company_once"), transaction.atomic():
        pair(one.company, other.company)
    with pytest.raises(IntegrityError, match="duplicate_in_order"), transaction.atomic():
        Duplicate.objects.create(
            client=one.client, kind="company", one_company=other.company, other_company=one.company, score=0.9
        )


def test_an_alias_is_somebodys_and_stays(under: PlaybookVersion) -> None:
    account = make.company(under.playbook.client)
    given = {"client": account.client, "kind": "company", "name": "key", "value": "old.example", "trace_id": "x"}
    Alias.objects.create(company=account, **given)
    refuses("UPDATE prospects_alias SET value = 'new.example'", because="append-only")
    refuses("DELETE FROM prospects_alias", because="append-only")
    with pytest.raises(IntegrityError, match="alias_once"), transaction.atomic():
        Alias.objects.create(company=make.company(account.client), **given)
    with pytest.raises(IntegrityError, match="alias_of_one_kind"), transaction.atomic():
        Alias.objects.create(**{**given, "value": "other.example"})


def test_a_merge_costs_the_table_of_companies_nothing(under: PlaybookVersion) -> None:
    """Rows without a pointer fire no trigger: an import writes them by the hundred thousand."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'prospects_company'::regclass AND tgqual IS NULL"
            " AND NOT tgisinternal AND tgname LIKE '%%pointer%%'"
        )
        assert cursor.fetchone() == (0,)
    assert Company.objects.count() == 0
