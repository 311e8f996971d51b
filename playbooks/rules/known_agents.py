"""Which agents there are, and by whom each one's work can be done. Pure.

Playbooks import no agents. Whoever knows them registers here, so that a playbook that assigns work to nobody is told so
when it is saved and not when it runs. Where nobody has registered, nothing is known and nothing refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

#: Agent → implementations it has, ``off`` not among them: every agent can be switched off.
Ways = Mapping[str, frozenset[str]]
OFF = "off"
#: In the order in which they are offered.
WAYS = ("rules", "llm", "human", OFF)
_LACKS = {
    "human": "there is no form in which people could do this agent's work",
    "llm": "no language model can do this agent's work",
    "rules": "no rules can do this agent's work",
}
_sources: list[Callable[[], Ways]] = []


def register(source: Callable[[], Ways]) -> None:
    """Called once, by whoever finds the agents. ``source`` is asked whenever a playbook is checked."""
    if source not in _sources:
        _sources.append(source)


def ways() -> Ways:
    """Every registered agent with its implementations."""
    known: dict[str, frozenset[str]] = {}
    for source in _sources:
        known.update(source())
    return known


def assignment_problems(agent: str, implementation: str, known: Ways) -> Iterator[tuple[str, str]]:
    """(field, what was expected) where an assignment names no agent, or a way in which its work cannot be done."""
    if not known:
        return
    if agent not in known:
        close = get_close_matches(agent, known, n=1)
        yield "agent", f"there is no agent {agent!r}" + (f"; did you mean {close[0]}?" if close else "")
        return
    possible = known[agent] | {OFF}
    if implementation not in possible:
        expected = [way for way in WAYS if way in possible]
        words = _LACKS.get(implementation, f"{implementation!r} is no way to do an agent's work")
        yield "implementation", f"{words}; expected {' or '.join(expected)}"
