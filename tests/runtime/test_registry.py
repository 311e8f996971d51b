from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from salesops.all_agents import registry
from salesops.runtime.contract import Agent
from salesops.runtime.registry import DuplicateAgent, Registry, discover
from salesops.runtime.words import Depth, Phase, Team
from tests.runtime.memory import agent

SOURCE = """
from tests.runtime.memory import agent
AGENT = agent("{name}", lambda batch, tools: {{}})
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "someapp" / "agents"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [n for n in sys.modules if n.startswith("someapp")]:
        del sys.modules[name]


def test_every_module_with_an_agent_is_found_and_helpers_are_not(app: Path) -> None:
    (app / "one.py").write_text(SOURCE.format(name="one"))
    (app / "helper.py").write_text("x = 1\n")
    assert [a.name for a in discover(["someapp"])] == ["one"]


def test_two_agents_of_one_name_are_refused(app: Path) -> None:
    (app / "one.py").write_text(SOURCE.format(name="same"))
    (app / "two.py").write_text(SOURCE.format(name="same"))
    with pytest.raises(DuplicateAgent, match="same"):
        discover(["someapp"])


def test_something_else_called_agent_is_refused(app: Path) -> None:
    (app / "one.py").write_text("AGENT = 'me'\n")
    with pytest.raises(TypeError, match="not an Agent"):
        discover(["someapp"])


def test_an_app_without_agents_has_none_but_a_broken_one_is_not_hidden(app: Path) -> None:
    assert len(discover(["json"])) == 0
    (app / "one.py").write_text(textwrap.dedent("import no_such_module_anywhere\n"))
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        discover(["someapp"])


def test_agents_run_by_phase_then_stronger_team_then_order() -> None:
    def of(name: str, team: Team, phase: Phase, order: int = 0) -> Agent:
        return agent(name, lambda batch, tools: {}, team=team, phase=phase, order=order)

    ordered = Registry(
        [
            of("d", Team.LEAD_GEN, Phase.STRATEGY),
            of("c", Team.LEAD_GEN, Phase.QUALIFICATION),
            of("b", Team.QUALIFICATION, Phase.QUALIFICATION, order=2),
            of("a", Team.QUALIFICATION, Phase.QUALIFICATION, order=1),
        ]
    )
    assert [a.name for a in ordered] == ["a", "b", "c", "d"]


def test_the_installed_agents_are_those_of_the_specification() -> None:
    found = registry()
    assert {
        "signal_extraction", "deduplication", "fit_evidence", "timing_evidence", "need_evidence", "risk_evidence",
        "commitment_evidence", "framework_qualification", "prioritization", "historical_outcome", "message_hypothesis",
        "compliance", "channel_decision", "timing_optimization", "saturation", "approval_gate", "email_execution",
        "call_execution", "message_execution",
    } <= set(found.by_name)  # fmt: skip
    assert found.by_name["email_execution"].depths == frozenset()
    outside = {"market_scan", "enrichment", "contact_finder"}
    assert outside <= set(found.by_name)
    inside = [a for a in found if a.phase < Phase.STRATEGY and a.name not in outside]
    assert all(a.depths == frozenset(Depth) for a in inside)
    assert not any(Depth.EARLY in found.by_name[name].depths for name in outside), "first verdicts ask nobody"
