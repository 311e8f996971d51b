"""Responsibility passes between teams with what is known, and the receiving team's first run takes it up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from playbooks.models import PlaybookVersion, User
from prospects.models import AgentRun, Handoff, HandoffAcceptance, Prospect
from prospects.reading import explain as why
from prospects.services.moving import handoffs, stages
from prospects.services.moving.ledger import Word
from tests import factories
from tests.refusals import refuses
from tests.runtime import scene

pytestmark = pytest.mark.django_db
HANDOFF = (
    "INSERT INTO prospects_handoff (client_id, prospect_id, transition_id, from_team, to_team, stage, summary,"
    " evidence_ids, at, trace_id) SELECT client_id, prospect_id, id, %s, %s, %s, '{}', %s, at, trace_id"
    " FROM prospects_stagetransition WHERE id = %s"
)
ACCEPT = (
    "INSERT INTO prospects_handoffacceptance (handoff_id, client_id, agent, run_id, at)"
    " SELECT id, client_id, %s, %s, now() FROM prospects_handoff WHERE id = %s"
)


def pairs(of: Prospect) -> list[tuple[str, str, str]]:
    return list(Handoff.objects.filter(prospect=of).order_by("pk").values_list("from_team", "to_team", "stage"))


def converged() -> Prospect:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    good.refresh_from_db()
    return good


def test_each_change_of_team_is_a_handoff_and_no_other_move_is() -> None:
    good = converged()
    assert pairs(good) == [
        ("lead_gen", "qualification", "researched"),
        ("qualification", "lead_gen", "qualified"),
    ]
    assert good.transitions.count() == 3


def test_it_says_what_is_known_what_is_open_and_what_to_do_next() -> None:
    good = converged()
    last = Handoff.objects.filter(prospect=good).latest("pk")
    assert ["place", 100.0] in last.summary["known"]["firmographic"]
    assert last.summary["next"] == "Draft a message and choose the channel."
    assert "gone" not in dict(last.known["firmographic"])  # looked for and not found is nothing to tell
    assert set(last.evidence_ids) == set(good.evidence.values_list("pk", flat=True))
    assert (last.summary["open"], last.summary["touches"]) == ([], [])
    assert last.run is not None
    assert last.run.prospect == good


def test_the_receiving_teams_first_run_takes_it_up() -> None:
    good = converged()
    first, second = Handoff.objects.filter(prospect=good).order_by("pk")
    assert first.acceptance.agent == "fit_evidence"
    # Lead generation had looked for signals before it qualified; what takes it up came after.
    assert second.acceptance.run_id > second.run_id
    assert second.acceptance.run.cycle == 2
    assert HandoffAcceptance.objects.count() == 2


def test_a_stalled_prospect_stays_with_qualification() -> None:
    under = scene.demo()
    quiet = scene.company(under, scene.GOOD, news=False)
    scene.run(under)
    assert pairs(quiet) == [("lead_gen", "qualification", "researched")]


def test_handoffs_cost_the_same_however_many_prospects_there_are() -> None:
    under = scene.demo()
    spent = []
    for size in (2, 8):
        for number in range(size):
            facts = {**scene.GOOD, "name": f"G{size}.{number}", "name_key": f"g{size}.{number}"}
            scene.company(under, {**facts, "domain": f"g{size}-{number}.example"})
        with CaptureQueriesContext(connection) as queries:
            scene.run(under)
        spent.append(sum("handoff" in query["sql"] for query in queries))
    assert spent[0] == spent[1]


def handing_on(**fields: Any) -> PlaybookVersion:
    """A version under which conversion is responsible once contact is made."""
    version = factories.version(active=False, **fields)
    version.stage_rules.filter(from_stage="contacted").update(team="conversion")
    return factories.activate(version)


def contacted(version: PlaybookVersion, *, by: User | None = None) -> Prospect:
    who = factories.qualified(version)
    proof = {who.pk: list(who.evidence.values_list("pk", flat=True))}
    stages.move([who], "contacted", client=who.client, word=Word(at=timezone.now(), actor=by), evidence_ids=proof)
    return who


def test_a_move_outside_the_runtime_hands_over_too_and_names_who_made_it() -> None:
    version = handing_on()
    by = factories.user(version.playbook.client)
    handed = Handoff.objects.get(prospect=contacted(version, by=by))
    assert (handed.from_team, handed.to_team, handed.stage) == ("qualification", "conversion", "contacted")
    assert (handed.actor, handed.is_open) == (by, True)
    assert handed.known == {"firmographic": [("fit", 100.0), ("need", 100.0), ("timing", 100.0)]}


def test_who_is_responsible_is_read_off_the_rules() -> None:
    under = scene.demo()
    teams = handoffs.teams_of(under.stage_rules.all())
    assert teams["sourced"] == "lead_gen"
    assert teams["qualified"] == "lead_gen"
    assert teams["stalled"] == "qualification"
    assert teams["engaged"] == "conversion"
    assert teams["converted"] == "conversion"  # who works the deal
    assert "closed" not in teams
    prospects_only = under.stage_rules.filter(pipeline="prospect")
    assert handoffs.teams_of(prospects_only)["converted"] == "lifecycle"
    assert handoffs.teams_of(under.stage_rules.all(), "deal")["won"] == "lifecycle"
    assert set(handoffs.teams_of(under.stage_rules.all(), "customer").values()) == {"lifecycle"}


def test_explain_tells_handoffs_and_costs() -> None:
    good = converged()
    told = why.explain(good)
    assert [(row["from"], row["to"]) for row in told["handoffs"]] == [
        ("lead_gen", "qualification"),
        ("qualification", "lead_gen"),
    ]
    assert told["handoffs"][0]["accepted"]["agent"] == "fit_evidence"
    assert told["costs"] == []
    first = Handoff.objects.filter(prospect=good).earliest("pk")
    before = why.explain(good, at=first.acceptance.at - timedelta(microseconds=1))
    assert all(row["accepted"] is None for row in before["handoffs"])


def test_the_page_shows_what_nobody_has_taken_up(client: Client) -> None:
    who = contacted(handing_on())
    client.force_login(factories.user(who.client))
    page = client.get(who.get_absolute_url()).content.decode()
    assert "Not taken up" in page
    assert "Qualification to conversion" in page
    shown = client.get(f"{who.get_absolute_url()}?show=handoff").content.decode()
    assert "Nobody has taken it up yet" in shown
    assert "Came in</" not in shown[shown.index('id="timeline"') :]


def test_a_handoff_is_never_edited_deleted_or_truncated() -> None:
    converged()
    because = "append-only"
    refuses("UPDATE prospects_handoff SET to_team = 'lifecycle'", because=because)
    refuses("DELETE FROM prospects_handoff", because=because)
    refuses("UPDATE prospects_handoffacceptance SET agent = 'x'", because=because)
    refuses("DELETE FROM prospects_handoffacceptance", because=because)
    refuses("TRUNCATE prospects_handoff CASCADE", because="cannot be truncated")


@pytest.mark.django_db(transaction=True)
def test_a_handoff_without_a_move_in_its_transaction() -> None:
    good = converged()
    qualifying = good.transitions.get(to_stage="qualifying")
    refuses(
        HANDOFF, ["lead_gen", "conversion", "qualifying", [], qualifying.pk],
        because="belongs to a move of its prospect",
    )  # fmt: skip


def test_a_handoff_to_oneself_or_to_nobody_known() -> None:
    good = converged()
    move = good.transitions.get(to_stage="qualifying")
    refuses(HANDOFF, ["lead_gen", "lead_gen", "qualifying", [], move.pk], because="handoff_changes_team")
    refuses(HANDOFF, ["lead_gen", "friends", "qualifying", [], move.pk], because="handoff_teams_known")


def test_taking_it_up_with_somebody_elses_run_or_twice() -> None:
    good = converged()
    other = scene.company(good.playbook.active_version, {**scene.GOOD, "name": "Other", "domain": "other.example"})
    scene.run(good.playbook.active_version)
    run = AgentRun.objects.filter(prospect=other).first()
    mine = AgentRun.objects.filter(prospect=good).first()
    assert run is not None
    assert mine is not None
    handoff = Handoff.objects.filter(prospect=good).earliest("pk")
    refuses(ACCEPT, [mine.agent, mine.pk, handoff.pk], because="handoff_id")
    who = contacted(handing_on())
    open_one = Handoff.objects.get(prospect=who)
    refuses(ACCEPT, [run.agent, run.pk, open_one.pk], because="finished run on its own prospect")
