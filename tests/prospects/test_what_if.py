"""What-if: who would change under a draft, exactly as a real re-score changes them afterwards, and nothing written."""

from __future__ import annotations

import hashlib
import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from approvals.models import ApprovalRequest
from playbooks.models import PlaybookVersion
from playbooks.services import drafts, lifecycle
from prospects import tasks
from prospects.models import Prospect, Score, Signal, WhatIf, WhatIfChange
from prospects.reading.foresight import Foresight
from prospects.services import rescoring, what_if
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db
STANDING = ("route", "tier", "verdict", "composite", "coverage", "priority")


def various(under: PlaybookVersion, count: int) -> None:
    """Companies of many kinds: whatever the criteria read is now wanted, now not, now unknown."""
    rng = random.Random(7)
    for number in range(count):
        facts: dict[str, Any] = {
            "industry": rng.choice(["B2B", "Healthcare", "Consumer", "Fintech"]),
            "country": rng.choice(["US", "GB", "FR"]),
            "tags": rng.sample(["SaaS", "B2B", "Sales", "Games", "AI"], k=rng.randint(0, 3)),
            "status": rng.choice(["Active"] * 8 + ["Inactive", "Acquired"]),
            "hiring": rng.choice([True, False]),
        }
        if rng.random() < 0.8:
            facts["employees_min"] = facts["employees_max"] = rng.choice([2, 12, 38, 55, 900])
        made = scene.company(under, facts, news=rng.random() < 0.5)
        if number % 10 == 0:
            factories.signal(made, kind="reply", text="This is too expensive for us.", observed_at=scene.CHANGED)
            scene.seen(made)


def draft_of(under: PlaybookVersion) -> PlaybookVersion:
    """Weights, a threshold, what a criterion asks, one gone, one new, and how much is needed to qualify."""
    draft = drafts.new_version(under.playbook, actor=None)
    draft.hot_threshold, draft.warm_threshold = 62, 35
    draft.weight_firmographic, draft.weight_behavioral = draft.weight_firmographic + 10, draft.weight_behavioral - 10
    draft.tier_1_threshold = 0.7
    draft.save()
    draft.criteria.filter(key="size").update(params={"attribute": "employees", "minimum": 5, "maximum": 60})
    draft.criteria.filter(key="industry").update(weight=35)
    draft.criteria.filter(key="growth_stage").delete()
    draft.templates.filter(body__contains="growth_stage").delete()
    draft.criteria.create(
        key="speaks_english", label="Speaks English", layer="psychologic", category="need", kind="in_set", weight=12,
        params={"attribute": "country", "values": ["US", "GB"]}, position=90,
    )  # fmt: skip
    draft.stage_rules.filter(to_stage="qualified").update(min_score=45)
    return draft


def worked(of: WhatIf) -> WhatIf:
    while what_if.work(of.pk):
        pass
    of.refresh_from_db()
    return of


def publish(draft: PlaybookVersion) -> None:
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        step(draft, actor=None)


def standings() -> dict[int, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in Prospect.objects.values_list("pk", *STANDING)}


