from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from salesops.runtime.contract import Agent, Implementation
from salesops.runtime.engine import Engine
from salesops.runtime.invariants import InvariantBroken
from salesops.runtime.outcome import Outcome
from salesops.runtime.ports import Halt
from salesops.runtime.proposals import NoteProposal, SignalProposal
from salesops.runtime.registry import Registry
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Refused, Resource, Team
from tests.runtime.memory import ALL, SEEN, MemoryHost, agent, contact, evidence, scope, signal


def run(host: MemoryHost, *agents: Agent, **fields: Any) -> Outcome:
    return Engine(scope(**fields), host, [], Registry(agents)).run(sorted(host.stored))


def judge(batch: Any, tools: Any) -> Any:
    return {p.id: [evidence(p.signals[-1].id)] for p in batch if p.signals}


def derive(batch: Any, tools: Any) -> Any:
    return {
        p.id: [SignalProposal(kind="hiring", observed_at=SEEN, derived_from=p.signals[0].id, text="Hiring.")]
        for p in batch
    }


def extractor(**fields: Any) -> Agent:
    defaults: dict[str, Any] = {"team": Team.LEAD_GEN, "phase": Phase.DISCOVERY, "writes": (Key.SIGNALS,)}
    return agent("extractor", derive, **{**defaults, **fields})


def test_later_agents_see_in_the_same_cycle_what_earlier_ones_found() -> None:
    host = MemoryHost([signal(1)])
    outcome = run(host, agent("judge", judge), extractor())
    assert [s.kind for s in host.stored[1].signals] == ["profile", "hiring"]
    assert host.stored[1].evidence[0].signal_ids == (host.stored[1].signals[1].id,)
    assert outcome.cycles == 1


def test_an_agent_is_not_woken_by_its_own_facts() -> None:
    host = MemoryHost([signal(1)])
    run(host, extractor())
    assert [r.agent for r in host.runs] == ["extractor"]


def test_facts_of_a_later_agent_wake_an_earlier_one_in_the_next_cycle() -> None:
    host = MemoryHost([signal(1)])
    late = agent("late", derive, team=Team.LEAD_GEN, phase=Phase.LEARNING, writes=(Key.SIGNALS,))
    from salesops.runtime import eligibility

    assert eligibility.stages_for(late) >= {"sourced"}
    outcome = run(host, agent("judge", judge), late)
    assert [(r.agent, r.cycle) for r in host.runs] == [("judge", 1), ("late", 1), ("judge", 2)]
    assert outcome.cycles == 2


def test_a_second_run_on_the_same_facts_does_nothing() -> None:
    host = MemoryHost([signal(1)], [signal(2)])
    agents = (extractor(), agent("judge", judge))
    run(host, *agents)
    runs, facts = len(host.runs), len(host.stored[1].signals) + len(host.stored[1].evidence)
    again = run(host, *agents)
    assert again.runs == 0
    assert (len(host.runs), len(host.stored[1].signals) + len(host.stored[1].evidence)) == (runs, facts)


def test_a_changed_implementation_runs_again_on_facts_it_has_seen() -> None:
    host = MemoryHost([signal(1)])
    run(host, agent("judge", judge))
    newer = {ImplementationKind.RULES: Implementation(judge, version="2")}
    assert run(host, agent("judge", judge, implementations=newer)).runs == 1


def test_everybody_leaves_with_a_verdict_even_without_facts() -> None:
    host = MemoryHost([signal(1)], [])
    outcome = run(host, agent("judge", judge))
    assert dict(outcome.verdicts) == {"qualified": 1, "stalled": 1}
    assert all(row.verdict for row in host.stored.values())


