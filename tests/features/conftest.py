"""What the sentences in the ``.feature`` files mean, held against the real database."""

from __future__ import annotations

import ast
import copy
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import LazySettings, settings
from django.db import DatabaseError, connection, transaction
from pytest_bdd import given, parsers, then, when

from approvals.models import ApprovalRequest, CapturedMail, Decision, Dispatch, Evaluation, Message, Task
from approvals.rules.quality import unresolved_placeholders
from playbooks.models import AgentPermission, AuditEntry, Criterion, Playbook, PlaybookVersion, Stop
from prospects.models import AgentRun, Contact, Diagnostic, Evidence, Prospect, Score, Signal, StageTransition
from prospects.rules.written import lines_of
from prospects.services.convergence_reports import Report
from prospects.services.convergences import Stopped
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


# --- then: structural ------------------------------------------------------------------------------------------------


@then(parsers.parse('PostgreSQL refuses it and names "{what}"'))
def _(world: World, what: str) -> None:
    assert what in world.refused


@then("no agent module imports a model")
def _() -> None:
    for app in ("playbooks", "prospects", "approvals"):
        for module, names in imports_of(Path(settings.BASE_DIR, app, "agents")):
            assert not [n for n in names if n.split(".")[0] == "django" or ".models" in n], module


@then("no agent module reaches for the time, for chance or for the outside")
def _() -> None:
    for app in ("prospects", "approvals"):
        for module, names in imports_of(Path(settings.BASE_DIR, app, "agents")):
            assert not {name.split(".")[0] for name in names} & OUTSIDE, module
            assert not calls_in(module) & {"now", "utcnow", "today", "open", "eval", "exec", "__import__"}, module


@then("no runtime module imports an app")
def _() -> None:
    own = {config.name for config in apps.get_app_configs()} - {"salesops"}
    local = {name for name in own if Path(settings.BASE_DIR, name).is_dir()}
    for module, names in imports_of(Path(settings.BASE_DIR, "salesops/runtime")):
        assert not [n for n in names if n.split(".")[0] in local], module


#: What an agent is handed by its tools, or has no use for.
OUTSIDE = {
    "asyncio", "http", "httpcore2", "httpx", "importlib", "io", "os", "pathlib", "psycopg", "random", "redis",
    "requests", "secrets", "socket", "ssl", "subprocess", "sys", "threading", "time", "urllib", "uuid",
}  # fmt: skip


def calls_in(module: Path) -> set[str]:
    """The names of everything called, whatever it is called on."""
    called = (node.func for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Call))
    return {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in called}


