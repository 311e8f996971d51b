"""An agent's work is given to somebody who can do it, or to nobody."""

from __future__ import annotations

import pytest

from playbooks.rules.known_agents import assignment_problems, ways
from playbooks.rules.row_checks import Seen
from playbooks.rules.validation import row_problems
from playbooks.rules.yaml_io import PlaybookFileError
from salesops.apps import ways_of_agents
from tests.runtime import scene

KNOWN = {"fit_evidence": frozenset({"rules", "llm", "human"}), "prioritization": frozenset({"rules"})}


@pytest.mark.parametrize("way", ["rules", "llm", "human", "off"])
def test_an_agent_may_do_its_work_in_every_way_it_has(way: str) -> None:
    assert list(assignment_problems("fit_evidence", way, KNOWN)) == []


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("human", "there is no form in which people could do this agent's work; expected rules or off"),
        ("llm", "no language model can do this agent's work; expected rules or off"),
        ("magic", "'magic' is no way to do an agent's work; expected rules or off"),
    ],
)
def test_work_that_nobody_could_do_so_is_refused_with_the_ways_there_are(way: str, words: str) -> None:
    assert list(assignment_problems("prioritization", way, KNOWN)) == [("implementation", words)]


def test_a_misspelt_agent_is_refused_with_the_name_that_was_probably_meant() -> None:
    (problem,) = assignment_problems("fit_evidense", "rules", KNOWN)
    assert problem == ("agent", "there is no agent 'fit_evidense'; did you mean fit_evidence?")


def test_where_nobody_knows_the_agents_nothing_is_refused() -> None:
    assert list(assignment_problems("anything", "human", {})) == []


def test_every_agent_of_this_installation_is_known_with_its_ways() -> None:
    assert ways() == ways_of_agents()
    assert ways()["approval_gate"] == {"rules"}
    assert "human" in ways()["fit_evidence"]


def test_a_row_without_an_implementation_means_rules() -> None:
    assert row_problems("agents", {"agent": "prioritization"}, Seen()) == []
    (problem,) = row_problems("agents", {"agent": ""}, Seen(), 0)
    assert (problem.path, problem.words) == ("agents[0].agent", "is missing; expected text")


@pytest.mark.django_db
def test_a_playbook_that_gives_work_to_nobody_is_told_so_before_it_rules() -> None:
    rows = "agents:\n  - {agent: saturation, implementation: human}"
    with pytest.raises(PlaybookFileError, match="no form in which people could do this agent's work"):
        scene.demo(edit={r"(?m)^agents: \[\]$": rows})
