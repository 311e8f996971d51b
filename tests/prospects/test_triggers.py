"""Triggers set the agents to work: once for each thing that happened, however many sweeps look."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from playbooks.models import AuditEntry, PlaybookVersion, Stop, Trigger
from playbooks.rules.triggers import METRICS
from playbooks.services import drafts, lifecycle, stops
from prospects.models import Convergence, Prospect, TriggerFiring, TriggerWatch
from prospects.reading.triggers import standing
from prospects.services import metrics, triggers
from prospects.services.converging import convergences
from salesops.sweeps import Unfinished
from tests import factories
from tests.approvals.test_races import together
from tests.refusals import refuses
from tests.runtime import scene

pytestmark = pytest.mark.django_db
NIGHT = {"key": "nightly", "kind": "schedule", "cron": "0 2 * * *", "depth": "extended"}
NEWS = {"key": "news", "kind": "event", "signal_kind": "funding"}
LOW = {"key": "low", "kind": "threshold", "metric": "due_prospects", "comparison": "below", "value": 2}


def ruling(*rows: dict[str, Any], zone: str = "UTC", **fields: Any) -> PlaybookVersion:
    under = factories.version(factories.client(time_zone=zone), active=False, **fields)
    for row in rows:
        Trigger.objects.create(version=under, label=row["key"], **row)
    return factories.activate(under)


def arrive(under: PlaybookVersion, kind: str = "funding", prospect: Prospect | None = None) -> Prospect:
    who = prospect or factories.prospect(under)
    factories.signal(who, kind=kind)
    return scene.seen(who)


def sweep(at: datetime | None = None) -> int:
    return triggers.sweep(at=at or timezone.now())


def rest() -> None:
    """Every open convergence comes to rest."""
    for convergence in Convergence.objects.filter(status__in=convergences.OPEN):
        convergences.close(convergence, Convergence.Status.DONE, "")


# --- signals ---------------------------------------------------------------------------------------------------------
def test_a_signal_of_its_kind_sets_the_agents_to_work_once() -> None:
    under = ruling(NEWS)
    who = arrive(under)  # before the trigger was first looked at
    assert sweep() == 0
    arrive(under, prospect=who)
    assert [sweep() for _ in range(3)] == [1, 0, 0]
    fired = TriggerFiring.objects.get()
    assert (fired.key, fired.kind, fired.saw) == ("news", "event", {"signals": 1, "kind": "funding"})
    assert (fired.convergence.depth, fired.convergence.status, fired.convergence.total) == ("primary", "queued", 1)
    assert fired.trace_id == fired.convergence.trace_id
    entry = AuditEntry.objects.get(event="trigger.fired")
    assert (entry.subject_id, entry.actor, entry.trace_id) == (fired.pk, None, fired.trace_id)


def test_other_kinds_playbooks_and_clients_set_nothing_off() -> None:
    under, other = ruling(NEWS), ruling()
    sweep()
    arrive(under, kind="news")
    arrive(other)
    assert sweep() == 0


def test_many_signals_at_once_are_one_firing_and_later_ones_another() -> None:
    under = ruling(NEWS)
    sweep()
    for _ in range(5):
        arrive(under)
    assert sweep() == 1
    assert TriggerFiring.objects.get().saw["signals"] == 5
    arrive(under)
    assert sweep() == 0  # the first one's convergence has not come to rest
    rest()
    assert [sweep(), sweep()] == [1, 0]
    assert [f.saw["signals"] for f in TriggerFiring.objects.order_by("pk")] == [5, 1]


@pytest.mark.django_db(transaction=True)
def test_looking_costs_the_same_however_many_signals_there_were() -> None:
    under = ruling(NEWS)
    sweep()
    for _ in range(3):
        arrive(under)
        sweep()
        rest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM fact_no")
        newest = cursor.fetchone()[0]
    # Whoever writes anywhere on this server, another worker's test too, holds the mark back until it is done.
    until = time.monotonic() + 120
    while TriggerWatch.objects.get().mark_no != newest:
        assert time.monotonic() < until, TriggerWatch.objects.get().mark_no
        assert sweep() == 0


# --- times -----------------------------------------------------------------------------------------------------------
def test_a_time_comes_once_a_day_on_the_clients_clocks() -> None:
    ruling(NIGHT, zone="America/New_York")
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    fired = []
    for hours in range(72):
        at = start + timedelta(hours=hours)
        with time_machine.travel(at, tick=False):
            if sweep(at):
                fired.append(at)
            rest()
    assert fired == [datetime(2026, 6, day, 6, tzinfo=UTC) for day in (2, 3, 4)]  # 02:00 in New York
    assert TriggerFiring.objects.first().convergence.depth == "extended"


def test_missed_times_are_made_up_for_once() -> None:
    ruling(NIGHT)
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    sweep(start)
    late = start + timedelta(days=5)
    assert [sweep(late), sweep(late + timedelta(seconds=30))] == [1, 0]
    saw = TriggerFiring.objects.get().saw
    assert saw["due"] == "2026-06-02T02:00:00+00:00"
    assert saw["late_seconds"] == 4 * 86400 + 10 * 3600
    rest()
    assert sweep(late + timedelta(days=1)) == 1


def test_a_client_who_moves_gets_the_new_clocks() -> None:
    under = ruling(NIGHT)
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    sweep(start)
    client = under.playbook.client
    client.time_zone = "Asia/Tokyo"
    client.save()
    assert sweep(start + timedelta(hours=4, minutes=59)) == 0
    assert sweep(start + timedelta(hours=5, minutes=1)) == 1  # 17:00 UTC is 02:00 in Tokyo


# --- numbers ---------------------------------------------------------------------------------------------------------
def test_a_number_fires_when_it_crosses_and_again_only_after_it_came_back() -> None:
    under = ruling(LOW)
    assert [sweep(), sweep()] == [1, 0]  # nobody is due: already below
    rest()
    people = [arrive(under) for _ in range(2)]
    assert [sweep(), sweep()] == [0, 0]  # back to two: armed again
    Prospect.objects.filter(pk=people[0].pk).update(converged_no=10**9)
    assert [sweep(), sweep()] == [1, 0]
    assert [f.saw["value"] for f in TriggerFiring.objects.order_by("pk")] == [0.0, 1.0]
    assert TriggerFiring.objects.first().saw["threshold"] == 2


def test_a_number_that_comes_back_while_agents_work_is_armed_again() -> None:
    under = ruling(LOW)
    sweep()
    people = [arrive(under) for _ in range(2)]
    sweep()
    assert TriggerWatch.objects.get().armed
    Prospect.objects.filter(pk=people[0].pk).update(converged_no=10**9)
    assert sweep() == 0
    rest()
    assert sweep() == 1


def test_every_metric_a_playbook_may_name_can_be_read() -> None:
    assert metrics.registered() == set(METRICS)
    under = factories.version()
    now = timezone.now()

    def read(name: str) -> float | None:
        return metrics.read(name, under.playbook_id, at=now, enough=10)

    assert {name: read(name) for name in METRICS} == {
        "due_prospects": 0, "stalled_share": None, "days_since_convergence": None, "requests_waiting": 0,
        "oldest_request_hours": None,
    }  # fmt: skip
    factories.request(under, created_at=now - timedelta(hours=5))
    factories.request()
    arrive(under)
    client = under.playbook.client
    done = convergences.open_convergence(client=client, playbook=under.playbook, actor=None)
    Convergence.objects.filter(pk=done.pk).update(stalled=1, qualified=3)
    convergences.close(done, Convergence.Status.DONE, "")
    Convergence.objects.filter(pk=done.pk).update(finished_at=now - timedelta(days=2))
    assert read("requests_waiting") == 1
    assert read("oldest_request_hours") == pytest.approx(5)
    assert read("stalled_share") == 0.25
    assert read("days_since_convergence") == pytest.approx(2)
    assert read("due_prospects") == Prospect.objects.filter(playbook=under.playbook_id).count()
    assert metrics.read("due_prospects", under.playbook_id, at=now, enough=1) == 1


def test_a_metric_no_playbook_can_name_is_refused() -> None:
    with pytest.raises(KeyError):
        metrics.register("luck", lambda playbook, at, enough: 1.0)


# --- stops, versions, failures ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("row", [NEWS, NIGHT, LOW], ids=["event", "schedule", "threshold"])
def test_nothing_fires_while_agents_are_stopped_and_what_came_meanwhile_fires_after(row: dict[str, Any]) -> None:
    under = ruling(row)
    client = under.playbook.client
    person = factories.user(client)
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    stop = stops.stop(client=client, actor=person, level="playbook", target_id=under.playbook_id, reason="Wait")
    sweep(start)
    arrive(under)
    later = start + timedelta(days=1)
    assert [sweep(later), sweep(later)] == [0, 0]
    stops.lift(stop.pk, client=client, actor=person, reason="On")
    assert [sweep(later), sweep(later)] == [1, 0]
    assert Stop.objects.count() == 1


def test_a_new_version_that_says_the_same_goes_on_where_the_old_one_was() -> None:
    under = ruling(NEWS)
    sweep()
    arrive(under)
    sweep()
    rest()
    version = drafts.new_version(under.playbook, actor=None)
    assert version.triggers.get().signal_kind == "funding"
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        version = step(version, actor=None)
    assert sweep() == 0
    arrive(under)
    assert sweep() == 1
    assert TriggerFiring.objects.first().version == version


def test_a_trigger_that_is_switched_off_or_retired_is_forgotten() -> None:
    under = ruling({**NEWS, "enabled": False}, LOW)
    sweep()
    assert {w.key for w in TriggerWatch.objects.all()} == {"low"}
    lifecycle.retire(under, actor=None)
    sweep()
    assert not TriggerWatch.objects.exists()


def test_a_time_that_never_comes_is_not_told_as_one_in_a_hundred_years() -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    rows = standing([ruling(NIGHT, {**NIGHT, "key": "never", "cron": "0 0 30 2 *"}).pk], at=at)
    assert [row.next_at for row in rows] == [datetime(2026, 6, 2, 2, tzinfo=UTC), None]


def test_one_that_breaks_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = ruling(LOW), ruling({**LOW, "metric": "requests_waiting"})

    def burst(playbook: int, at: datetime, enough: int) -> float:
        raise ZeroDivisionError

    monkeypatch.setitem(metrics._metrics, "due_prospects", burst)
    with pytest.raises(Unfinished, match=r"low \(\d+\) \(ZeroDivisionError\)"):
        sweep()
    assert TriggerFiring.objects.get().playbook == fine.playbook
    assert TriggerWatch.objects.get(playbook=broken.playbook_id).armed


def test_postgresql_keeps_firings_and_lets_nothing_fire_twice() -> None:
    ruling(LOW)
    sweep()
    fired = TriggerFiring.objects.get()
    refuses("DELETE FROM prospects_triggerfiring WHERE id = %s", [fired.pk], because="append-only")
    refuses("UPDATE prospects_triggerfiring SET key = 'x' WHERE id = %s", [fired.pk], because="append-only")
    refuses("TRUNCATE prospects_triggerfiring", because="cannot be truncated")
    columns = "client_id, playbook_id, version_id, key, kind, occurrence, saw, convergence_id, at, trace_id"
    again = f"INSERT INTO prospects_triggerfiring ({columns}) SELECT {columns} FROM prospects_triggerfiring"
    refuses(again, because="trigger_fires_once")


@pytest.mark.django_db(transaction=True)
def test_eight_sweeps_at_once_fire_each_thing_once() -> None:
    versions = [ruling(NEWS, NIGHT, LOW) for _ in range(3)]
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    sweep(start)
    rest()
    for under in versions:
        for _ in range(3):
            arrive(under)
    before = TriggerFiring.objects.count()
    late = start + timedelta(days=3)
    results = together(*(lambda: sweep(late) for _ in range(8)))
    assert [r for r in results if isinstance(r, Exception)] == []
    found = list(TriggerFiring.objects.order_by("pk").values_list("playbook", "key")[before:])
    assert sum(results) == len(found) == len(set(found)) == 6  # three playbooks, news and nightly each


@pytest.mark.django_db(transaction=True)
def test_a_signal_that_becomes_visible_after_a_newer_one_is_not_missed() -> None:
    under = ruling(NEWS)
    slow, quick = factories.prospect(under), factories.prospect(under)
    sweep()
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    with psycopg.connect(**parameters) as other:
        other.execute(
            "INSERT INTO prospects_signal (client_id, prospect_id, kind, observed_at, text, data, source, source_ref,"
            " dedup_key, created_at, trace_id)"
            " VALUES (%s, %s, 'funding', now(), '', '{}', 'x', '', 'slow', now(), 'x')",
            [slow.client_id, slow.pk],
        )
        arrive(under, prospect=quick)
        assert [sweep(), sweep()] == [1, 0]
        rest()
        for _ in range(3):
            assert sweep() == 0
        other.commit()
    assert [sweep(), sweep()] == [1, 0]
    assert [f.saw["signals"] for f in TriggerFiring.objects.order_by("pk")] == [1, 1]
