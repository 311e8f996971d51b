"""Questions over real HTTP: both protocols, and everything a provider can do wrong."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from salesops.bench.standin import Asked, Say, StandIn
from salesops.llm.ports import BUDGET, Outcome
from tests.llm.rounds import PATIENCE, Rounds
from tests.llm.scene import ANTHROPIC, GOOGLE, OPENAI, RESPONSES, Colour, Desk, Memory, Purse, question

ROOT = Path(__file__).resolve().parents[2]
RED = Say(answer={"name": "red", "share": 0.5})


def always(said: Say) -> Callable[[Asked], Say]:
    return lambda asked: said


def once(said: Say, then: Say = RED) -> Callable[[Asked], Say]:
    return lambda asked: said if asked.nth == 1 else then


@pytest.mark.parametrize("wanted", [ANTHROPIC, OPENAI, RESPONSES, GOOGLE])
def test_an_answer_comes_back_typed_and_is_paid_and_stored(wanted: str) -> None:
    with StandIn(always(RED)) as server:
        desk = Desk(server, wanted=wanted)
        (reply,) = desk.asker.ask([question()])
    assert reply.answer == Colour(name="red", share=0.5)
    (asked,) = server.asked
    assert asked.protocol == wanted.partition(":")[0]
    assert asked.most_tokens == 2000
    assert asked.schema["additionalProperties"] is False
    assert "The door is red." in asked.question
    assert "The door is red." not in asked.system
    (stored,) = desk.store.all
    assert (stored.outcome, json.loads(stored.text)) == (Outcome.ANSWERED, {"name": "red", "share": 0.5})
    assert (stored.tokens_in, stored.tokens_out) == (400, 120)
    cost = Decimal("0.001")
    assert stored.cost == cost
    used = desk.asker.usage()[1]
    assert (used.tokens, used.cost, used.answers) == (520, cost, [1])
    assert desk.asker.usage() == {}
    assert desk.purse.reserved == 0
    assert desk.purse.left.money == 1000 - cost


@pytest.mark.parametrize("wanted", [ANTHROPIC, OPENAI, RESPONSES, GOOGLE])
@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        (Say(refusal="I would rather not."), Outcome.REFUSED, "refused"),
        (Say(text="Sorry, I cannot help with that."), Outcome.REFUSED, "form asked for"),
        (Say(answer={"name": "red", "recipient": "ceo@evil.example"}), Outcome.MALFORMED, "recipient"),
        (Say(answer={"share": "a lot"}), Outcome.MALFORMED, "name"),
        (Say(answer="red, I think"), Outcome.MALFORMED, "form asked for"),
        (Say(text='{"name": '), Outcome.MALFORMED, "form asked for"),
        (Say(answer={"name": "x" * 400_000}), Outcome.MALFORMED, "too long"),
    ],
    ids=["refuses", "chats", "adds-a-field", "wrong-types", "no-object", "half-json", "over-long"],
)
def test_a_useless_answer_is_stored_paid_and_not_asked_for_again(
    wanted: str, said: Say, outcome: Outcome, words: str
) -> None:
    with StandIn(always(said)) as server:
        desk = Desk(server, wanted=wanted)
        (first,) = desk.asker.ask([question()])
        (second,) = desk.asker.ask([question()])
        assert len(server.asked) == 1
    assert first.answer is None
    assert words in first.problem
    assert second.problem == first.problem
    assert desk.store.all[0].outcome is outcome
    assert len(desk.store.all[0].text) <= 24_000
    assert desk.purse.left.tokens == 10_000_000 - 520


@pytest.mark.parametrize("uncounted", [{"tokens_in": 0}, {"tokens_out": 0}, {"tokens_in": 0, "tokens_out": 0}])
def test_an_answer_whose_tokens_nobody_counted_costs_its_worst_case(uncounted: dict[str, int]) -> None:
    with StandIn(always(dataclasses.replace(RED, **uncounted))) as server:
        desk = Desk(server, wanted="writing")
        (reply,) = desk.asker.ask([question()])
    assert reply.answer is not None
    used = desk.asker.usage()[1]
    assert used.tokens > 3000, "all that was asked, and all that might have been said"
    assert desk.purse.left.tokens == 10_000_000 - used.tokens
    assert desk.purse.left.money == 1000 - used.cost == 1000 - desk.store.all[0].cost


@pytest.mark.parametrize("wanted", [ANTHROPIC, OPENAI, RESPONSES, GOOGLE])
@pytest.mark.parametrize("said", [Say(answer={"name": "red\ud800"}), Say(text='{"name": "red\ud800"}')])
def test_half_a_character_in_an_answer_is_left_out(wanted: str, said: Say) -> None:
    with StandIn(always(said)) as server:
        desk = Desk(server, wanted=wanted)
        (reply,) = desk.asker.ask([question()])
    assert desk.store.all[0].text.isascii()
    assert reply.answer == Colour(name="red") or "form asked for" in reply.problem


@pytest.mark.parametrize("stop", ["max_tokens", "length"])
def test_an_answer_cut_off_at_its_limit_is_malformed_even_when_it_reads_well(stop: str) -> None:
    with StandIn(always(Say(answer={"name": "red"}, stop=stop))) as server:
        desk = Desk(server, wanted="fast" if stop == "max_tokens" else "writing")
        (reply,) = desk.asker.ask([question()])
    assert "cut off" in reply.problem
    assert desk.store.all[0].outcome is Outcome.MALFORMED


def test_an_endless_response_is_cut_off() -> None:
    endless = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + b" " * 2_500_000
    with StandIn(always(Say(raw=endless))) as server:
        desk = Desk(server)
        (reply,) = desk.asker.ask([question()])
    assert "cut off" in reply.problem
    assert len(server.asked) == 1
    assert desk.purse.left.tokens < 10_000_000, "nobody knows what it cost: the worst case stays charged"


CUT = Say(raw=b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"id": "msg')


@pytest.mark.parametrize(
    ("fault", "is_charged"),
    [
        (Say(status=500, error="api_error"), False),
        (Say(status=529), False),
        (CUT, True),
        (Say(body=b"<html>Bad gateway</html>"), True),
        (Say(status=503, body=b"upstream"), False),
    ],
    ids=["500", "overloaded", "cut-connection", "invalid-json", "503-html"],
)
def test_a_passing_fault_is_tried_again(fault: Say, is_charged: bool) -> None:
    with StandIn(once(fault)) as server:
        desk = Desk(server)
        (reply,) = desk.asker.ask([question()])
        assert len(server.asked) == 2
    assert reply.answer == Colour(name="red", share=0.5)
    assert desk.purse.reserved == 0
    spent = 10_000_000 - desk.purse.left.tokens
    assert (spent > 520) is is_charged, "an attempt nobody can account for counts in full; a refused one not at all"
    assert desk.asker.usage()[1].tokens == spent


def test_attempts_are_bounded_and_a_fault_is_no_answer() -> None:
    with StandIn(always(Say(status=500))) as server:
        desk = Desk(server)
        (reply,) = desk.asker.ask([question()])
        assert len(server.asked) == desk.config.attempts
    assert reply.problem == "The model's service is failing."
    assert desk.store.all == []
    assert desk.purse.left.tokens == 10_000_000


def test_a_slow_model_is_given_up_and_may_be_asked_again_another_time() -> None:
    with StandIn(lambda asked: Say(answer={"name": "red"}, after=3 if 2 <= asked.nth <= 3 else 0)) as server:
        Desk(server).asker.ask([question(1000)])  # what is only loaded when it is needed counts as time, too
        desk = Desk(server, timeout=0.4, attempts=2)
        (late,) = desk.asker.ask([question()])
        assert late.problem == "The model did not answer in time."
        assert desk.store.all == []
        (reply,) = desk.other(timeout=30).ask([question()])  # in time, however busy this machine is
    assert reply.answer == Colour(name="red")


def test_a_rate_limit_waits_as_told() -> None:
    with StandIn(once(Say(status=429, error="rate_limit_error", headers={"retry-after": "1"}))) as server:
        desk = Desk(server)
        started = time.monotonic()
        (reply,) = desk.asker.ask([question()])
        waited = time.monotonic() - started
    assert reply.answer is not None
    assert waited >= 1.0
    assert desk.purse.left.tokens == 10_000_000 - 520, "the reservation of the refused attempt served the next one"


def test_who_is_told_to_wait_for_an_hour_does_not_wait() -> None:
    with StandIn(always(Say(status=429, error="rate_limit_error", headers={"retry-after": "3600"}))) as server:
        desk = Desk(server)
        replies = desk.asker.ask([question(n) for n in range(1, 4)])
        (later,) = desk.asker.ask([question(9)])
        assert len(server.asked) == 3, "one attempt each; the fourth question was not sent at all"
    assert {reply.problem for reply in replies} == {"The model's service asked us to slow down."}
    assert later.problem == "The model's service asked us to wait 3600 seconds."


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [(401, "authentication_error", "refused our key"), (404, "not_found_error", "knows no such model")],
)
def test_a_fault_no_repetition_heals_stops_that_service_at_once(status: int, error: str, words: str) -> None:
    with StandIn(always(Say(status=status, error=error))) as server:
        desk = Desk(server, concurrency=2)
        replies = desk.asker.ask([question(n) for n in range(1, 41)])
        assert len(server.asked) <= 4
    assert all(words in reply.problem for reply in replies)
    assert desk.purse.left.tokens == 10_000_000


def test_a_failing_service_is_left_alone_for_a_while() -> None:
    with StandIn(always(Say(status=500))) as server:
        desk = Desk(server, concurrency=4, brake_after=5, attempts=2)
        desk.asker.ask([question(n) for n in range(1, 101)])
        assert len(server.asked) <= 5 + 2 * 4
        (reply,) = desk.asker.ask([question(500)])
    assert reply.problem == "The model's service is failing."


def test_a_server_that_is_not_there_is_no_surprise() -> None:
    desk = Desk(None, attempts=2)
    (reply,) = desk.asker.ask([question()])
    assert reply.problem == "The model's service cannot be reached."
    assert desk.purse.left.tokens == 10_000_000


def test_questions_go_side_by_side_and_never_more_than_allowed() -> None:
    with StandIn(Rounds(8, always(RED)), limit=8) as server:
        desk = Desk(server, concurrency=8, timeout=2 * PATIENCE, ask_seconds=8 * PATIENCE)
        replies = desk.asker.ask([question(n) for n in range(1, 41)])
    assert all(reply.answer for reply in replies)
    assert (server.most_at_once, server.turned_away) == (8, 0)


def test_the_same_question_is_asked_and_paid_once_and_answers_everybody_who_asked() -> None:
    with StandIn(always(RED)) as server:
        desk = Desk(server)
        replies = desk.asker.ask([question(1), question(2), question(2, company="Company 1"), question(1)])
        again = desk.other().ask([question(1), question(2)])
        assert len(server.asked) == 2
    assert [reply.answer for reply in (*replies, *again)] == [Colour(name="red", share=0.5)] * 6


def test_another_model_another_prompt_value_or_another_form_is_another_question() -> None:
    class Shade(Colour):
        """The shade seen."""

    with StandIn(always(RED)) as server:
        desk = Desk(server)
        desk.asker.ask([question(1), question(1, texts="The door is blue."), question(1, kind=Shade)])
        Desk(server, wanted="writing")
        desk.asker._wanted = "writing"
        desk.asker.ask([question(1)])
    assert len(server.asked) == len(desk.store.all) == 4


def test_no_room_in_the_budget_means_no_call() -> None:
    with StandIn(always(RED)) as server:
        desk = Desk(server, purse=Purse(tokens=1000))
        (reply,) = desk.asker.ask([question()])
        assert server.asked == []
    assert reply.problem == BUDGET
    assert desk.store.all == []
    assert desk.purse.left.tokens == 1000


def test_money_alone_can_end_it_too() -> None:
    with StandIn(always(RED)) as server:
        desk = Desk(server, purse=Purse(money=Decimal("0.005")))
        (reply,) = desk.asker.ask([question()])
        assert server.asked == []
    assert reply.problem == BUDGET


def test_the_budget_is_used_to_its_end_and_not_beyond() -> None:
    """Each question costs 520 tokens and needs some 5,000 reserved: what comes back lets the next one go."""
    with StandIn(always(RED)) as server:
        purse = Purse(tokens=20_000)
        desk = Desk(server, purse=purse)
        replies = desk.asker.ask([question(n) for n in range(1, 61)])
        asked = len(server.asked)
    assert 0 <= purse.left.tokens < 6_000, "it stopped when the worst case of one more did not fit"
    assert purse.left.tokens == 20_000 - 520 * asked
    assert purse.most_reserved <= 20_000
    assert [reply.problem for reply in replies if reply.answer is None] == [BUDGET] * (60 - asked)


def test_only_the_thread_that_asks_touches_store_and_purse() -> None:
    class Watched(Memory):
        threads: set[int] = set()

        def find(self, keys):
            self.threads.add(threading.get_ident())
            return super().find(keys)

        def keep(self, answers):
            self.threads.add(threading.get_ident())
            return super().keep(answers)

    with StandIn(once(Say(status=500))) as server:
        desk = Desk(server)
        desk.asker._store = desk.store = Watched()
        desk.asker.ask([question(n) for n in range(1, 6)])
    assert desk.store.threads == desk.purse.threads == {threading.get_ident()}


def test_being_broken_off_keeps_what_was_answered_and_lets_go_of_the_rest() -> None:
    """A worker's time limit strikes in the middle: the answers that came are stored, those under way stay charged."""

    class Struck(Memory):
        def keep(self, answers):
            super().keep(answers)
            raise KeyboardInterrupt

    with StandIn(lambda asked: Say(answer={"name": "red"}, after=0 if asked.nth == 1 else 2)) as server:
        desk = Desk(server)
        desk.asker._store = desk.store = Struck()
        with pytest.raises(KeyboardInterrupt):
            desk.asker.ask([question(1), question(2)])
    assert len(desk.store.all) == 1


