"""How the agents do: the numbers of the Agents page, bounded whatever the number of prospects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection

from playbooks.models import AgentAssignment, Client, PlaybookVersion
from prospects.models import Convergence
from salesops.runtime.contract import Agent
from salesops.runtime.registry import Registry, discover

SAMPLE = 300
# Each agent's runs are found through the index on (convergence, agent) and counted up to the sample, so a convergence
# over a million prospects costs what one over a thousand does.
NUMBERS_SQL = """
SELECT name, count(run.id), max(run.at), count(run.id) FILTER (WHERE run.status = 'failed'),
       coalesce(sum(run.proposed), 0), coalesce(sum(run.promoted), 0), coalesce(sum(run.refused), 0),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY run.duration_us), coalesce(sum(run.cost), 0)
  FROM unnest(%(names)s::text[]) AS name
  LEFT JOIN LATERAL (
    SELECT id, at, status, proposed, promoted, refused, duration_us, cost FROM prospects_agentrun
     WHERE convergence_id = %(convergence)s AND agent = name LIMIT %(sample)s) AS run ON true
 GROUP BY name
"""


DUE_CAP = 9_999
# Counted up to a cap through the partial index of prospects with facts that no agent has seen.
DUE_SQL = """
SELECT version.playbook_id, playbook.name,
       (SELECT count(*) FROM (SELECT 1 FROM prospects_prospect AS p
          WHERE p.playbook_id = version.playbook_id AND p.facts_no > p.converged_no
            AND p.merged_into_id IS NULL LIMIT %(cap)s) AS due)
  FROM playbooks_playbookversion AS version JOIN playbooks_playbook AS playbook ON playbook.id = version.playbook_id
 WHERE version.status = %(active)s AND playbook.client_id = %(client)s ORDER BY playbook.name
"""


@dataclass(frozen=True)
class DueWork:
    """A playbook that can be worked, and how many prospects have facts no agent has seen (capped)."""

    playbook_id: int
    name: str
    count: int

    @property
    def capped(self) -> bool:
        return self.count > DUE_CAP


@dataclass(frozen=True)
class Row:
    """One agent: who it is, how it is set, and how its sampled runs went. ``p95`` in seconds."""

    agent: Agent
    implementation: str
    runs: int
    last: datetime | None
    failed: int
    proposed: int
    promoted: int
    refused: int
    p95: float | None
    cost: Any

    @property
    def words(self) -> str:
        return self.agent.name.replace("_", " ")

    @property
    def place(self) -> str:
        """Its phase and its team, in words."""
        return f"{self.agent.phase.name.capitalize()}, {self.agent.team.value.replace('_', ' ')}"

    @property
    def p95_ms(self) -> float | None:
        """``p95`` in milliseconds: rules are that fast."""
        return self.p95 * 1000 if self.p95 is not None else None

    @property
    def state(self) -> str:
        """off, failing, working or idle."""
        if self.implementation == AgentAssignment.Implementation.OFF:
            return "off"
        if self.failed:
            return "failing"
        return "working" if self.runs else "idle"

    @property
    def success(self) -> float | None:
        """The share of sampled runs that did not fail."""
        return (self.runs - self.failed) / self.runs if self.runs else None

    @property
    def sampled(self) -> bool:
        return self.runs >= SAMPLE


@cache
def registry() -> Registry:
    """The agents of this installation."""
    return discover([config.name for config in apps.get_app_configs() if not config.name.startswith("django")])


def ways_of_agents() -> dict[str, frozenset[str]]:
    """By whom each agent's work can be done."""
    return {agent.name: frozenset(agent.implementations) for agent in registry()}


def agent_names() -> list[str]:
    """Every agent that can be stopped, in alphabetical order."""
    return sorted(registry().by_name)


def convergences(client: Client, limit: int = 10) -> list[Convergence]:
    """The client's newest convergences."""
    rows = Convergence.objects.for_client(client).select_related("playbook", "version", "created_by")
    return list(rows.order_by("-id")[:limit])


def due_work(client: Client) -> list[DueWork]:
    """The client's playbooks with an active version and what is due under each; one query."""
    active = PlaybookVersion.Status.ACTIVE.value
    parameters: dict[str, int | str] = {"client": client.pk, "active": active, "cap": DUE_CAP + 1}
    with connection.cursor() as cursor:
        cursor.execute(DUE_SQL, parameters)
        return [DueWork(*row) for row in cursor.fetchall()]


def agent_rows(client: Client, convergence: Convergence | None) -> list[Row]:
    """A row per agent over its runs in ``convergence``; two queries."""
    names = [agent.name for agent in registry()]
    numbers = _numbers(names, convergence.pk if convergence else 0)
    versions = AgentAssignment.objects.filter(version__playbook__client=client, version__status="active")
    if convergence is not None:
        versions = AgentAssignment.objects.filter(version=convergence.version_id)
    chosen = dict(versions.values_list("agent", "implementation"))
    return [
        Row(agent, chosen.get(agent.name, AgentAssignment.Implementation.RULES.value), *numbers[agent.name])
        for agent in registry()
    ]


def _numbers(names: list[str], convergence_id: int) -> dict[str, tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS_SQL, {"names": names, "convergence": convergence_id, "sample": SAMPLE})
        rows = cursor.fetchall()
    return {
        name: (runs, last, failed, proposed, promoted, refused, p95 / 1e6 if p95 is not None else None, cost)
        for name, runs, last, failed, proposed, promoted, refused, p95, cost in rows
    }
