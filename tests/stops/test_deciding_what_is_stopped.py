"""The one function that says what is stopped, against a plain reading of the words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from playbooks.rules.halts import LEVELS, Brake, StopSet, holds, strongest

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
ids = st.integers(1, 3)
agents = st.sampled_from(["fit_evidence", "email_execution"])
ends = st.one_of(st.none(), st.sampled_from([NOW - timedelta(1), NOW, NOW + timedelta(1), NOW + timedelta(2)]))


@st.composite
def brakes(draw: st.DrawFn) -> Brake:
    level = draw(st.sampled_from(LEVELS))
    return Brake(
        id=draw(st.integers(1, 99)), level=level, kind=draw(st.sampled_from(["pause", "cancel"])),
        client_id=None if level == "everything" else draw(ids),
        target_id=draw(ids) if level in ("playbook", "prospect", "request") else None,
        agent=draw(agents) if level == "agent" else "", reason="x", until=draw(ends),
    )  # fmt: skip


@st.composite
def doings(draw: st.DrawFn) -> dict:
    return {
        "client": draw(ids), "playbook": draw(st.one_of(st.none(), ids)), "agent": draw(st.one_of(st.just(""), agents)),
        "prospect": draw(st.one_of(st.none(), ids)), "request": draw(st.one_of(st.none(), ids)),
    }  # fmt: skip


def plainly(brake: Brake, at: datetime, doing: dict) -> bool:
    """The rule as a person would read it."""
    over = brake.until is not None and at >= brake.until
    mine = brake.client_id == doing["client"]
    return (
        not over
        and {
            "everything": True,
            "client": mine,
            "playbook": mine and brake.target_id == doing["playbook"],
            "agent": mine and brake.agent == doing["agent"],
            "prospect": mine and brake.target_id == doing["prospect"],
            "request": mine and brake.target_id == doing["request"],
        }[brake.level]
    )


@given(brakes(), doings())
def test_one_stop_holds_exactly_what_its_words_say(brake: Brake, doing: dict) -> None:
    assert holds(brake, NOW, **doing) == plainly(brake, NOW, doing)


@given(st.lists(brakes(), max_size=8), doings())
def test_a_set_halts_when_any_stop_holds_and_a_cancel_speaks_first(found: list[Brake], doing: dict) -> None:
    client, playbook = doing["client"], doing["playbook"]
    rest = {name: doing[name] for name in ("agent", "prospect", "request")}
    stopped = StopSet(client, playbook, NOW, tuple(found))
    holding = [brake for brake in found if plainly(brake, NOW, doing)]
    answer = stopped.halts(**rest)
    assert (answer is not None) == bool(holding)
    assert answer is None or answer in holding
    if any(brake.cancels for brake in holding):
        assert answer is not None
        assert answer.cancels
    assert stopped.holding(**rest) == tuple(holding)


@given(st.lists(brakes(), max_size=8), ids, ids)
def test_the_summaries_for_a_run_say_what_the_question_says(found: list[Brake], client: int, playbook: int) -> None:
    stopped = StopSet(client, playbook, NOW, tuple(found))
    assert (stopped.everything is not None) == (stopped.halts() is not None)
    for prospect in (1, 2, 3):
        assert (stopped.halts(prospect=prospect) is not None) == (
            prospect in stopped.prospects or stopped.everything is not None
        )
    for agent in ("fit_evidence", "email_execution"):
        assert (stopped.halts(agent=agent) is not None) == (agent in stopped.agents or stopped.everything is not None)


def test_of_two_pauses_the_one_that_holds_longest_speaks() -> None:
    def pause(number: int, until: datetime | None) -> Brake:
        return Brake(number, "client", "pause", 1, None, "", "x", until)

    short, long, open_ended = pause(1, NOW + timedelta(1)), pause(2, NOW + timedelta(2)), pause(3, None)
    assert strongest([short, long]) == long
    assert strongest([short, open_ended, long]) == open_ended
    assert strongest([]) is None