def test_an_agent_that_breaks_fails_its_own_runs_and_nobody_elses() -> None:
    def broken(batch: Any, tools: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    host = MemoryHost([signal(1)])
    run(host, agent("broken", broken, order=0), agent("judge", judge, order=1))
    assert {r.agent: r.status for r in host.runs} == {"broken": "failed", "judge": "ok"}
    (found,) = host.findings
    assert (found.kind, found.agent) == (Refused.FAILED, "broken")
    assert "secret detail" not in found.message
    assert host.stored[1].verdict == "qualified"


def test_whom_an_agent_breaks_on_fails_alone_in_the_batch() -> None:
    def picky(batch: Any, tools: Any) -> Any:
        if any(p.id == 3 for p in batch):
            raise ZeroDivisionError
        return judge(batch, tools)

    host = MemoryHost(*([signal(n)] for n in range(1, 8)))
    outcome = run(host, agent("judge", picky))
    assert {r.prospect_id: r.status for r in host.runs} == {n: "failed" if n == 3 else "ok" for n in range(1, 8)}
    assert dict(outcome.verdicts) == {"qualified": 6, "stalled": 1}
    assert outcome.refusals == {Refused.FAILED: 1}


def test_what_no_single_prospect_is_to_blame_for_is_not_tried_again_on_each() -> None:
    asked = []

    def cut_off(batch: Any, tools: Any) -> Any:
        asked.append(len(batch))
        raise ConnectionError

    host = MemoryHost([signal(1)], [signal(2)])
    run(host, agent("judge", cut_off))
    assert asked == [2]
    assert {r.status for r in host.runs} == {"failed"}


def test_an_agent_switched_off_does_not_run() -> None:
    host = MemoryHost([signal(1)])
    run(host, agent("judge", judge), assignments={"judge": ImplementationKind.OFF})
    assert host.runs == []


def test_an_agent_under_a_stop_does_not_run() -> None:
    host = MemoryHost([signal(1)])
    host.halt = lambda: Halt(agents={"judge": None})
    run(host, agent("judge", judge))
    assert host.runs == []
    assert host.stored[1].verdict  # everybody else's work is concluded


def test_a_stop_that_comes_in_mid_run_keeps_what_is_done_and_leaves_the_rest_due() -> None:
    host = MemoryHost([signal(1)], [signal(2)])
    stops = iter([Halt(), Halt(everything=True)])
    host.halt = lambda: next(stops, Halt(everything=True))
    run(host, agent("judge", judge), agent("second", judge, order=2))
    assert [r.agent for r in host.runs] == ["judge", "judge"]
    assert len(host.stored[1].evidence) == 1
    assert host.stored[1].verdict == ""


def test_a_stop_on_one_prospect_leaves_the_others_alone() -> None:
    host = MemoryHost([signal(1)], [signal(2)])
    host.halt = lambda: Halt(prospects=frozenset({1}))
    run(host, agent("judge", judge))
    assert [r.prospect_id for r in host.runs] == [2]
    assert [host.stored[n].verdict for n in (1, 2)] == ["", "qualified"]


def test_no_more_prospects_are_worked_on_than_the_budget_allows() -> None:
    host = MemoryHost([signal(1)], [signal(2)], [signal(3)])
    host.left = 2
    run(host, agent("judge", judge, bucket="money", unit_cost=Decimal(1)))
    assert [r.prospect_id for r in host.runs] == [1, 2]
    assert [(f.prospect_id, f.kind) for f in host.findings] == [(3, Refused.BUDGET)]


def test_an_agent_whose_team_may_not_read_what_it_reads_is_shown_nothing() -> None:
    host = MemoryHost([signal(1)])
    run(host, agent("judge", judge), unreadable=frozenset({(Team.QUALIFICATION, Resource.ACTIVITY)}))
    assert host.runs == []
    assert [f.kind for f in host.findings] == [Refused.PERMISSION]


def test_an_agent_whose_team_may_not_read_contacts_sees_nobody() -> None:
    host = MemoryHost([signal(1)])
    host.contact = contact()
    seen: list[Any] = []

    def look(batch: Any, tools: Any) -> Any:
        seen.extend(view.contact for view in batch)
        return {}

    run(host, agent("look", look), unreadable=frozenset({(Team.QUALIFICATION, Resource.CONTACT)}))
    assert seen == [None]


def test_the_end_of_a_worker_s_time_is_no_failure_of_the_agent_it_struck() -> None:
    def interrupted(batch: Any, tools: Any) -> Any:
        raise SoftTimeLimitExceeded

    host = MemoryHost([signal(1)])
    with pytest.raises(SoftTimeLimitExceeded):
        run(host, agent("judge", judge, order=0), agent("slow", interrupted, order=1))
    assert (host.runs, host.findings) == ([], [])


def test_a_cycle_that_would_contradict_itself_is_not_written() -> None:
    host = MemoryHost([signal(1)])

    def spoil(context: Any) -> None:
        context.evidence.clear()
        context.composite = 80.0

    host.moves = spoil  # type: ignore[assignment]
    with pytest.raises(InvariantBroken, match="no evidence under it"):
        run(host, agent("judge", judge))
    assert host.stored[1].verdict == ""


def test_a_missing_llm_implementation_falls_back_to_rules() -> None:
    host = MemoryHost([signal(1)])
    run(host, agent("judge", judge), assignments={"judge": ImplementationKind.LLM})
    assert [r.implementation for r in host.runs] == ["rules"]


def test_depth_leaves_out_agents_that_are_not_part_of_it() -> None:
    host = MemoryHost([signal(1)])
    run(host, agent("judge", judge, depths=frozenset({Depth.EXTENDED})))
    assert host.runs == []


def test_outreach_waits_until_a_prospect_is_qualified() -> None:
    def say(batch: Any, tools: Any) -> Any:
        return {p.id: [NoteProposal(kind=Refused.QUALITY, message=f"prepared {p.extras['prepared']}")] for p in batch}

    writer = agent("writer", say, team=Team.LEAD_GEN, phase=Phase.STRATEGY, reads=(Key.HYPOTHESES,))
    host = MemoryHost([signal(1)])
    host.moves = lambda c: "qualified" if c.evidence else None
    run(host, agent("judge", judge), writer)
    assert [(r.agent, r.cycle) for r in host.runs] == [("judge", 1), ("writer", 2)]
    assert [f.message for f in host.findings] == ["prepared 1"]


def test_a_team_without_the_permission_gets_nothing_promoted() -> None:
    denied = ALL - {(Team.QUALIFICATION, Resource.ICP_EVIDENCE)}
    host = MemoryHost([signal(1)])
    outcome = run(host, agent("judge", judge), permissions=denied)
    assert host.stored[1].evidence == []
    assert dict(outcome.refusals) == {Refused.PERMISSION: 1}
    assert (outcome.proposed, outcome.promoted, outcome.refused) == (1, 0, 1)


def test_the_stronger_team_wins_and_the_loser_is_told_who_won() -> None:
    host = MemoryHost([signal(1)])
    weak = agent("weak", judge, team=Team.LEAD_GEN)
    strong = agent("strong", judge, team=Team.QUALIFICATION)
    run(host, weak, strong)
    assert [e.agent for e in host.stored[1].evidence] == ["strong"]
    (found,) = host.findings
    assert (found.kind, found.agent, found.detail["winner"]) == (Refused.PREEMPTED, "weak", "strong")


def test_saying_the_same_thing_twice_in_a_cycle_is_a_conflict() -> None:
    def twice(batch: Any, tools: Any) -> Any:
        return {p.id: [evidence(p.signals[0].id), evidence(p.signals[0].id, value=0.0)] for p in batch}

    host = MemoryHost([signal(1)])
    run(host, agent("judge", twice))
    assert [e.value for e in host.stored[1].evidence] == [100.0]
    assert [f.kind for f in host.findings] == [Refused.CONFLICT]


def test_malformed_answers_are_refused_one_by_one() -> None:
    def odd(batch: Any, tools: Any) -> Any:
        good = evidence(batch[0].signals[0].id).model_dump()
        return {batch[0].id: [{"type": "evidence"}, {**good, "value": 400}, {**good, "recipient": "x"}, good]}

    host = MemoryHost([signal(1)])
    run(host, agent("judge", odd))
    assert [f.kind for f in host.findings] == [Refused.SCHEMA, Refused.RANGE, Refused.SCHEMA]
    assert len(host.stored[1].evidence) == 1


def test_facts_that_arrive_during_a_cycle_make_it_start_afresh() -> None:
    host = MemoryHost([signal(1)], [signal(2)])

    def arrive() -> None:
        host.stored[1].signals.append(signal(77, fact_no=90))
        host.stored[1].facts_no = 90

    host.interfere = arrive
    run(host, agent("judge", judge))
    assert [e.signal_ids for e in host.stored[1].evidence] == [(77,)]
    assert [e.signal_ids for e in host.stored[2].evidence] == [(2,)]
    assert [r.watermark for r in host.runs if r.prospect_id == 1] == [90]


def test_what_a_dropped_cycle_found_is_not_counted() -> None:
    def complain(batch: Any, tools: Any) -> Any:
        return {p.id: [NoteProposal(kind=Refused.SOURCE, message="Nobody answered.")] for p in batch}

    host = MemoryHost([signal(1)])

    def arrive() -> None:
        host.stored[1].signals.append(signal(77, fact_no=90))
        host.stored[1].facts_no = 90

    host.interfere = arrive
    outcome = run(host, agent("judge", complain))
    assert len(host.findings) == 1
    assert outcome.refusals == {Refused.SOURCE: 1}


def test_the_cycle_limit_ends_a_quarrel_and_says_so() -> None:
    def restless(name: str) -> Agent:
        def say(batch: Any, tools: Any) -> Any:
            return {
                p.id: [SignalProposal(kind=f"{name}{len(p.signals)}", observed_at=SEEN, derived_from=p.signals[0].id)]
                for p in batch
            }

        return agent(name, say, team=Team.LEAD_GEN, phase=Phase.DISCOVERY, writes=(Key.SIGNALS,))

    host = MemoryHost([signal(1)])
    outcome = run(host, restless("left"), restless("right"), cycle_limit=3)
    assert outcome.cycles == 3
    assert host.stored[1].verdict == "stalled"
    assert "3 cycles" in host.findings[-1].message
    assert outcome.refusals == {Refused.STALLED: 1}


def test_random_numbers_depend_on_seed_agent_and_prospect_alone() -> None:
    drawn: list[float] = []

    def draw(batch: Any, tools: Any) -> Any:
        drawn.extend(tools.rng(p).random() for p in batch)
        return {}

    for seed in (1, 1, 2):
        run(MemoryHost([signal(1)], [signal(2)]), agent("judge", draw), seed=seed)
    assert drawn[:2] == drawn[2:4]
    assert drawn[0] != drawn[1]
    assert drawn[4:] != drawn[:2]


def test_the_same_input_gives_the_same_digests_whatever_the_row_ids() -> None:
    def digests(first: int) -> list[str]:
        host = MemoryHost([signal(first, dedup_key="a")], [signal(first + 1, dedup_key="b")])
        run(host, extractor(), agent("judge", judge))
        return [r.digest for r in host.runs]

    assert digests(1) == digests(41)


@pytest.mark.parametrize("size", [1, 7])
def test_a_prospects_result_does_not_depend_on_its_batch(size: int) -> None:
    host = MemoryHost(*[[signal(n)] for n in range(1, 8)])
    engine = Engine(scope(), host, [], Registry([extractor(), agent("judge", judge)]))
    ids = sorted(host.stored)
    for start in range(0, len(ids), size):
        engine.run(ids[start : start + size])
    digests = {(r.prospect_id, r.agent): r.digest for r in host.runs}
    assert len(digests) == 14
    assert all(len(row.evidence) == 1 for row in host.stored.values())
