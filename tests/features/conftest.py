"""What sentences of the ``.feature`` files set up and do; the modules beside this one say what they promise."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import DatabaseError, connection, transaction
from pytest_bdd import given, parsers, when

from approvals.models import ApprovalRequest, Evaluation, Message
from playbooks.models import AgentPermission, Criterion, PlaybookVersion, Stop
from prospects.models import AgentRun, Diagnostic, Evidence, Prospect, Score, Signal, StageTransition
from prospects.services.converging.convergences import Stopped
from prospects.services.converging.reports import Report
from salesops.apps import ways_of_agents
from salesops.bench.standin import StandIn
from tests import factories
from tests.llm import actors
from tests.llm.scene import ANTHROPIC
from tests.runtime import scene

FACTS = (Signal, Evidence, Score, StageTransition, AgentRun, Diagnostic, Message, Evaluation, ApprovalRequest)
FITS, QUIET, GONE, WRONG = "fits", "quiet", "gone", "wrong"
COMPANIES = ((FITS, scene.GOOD, True), (QUIET, scene.GOOD, False), (GONE, scene.GONE, True), (WRONG, scene.POOR, False))


@dataclass
class World:
    """What the steps of one scenario share."""

    owner: Any = None
    version: Any = None
    companies: dict[str, Prospect] = field(default_factory=dict)
    report: Report | None = None
    other: Report | None = None
    before: dict[str, int] = field(default_factory=dict)
    refused: str = ""
    swapped: int = 0


@pytest.fixture
def world() -> World:
    return World()


def count_rows() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in FACTS}


# --- given -----------------------------------------------------------------------------------------------------------


@given("a draft of the demo playbook")
def _(world: World) -> None:
    world.version = scene.demo(activate=False)


@given("the demo playbook rules")
def _(world: World) -> None:
    world.owner = factories.client(name="Acme", sender_email="robin@acme.example")
    world.version = scene.demo(world.owner)


def settle_in(world: World, name: str, facts: dict[str, Any], *, news: bool) -> None:
    world.companies[name] = add(world.version, name, facts, news=news)


def add(under: PlaybookVersion, name: str, facts: dict[str, Any], *, news: bool) -> Prospect:
    owner = under.playbook.client
    account = {**facts, "name": f"{name.title()} Works", "name_key": f"{name} works", "domain": f"{name}.example"}
    person = factories.contact(owner, email=f"dana@{name}.example", attributes={"collected_on": "2026-04-07"})
    return scene.company(under, account, news=news, contact=person)


@given("a company that fits and has just started to hire")
def _(world: World) -> None:
    settle_in(world, FITS, scene.GOOD, news=True)


@given("a company that fits but has no news")
def _(world: World) -> None:
    settle_in(world, QUIET, scene.GOOD, news=False)


@given("a company that was acquired")
def _(world: World) -> None:
    settle_in(world, GONE, scene.GONE, news=True)


@given("a company of the wrong kind")
def _(world: World) -> None:
    settle_in(world, WRONG, scene.POOR, news=False)


@given("the qualification team may not write evidence")
def _(world: World) -> None:
    AgentPermission.objects.create(client=world.owner, team="qualification", resource="icp_evidence", access="none")


@given("a model on this machine that answers honestly")
def _(settings: LazySettings) -> Iterator[None]:
    with StandIn(actors.honest) as provider:
        llm = copy.deepcopy(settings.LLM)
        llm["MODELS"] = dict.fromkeys(("fast", "search", "analysis", "writing"), ANTHROPIC)
        llm["PRICES"] = {ANTHROPIC: {"in": "1", "out": "5"}}
        llm["BASE_URLS"] = {"anthropic": provider.url}
        settings.LLM = llm
        yield


@given("a person stops the client")
def _(world: World) -> None:
    person = factories.user(world.owner)
    Stop.objects.create(client=world.owner, level="client", reason="Prices are changing", created_by=person)


# --- when ------------------------------------------------------------------------------------------------------------


@when("the agents converge")
def _(world: World) -> None:
    world.report = scene.run(world.version)
    world.before = count_rows()


@when(parsers.parse("each agent in turn is done by {way} and the agents converge"))
def _(world: World, way: str) -> None:
    for agent, ways in sorted(ways_of_agents().items()):
        if way in ways or way == "off":
            converge_with(world, {agent: way})
    assert world.swapped > 1


@when(parsers.parse("every agent that can be is done by {way} and the agents converge"))
def _(world: World, way: str) -> None:
    converge_with(world, {agent: way for agent, ways in ways_of_agents().items() if way in ways or way == "off"})


def converge_with(world: World, assigned: dict[str, str]) -> None:
    """The same companies for a client of its own whose playbook assigns the agents so."""
    world.swapped += 1
    rows = "".join(f"\n  - {{agent: {agent}, implementation: '{way}'}}" for agent, way in assigned.items())
    owner = factories.client(name="Acme", sender_email="robin@acme.example")
    edit = {r"(?m)^agents: \[\]$": f"agents:{rows}", "tokens_per_day: 0": "tokens_per_day: 5000000"}
    twin = scene.demo(owner, edit=edit)
    for name, facts, news in COMPANIES:
        add(twin, name, facts, news=news)
    scene.run(twin)


@when("the agents converge again")
def _(world: World) -> None:
    scene.run(world.version)


@when("the agents are asked to converge")
def _(world: World) -> None:
    with pytest.raises(Stopped) as refusal:
        scene.run(world.version)
    world.refused = refusal.value.message


@when("the same companies converge for another client")
def _(world: World) -> None:
    twin = scene.demo(factories.client(name="Acme", sender_email="robin@acme.example"))
    for name, facts, news in COMPANIES:
        add(twin, name, facts, news=news)
    world.other = scene.run(twin)


@when("the company that fits but has no news starts to hire")
def _(world: World) -> None:
    quiet = world.companies[QUIET]
    factories.signal(quiet, kind="hiring_started", observed_at=scene.CHANGED, text="Started hiring.")
    scene.seen(quiet)


@when("its behavioral weight is raised by one")
def _(world: World) -> None:
    row = PlaybookVersion.objects.filter(pk=world.version.pk)
    world.refused = refusal_of(lambda: row.update(weight_behavioral=world.version.weight_behavioral + 1))


@when("a second version is set active behind the program's back")
def _(world: World) -> None:
    newer = scene.demo(world.owner, edit={r"min_score: \d+": "min_score: 61"}, activate=False)

    def cheat() -> None:
        with connection.cursor() as cursor:
            for status in ("in_review", "approved", "active"):
                cursor.execute("UPDATE playbooks_playbookversion SET status = %s WHERE id = %s", [status, newer.pk])

    world.refused = refusal_of(cheat)


@when("one of its criteria is made twice as heavy")
def _(world: World) -> None:
    rows = Criterion.objects.filter(version=world.version, key="size")
    world.refused = refusal_of(lambda: rows.update(weight=40))


def refusal_of(act: Any) -> str:
    with suppress(DatabaseError), transaction.atomic():
        try:
            act()
        except DatabaseError as error:
            said = str(error)
            raise
        return ""
    return said