def checksum(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM {table} t")
        return str(cursor.fetchone()[0])


def test_a_what_if_and_the_real_re_score_agree_exactly_for_everybody() -> None:
    under = scene.demo()
    various(under, 240)
    scene.run(under)
    before = standings()
    draft = draft_of(under)
    later = scene.CLOCK + timedelta(days=9)
    foreseen = {c.id: f.standing for c, f in Foresight(draft, now=later).look(list(before))}
    made = worked(what_if.start(draft, client=under.playbook.client, actor=None, clock=later))

    publish(draft)
    scene.run(draft, clock=later)
    after = standings()
    assert foreseen == after
    changed = {pk for pk in before if before[pk][:3] != after[pk][:3]}
    rows = WhatIfChange.objects.filter(what_if=made)
    assert set(rows.values_list("prospect_id", flat=True)) == changed
    assert made.changed == len(changed) > 40
    assert len({row[0] for row in after.values()} | {row[2] for row in after.values()}) >= 5
    for row in rows:
        assert (row.new_route, row.new_tier, row.new_verdict, row.new_composite) == after[row.prospect_id][:4]
        assert (row.route, row.tier, row.verdict) == before[row.prospect_id][:3]
        assert row.why


def test_it_writes_no_score_evidence_or_stage() -> None:
    under = scene.demo()
    various(under, 12)
    scene.run(under)
    tables = ("prospects_score", "prospects_evidence", "prospects_prospect", "prospects_stagetransition",
              "prospects_agentrun", "prospects_signal")  # fmt: skip
    before = {table: checksum(table) for table in tables}
    made = worked(what_if.start(draft_of(under), client=under.playbook.client, actor=None))
    assert made.status == "done"
    assert made.done == made.total == 12
    assert {table: checksum(table) for table in tables} == before


def test_the_counts_add_up_to_everybody_and_the_rows_to_who_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(what_if, "CHUNK", 5)
    under = scene.demo()
    various(under, 23)
    scene.run(under)
    made = worked(what_if.start(draft_of(under), client=under.playbook.client, actor=None, clock=scene.CLOCK))
    for kind in ("route", "tier", "verdict"):
        assert sum(made.counts[kind].values()) == 23
    moved = {pair: n for pair, n in made.counts["route"].items() if len(set(pair.split(">"))) == 2}
    rows = WhatIfChange.objects.filter(what_if=made)
    for pair, count in moved.items():
        route, new = pair.split(">")
        assert rows.filter(route=route, new_route=new).count() == count
    assert made.changed == rows.count()


def test_asking_twice_makes_one_and_a_changed_draft_makes_another() -> None:
    under = scene.demo()
    various(under, 2)
    draft = draft_of(under)
    client = under.playbook.client
    first = what_if.start(draft, client=client, actor=None)
    assert what_if.start(draft, client=client, actor=None) == first
    PlaybookVersion.objects.filter(pk=draft.pk).update(hot_threshold=66)
    draft.refresh_from_db()
    second = what_if.start(draft, client=client, actor=None)
    assert second != first
    assert second.fingerprint != first.fingerprint
    assert list(WhatIf.objects.filter(version=draft)) == [second]


def test_one_that_is_stopped_works_no_further() -> None:
    under = scene.demo()
    various(under, 3)
    made = what_if.start(draft_of(under), client=under.playbook.client, actor=None)
    what_if.cancel(made, actor=None)
    assert worked(made).status == "cancelled"
    assert made.done == 0


def test_one_that_nobody_works_on_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    under = scene.demo()
    made = what_if.start(draft_of(under), client=under.playbook.client, actor=None)
    nudged: list[int] = []
    monkeypatch.setattr(what_if, "nudge", lambda row: nudged.append(row.pk))
    assert what_if.sweep(at=made.heartbeat_at + timedelta(seconds=5)) == 0
    assert what_if.sweep(at=made.heartbeat_at + timedelta(minutes=1)) == 1
    assert nudged == [made.pk]


def test_one_that_breaks_says_so_and_leaves_no_half_counted_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    under = scene.demo()
    various(under, 3)
    made = what_if.start(draft_of(under), client=under.playbook.client, actor=None)

    def breaks(*_: object) -> None:
        raise ValueError("a judge lost the plot")

    monkeypatch.setattr(what_if, "_changes", breaks)
    with pytest.raises(ValueError, match="plot"):
        tasks.look_ahead(made.pk)
    made.refresh_from_db()
    assert (made.status, made.done, made.changes.count()) == ("failed", 0, 0)
    assert made.trace_id in made.error
    assert not what_if.work(made.pk)


def test_a_draft_that_breaks_a_rule_judges_nobody() -> None:
    under = scene.demo()
    draft = draft_of(under)
    draft.criteria.filter(key="size").update(params={"attribute": "employees"})
    with pytest.raises(what_if.NotJudgeable, match="minimum"):
        what_if.start(draft, client=under.playbook.client, actor=None)


def test_a_new_question_that_only_a_person_can_judge_is_named_and_counts_as_unknown() -> None:
    under = scene.demo()
    made = scene.company(under, scene.GOOD)
    scene.run(under)
    draft = draft_of(under)
    draft.agent_assignments.update_or_create(agent="need_evidence", defaults={"implementation": "human"})
    found = worked(what_if.start(draft, client=under.playbook.client, actor=None, clock=scene.CLOCK))
    assert found.counts["unasked"] == ["Speaks English"]
    ((_, foreseen),) = Foresight(draft, now=scene.CLOCK).look([made.pk])
    assert "speaks_english" not in foreseen.evidence["icp"]


def test_publishing_leaves_every_earlier_score_and_decision_as_it_was() -> None:
    under = scene.demo()
    various(under, 20)
    scene.company(under, scene.GOOD)
    scene.run(under)
    waiting = ApprovalRequest.objects.get(prospect__company__employees_min=12, prospect__company__tags=["SaaS", "B2B"])
    factories.decision(waiting, factories.user(under.playbook.client, "reviewer"), at=waiting.created_at)
    tables = ("prospects_score", "prospects_evidence", "prospects_stagetransition", "approvals_decision",
              "approvals_message", "prospects_agentrun")  # fmt: skip
    with connection.cursor() as cursor:
        last = {}
        for table in tables:
            cursor.execute(f"SELECT coalesce(max(id), 0), count(*) FROM {table}")
            last[table] = cursor.fetchone()

    def hashes() -> dict[str, str]:
        found = {}
        with connection.cursor() as cursor:
            for table, (newest, _) in last.items():
                cursor.execute(
                    f"SELECT t::text FROM {table} t WHERE id <= %s ORDER BY id",
                    [newest],
                )
                found[table] = hashlib.sha256("\n".join(row[0] for row in cursor.fetchall()).encode()).hexdigest()
        return found

    before = hashes()
    draft = draft_of(under)
    publish(draft)
    scene.run(draft, clock=scene.CLOCK + timedelta(days=1))
    lifecycle.activate(under, actor=None, note="Back again.")
    scene.run(under, clock=scene.CLOCK + timedelta(days=2))
    assert hashes() == before
    assert all(count for _, count in last.values())
    assert Signal.objects.exists()


def _numbers(standing: dict[int, tuple[Any, ...]]) -> dict[int, tuple[Any, ...]]:
    return {pk: (route, tier, *rest) for pk, (route, tier, _verdict, *rest) in standing.items()}


def test_what_if_and_re_score_agree_where_two_versions_rule() -> None:
    """Those who came first stay under the first version, newcomers are ruled by the second; then a third for all."""
    first = scene.demo()
    playbook, client = first.playbook, first.playbook.client
    various(first, 40)
    scene.run(first)
    early = set(standings())
    second = drafts.new_version(playbook, actor=None)
    second.hot_threshold, second.warm_threshold = 90, 60
    second.save()
    second.criteria.filter(key="industry").update(weight=60)
    second = lifecycle.publish(second, actor=None, note="Stricter.", applies_to="new")
    various(first, 30)
    scene.run(second)
    late = set(standings()) - early

    later = scene.CLOCK + timedelta(days=20)
    foreseen = {}
    for version, group in ((first, early), (second, late)):
        foreseen |= {c.id: f.standing for c, f in Foresight(version, now=later).look(sorted(group))}
    rescoring.rescore(client=client, playbook=playbook, actor=None, clock=later)
    # A re-score moves nobody: the verdict is the next convergence's to change.
    assert _numbers(standings()) == _numbers(foreseen)
    newest = Score.objects.filter(scorecard="icp").order_by("prospect_id", "-pk").distinct("prospect_id")
    assert set(newest.values_list("prospect_id", "playbook_version_id")) == {
        (pk, version.pk) for version, group in ((first, early), (second, late)) for pk in group
    }
    third = draft_of(first)
    foreseen = {c.id: f.standing for c, f in Foresight(third, now=later).look(sorted(early | late))}
    made = worked(what_if.start(third, client=client, actor=None, clock=later))
    before = standings()
    publish(third)
    scene.run(third, clock=later)
    after = standings()
    assert foreseen == after
    rows = {row.prospect_id: row for row in WhatIfChange.objects.filter(what_if=made)}
    assert set(rows) == {pk for pk in before if before[pk][:3] != after[pk][:3]}
    began = {
        name: {words for pk in group if pk in rows for words in rows[pk].why if words.startswith("Hot begins at")}
        for name, group in (("early", early), ("late", late))
    }
    assert began["early"] <= {"Hot begins at 62 instead of 70."}
    assert began["late"] <= {"Hot begins at 62 instead of 90."}
    assert began["early"] | began["late"]
