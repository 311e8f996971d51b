"""Every cell of the permission matrix, attacked: team × resource × access, a client's row over the default for all."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from django.db import connection, transaction

from playbooks.models import AgentPermission, AuditEntry, Client
from playbooks.services import permissions
from prospects.host import loading
from prospects.models import AgentRun, Diagnostic, Evidence, Prospect
from prospects.services.converging import converge as service
from salesops.all_agents import registry
from salesops.runtime import proposals
from salesops.runtime.contract import Agent, Implementation
from salesops.runtime.eligibility import unreadable
from salesops.runtime.permissions import OPEN, hidden_fields, hide
from salesops.runtime.proposals import Proposal
from salesops.runtime.registry import Registry
from salesops.runtime.validation import Objection, check, parse
from salesops.runtime.views import ProspectView
from salesops.runtime.words import READ_RESOURCES, ImplementationKind, Key, Phase, Refused, Resource, Team
from tests import factories
from tests.refusals import refuses
from tests.runtime import memory, scene

CELLS = list(itertools.product(Team, Resource))
ACCESSES = ("none", "read", "write")
EVERY_KEY = frozenset(Key)


def named(cell: tuple[Team, Resource]) -> str:
    return "-".join(cell)


# --- what the rows add up to ------------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_a_clients_row_goes_over_the_default_for_all_and_that_over_what_is_built_in(
    cell: tuple[Team, Resource],
) -> None:
    mine, other = factories.client(), factories.client()
    team, resource = cell
    for own, general in itertools.product((None, *ACCESSES), repeat=2):
        AgentPermission.objects.all().delete()
        for client, access in ((mine, own), (None, general)):
            if access is not None:
                AgentPermission.objects.create(client=client, team=team, resource=resource, access=access)
        for client, expected in (
            (mine, own or general or permissions.BUILT_IN[cell]),
            (other, general or permissions.BUILT_IN[cell]),
        ):
            writable, hidden = loading.permissions(client)
            assert (cell in writable, cell in hidden) == (expected == "write", expected == "none")
            untouched = set(CELLS) - {cell}
            assert writable & untouched == {c for c in untouched if permissions.BUILT_IN[c] == "write"}
            assert hidden & untouched == set()


def test_the_built_in_matrix_is_the_one_in_the_specification() -> None:
    writes = {cell for cell in CELLS if permissions.BUILT_IN[cell] == "write"}
    team, what = Team, Resource
    assert writes == {
        (team.LEAD_GEN, what.CONTACT), (team.QUALIFICATION, what.DEAL_STAGE), (team.CONVERSION, what.DEAL_STAGE),
        (team.QUALIFICATION, what.ICP_EVIDENCE), (team.CONVERSION, what.DEAL_VALUE), (team.LIFECYCLE, what.CHURN_RISK),
        *((each, what.ACTIVITY) for each in team),
    }  # fmt: skip
    assert {permissions.BUILT_IN[cell] for cell in CELLS} == {"write", "read"}


# --- what may be written ----------------------------------------------------------------------------------------------
def kinds() -> Iterator[type[Proposal]]:
    """Every type of proposal that becomes a row, and one made up for each resource that none speaks of yet."""
    found = [
        t for t in vars(proposals).values() if isinstance(t, type) and issubclass(t, Proposal) and t is not Proposal
    ]
    telling = (proposals.NoteProposal, proposals.TaskProposal)  # to tell or ask a person changes nothing
    yield from (kind for kind in found if kind not in telling)
    for missing in set(Resource) - {kind.resource for kind in found}:
        yield type(f"Later{missing.title()}", (Proposal,), {
            "writes": Key.HYPOTHESES, "resource": missing,
            "__annotations__": {"writes": ClassVar[Key], "resource": ClassVar[Resource]},
        })  # fmt: skip


KINDS = list(kinds())


@pytest.mark.parametrize("access", ACCESSES)
@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_a_team_writes_what_its_cell_lets_it_write_and_nothing_else(cell: tuple[Team, Resource], access: str) -> None:
    team, resource = cell
    everything = frozenset(CELLS)
    granted = everything if access == "write" else everything - {cell}
    scope = memory.scope(permissions=granted)
    context = memory.context(stage="qualified")
    agent = memory.agent("attacker", lambda batch, tools: {}, team=team, reads=EVERY_KEY, writes=EVERY_KEY)
    assert {kind.resource for kind in KINDS} == set(Resource)
    for kind in KINDS:
        objection = denial(agent, scope, context, kind)
        assert (objection is not None) == (kind.resource is resource and access != "write"), (kind, objection)
        if objection is not None:
            assert (objection.detail["team"], objection.detail["resource"]) == (team, resource)


def denial(agent: Agent, scope: Any, context: Any, kind: type[Proposal]) -> Objection | None:
    """What permission says about an empty proposal; whatever comes after permission stumbles over it."""
    with contextlib.suppress(AttributeError, TypeError):
        objection = check(agent, scope, context, kind.model_construct())
        if objection is not None and objection.kind is Refused.PERMISSION:
            return objection
    return None


def test_an_agent_that_declares_no_right_has_none_whatever_the_matrix_says() -> None:
    agent = memory.agent("modest", lambda batch, tools: {}, writes=(Key.EVALUATIONS,))
    objection = check(agent, memory.scope(), memory.context(), memory.evidence(1))
    assert objection is not None
    assert objection.kind is Refused.PERMISSION
    assert "declares no right" in objection.message


# --- what may be read -------------------------------------------------------------------------------------------------
def test_every_field_of_a_view_is_open_to_all_or_belongs_to_a_resource() -> None:
    fields = {field.name for field in dataclasses.fields(ProspectView)}
    assert fields == OPEN | hidden_fields()
    assert not OPEN & hidden_fields()


@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_an_agent_that_would_read_what_its_team_may_not_does_not_take_part(cell: tuple[Team, Resource]) -> None:
    team, resource = cell
    scope = memory.scope(unreadable=frozenset({cell}))
    for key, belongs in READ_RESOURCES.items():
        reader = memory.agent("reader", lambda batch, tools: {}, team=team, reads=(key,))
        assert (unreadable(reader, scope) is not None) == (belongs is resource)
        stranger = memory.agent("other", lambda batch, tools: {}, team=_another(team), reads=(key,))
        assert unreadable(stranger, scope) is None


def _another(team: Team) -> Team:
    return next(t for t in Team if t is not team)


# --- attacked from inside ---------------------------------------------------------------------------------------------
def attacker(team: Team, answer: Any, seen: list[ProspectView], reads: Key = Key.SEEDS) -> Agent:
    """An agent of ``team`` that keeps what it is shown and proposes whatever ``answer`` makes of it."""

    def run(batch: Any, tools: Any) -> dict[int, Any]:
        seen.extend(batch)
        return {view.id: answer(view) for view in batch}

    return Agent(f"attacker_{team}", team, Phase.QUALIFICATION, frozenset({reads}), EVERY_KEY,
                 {ImplementationKind.RULES: Implementation(run)}, order=999)  # fmt: skip


def let_loose(monkeypatch: pytest.MonkeyPatch, *agents: Agent) -> None:
    monkeypatch.setattr(service, "registry", lambda: Registry([*registry(), *agents]))


def judgement(view: ProspectView) -> list[dict[str, Any]]:
    signal = view.signals[0].id if view.signals else 1
    return [{
        "type": "evidence", "scorecard": "icp", "criterion": "industry", "layer": "firmographic", "category": "fit",
        "value": 100, "confidence": 0.99, "rationale": "Trust me.", "signal_ids": [signal], "fact_ref": "made up",
        "source": "attacker", "observed_at": "2026-05-31T00:00:00Z",
    }]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("access", ["none", "read"])
@pytest.mark.parametrize("team", [Team.LEAD_GEN, Team.QUALIFICATION])
def test_a_denied_judgement_is_a_diagnostic_and_an_audit_entry_and_no_fact(
    monkeypatch: pytest.MonkeyPatch, team: Team, access: str
) -> None:
    under = scene.demo()
    prospect = scene.company(under, scene.GOOD)
    client = under.playbook.client
    permissions.set_matrix({(team, Resource.ICP_EVIDENCE): access}, client=client, actor=None)
    let_loose(monkeypatch, attacker(team, judgement, []))
    scene.run(under)
    name = f"attacker_{team}"
    denied = Diagnostic.objects.get(prospect=prospect, agent=name)
    assert (denied.kind, "may not write icp_evidence" in denied.message) == ("permission_denied", True)
    entries = AuditEntry.objects.for_client(client).filter(event="agent.permission_denied")
    entry = next(e for e in entries if e.detail["agent"] == name)
    assert (entry.detail["team"], entry.detail["refused"], entry.actor) == (team, 1, None)
    assert not Evidence.objects.filter(rationale="Trust me.").exists()
    run = AgentRun.objects.get(prospect=prospect, agent=name)
    assert (run.promoted, run.refused) == (0, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("team", [Team.LEAD_GEN, Team.QUALIFICATION])
@pytest.mark.parametrize("resource", list(Resource))
def test_none_means_not_even_read(monkeypatch: pytest.MonkeyPatch, team: Team, resource: Resource) -> None:
    under = scene.demo()
    prospect = scene.company(under, scene.GOOD)
    scene.run(under)  # so that there is something to see
    factories.signal(prospect, kind="news")
    scene.seen(prospect)
    Prospect.objects.filter(pk=prospect.pk).update(converged_no=0)
    permissions.set_matrix({(team, resource): "none"}, client=under.playbook.client, actor=None)
    seen: list[ProspectView] = []
    let_loose(monkeypatch, attacker(team, lambda view: [], seen))
    scene.run(under)
    assert seen
    for view in seen:
        assert view == hide(view, {resource})
    if resource is Resource.ICP_EVIDENCE:
        assert {view.evidence for view in seen} == {()}
    if resource is Resource.ACTIVITY:
        readers = {a.name for a in registry() if a.team is team and Key.SIGNALS in a.reads}
        barred = set(Diagnostic.objects.filter(kind="permission_denied").values_list("agent", flat=True))
        assert barred <= readers
        assert barred
        assert AuditEntry.objects.filter(event="agent.permission_denied").exists()


@pytest.mark.django_db
def test_another_clients_matrix_changes_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = scene.demo(), scene.demo()
    prospect = scene.company(mine, scene.GOOD)
    everything = dict.fromkeys(CELLS, "none")
    permissions.set_matrix(everything, client=other.playbook.client, actor=None)
    scene.run(mine)
    prospect.refresh_from_db()
    assert prospect.verdict == "qualified"
    assert not Diagnostic.objects.filter(kind="permission_denied").exists()


# --- beyond every matrix ----------------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize("thing", ["decision", "permission", "playbook", "budget", "user", "stop", "dispatch", ""])
def test_postgresql_knows_no_cell_for_what_no_team_may_write(thing: str) -> None:
    sql = "INSERT INTO playbooks_agentpermission (team, resource, access) VALUES (%s, %s, %s)"
    refuses(sql, ["lead_gen", thing, "write"], because="agent_permission_known")
    refuses(sql, ["admin", "activity", "write"], because="agent_permission_known")
    refuses(sql, ["lead_gen", "activity", "own"], because="agent_permission_known")


def test_no_proposal_speaks_of_decisions_permissions_playbooks_budgets_or_users() -> None:
    for kind in KINDS:
        assert kind.resource in Resource
        assert kind.writes in {Key.SIGNALS, Key.HYPOTHESES, Key.STRATEGIES, Key.EVALUATIONS, Key.PROPOSALS}
    for thing in ("decision", "permission", "playbook", "budget", "user", "stop", "dispatch", "approve"):
        refused = parse({"type": thing, "approve": True, "access": "write"})
        assert isinstance(refused, Objection)
        assert refused.kind is Refused.SCHEMA


PROTECTED = (
    "approvals_decision", "approvals_dispatch", "approvals_suppression", "playbooks_agentpermission",
    "playbooks_playbook", "playbooks_playbookversion", "playbooks_criterion", "playbooks_stagerule",
    "playbooks_agentassignment", "playbooks_channelpolicy", "playbooks_trigger", "playbooks_budgetperiod",
    "playbooks_user", "playbooks_membership", "playbooks_client", "playbooks_stop",
)  # fmt: skip


@pytest.mark.django_db
def test_a_whole_convergence_of_attackers_touches_no_table_that_is_not_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    under = scene.demo()
    prospect = scene.company(under, scene.GOOD)
    client: Client = under.playbook.client
    permissions.set_matrix(dict.fromkeys(CELLS, "write"), client=client, actor=None)

    def greedy(view: ProspectView) -> list[dict[str, Any]]:
        wanted = ("decision", "permission", "playbook", "budget", "user", "dispatch", "request")
        grabs = [{"type": thing, "id": 1, "access": "write", "limit": 10**9, "kind": "approve"} for thing in wanted]
        return [*grabs, *({"type": "evidence", "writes": "proposals", "table": thing} for thing in PROTECTED)]

    let_loose(monkeypatch, *(attacker(team, greedy, []) for team in (Team.LEAD_GEN, Team.QUALIFICATION)))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION hands_off() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'an agent wrote %', TG_TABLE_NAME; END $$"
        )
        for table in PROTECTED:
            cursor.execute(
                f"CREATE TRIGGER hands_off BEFORE INSERT OR UPDATE OR DELETE ON {table} EXECUTE FUNCTION hands_off()"
            )
    report = scene.run(under)
    prospect.refresh_from_db()
    assert prospect.verdict == "qualified"
    assert report.outcome.refusals["schema"] >= 2 * len(PROTECTED)
    assert not Diagnostic.objects.filter(kind="failed").exists()
