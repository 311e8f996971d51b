"""The stage service: legal moves, their log, their refusals."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from playbooks.models import AuditEntry
from prospects.models import StageTransition
from prospects.services.moving import stages
from prospects.services.moving.ledger import IllegalMove, Word
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db


def test_a_person_closes_a_prospect_with_a_reason_and_is_named_in_log_and_audit() -> None:
    made = factories.prospect()
    person = factories.user(made.client)
    (log,) = stages.move(
        [made], "closed", client=made.client, word=Word(at=timezone.now(), actor=person, reason="Moved abroad.")
    )
    made.refresh_from_db()
    assert (made.stage, made.stage_seq, made.stage_since) == ("closed", 1, log.at)
    assert (log.actor, log.reason, log.from_stage) == (person, "Moved abroad.", "sourced")
    assert log.seconds >= 0
    entry = AuditEntry.objects.get(event="prospect.stage_changed")
    assert (entry.actor, entry.subject_id, entry.detail) == (person, made.pk, {"from": "sourced", "to": "closed"})


def test_an_illegal_move_is_refused_and_nothing_is_written() -> None:
    made = factories.prospect()
    with pytest.raises(IllegalMove, match="from sourced to converted"):
        stages.move([made], "converted", client=made.client, word=Word(at=timezone.now(), actor=None))
    assert not StageTransition.objects.exists()


def test_a_stage_that_does_not_exist_is_refused() -> None:
    made = factories.prospect()
    with pytest.raises(IllegalMove):
        stages.move([made], "married", client=made.client, word=Word(at=timezone.now(), actor=None))


def test_a_move_whose_rule_does_not_hold_is_refused_by_postgresql() -> None:
    made = factories.prospect()
    at = timezone.now()
    for stage in ("researched", "qualifying"):
        stages.move([made], stage, client=made.client, word=Word(at=at, actor=None))
    with pytest.raises(DatabaseError, match="lacks the evidence"), transaction.atomic():
        stages.move([made], "qualified", client=made.client, word=Word(at=at, actor=None))
    made.refresh_from_db()
    assert made.stage == "qualifying"


def test_a_prospect_of_another_client_is_not_touched() -> None:
    made, stranger = factories.prospect(), factories.client()
    assert stages.move([made], "closed", client=stranger, word=Word(at=timezone.now(), actor=None, reason="x")) == []
    made.refresh_from_db()
    assert made.stage == "sourced"


def test_a_batch_is_moved_in_a_constant_number_of_queries(django_assert_max_num_queries: object) -> None:
    under = factories.version()
    many = [factories.prospect(under) for _ in range(6)]
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        logs = stages.move(
            many, "closed", client=many[0].client, word=Word(at=timezone.now(), actor=None, reason="Season over.")
        )
    assert len(logs) == 6


def test_without_a_ruling_version_nobody_moves() -> None:
    made = factories.prospect(factories.version(active=False))
    with pytest.raises(IllegalMove, match="no active version"):
        stages.move([made], "closed", client=made.client, word=Word(at=timezone.now(), actor=None, reason="x"))


def test_only_the_stage_service_fires_transitions() -> None:
    verbs = {"move_to", "research", "qualify", "accept", "nurture", "stall", "contact_made", "engage", "disqualify"}
    for folder in ("prospects", "approvals", "playbooks", "salesops"):
        for module in Path(settings.BASE_DIR, folder).rglob("*.py"):
            services = ("prospects/services/moving/stages.py", "prospects/services/moving/ledger.py")
            if any(map(module.match, services)) or module.match("prospects/models/*.py"):
                continue
            calls = {
                node.func.attr
                for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            }
            assert "move_to" not in calls, module
            if "prospects" in module.parts:
                assert not calls & (verbs - {"accept", "qualify"}), module


SKIP = r"\1\n  - {from: researched, to: qualified, route: hot, min_categories: 3, min_score: 50}"


def test_hot_prospects_pass_over_a_stage_where_the_playbook_says_so() -> None:
    under = scene.demo(
        edit={r"(  - \{from: stalled, to: qualifying\})": SKIP, "hot: 70": "hot: 55", "warm: 40": "warm: 20"}
    )
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    good.refresh_from_db()
    assert good.route == "hot"
    moves = list(good.transitions.order_by("seq").values_list("from_stage", "to_stage", "skipped"))
    assert moves == [("sourced", "researched", []), ("researched", "qualified", ["qualifying"])]
    last = good.transitions.latest("seq")
    assert "Passed over qualifying: hot" in last.reason
    assert last.evidence_ids


def test_others_take_every_stage() -> None:
    under = scene.demo(edit={r"(  - \{from: stalled, to: qualifying\})": SKIP, "hot: 70": "hot: 99"})
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    good.refresh_from_db()
    assert good.route != "hot"
    assert list(good.transitions.order_by("seq").values_list("to_stage", flat=True)) == [
        "researched", "qualifying", "qualified",
    ]  # fmt: skip