def test_without_key_or_price_the_question_is_answered_in_words() -> None:
    desk = Desk(None, base_urls={})
    assert desk.asker.ask([question()])[0].problem == "No model can be asked: no key is set for anthropic."
    desk = Desk(None, prices={})
    assert "has no price" in desk.asker.ask([question()])[0].problem
    desk = Desk(None, wanted="mystery")
    assert "names no provider" in desk.asker.ask([question()])[0].problem


def test_a_playbook_may_name_a_model_by_its_id() -> None:
    with StandIn(always(RED)) as server:
        desk = Desk(server, wanted=ANTHROPIC)
        assert desk.asker.ask([question()])[0].answer is not None
    assert server.asked[0].body["model"] == "claude-haiku-4-5"


_OTHER_PROCESS = """
import sys
from tests.llm.scene import Desk, question

class Server:
    url = sys.argv[1]

desk = Desk(Server, concurrency=6, slots_folder=sys.argv[2], timeout=60, ask_seconds=240)
replies = desk.asker.ask([question(1000 * int(sys.argv[3]) + n) for n in range(24)])
print(sum(reply.answer is not None for reply in replies))
"""


def test_processes_of_one_machine_share_the_questions_at_once_and_a_killed_one_leaves_its_share(tmp_path: Path) -> None:
    def start(number: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", _OTHER_PROCESS, server.url, str(tmp_path), str(number)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    with StandIn(Rounds(6, always(RED)), limit=6) as server:
        first, second = start(1), start(2)
        assert [int(worker.communicate(timeout=150)[0]) for worker in (first, second)] == [24, 24]
        assert (server.turned_away, server.most_at_once) == (0, 6)
    with StandIn(lambda asked: Say(answer={"name": "red"}, after=600 if asked.nth <= 6 else 0)) as server:
        stuck = start(3)
        deadline = time.monotonic() + 150
        while len(server.asked) < 6 and time.monotonic() < deadline:
            time.sleep(0.05)
        stuck.kill()
        stuck.communicate()
        assert int(start(4).communicate(timeout=150)[0]) == 24
