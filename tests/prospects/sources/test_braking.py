"""What an answer's status means, how often a question is asked again, and when a source is left alone."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from prospects.sources.breaker import FIRST_REST, LONGEST_REST, Brake, Standing
from prospects.sources.retry import again, announced_end, judge, told_to_wait
from prospects.sources.troubles import (
    AuthenticationTrouble,
    BadAnswer,
    Gone,
    NetworkTrouble,
    NotAsked,
    NotKnown,
    RateLimited,
    Refused,
    Trouble,
)
from prospects.sources.web import Page

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def page(status: int, **headers: str) -> Page:
    return Page("https://api.example/", status, {k.replace("_", "-"): v for k, v in headers.items()}, b"")


@pytest.mark.parametrize(
    ("status", "meant"),
    [(429, RateLimited), (401, AuthenticationTrouble), (403, AuthenticationTrouble), (404, NotKnown), (410, Gone),
     (500, NetworkTrouble), (502, NetworkTrouble), (503, NetworkTrouble), (408, NetworkTrouble), (400, BadAnswer),
     (422, BadAnswer), (451, Refused), (304, BadAnswer)],
)  # fmt: skip
def test_a_status_of_an_interface_means_one_kind_of_trouble(status: int, meant: type[Trouble]) -> None:
    with pytest.raises(meant):
        judge(page(status), api=True, keyed=True, one_of_many=False)


@pytest.mark.parametrize(("status", "meant"), [(401, Refused), (403, Refused), (410, NotKnown), (503, NetworkTrouble)])
def test_a_companys_own_site_that_keeps_us_out_says_nothing_about_our_keys(status: int, meant: type[Trouble]) -> None:
    with pytest.raises(meant):
        judge(page(status), api=False, keyed=False, one_of_many=True)


def test_an_overloaded_server_that_names_a_time_is_a_rate_limit() -> None:
    with pytest.raises(RateLimited) as told:
        judge(page(503, retry_after="7"), api=True, keyed=False, one_of_many=False)
    assert told.value.wait == 7


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("12", 12), ("0", 1), ("999999999", 3600), ("", 15), ("soon", 15), ("²", 15),
     ("Mon, 01 Jun 2026 12:00:30 GMT", 30), ("Mon, 01 Jun 2020 12:00:30 GMT", 1)],
)  # fmt: skip
def test_how_long_a_source_wants_to_be_left_alone(header: str, seconds: float) -> None:
    assert told_to_wait(header, NOW) == seconds


def test_an_announced_end_is_heard() -> None:
    assert "Sat, 01 Aug 2026" in announced_end(page(200, sunset="Sat, 01 Aug 2026 00:00:00 GMT"))
    assert announced_end(page(200, deprecation="@1688169599"))
    assert not announced_end(page(200, deprecation="false"))
    assert not announced_end(page(200))


class Troubled:
    """Raises what it is given, in order, then answers."""

    def __init__(self, *troubles: Trouble) -> None:
        self.troubles, self.calls = list(troubles), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.troubles:
            raise self.troubles.pop(0)
        return "answer"


def ask(question: Troubled, *, seconds: float = 100) -> tuple[str, list[float], list[float]]:
    naps: list[float] = []
    held: list[float] = []
    said = again(question, until=time.monotonic() + seconds, hold=held.append, sleep=naps.append)
    return said, naps, held


def test_network_trouble_is_waited_out_longer_each_time() -> None:
    said, naps, _ = ask(Troubled(NetworkTrouble("a"), NetworkTrouble("b")))
    assert said == "answer"
    assert 0.25 <= naps[0] <= 0.5
    assert 0.5 <= naps[1] <= 1.0


def test_nothing_is_asked_for_ever() -> None:
    question = Troubled(*[NetworkTrouble("down")] * 9)
    with pytest.raises(NetworkTrouble):
        ask(question)
    assert question.calls == 3


def test_a_rate_limit_is_waited_for_as_told_and_everybody_hears_of_it() -> None:
    said, naps, held = ask(Troubled(RateLimited("slow", 7)))
    assert (said, naps, held) == ("answer", [7], [7])


def test_a_wait_longer_than_there_is_time_is_not_waited() -> None:
    with pytest.raises(NotAsked, match="60 s"):
        ask(Troubled(RateLimited("slow", 60)), seconds=5)


@pytest.mark.parametrize(
    "trouble", [AuthenticationTrouble("no"), Gone("no"), BadAnswer("no"), Refused("no"), NotKnown("no")]
)
def test_trouble_that_does_not_pass_is_not_asked_again(trouble: Trouble) -> None:
    question = Troubled(trouble, trouble)
    with pytest.raises(type(trouble)):
        ask(question)
    assert question.calls == 1


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


def test_five_failures_in_a_row_open_the_brake_and_a_success_between_does_not() -> None:
    brake = Brake("api", now=Clock())
    for _ in range(4):
        brake.enter()
        brake.fail("down")
    brake.enter()
    brake.succeed()
    for _ in range(5):
        brake.enter()
        brake.fail("down")
    with pytest.raises(NotAsked, match="rests until 12:01"):
        brake.enter()


def opened(clock: Clock, rest: timedelta = FIRST_REST) -> Brake:
    standing = Standing(failures=5, open_until=NOW + rest, last_error_at=NOW)
    return Brake("api", standing, now=clock)


def test_after_its_rest_one_question_is_tried_and_the_others_wait_for_what_becomes_of_it() -> None:
    clock = Clock()
    brake = opened(clock)
    with pytest.raises(NotAsked):
        brake.enter()
    clock.at += timedelta(minutes=2)
    brake.enter()
    entered: list[str] = []
    others = [threading.Thread(target=lambda: (brake.enter(), entered.append("in"))) for _ in range(5)]
    for thread in others:
        thread.start()
    time.sleep(0.05)
    assert entered == []
    brake.succeed()
    for thread in others:
        thread.join(60)
    assert len(entered) == 5


def test_a_failed_try_doubles_the_rest_up_to_an_hour() -> None:
    for rest, following in ((FIRST_REST, 2 * FIRST_REST), (LONGEST_REST, LONGEST_REST)):
        clock = Clock()
        brake = opened(clock, rest)
        clock.at += rest
        brake.enter()
        brake.fail("still down")
        learnt = brake.take()
        assert learnt is not None
        assert learnt.open_until == clock.at + following


def test_a_refused_key_lets_nobody_through_any_more() -> None:
    brake = Brake("api", now=Clock())
    brake.enter()
    brake.halt("it refused our key (401)")
    with pytest.raises(AuthenticationTrouble, match="resume"):
        brake.enter()
    learnt = brake.take()
    assert learnt is not None
    assert learnt.halted
    assert learnt.urgent
    assert brake.take() is None
