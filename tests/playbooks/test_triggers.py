"""What a playbook may say about triggers, and when a cron line is due on a client's clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from playbooks.rules.triggers import cron_problem, explain, next_due, reached
from playbooks.rules.yaml_io import PlaybookFileError, dump, parse
from playbooks.shipped import contacts

TEXT = (contacts.HERE / "demo.yaml").read_text()
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def with_trigger(**row: Any) -> str:
    data = yaml.safe_load(TEXT)
    data["triggers"] = [{"key": "t", "label": "T", **row}]
    return yaml.safe_dump(data, sort_keys=False)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"kind": "event"}, "triggers[0].signal: name the kind of signal"),
        ({"kind": "event", "signal": "Funding!"}, "triggers[0].signal: name the kind of signal"),
        ({"kind": "event", "signal": "funding", "cron": "0 2 * * *"}, "triggers[0].cron: only a trigger of kind"),
        ({"kind": "schedule"}, "triggers[0].cron: expected five fields"),
        ({"kind": "schedule", "cron": "0 25 * * *"}, "triggers[0].cron: expected minute, hour, day, month and weekday"),
        ({"kind": "schedule", "cron": "0 0 31 2 *"}, "is no time that ever comes"),
        ({"kind": "schedule", "cron": "0 0 0 * * *"}, "triggers[0].cron: expected five fields"),
        ({"kind": "threshold", "metric": "luck", "value": 1}, "triggers[0].metric: expected one of due_prospects"),
        ({"kind": "threshold", "metric": "due_prospects"}, "triggers[0].value: expected a number of at least 0"),
        ({"kind": "threshold", "metric": "due_prospects", "value": -0.01}, "at least 0, got -0.01"),
        ({"kind": "event", "signal": "x" * 61}, "triggers[0].signal: expected at most 60 characters"),
        ({"kind": "schedule", "cron": "0 2 * * *", "metric": "due_prospects"}, "only a trigger of kind threshold"),
        ({"kind": "threshold", "metric": "due_prospects", "value": "many"}, "triggers[0].value: expected a number"),
        ({"kind": "often"}, "triggers[0].kind: expected one of event, schedule, threshold"),
        ({"kind": "event", "signal": "x", "depth": "deep"}, "triggers[0].depth: expected one of early"),
        ({"kind": "event", "signal": "x", "label": " "}, "triggers[0].label: say in a few words"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_path(row: dict[str, Any], problem: str) -> None:
    with pytest.raises(PlaybookFileError) as refused:
        parse(with_trigger(**row))
    assert any(problem in line for line in refused.value.problems), refused.value.problems


@pytest.mark.parametrize("value", [0, 0.5])
def test_a_threshold_may_be_as_low_as_nothing(value: float) -> None:
    (row,) = parse(with_trigger(kind="threshold", metric="stalled_share", value=value)).rows["triggers"]
    assert (row["metric"], float(row["value"])) == ("stalled_share", value)


def test_every_kind_round_trips() -> None:
    document = parse(TEXT)
    assert {row["kind"] for row in document.rows["triggers"]} == {"event", "schedule", "threshold"}
    assert parse(dump(document)) == document


def test_triggers_are_explained_in_words() -> None:
    said = [explain(row) for row in parse(TEXT).rows["triggers"]]
    assert said == [
        "when a signal of kind profile arrives",
        "when a signal of kind change arrives",
        "at 02:30 every day",
        "when requests waiting for a decision: under 20",
    ]


def local(zone: ZoneInfo, *when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=zone, fold=fold).astimezone(UTC)


def dues(cron: str, zone: ZoneInfo, after: datetime, count: int) -> list[datetime]:
    found = []
    for _ in range(count):
        after = next_due(cron, after, zone)
        found.append(after)
    return found


def test_a_time_that_spring_skips_comes_when_the_gap_ends() -> None:
    # On 29 March 2026 Berlin's clocks go from 02:00 to 03:00.
    found = dues("30 2 * * *", BERLIN, local(BERLIN, 2026, 3, 28, 12), 2)
    assert found[0] == local(BERLIN, 2026, 3, 29, 3, 0)
    assert found[1] == local(BERLIN, 2026, 3, 30, 2, 30)


def test_a_time_that_autumn_repeats_comes_once() -> None:
    # On 1 November 2026 New York's clocks go from 02:00 back to 01:00.
    found = dues("30 1 * * *", NEW_YORK, local(NEW_YORK, 2026, 10, 31, 12), 2)
    assert found[0] == local(NEW_YORK, 2026, 11, 1, 1, 30)
    assert found[1] == local(NEW_YORK, 2026, 11, 2, 1, 30)
    in_the_second_hour = local(NEW_YORK, 2026, 11, 1, 1, 15, fold=1)
    assert next_due("30 1 * * *", in_the_second_hour, NEW_YORK) == local(NEW_YORK, 2026, 11, 2, 1, 30)


def test_a_line_with_stars_runs_by_elapsed_time() -> None:
    start = local(NEW_YORK, 2026, 11, 1, 0, 0)
    found = dues("0 * * * *", NEW_YORK, start, 4)
    assert [due - start for due in found] == [timedelta(hours=hours) for hours in (1, 2, 3, 4)]


crons = st.builds(
    lambda minute, hour, weekday: f"{minute} {hour} * * {weekday}",
    st.sampled_from(["0", "30", "*/20", "15,45", "*"]), st.sampled_from(["2", "1-3", "*", "*/6"]),
    st.sampled_from(["*", "SUN", "1-5"]),
)  # fmt: skip
zones = st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("UTC"), ZoneInfo("Asia/Kolkata")])
moments = st.integers(0, 2 * 366 * 86400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(crons, zones, moments)
def test_the_next_time_is_always_ahead_and_none_lies_between(cron: str, zone: ZoneInfo, at: datetime) -> None:
    due = next_due(cron, at, zone)
    assert due > at
    between = at + (due - at) / 2
    assert next_due(cron, between, zone) == due


@given(st.text(max_size=30))
def test_any_line_is_either_due_some_day_or_refused_in_words(line: str) -> None:
    problem = cron_problem(line)
    if not problem:
        assert next_due(line, datetime(2026, 1, 1, tzinfo=UTC), BERLIN) > datetime(2026, 1, 1, tzinfo=UTC)


def test_a_number_is_beyond_its_threshold_only_on_the_other_side_of_it() -> None:
    assert [reached("below", 20, now) for now in (19, 20, 21, None)] == [True, False, False, False]
    assert [reached("above", 20, now) for now in (19, 20, 21, None)] == [False, False, True, False]
