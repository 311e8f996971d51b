import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.models.guards import DISPATCH_MOVES
from approvals.rules.sending import (
    MOVES,
    Outcome,
    SmtpStage,
    State,
    bounce_verdict,
    classify,
    may_move,
    ramp_cap,
    retry_after,
)


def test_the_rules_and_the_database_know_the_same_moves():
    assert {(str(before), str(after)) for before, ends in MOVES.items() for after in ends} == set(DISPATCH_MOVES)


def test_only_a_claimed_dispatch_can_end_sent():
    assert {before for before in State if may_move(before, "accepted")} == {State.SENDING, State.UNKNOWN}
    assert {before for before in State if may_move(before, "sending")} == {State.QUEUED}
    assert {state for state, after in MOVES.items() if not after} == {State.ACCEPTED, State.REFUSED, State.CANCELLED}


def test_an_unknown_dispatch_never_goes_back_to_the_queue():
    assert not may_move("unknown", "queued")
    assert not may_move("unknown", "sending")


@pytest.mark.parametrize(
    ("stage", "code", "outcome"),
    [
        ("connect", None, "retry"),
        ("connect", 554, "refused"),
        ("greeting", None, "retry"),
        ("greeting", 421, "retry"),
        ("mail", 451, "retry"),
        ("mail", 553, "refused"),
        ("rcpt", 450, "retry"),
        ("rcpt", 550, "refused"),
        ("rcpt", None, "retry"),
        ("data", 451, "retry"),
        ("data", 554, "refused"),
        ("data", None, "retry"),
        ("body", None, "unknown"),
        ("done", 250, "accepted"),
        ("done", 451, "retry"),
        ("done", 552, "refused"),
        ("done", 354, "unknown"),
    ],
)
def test_what_a_conversation_came_to(stage, code, outcome):
    assert classify(SmtpStage(stage), code) == outcome


@given(st.sampled_from(SmtpStage), st.none() | st.integers(200, 599))
def test_only_a_positive_answer_to_the_text_counts_as_accepted(stage, code):
    outcome = classify(stage, code)
    assert (outcome is Outcome.ACCEPTED) == (stage is SmtpStage.DONE and code is not None and code < 300)
    if stage in (SmtpStage.BODY, SmtpStage.DONE) and (code is None or 300 <= code < 400):
        assert outcome is Outcome.UNKNOWN


def test_retries_end():
    assert [retry_after(attempt) for attempt in range(1, 9)] == [15, 60, 300, 1800, 7200, 14400, None, None]


@pytest.mark.parametrize(
    ("days", "flags", "cap"),
    [
        (0, {}, 5),
        (1, {}, 7),
        (12, {}, 29),
        (13, {}, 30),
        (29, {}, 30),
        (30, {}, 40),
        (4, {"frozen": True}, 11),
        (4, {"halved": True}, 6),
        (30, {"halved": True}, 20),
    ],
)
def test_a_mailbox_warms_up(days, flags, cap):
    assert ramp_cap(days, **flags) == cap


@given(st.integers(0, 60))
def test_the_ramp_never_falls_on_a_clean_day(days):
    assert ramp_cap(days + 1) >= ramp_cap(days)


@pytest.mark.parametrize(
    ("sent", "hard", "last_50", "complaints", "verdict"),
    [
        (10, 1, 1, 0, "ok"),
        (20, 1, 1, 0, "ok"),
        (20, 2, 2, 0, "pause"),
        (50, 1, 1, 0, "warn"),
        (100, 1, 1, 0, "ok"),
        (100, 5, 2, 0, "pause"),
        (1000, 3, 3, 0, "pause"),
        (1000, 0, 0, 1, "stop"),
    ],
)
def test_bounces_and_complaints_stop_a_mailbox(sent, hard, last_50, complaints, verdict):
    assert bounce_verdict(sent=sent, hard=hard, hard_in_last_50=last_50, complaints=complaints).verdict == verdict


def test_more_bounces_than_sends_is_a_mistake():
    with pytest.raises(ValueError, match="part of what was sent"):
        bounce_verdict(sent=1, hard=2, hard_in_last_50=2, complaints=0)
