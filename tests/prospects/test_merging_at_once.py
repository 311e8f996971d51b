"""Several people and workers at once over the same records: one of them wins, and nothing is half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch
from approvals.services import decide, dispatch
from approvals.services.refusals import AlreadyDecided, StaleDecision
from playbooks.models import AuditEntry, PlaybookVersion, Role
from prospects.models import Company, Duplicate, Merge, Prospect
from prospects.services.merging import merges
from tests import factories as make
from tests.approvals.scene import scene, soon
from tests.approvals.test_races import together
from tests.prospects.pairs import pair, twins

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_people_merging_one_pair_make_one_merge() -> None:
    one, other = twins(make.version())
    people = [make.user(one.client, Role.ADMIN) for _ in range(6)]
    found = pair(one.company, other.company)
    keeps = [one.company_id, other.company_id]
    acts = [
        lambda person=person, keep=keeps[i % 2]: merges.merge(found.pk, actor=person, client=one.client, keep=keep)
        for i, person in enumerate(people)
    ]
    results = together(*acts)
    assert sum(isinstance(result, Merge) for result in results) == 1
    assert {type(r) for r in results if not isinstance(r, Merge)} == {merges.NotOpen}
    assert Merge.objects.count() == AuditEntry.objects.filter(event="duplicate.merged").count() == 1
    assert Prospect.objects.filter(merged_into__isnull=True).count() == 1


def test_two_people_undoing_one_merge_undo_it_once() -> None:
    one, other = twins(make.version())
    people = [make.user(one.client, Role.ADMIN) for _ in range(4)]
    row = merges.merge(pair(one.company, other.company).pk, actor=people[0], client=one.client)
    results = together(*(lambda p=p: merges.undo(row.pk, actor=p, client=one.client) for p in people))
    assert sum(isinstance(result, Merge) for result in results) == 1
    assert AuditEntry.objects.filter(event="duplicate.merge_undone").count() == 1
    assert not Company.objects.filter(merged_into__isnull=False).exists()


def test_merges_in_a_ring_never_close_it() -> None:
    under = make.version()
    rows = [*twins(under), *twins(under, domains=("a.example", "b.example"))][:3]
    actor = make.user(rows[0].client, Role.ADMIN)
    pairs = [pair(rows[i].company, rows[(i + 1) % 3].company) for i in range(3)]
    acts = [
        lambda i=i: merges.merge(pairs[i].pk, actor=actor, client=rows[0].client, keep=rows[(i + 1) % 3].company_id)
        for i in range(3)
    ]
    results = together(*acts)
    assert sum(isinstance(result, Merge) for result in results) == 2, results
    assert Company.objects.filter(merged_into__isnull=True).count() == 2  # one of the three, and the fourth
    assert Prospect.objects.filter(merged_into__isnull=True).count() == 2
    assert set(Duplicate.objects.values_list("status", flat=True)) == {"merged"}


@pytest.mark.parametrize("attempt", range(5))
def test_an_approval_and_a_merge_at_once_send_nothing_to_the_merged_one(attempt: int) -> None:
    here = scene()
    kept, merged = here.request(), here.request()
    seen, actor = here.seen(merged), make.user(here.client, Role.ADMIN)
    found = pair(kept.prospect.company, merged.prospect.company)
    approve, merge = together(
        lambda: decide.approve(merged.pk, seen=seen, actor=here.reviewer, client=here.client),
        lambda: merges.merge(found.pk, actor=actor, client=here.client, keep=kept.prospect.company_id),
    )
    assert isinstance(merge, Merge)
    assert isinstance(approve, decide.Decided | AlreadyDecided | StaleDecision)
    assert not ApprovalRequest.objects.filter(pk=merged.pk, status="waiting").exists()
    assert not Dispatch.objects.filter(request=merged).exclude(status="cancelled").exists()
    assert dispatch.claim_next(at=soon()) is None


@pytest.mark.parametrize("attempt", range(5))
def test_a_worker_that_claims_and_a_merge_at_once_either_send_once_or_never(attempt: int) -> None:
    here = scene()
    kept, held = here.request(), here.approved()
    dispatch.queue_due(limit=10)
    actor = make.user(here.client, Role.ADMIN)
    found = pair(kept.prospect.company, held.prospect.company)
    claim, merge = together(
        lambda: dispatch.claim_next(at=soon()),
        lambda: merges.merge(found.pk, actor=actor, client=here.client, keep=kept.prospect.company_id),
    )
    assert isinstance(merge, Merge)
    status = Dispatch.objects.get(pk=held.pk).status
    assert status == ("sending" if isinstance(claim, dispatch.Claim) else "cancelled")


def test_the_sweep_of_sure_pairs_runs_in_many_workers() -> None:
    under = make.version()
    client = under.playbook.client
    for number in range(4):
        one, other = twins(under, domains=(f"a{number}.example", ""))
        pair(one.company, other.company, automatic=True, score=1.0)
    counts = together(*(lambda: merges.merge_sure(client=client, at=timezone.now()) for _ in range(4)))
    assert sum(counts) == 4  # type: ignore[arg-type]
    assert Merge.objects.count() == 4


def _born_for(company: Company, under: PlaybookVersion) -> Prospect:
    return Prospect.objects.create(client=company.client, playbook=under.playbook, company=company)


def _ask(sql: str, *given: object) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return cursor.fetchone()[0]


def _both(first: Callable[[], object], second: Callable[[], object]) -> tuple[object, bool]:
    """The first acts and keeps its transaction open while the second tries; what came of the second, and whether it
    had to wait.
    """
    waited, results, backend = [], [], []

    def try_second() -> None:
        try:
            backend.append(_ask("SELECT pg_backend_pid()"))
            results.append(second())
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=try_second)
    with transaction.atomic():
        first()
        thread.start()
        while thread.is_alive() and not (backend and _ask("SELECT pg_blocking_pids(%s)", *backend)):
            time.sleep(0.01)
        waited.append(thread.is_alive())
    thread.join(120)
    return results[0], waited[0]


def test_a_prospect_born_while_its_company_is_merged_waits_and_does_not_go_on_beside_the_kept_one() -> None:
    under = make.version()
    kept = make.prospect(under)
    alone = make.company(kept.client, domain="")
    actor, found = make.user(kept.client, Role.ADMIN), pair(kept.company, alone)
    born, waited = _both(
        lambda: merges.merge(found.pk, actor=actor, client=kept.client, keep=kept.company_id),
        lambda: _born_for(alone, under),
    )
    assert waited
    assert isinstance(born, OperationalError)
    assert getattr(born.__cause__, "sqlstate", "") == "40001"  # an import tries again, and finds the merge
    assert list(Prospect.objects.values_list("pk", "merged_into")) == [(kept.pk, None)]


def test_a_merge_waits_for_a_prospect_that_is_being_born_and_takes_it_along() -> None:
    under = make.version()
    kept = make.prospect(under)
    alone = make.company(kept.client, domain="")
    actor, found = make.user(kept.client, Role.ADMIN), pair(kept.company, alone)
    merge, waited = _both(
        lambda: _born_for(alone, under),
        lambda: merges.merge(found.pk, actor=actor, client=kept.client, keep=kept.company_id),
    )
    assert waited
    assert isinstance(merge, Merge)
    assert Prospect.objects.get(company=alone).merged_into_id == kept.pk


def test_two_people_without_a_company_are_held_to_it_as_well() -> None:
    under = make.version()
    person = make.contact(under.playbook.client)
    kept = Prospect.objects.create(client=person.client, playbook=under.playbook, contact=person)
    other = make.contact(under.playbook.client)
    actor, found = make.user(kept.client, Role.ADMIN), pair(person, other)
    born, waited = _both(
        lambda: merges.merge(found.pk, actor=actor, client=kept.client, keep=person.pk),
        lambda: Prospect.objects.create(client=kept.client, playbook=under.playbook, contact=other),
    )
    assert waited
    assert isinstance(born, OperationalError)
    assert Prospect.objects.count() == 1


def test_a_prospect_for_a_merged_company_that_nobody_works_yet_is_born_under_another_playbook() -> None:
    under = make.version()
    one, other = twins(under)
    elsewhere = make.version(one.client)
    merges.merge(pair(one.company, other.company).pk, actor=make.user(one.client, Role.ADMIN), client=one.client)
    kept = Company.objects.get(pk=one.company_id).merged_into or Company.objects.get(pk=one.company_id)
    assert _born_for(kept, elsewhere).merged_into_id is None