def imports_of(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    for module in folder.glob("*.py"):
        tree = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        names = []
        for node in tree:
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
        yield module, names


# --- then: semantic --------------------------------------------------------------------------------------------------


@then("every piece of evidence cites at least one signal of its own prospect")
def _() -> None:
    rows = list(Evidence.objects.all())
    assert rows
    for row in rows:
        assert row.signal_ids
        own = Signal.objects.filter(prospect=row.prospect_id, pk__in=row.signal_ids).count()
        assert own == len(set(row.signal_ids))


@then("every derived signal leads back to an imported one")
def _() -> None:
    for row in Signal.objects.filter(run__isnull=False):
        if row.kind == "contact":  # an assessment of somebody on file, made of what is on file
            assert Contact.objects.filter(pk=row.data["contact_id"], client=row.client_id).exists()
            continue
        origin = Signal.objects.get(pk=row.data["derived_from"]["signal_id"])
        assert origin.prospect_id == row.prospect_id
        assert origin.run_id is None


@then("every quote stands word for word in a signal it cites")
def _() -> None:
    for row in Evidence.objects.exclude(quote=""):
        signals = Signal.objects.filter(pk__in=row.signal_ids)
        texts = [s.text for s in signals] + [text for s in signals for text in flat(s.data)]
        texts += [f"{s.value:g}" for s in signals if s.value is not None]
        assert any(row.quote in text for text in texts), row.quote


def flat(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from flat(inner)
    elif isinstance(value, list):
        yield ", ".join(map(str, value))
    else:
        yield str(value)


@then("every composite can be added up again from its breakdown")
def _() -> None:
    rows = list(Score.objects.filter(scorecard="icp"))
    assert rows
    for row in rows:
        known = [part for part in row.breakdown["layers"] if part["value"] is not None]
        lines = list(lines_of(row.breakdown))
        layers = {line.layer for line in lines if line.evidence_id is not None}
        counted = [part for part in known if part["layer"] in layers]
        total = sum(part["weight"] * part["value"] for part in counted) / sum(part["weight"] for part in counted)
        assert row.value == pytest.approx(total)
        for part in counted:
            mine = [line.contribution for line in lines if line.layer == part["layer"]]
            assert part["value"] == pytest.approx(sum(mine))


@then("every line of a breakdown names evidence of that prospect or is unknown")
def _() -> None:
    for row in Score.objects.all():
        for line in lines_of(row.breakdown):
            if line.evidence_id is None:
                assert line.value == 0.0
            else:
                assert Evidence.objects.get(pk=line.evidence_id).prospect_id == row.prospect_id


@then("every prospect stands where its last transition ends")
def _() -> None:
    for prospect in Prospect.objects.all():
        log = list(StageTransition.objects.filter(prospect=prospect, pipeline="prospect").order_by("seq"))
        assert [row.seq for row in log] == list(range(1, len(log) + 1))
        assert prospect.stage == (log[-1].to_stage if log else "sourced")
        assert prospect.stage_seq == len(log)
        for before, after in itertools.pairwise(log):
            assert before.to_stage == after.from_stage


@then(parsers.parse("every qualified prospect has {number:d} independent categories of evidence"))
def _(number: int) -> None:
    for row in StageTransition.objects.filter(to_stage="qualified"):
        rows = list(Evidence.objects.filter(pk__in=row.evidence_ids))
        assert len({e.category for e in rows}) >= number
        facts = {(tuple(e.signal_ids), e.fact_ref) for e in rows}
        assert len(facts) >= number


@then("the company that was acquired is cold and rejected")
def _(world: World) -> None:
    gone = world.companies[GONE]
    gone.refresh_from_db()
    assert (gone.route, gone.verdict) == ("cold", "rejected")


@then("every message cites evidence of its own prospect")
def _() -> None:
    for row in Message.objects.all():
        cited = set(row.evidence_ids) | {i for claim in row.claims for i in claim["evidence_ids"]}
        assert Evidence.objects.filter(pk__in=cited, prospect=row.prospect_id).count() == len(cited)


@then("every claim stands in its message")
def _() -> None:
    assert Message.objects.exists()
    for row in Message.objects.all():
        for claim in row.claims:
            assert claim["sentence"] in row.body or claim["sentence"] in row.subject
            assert claim["evidence_ids"] or claim["source"]


@then("no message has an unresolved placeholder")
def _() -> None:
    for row in Message.objects.all():
        assert unresolved_placeholders(f"{row.subject}\n{row.body}") == ()


@then("only qualified prospects have messages")
def _(world: World) -> None:
    assert set(Message.objects.values_list("prospect", flat=True)) == {world.companies[FITS].pk}


@then("there is no evidence at all")
def _() -> None:
    assert not Evidence.objects.exists()


@then("every refusal is a diagnostic with an audit entry")
def _() -> None:
    refused = AgentRun.objects.filter(refused__gt=0)
    assert refused.exists()
    for run in refused:
        assert run.diagnostics.filter(kind="permission_denied").count() == run.refused
    audited = AuditEntry.objects.filter(event="agent.permission_denied").values_list("detail", flat=True)
    assert {detail["agent"] for detail in audited} == set(refused.values_list("agent", flat=True))


# --- then: acceptance ------------------------------------------------------------------------------------------------


@then("every prospect has a verdict and a reason")
def _() -> None:
    for prospect in Prospect.objects.all():
        assert prospect.verdict in ("qualified", "rejected", "stalled")
        assert prospect.verdict_reason


@then("every stalled prospect says what is missing")
def _() -> None:
    stalled = Prospect.objects.filter(verdict="stalled")
    assert stalled.exists()
    assert all(prospect.verdict_missing for prospect in stalled)


@then("no prospect is due any more")
def _() -> None:
    assert not Prospect.objects.due().exists()


@then("no row was added by the second time")
def _(world: World) -> None:
    assert count_rows() == world.before


@then("both runs have the same hash")
def _(world: World) -> None:
    assert world.report is not None
    assert world.other is not None
    assert world.report.digest == world.other.digest


@then("there is a waiting request for the company that fits and has just started to hire")
def _(world: World) -> None:
    assert list(ApprovalRequest.objects.values_list("prospect", "status")) == [(world.companies[FITS].pk, "waiting")]


@then("no prospect is asked about twice at once")
def _() -> None:
    waiting = Counter(ApprovalRequest.objects.filter(status="waiting").values_list("prospect", flat=True))
    asked = Counter(Task.objects.filter(status="open").exclude(agent="").values_list("prospect", "agent"))
    assert max([*waiting.values(), *asked.values()], default=1) == 1


@then("no decision, dispatch or mail exists")
def _() -> None:
    for model in (Decision, Dispatch, CapturedMail):
        assert not model.objects.exists()


@then(parsers.parse("every request shows evidence of at least {number:d} categories"))
def _(number: int) -> None:
    for request in ApprovalRequest.objects.all():
        shown = {e["category"] for part in request.dossier["why"] for e in part["evidence"]}
        assert len(request.dossier["categories"]) >= number
        assert set(request.dossier["categories"]) <= shown


@then("every request names its reason to write now with a date")
def _() -> None:
    for request in ApprovalRequest.objects.all():
        why = request.dossier["why_now"]
        assert why["text"]
        assert why["at"].startswith("2026-05-20")


@then("that company is qualified")
def _(world: World) -> None:
    quiet = world.companies[QUIET]
    quiet.refresh_from_db()
    assert (quiet.verdict, quiet.stage) == ("qualified", "qualified")


@then("they refuse with the person's reason")
def _(world: World) -> None:
    assert "Prices are changing" in world.refused


@then("no agent has run")
def _() -> None:
    assert not AgentRun.objects.exists()
    assert Playbook.objects.exists()
