"""How the agents do: the numbers of the Agents page, added up from agents' days whatever the number of prospects."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from playbooks.models import AgentAssignment, Client, PlaybookVersion
from playbooks.services.budgets import zone_of
from prospects.host.toolbox import models_missing
from prospects.models import Convergence
from prospects.rules.durations import BUCKETS, percentile
from salesops.all_agents import registry
from salesops.charts import Sparkline, sparkline
from salesops.runtime.contract import Agent
from salesops.sql import fetch

DAYS = 14
WORKING_FOR = timedelta(seconds=60)  # seen at work so recently, an agent is working
# A day is a row per worker that counted: a few thousand small rows, found by client and day.
DAYS_SQL = """
SELECT agent, day, sum(runs)::bigint, sum(failed)::bigint, sum(proposed)::bigint, sum(promoted)::bigint,
       sum(refused)::bigint, sum(tokens)::bigint, sum(cost), sum(marked)::bigint, sum(marks),
       max(last_at) FILTER (WHERE runs > 0)
  FROM prospects_agentday WHERE client_id = %(client)s AND day > %(since)s AND agent = ANY(%(agents)s)
 GROUP BY agent, day
"""
# Of the last day on which each agent ran: a percentile over weeks would hide that it has become slow.
# Each bucket is added up by name: unnesting the histograms would make a row of every number in them.
_BUCKETS = ", ".join(f"sum(d.buckets[{place}])::bigint" for place in range(1, BUCKETS + 1))
DURATIONS_SQL = f"""
SELECT d.agent, ARRAY[{_BUCKETS}] FROM unnest(%(agents)s::text[], %(days)s::date[]) AS newest (agent, day)
  JOIN prospects_agentday AS d ON d.client_id = %(client)s AND d.day = newest.day AND d.agent = newest.agent
 WHERE d.runs > 0 GROUP BY d.agent
"""  # noqa: S608 — numbers of ours
ASSIGNED_SQL = """
SELECT assignment.agent, assignment.implementation FROM playbooks_playbook AS playbook
  JOIN playbooks_playbookversion AS version ON version.playbook_id = playbook.id AND version.status = 'active'
  JOIN playbooks_agentassignment AS assignment ON assignment.version_id = version.id WHERE playbook.client_id = %s
"""
# A version is a wide row, and a list of jobs shows its number.
_JOB = tuple(column.name for column in Convergence._meta.concrete_fields)
_JOB_NAMES = ("playbook__name", "version__number", "created_by__name", "created_by__email")
DUE_CAP = 999
# Counted up to a cap through the partial index of prospects with facts that no agent has seen.
DUE_SQL = """
SELECT version.playbook_id, playbook.name,
       (SELECT count(*) FROM (SELECT 1 FROM prospects_prospect AS p
          WHERE p.playbook_id = version.playbook_id AND p.facts_no > p.converged_no
            AND p.merged_into_id IS NULL LIMIT %(cap)s) AS due),
       EXISTS (SELECT 1 FROM playbooks_stop AS stop WHERE stop.level = 'playbook' AND stop.target_id = playbook.id
          AND stop.lifted_at IS NULL AND (stop.until IS NULL OR stop.until > now()))
  FROM playbooks_playbookversion AS version JOIN playbooks_playbook AS playbook ON playbook.id = version.playbook_id
 WHERE version.status = %(active)s AND playbook.client_id = %(client)s ORDER BY playbook.name
