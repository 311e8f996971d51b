"""Health checks of agents: a number, what it has to be, and whether it is. Numbers are bounded samples or day cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from playbooks.models import AgentAssignment, Client
from salesops.percent import percent
from salesops.reading.agent_numbers import DAYS, Row
from salesops.sql import fetch

MIN_SUCCESS = 0.95
MAX_REFUSED = 0.20
MIN_CONNECTOR_SUCCESS = 0.95
MAX_DUPLICATES = 0.40
MIN_FIT = 0.60
MIN_USABLE_ANSWERS = 0.95
LOOKUPS = 500  # the newest answers of outside sources
ANSWERS = 200  # the newest answers of an agent's language model

#: Agents whose work is asking outside sources.
CONNECTED = frozenset({"market_scan", "enrichment", "contact_finder"})
DEDUPLICATION, FIT = "deduplication", "fit_evidence"

SOURCES_SQL = """
SELECT count(*), count(*) FILTER (WHERE status <> 'failed') FROM (
  SELECT status FROM prospects_sourceanswer WHERE client_id = %(client)s ORDER BY id DESC LIMIT %(limit)s) AS newest
"""
ANSWERS_SQL = """
SELECT agent, count(newest.outcome), count(*) FILTER (WHERE newest.outcome = 'answered')
  FROM unnest(%(agents)s::text[]) AS agent LEFT JOIN LATERAL (
    SELECT outcome FROM prospects_modelanswer WHERE client_id = %(client)s AND prospects_modelanswer.agent = agent.agent
     ORDER BY id DESC LIMIT %(limit)s) AS newest ON true
 GROUP BY agent
"""


@dataclass(frozen=True)
class Check:
    """One check. ``passed`` None: there is nothing to measure yet."""

    label: str
    value: float | None
    bound: float
    least: bool  # the value has to be at least the bound; else at most
    share: bool = True
    of: str = ""

    @property
    def passed(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.least else self.value <= self.bound

    @property
    def numbers(self) -> str:
        """What it is and what it has to be."""
        needs = f"{'≥' if self.least else '≤'} {self._say(self.bound)}"
        return f"{self._say(self.value)}, needs {needs}" if self.value is not None else f"needs {needs}"

    def _say(self, value: float | None) -> str:
        if value is None:
            return "–"
        if not self.share:
            return f"{value:.2f}"
        # Never rounded up to what it needs: 94.96 % is not 95 %.
        places = 0 if abs(value - self.bound) >= 0.005 or value == self.bound else 2
        return percent(value, places)


@dataclass(frozen=True)
class Health:
    """All checks of one agent."""

    checks: tuple[Check, ...]

    @property
    def measured(self) -> int:
        return sum(check.passed is not None for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.passed is False]

    @property
    def words(self) -> str:
        """ "3 of 3"; nothing where there is nothing to measure."""
        return f"{self.measured - len(self.failed)} of {self.measured}" if self.measured else ""


def health_of(client: Client, rows: Sequence[Row]) -> dict[str, Health]:
    """Every agent's checks, by its name; two queries."""
    lookups = _lookups(client)
    asking = [row.agent.name for row in rows if row.implementation == AgentAssignment.Implementation.LLM]
    answers = _answers(client, asking) if asking else {}
    return {row.agent.name: Health(tuple(_checks(row, lookups, answers))) for row in rows}


def _checks(row: Row, lookups: float | None, answers: Mapping[str, float | None]) -> Iterator[Check]:
    name, total = row.agent.name, row.total
    yield Check("Runs without failure", total.success, MIN_SUCCESS, least=True, of=f"the last {DAYS} days")
    yield Check("Proposals refused", total.refusals, MAX_REFUSED, least=False, of=f"the last {DAYS} days")
    if name in CONNECTED:
        yield Check(
            "Connector success", lookups, MIN_CONNECTOR_SUCCESS, least=True, of=f"the last {LOOKUPS} answers of sources"
        )
    if name == DEDUPLICATION:
        rate = total.promoted / total.runs if total.runs else None
        yield Check("Duplicate rate", rate, MAX_DUPLICATES, least=False, of="prospects looked at")
    if name == FIT:
        fit = total.marks / total.marked if total.marked else None
        yield Check("Mean fit", fit, MIN_FIT, least=True, share=False, of=f"prospects judged in {DAYS} days")
    if name in answers:
        yield Check(
            "Usable answers", answers[name], MIN_USABLE_ANSWERS, least=True, of=f"the last {ANSWERS} of its model"
        )


def _lookups(client: Client) -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(SOURCES_SQL, {"client": client.pk, "limit": LOOKUPS})
        asked, answered = cursor.fetchone()
    return answered / asked if asked else None


def _answers(client: Client, agents: Sequence[str]) -> dict[str, float | None]:
    rows = fetch(ANSWERS_SQL, {"client": client.pk, "agents": list(agents), "limit": ANSWERS})
    return {agent: usable / asked if asked else None for agent, asked, usable in rows}
