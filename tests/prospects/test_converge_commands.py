"""``converge``, ``score`` and ``explain`` as other people's scripts call them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from prospects.models import Prospect, Score
from prospects.rules.written import lines_of
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db


def said(*words: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def named(under: Any) -> list[str]:
    return ["--client", under.playbook.client.slug, "--playbook", under.playbook.slug]


def test_converge_prints_one_json_document() -> None:
    under = scene.demo()
    scene.company(under, scene.GOOD)
    scene.company(under, scene.GONE)
    document = json.loads(said("converge", *named(under), "--sync", "--json", "--clock", "2026-06-01T09:00:00Z"))
    assert document["status"] == "done"
    assert document["prospects"] == 2
    assert document["verdicts"] == {"qualified": 1, "rejected": 1, "stalled": 0}
    assert document["requests"] == 1
    assert len(document["digest"]) == 64
    assert document["clock"] == "2026-06-01T09:00:00+00:00"


def test_converge_says_it_in_words_without_json() -> None:
    under = scene.demo()
    scene.company(under, scene.GONE)
    assert "1 rejected" in said("converge", *named(under), "--sync")


def test_converge_takes_no_more_than_the_limit() -> None:
    under = scene.demo()
    for _ in range(3):
        scene.company(under, scene.GONE)
    assert json.loads(said("converge", *named(under), "--sync", "--json", "--limit", "2"))["prospects"] == 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--client", "nobody", "--playbook", "nothing"], "There is no client"),
        (["--limit", "0"], "at least 1"),
        (["--clock", "yesterday"], "is not a time"),
    ],
)
def test_converge_says_what_is_wrong_with_its_options(words: list[str], reason: str) -> None:
    under = scene.demo()
    asked = words if "--client" in words else [*named(under), *words]
    with pytest.raises(CommandError, match=reason):
        said("converge", *asked, "--sync")


def test_a_re_score_that_changes_nothing_writes_nothing() -> None:
    under = scene.demo()
    made = scene.company(under, scene.GOOD)
    scene.run(under)
    from prospects.services.rescoring import rescore

    before = Score.objects.count()
    report = rescore(client=under.playbook.client, playbook=under.playbook, actor=None, clock=scene.CLOCK)
    assert (report.prospects, report.written, report.changed_route) == (1, 0, 0)
    assert Score.objects.count() == before
    made.refresh_from_db()
    assert made.stage == "qualified"


def test_time_lets_evidence_fade_and_the_score_follows() -> None:
    under = scene.demo()
    made = scene.company(under, scene.GOOD)
    scene.run(under)
    made.refresh_from_db()
    fresh = made.composite
    document = json.loads(said("score", *named(under), "--json"))  # now, months after the news
    made.refresh_from_db()
    assert document["written"] == 2  # the composite and the priority
    assert made.composite is not None
    assert fresh is not None
    assert made.composite < fresh
    assert made.converged_no == made.facts_no, "a re-score is no new fact"


def test_scores_can_be_rebuilt_from_the_facts() -> None:
    under = scene.demo()
    made = scene.company(under, scene.GOOD)
    scene.run(under)
    made.refresh_from_db()
    known = (made.composite, made.coverage, made.route, made.tier, made.priority)
    Prospect.objects.filter(pk=made.pk).update(composite=None, coverage=0, route="", tier="", priority=0)
    from prospects.services.rescoring import rescore

    rescore(client=under.playbook.client, playbook=under.playbook, actor=None, clock=scene.CLOCK)
    made.refresh_from_db()
    assert (made.composite, made.coverage, made.route, made.tier, made.priority) == known


def test_explain_tells_the_whole_why() -> None:
    under = scene.demo()
    made = scene.company(under, scene.GOOD)
    scene.run(under)
    document = json.loads(said("explain", str(made.pk), "--json"))
    assert document["stage"] == "qualified"
    assert document["verdict"]["verdict"] == "qualified"
    cited = {i for row in document["evidence"] for i in row["signal_ids"]}
    assert cited <= {row["id"] for row in document["signals"]}
    assert [row["to"] for row in document["transitions"]] == ["researched", "qualifying", "qualified"]
    assert list(lines_of(document["scores"][0]["breakdown"]))
    assert document["messages"]
    assert [row["status"] for row in document["decisions"]] == ["waiting"]
    assert (document["dispatches"], document["outcomes"]) == ([], [])


def test_explain_in_words_names_value_source_and_date() -> None:
    under = scene.demo()
    made = scene.company(under, scene.GOOD)
    scene.run(under)
    assert made.company is not None
    words = said("explain", made.company.domain)
    assert "firmographic / fit / size" in words
    assert "companies.csv" in words
    assert "2026-04-07" in words
    assert "nobody has decided yet" in words


def test_explain_as_it_was_before_the_agents_ran() -> None:
    under = scene.demo()
    made = scene.company(under, scene.GOOD)
    scene.run(under)
    document = json.loads(said("explain", str(made.pk), "--json", "--at", "2026-05-30"))
    assert document["stage"] == "sourced"
    assert document["evidence"] == []
    assert document["messages"] == []
    assert document["verdict"] is None


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2026-06-01", "2026-06-01T23:59:59.999999+12:00"),
        ("2026-06-01T09:00:00", "2026-06-01T09:00:00+12:00"),
        ("2026-06-01T09:00:00Z", "2026-06-01T09:00:00+00:00"),
    ],
)
def test_explain_reads_a_day_by_the_clients_own_clock(at: str, moment: str) -> None:
    who = factories.prospect(scene.demo(factories.client(time_zone="Pacific/Auckland")))
    assert json.loads(said("explain", str(who.pk), "--json", "--at", at))["at"] == moment


@pytest.mark.parametrize("at", ["2026-02-30", "yesterday", "2026-06-01T25:00:00"])
def test_explain_says_what_a_time_looks_like(at: str) -> None:
    who = factories.prospect()
    with pytest.raises(CommandError, match="is not a time"):
        said("explain", str(who.pk), "--at", at)


def test_a_name_that_fits_nobody_or_two_is_refused() -> None:
    with pytest.raises(CommandError, match="no prospect"):
        said("explain", "nobody.example")
    owners = [factories.client(), factories.client()]
    for owner in owners:
        scene.company(scene.demo(owner), {**scene.GOOD, "domain": "same.example"})
    with pytest.raises(CommandError, match="More than one"):
        said("explain", "same.example")
    assert "same.example" in said("explain", "same.example", "--client", owners[0].slug, "--json")
