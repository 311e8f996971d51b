"""A sweep does every part of its work though one breaks, and does not count as done then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.utils import timezone

from approvals.services import dispatch, recover
from approvals.services import request as requests
from playbooks.models import Playbook
from prospects.services import funnel_cells
from prospects.services.erasing import forgetting
from prospects.services.merging import duplicates
from salesops.sweeps import Unfinished, each, whole_or_each
from tests import factories
from tests.approvals.scene import reload, scene, soon


def halve(number: int) -> float:
    if number == 0:
        raise ValueError("dana@acme.example")
    return number / 2


def test_every_part_is_tried_and_those_that_broke_are_named() -> None:
    tried: list[int] = []

    def work(number: int) -> float:
        tried.append(number)
        return halve(number)

    with pytest.raises(Unfinished, match=r"^halving: no 0 \(ValueError\), no 0 \(ValueError\)$"):
        each([0, 2, 0, 4], work, sweep="halving", name=lambda number: f"no {number}")
    assert tried == [0, 2, 0, 4]


def test_what_every_part_gave_comes_back_when_none_broke() -> None:
    assert each([2, 4], halve, sweep="halving") == [1.0, 2.0]
    assert each([], halve, sweep="halving") == []


def test_the_end_of_the_time_is_the_end() -> None:
    tried: list[int] = []

    def work(number: int) -> None:
        tried.append(number)
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        each([1, 2], work, sweep="halving")
    assert tried == [1]


def test_what_breaks_together_is_tried_alone() -> None:
    tried: list[Sequence[int]] = []

    def work(ids: Sequence[int]) -> int:
        tried.append(ids)
        if 2 in ids:
            raise ValueError
        return len(ids)

    with pytest.raises(Unfinished, match=r"^counting: 2 \(ValueError\)$"):
        whole_or_each([1, 2, 3], work, sweep="counting")
    assert tried == [[1, 2, 3], [1], [2], [3]]
    assert whole_or_each([1, 3], work, sweep="counting") == 2
    assert whole_or_each([], work, sweep="counting") == 0


# --- The sweeps themselves --------------------------------------------------------------------------------------------


def refuse_changes(table: str, row: int) -> None:
    """From now on PostgreSQL takes no change of this row, as when its data broke a rule that came later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER broken BEFORE UPDATE ON {table} FOR EACH ROW WHEN (OLD.id = {int(row)})"
            " EXECUTE FUNCTION broken()"
        )


@pytest.mark.django_db
def test_one_request_that_cannot_expire_keeps_no_other_waiting() -> None:
    at_work = scene()
    broken, fine, deferred = (at_work.request() for _ in range(3))
    at = max(broken.expires_at, fine.expires_at) + timedelta(seconds=1)
    refuse_changes("approvals_approvalrequest", broken.pk)
    with pytest.raises(Unfinished, match=r"^requests: expired \(Unfinished\)$"):
        requests.sweep(at=at)
    assert [reload(row).status for row in (broken, fine, deferred)] == ["waiting", "expired", "expired"]


@pytest.mark.django_db
def test_a_part_that_breaks_leaves_the_parts_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    request = scene().request()

    def broken(**_: object) -> int:
        raise ValueError

    monkeypatch.setattr(requests, "return_deferred", broken)
    with pytest.raises(Unfinished, match=r"^requests: deferred \(ValueError\)$"):
        requests.sweep(at=request.expires_at + timedelta(seconds=1))
    assert reload(request).status == "expired"


@pytest.mark.django_db
def test_one_message_in_doubt_that_cannot_be_settled_keeps_no_other_in_doubt() -> None:
    at_work = scene()
    broken, fine = at_work.approved(), at_work.approved()
    dispatch.queue_due(limit=10)
    assert all(isinstance(dispatch.claim_next(at=soon()), dispatch.Claim) for _ in range(2))
    refuse_changes("approvals_dispatch", broken.pk)
    with pytest.raises(Unfinished, match=rf"^dispatches in doubt: {broken.pk} \("):
        recover.recover_stale(at=timezone.now() + timedelta(hours=1))
    assert [reload(row).status for row in (broken, fine)] == ["sending", "unknown"]


@pytest.mark.django_db
def test_one_playbooks_funnel_that_breaks_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = factories.version().playbook, factories.version().playbook
    counted, count = [], funnel_cells._sweep

    def breaks(playbook: Playbook, *, everything: bool) -> object:
        if playbook == broken:
            raise ValueError
        counted.append(playbook)
        return count(playbook, everything=everything)

    monkeypatch.setattr(funnel_cells, "_sweep", breaks)
    with pytest.raises(Unfinished, match=rf"^funnel: playbook {broken.pk} \(ValueError\)$"):
        funnel_cells.sweep_funnel()
    assert fine in counted


@pytest.mark.django_db
def test_pairs_are_merged_though_keys_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    merged = []

    def broken(**_: object) -> int:
        raise ValueError

    monkeypatch.setattr(duplicates, "sweep_keys", broken)
    monkeypatch.setattr(duplicates, "merge_left_over", lambda *, at: merged.append(at) or 0)
    at = timezone.now()
    with pytest.raises(Unfinished, match=r"^duplicates: keys \(ValueError\)$"):
        duplicates.sweep(at=at)
    assert merged == [at]


@pytest.mark.django_db
def test_what_models_said_is_forgotten_though_what_sources_said_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten, empty = [], forgetting._all

    def breaks(query: str, *given: object) -> int:
        if query == forgetting._SOURCES:
            raise ValueError
        forgotten.append(query)
        return empty(query, *given)

    monkeypatch.setattr(forgetting, "_all", breaks)
    with pytest.raises(Unfinished, match=r"^forgetting: sources \(ValueError\)$"):
        forgetting.forget(at=timezone.now())
    assert forgotten == [forgetting._MODELS]
