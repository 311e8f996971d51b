"""`verify_decisions` adds past scores up again: through new versions, and to the last bit."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from approvals.models import ApprovalRequest
from approvals.services import decide
from approvals.services.seen import present
from playbooks.models import Role
from playbooks.services import drafts, lifecycle
from prospects.models import Prospect
from prospects.services.erasing.erasure import erase_person
from prospects.services.rescoring import rescore
from tests import factories
from tests.approvals.test_verifying_history import behind_the_guards
from tests.runtime import scene

pytestmark = pytest.mark.django_db
LATER = scene.CLOCK + timedelta(hours=1)
TABLES = (
    "prospects_score", "prospects_evidence", "approvals_decision", "approvals_approvalrequest",
    "prospects_stagetransition", "approvals_message",
)  # fmt: skip


@pytest.fixture
def decided() -> ApprovalRequest:
    """A request that agents made of evidence, and that a person said no to."""
    under = scene.demo()
    client = under.playbook.client
    scene.company(under, scene.GOOD)
    scene.company(under, scene.POOR)
    scene.run(under)
    request = ApprovalRequest.objects.select_related("prospect", "message", "client").get()
    with time_machine.travel(LATER, tick=False):
        decide.reject(
            request.pk, seen=present(request).seen, actor=factories.user(client), client=client,
            reason_code="bad_timing",
        )  # fmt: skip
    return request


def rows_by_table() -> dict[str, dict[int, str]]:
    """Every row's hash, by table and id."""
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT id, md5(t::text) FROM {table} t")
            found[table] = dict(cursor.fetchall())
    return found


def verified(capsys: Any) -> dict[str, Any]:
    capsys.readouterr()
    with suppress(CommandError):
        call_command("verify_decisions", "--json")
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_publishing_leaves_every_earlier_score_and_decision_as_it_was(decided: ApprovalRequest, capsys: Any) -> None:
    before = rows_by_table()
    assert all(before.values())
    playbook = decided.playbook_version.playbook
    draft = drafts.new_version(playbook, actor=None)
    type(draft).objects.filter(pk=draft.pk).update(
        weight_firmographic=10, weight_behavioral=60, hot_threshold=95, warm_threshold=80
    )
    draft.refresh_from_db()
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        draft = step(draft, actor=None)
    later = scene.CLOCK + timedelta(days=100)
    report = rescore(client=playbook.client, playbook=playbook, actor=None, clock=later)
    assert report.written > 0
    assert Prospect.objects.get(pk=decided.prospect_id).route != "hot"
    scene.run(draft, clock=later)
    after = rows_by_table()
    for table, rows in before.items():
        assert {pk: after[table].get(pk) for pk in rows} == rows
    document = verified(capsys)
    assert document["intact"], document
    assert "scores" in document["checked"]


