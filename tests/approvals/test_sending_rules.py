import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.models import Dispatch
from approvals.models.guards import DISPATCH_MOVES
from approvals.rules.sending import (
    Outcome,
    SmtpStage,
    classify,
    no_way_out,
    ramp_cap,
    retry_after,
)


def test_the_model_and_the_database_know_the_same_moves():
    steps = Dispatch._meta.get_field("status").get_all_transitions(Dispatch)
    assert {(str(step.source), str(step.target)) for step in steps} == set(DISPATCH_MOVES)


def test_only_a_claimed_dispatch_can_end_sent_and_one_in_doubt_never_goes_back():
    assert {before for before, after in DISPATCH_MOVES if after == "accepted"} == {"sending", "unknown"}
    assert {before for before, after in DISPATCH_MOVES if after == "sending"} == {"queued"}
    assert {after for before, after in DISPATCH_MOVES if before == "unknown"} == {"accepted", "refused"}


@pytest.mark.parametrize(
    ("stage", "code", "outcome"),
    [
        ("connect", None, "retry"),
        ("connect", 554, "refused"),
        ("greeting", None, "retry"),
        ("greeting", 421, "retry"),
        ("greeting", 535, "retry"),
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
        # where each hundred begins and ends
        ("done", 199, "unknown"),
        ("done", 200, "accepted"),
        ("done", 299, "accepted"),
        ("done", 300, "unknown"),
        ("done", 399, "unknown"),
        ("done", 400, "retry"),
        ("done", 499, "retry"),
        ("done", 500, "refused"),
        ("done", 599, "refused"),
        ("done", 600, "unknown"),
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


def test_only_email_calls_and_linkedin_have_a_way_out():
    assert [no_way_out(channel) for channel in ("email", "call", "linkedin")] == ["", "", ""]
    assert no_way_out("sms").startswith("nothing here sends text messages")
    assert no_way_out("fax").startswith("nothing here sends fax")


def test_retries_end():
    assert [retry_after(attempt) for attempt in range(1, 9)] == [15, 60, 300, 1800, 7200, 14400, None, None]


@pytest.mark.parametrize(("days", "cap"), [(0, 5), (1, 7), (12, 29), (13, 30), (29, 30), (30, 40), (300, 40)])
def test_a_mailbox_warms_up(days, cap):
    assert ramp_cap(days) == cap


@given(st.integers(0, 60))
def test_the_ramp_never_falls_on_a_clean_day(days):
    assert ramp_cap(days + 1) >= ramp_cap(days)
