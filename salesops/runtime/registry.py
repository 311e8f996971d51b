"""Finds the agents: every module in an ``agents`` package that defines ``AGENT``. Never by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping

from salesops.runtime.contract import Agent
from salesops.runtime.words import TEAM_PRIORITY


class DuplicateAgent(Exception):  # noqa: N818
    """Two modules declare an agent of the same name: a playbook's assignment would be ambiguous."""


class Registry:
    """The agents of this installation, in the order in which a cycle runs them."""

    def __init__(self, agents: Iterable[Agent] = ()) -> None:
        self._by_name: dict[str, Agent] = {}
        for agent in agents:
            self.add(agent)

    def add(self, agent: Agent) -> None:
        """Raises :class:`DuplicateAgent` when the name is taken."""
        if agent.name in self._by_name:
            raise DuplicateAgent(f"agent {agent.name!r} is declared twice")
        self._by_name[agent.name] = agent

    def __iter__(self) -> Iterator[Agent]:
        """Phase first, then the stronger team, then the declared order: the first claim on a thing wins."""
        return iter(
            sorted(self._by_name.values(), key=lambda a: (a.phase, -TEAM_PRIORITY[a.team], a.order, a.name)),
        )

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def by_name(self) -> Mapping[str, Agent]:
        return self._by_name


def discover(app_packages: Iterable[str]) -> Registry:
    """Registry of all agents in ``<package>.agents``; apps without such a package have none.

    Raises :class:`DuplicateAgent`, and ``TypeError`` for a module whose ``AGENT`` is something else.
    """
    registry = Registry()
    for package in app_packages:
        root = f"{package}.agents"
        try:
            found = importlib.import_module(root)
        except ModuleNotFoundError as missing:
            if missing.name != root:
                raise
            continue
        for module in sorted(pkgutil.iter_modules(found.__path__), key=lambda m: m.name):
            agent = getattr(importlib.import_module(f"{root}.{module.name}"), "AGENT", None)
            if agent is None:
                continue  # a helper module beside the agents
            if not isinstance(agent, Agent):
                raise TypeError(f"{root}.{module.name}.AGENT is not an Agent")
            registry.add(agent)
    return registry