def test_what_was_decided_about_somebody_erased_still_adds_up(
    decided: ApprovalRequest, capsys: Any, client: Any
) -> None:
    admin = factories.user(decided.client, Role.ADMIN)
    scores = rows_by_table()["prospects_score"]
    erase_person(decided.contact, actor=admin, reason="asked")
    document = verified(capsys)
    assert document["intact"], document
    assert document["erased"]["people"] == 1
    assert rows_by_table()["prospects_score"] == scores
    client.force_login(admin)
    for page in (decided.get_absolute_url(), decided.prospect.get_absolute_url(), "/audit/", "/approvals/"):
        assert client.get(page).status_code == 200, page
    assert decided.contact.email not in client.get(decided.get_absolute_url()).content.decode()
    behind_the_guards(f"UPDATE approvals_message SET body = 'Hi' WHERE id = {decided.message_id}")
    assert not verified(capsys)["intact"]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("prospects_score", "value = value + 1e-9"),
        ("prospects_score", "coverage = coverage / 2"),
        ("prospects_score", "computed_at = computed_at - interval '1 day'"),
        ("prospects_score", "breakdown = jsonb_set(breakdown::jsonb, '{layers,0,weight}', '21')"),
        ("prospects_evidence", "rationale = replace(rationale, 'i', 'l')"),
        ("prospects_evidence", "confidence = confidence - 0.01"),
        ("prospects_evidence", "value = value - 1"),
    ],
)
def test_one_changed_byte_is_found_and_its_row_named(
    decided: ApprovalRequest, capsys: Any, table: str, change: str
) -> None:
    found = verified(capsys)
    assert (found["intact"], found["fault"]) == (True, None)
    mine = f"WHERE prospect_id = {decided.prospect_id} AND scorecard = 'icp'"
    behind_the_guards(f"UPDATE {table} SET {change} WHERE id = (SELECT min(id) FROM {table} {mine} AND value > 0)")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id) FROM {table} {mine} AND value > 0")
        (row,) = cursor.fetchone()
    document = verified(capsys)
    assert (document["intact"], document["fault"]["table"], document["fault"]["row"]) == (False, table, row)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("prospects_signal", "text = 'They grow.'"),
        ("prospects_signal", "source_ref = 'elsewhere'"),
        ("prospects_signal", "observed_at = observed_at + interval '1 second'"),
        ("prospects_evidence", "signal_ids = '{}'"),
        ("prospects_evidence", "signal_ids = ARRAY[999999]"),
        ("prospects_evidence", "client_id = 999999"),
        ("prospects_evidence", "playbook_version_id = 999999"),
        ("prospects_evidence", "fact_no = 999999999999"),
        ("prospects_score", "client_id = 999999"),
        ("prospects_score", "playbook_version_id = 999999"),
        ("prospects_score", "fact_no = 1"),
        ("prospects_stagetransition", "from_stage = 'engaged'"),
        ("prospects_stagetransition", "evidence_ids = ARRAY[999999]"),
        ("approvals_approvalrequest", "grade = 'Z'"),
        ("approvals_approvalrequest", "facts_no = facts_no - 1"),
        ("approvals_approvalrequest", "playbook_version_id = 999999"),
        ("approvals_message", "rationale = 'Because.'"),
        ("approvals_message", "compliance = 'REVIEW'"),
        ("approvals_message", "claims = '[]'"),
    ],
)
def test_what_a_decision_rests_on_changed_is_found(
    decided: ApprovalRequest, capsys: Any, table: str, change: str
) -> None:
    rests = {"prospects_signal": "signal_ids[1]", "prospects_evidence": "id"}.get(table)
    row = f"SELECT min(id) FROM {table} WHERE prospect_id = {decided.prospect_id}"
    if rests:
        row = (
            f"SELECT min({rests}) FROM prospects_evidence WHERE prospect_id = {decided.prospect_id}"
            " AND scorecard = 'icp'"
        )
    elif table == "approvals_message":
        row = f"SELECT {decided.message_id}"
    behind_the_guards(f"UPDATE {table} SET {change} WHERE id = ({row})")
    document = verified(capsys)
    assert not document["intact"]
    assert document["fault"]["table"] in {table, "prospects_score"}


def test_a_score_or_a_stage_that_is_gone_or_other_than_its_log_is_found(decided: ApprovalRequest, capsys: Any) -> None:
    of = f"prospect_id = {decided.prospect_id}"
    for sql, table in (
        (f"DELETE FROM prospects_stagetransition WHERE {of} AND seq = 1", "prospects_stagetransition"),
        (f"DELETE FROM prospects_score WHERE {of} AND scorecard = 'icp'", "approvals_approvalrequest"),
        (f"UPDATE prospects_prospect SET stage = 'engaged' WHERE id = {decided.prospect_id}", "prospects_prospect"),
    ):
        with transaction.atomic():
            behind_the_guards(sql)
            assert verified(capsys)["fault"]["table"] == table
            transaction.set_rollback(True)
    assert verified(capsys)["intact"]


def test_a_changed_score_is_found_also_where_nobody_has_decided(decided: ApprovalRequest, capsys: Any) -> None:
    assert verified(capsys)["intact"]
    others = f"SELECT min(id) FROM prospects_score WHERE prospect_id <> {decided.prospect_id} AND value > 0"
    behind_the_guards(f"UPDATE prospects_score SET value = value - 1e-9 WHERE id = ({others})")
    assert verified(capsys)["fault"]["table"] == "prospects_score"


def test_evidence_that_is_gone_or_slipped_in_is_found(decided: ApprovalRequest, capsys: Any) -> None:
    behind_the_guards(
        "INSERT INTO prospects_evidence (client_id, prospect_id, playbook_version_id, scorecard, layer, category,"
        " criterion, value, confidence, strong_negative, rationale, quote, signal_ids, fact_ref, source, observed_at,"
        " fact_no, created_at) SELECT client_id, prospect_id, playbook_version_id, scorecard, layer, category,"
        " criterion, 0, confidence, false, rationale, quote, signal_ids, fact_ref, source,"
        " observed_at + interval '1 hour', fact_no, created_at FROM prospects_evidence"
        " WHERE prospect_id = %s AND scorecard = 'icp' ORDER BY id LIMIT 1",
        decided.prospect_id,
    )
    fault = verified(capsys)["fault"]
    assert fault["table"] == "prospects_score"
    assert "was in force" in fault["reason"]