"""


@dataclass(frozen=True)
class DueWork:
    """A playbook that rules, how many prospects have facts no agent has seen (capped), and whether it is stopped."""

    playbook_id: int
    name: str
    count: int
    stopped: bool

    @property
    def capped(self) -> bool:
        return self.count > DUE_CAP


@dataclass(slots=True)
class Tally:
    """What was counted over some days. ``marks`` is a sum of marks from 0 to 1 given to ``marked`` prospects."""

    runs: int = 0
    failed: int = 0
    proposed: int = 0
    promoted: int = 0
    refused: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    marked: int = 0
    marks: float = 0.0
    last: datetime | None = None

    def add(self, other: Tally) -> None:
        """Take another day in."""
        self.runs += other.runs
        self.failed += other.failed
        self.proposed += other.proposed
        self.promoted += other.promoted
        self.refused += other.refused
        self.tokens += other.tokens
        self.cost += other.cost
        self.marked += other.marked
        self.marks += other.marks
        self.last = max(filter(None, (self.last, other.last)), default=None)

    @property
    def success(self) -> float | None:
        """The share of runs that did not fail."""
        return (self.runs - self.failed) / self.runs if self.runs else None

    @property
    def refusals(self) -> float | None:
        """The share of proposals that were refused."""
        return self.refused / self.proposed if self.proposed else None


@dataclass(frozen=True)
class Day:
    """One day of an agent, for the table behind its line."""

    day: date
    tally: Tally


@dataclass
class Row:
    """One agent: who it is, how it is set, and how it did. ``p95`` in seconds, of the last day it ran."""

    agent: Agent
    implementation: str
    stopped: bool
    now: datetime
    days: list[Day] = field(default_factory=list)
    p95: float | None = None
    held: bool = False  # by a stop of the whole client, or of everything
    no_model: str = ""  # why it works by rules although the playbook gives it to a language model

    def __post_init__(self) -> None:
        self.total = Tally()
        for day in self.days:
            self.total.add(day.tally)
        self.today = self.days[-1].tally if self.days else Tally()

    @property
    def words(self) -> str:
        return self.agent.name.replace("_", " ")

    @property
    def place(self) -> str:
        """Its phase and its team, in words."""
        phase, team = self.agent.phase.name.lower(), self.agent.team.value.replace("_", " ")
        return phase.capitalize() if phase == team else f"{phase.capitalize()}, {team}"

    @property
    def state(self) -> str:
        """off, paused, failing, working or idle."""
        if self.implementation == AgentAssignment.Implementation.OFF:
            return "off"
        if self.stopped or self.held:
            return "paused"
        if self.today.failed:
            return "failing"
        return "working" if self.total.last and self.now - self.total.last < WORKING_FOR else "idle"

    @cached_property
    def line(self) -> Sparkline | None:
        """Runs per day."""
        words = f"{self.total.runs:,} runs in {DAYS} days, {self.today.runs:,} today"
        return sparkline(words, [day.tally.runs for day in self.days], width=84, height=20) if self.total.runs else None


def newest_convergences(client: Client, limit: int = 8) -> list[Convergence]:
    """The client's newest convergences, each with who or what set it off; two queries."""
    return list(listed_convergences(client).order_by("-id")[:limit])


def listed_convergences(client: Client) -> QuerySet[Convergence]:
    """The client's convergences with all that a row of their list shows."""
    rows = Convergence.objects.for_client(client).select_related("playbook", "version", "created_by")
    return rows.only(*_JOB, *_JOB_NAMES).prefetch_related("firings")


def due_work(client: Client) -> list[DueWork]:
    """The client's playbooks with an active version and what is due under each; one query."""
    active = PlaybookVersion.Status.ACTIVE.value
    parameters: dict[str, int | str] = {"client": client.pk, "active": active, "cap": DUE_CAP + 1}
    return [DueWork(*row) for row in fetch(DUE_SQL, parameters)]


def agent_rows(client: Client, stopped: set[str], only: str = "", *, held: bool = False) -> list[Row]:
    """A row per agent in the order of their work, or of one; three queries, five where a language model works.

    ``stopped``: agents under a stop of their own; ``held``: all of them are, by a wider one.
    """
    now = timezone.now()
    today = now.astimezone(zone_of(client)).date()
    dates = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    agents = [agent for agent in registry() if not only or agent.name == only]
    tallies, durations = _read(client, today - timedelta(days=DAYS), [agent.name for agent in agents])
    chosen = _assigned(client)
    by_model = AgentAssignment.Implementation.LLM.value in chosen.values()
    no_model = models_missing(*PlaybookVersion.objects.for_client(client).active()) if by_model else {}
    return [
        Row(
            agent,
            chosen.get(agent.name, AgentAssignment.Implementation.RULES.value),
            agent.name in stopped,
            now,
            [Day(day, tallies.get((agent.name, day), Tally())) for day in dates],
            percentile(durations.get(agent.name, ()), 0.95),
            held,
            no_model.get(agent.name, ""),
        )
        for agent in agents
    ]


def _assigned(client: Client) -> dict[str, str]:
    """Who does each agent's work under the active versions; where they differ, whoever is not off."""
    off = AgentAssignment.Implementation.OFF.value
    return dict(sorted(fetch(ASSIGNED_SQL, [client.pk]), key=lambda row: row[1] != off))


def _read(client: Client, since: date, agents: list[str]) -> tuple[dict[tuple[str, date], Tally], dict[str, list[int]]]:
    given: dict[str, Any] = {"client": client.pk, "since": since, "agents": agents}
    tallies = {(agent, day): Tally(*rest) for agent, day, *rest in fetch(DAYS_SQL, given)}
    newest = dict(sorted(key for key, tally in tallies.items() if tally.runs))  # the last of each agent
    given = {"client": client.pk, "agents": list(newest), "days": list(newest.values())}
    return tallies, dict(fetch(DURATIONS_SQL, given))
