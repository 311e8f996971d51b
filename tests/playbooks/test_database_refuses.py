"""What PostgreSQL refuses about playbooks, budgets and the audit log, whoever asks."""

import pytest
from django.db import DatabaseError, connection, transaction

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, BudgetPeriod, PlaybookVersion, Role, Stop
from playbooks.models.checks import VersionRow
from playbooks.services import drafts, lifecycle
from tests import factories
from tests.refusals import refuses

pytestmark = pytest.mark.django_db

VERSION = "UPDATE playbooks_playbookversion SET "


def test_layer_weights_that_sum_to_99() -> None:
    draft = factories.version(active=False)
    refuses(VERSION + "weight_investment = 24 WHERE id = %s", [draft.pk], because="sum_to_100")


def test_a_merge_without_asking_of_what_contradicts_itself_or_a_question_about_strangers() -> None:
    draft = factories.version(active=False)
    for change in ("merge_threshold = 0.95", "merge_threshold = 1.1", "twin_threshold = 0.4", "twin_threshold = 0.995"):
        refuses(VERSION + f"{change} WHERE id = %s", [draft.pk], because="merges_are_sure")


def test_a_hot_threshold_below_the_warm_one() -> None:
    draft = factories.version(active=False)
    refuses(VERSION + "hot_threshold = 30 WHERE id = %s", [draft.pk], because="hot_above_warm")


def test_no_e_mails_a_day() -> None:
    draft = factories.version(active=False)
    refuses(VERSION + "emails_per_day = 0 WHERE id = %s", [draft.pk], because="limits_positive")


def test_a_second_active_version() -> None:
    active = factories.version()
    second = factories.on_record(drafts.new_version(active.playbook, actor=None), "submit", "approve")
    refuses(VERSION + "status = 'active' WHERE id = %s", [second.pk], because="playbook_one_active")


def test_a_draft_that_jumps_to_active() -> None:
    draft = factories.version(active=False)
    refuses(VERSION + "status = 'active' WHERE id = %s", [draft.pk], because="cannot make that status change")


@pytest.mark.parametrize(
    "change", ["root_intent = 'other'", "min_confidence = 0.1", "number = 9", "two_approvers = true"]
)
def test_editing_a_version_that_left_draft(change: str) -> None:
    active = factories.version()
    refuses(VERSION + f"{change} WHERE id = %s", [active.pk], because="frozen once it has left draft")


def test_editing_while_taking_it_back_to_draft() -> None:
    draft = factories.version(active=False)
    factories.on_record(draft, "submit")
    refuses(VERSION + "status = 'draft', root_intent = 'other' WHERE id = %s", [draft.pk], because="frozen")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE playbooks_criterion SET weight = 99 WHERE version_id = %s",
        "DELETE FROM playbooks_criterion WHERE version_id = %s",
        "UPDATE playbooks_stagerule SET min_categories = 0 WHERE version_id = %s",
        "DELETE FROM playbooks_messagetemplate WHERE version_id = %s",
        "UPDATE playbooks_channelpolicy SET daily_cap = 9999 WHERE version_id = %s",
        "INSERT INTO playbooks_brandrule (version_id, phrase, verdict, reason) VALUES (%s, 'free', 'block', '')",
    ],
)
def test_changing_what_hangs_on_a_frozen_version(sql: str) -> None:
    active = factories.version()
    refuses(sql, [active.pk], because="belongs to a playbook version that is frozen")


@pytest.mark.parametrize("table", sorted(rows._meta.db_table for rows in VersionRow.__subclasses__()))
def test_emptying_what_hangs_on_versions(table: str) -> None:
    refuses(f"TRUNCATE {table} CASCADE", because="cannot be truncated")


def test_moving_a_criterion_out_of_a_frozen_version() -> None:
    active, draft = factories.version(), factories.version(active=False)
    sql = "UPDATE playbooks_criterion SET version_id = %s, key = 'moved' WHERE version_id = %s"
    refuses(sql, [draft.pk, active.pk], because="frozen")


def test_deleting_a_version() -> None:
    draft = factories.version(active=False)
    refuses("DELETE FROM playbooks_playbookversion WHERE id = %s", [draft.pk], because="cannot be deleted")


@pytest.mark.parametrize("status", ["in_review", "approved", "active", "retired"])
def test_a_version_born_past_draft(status: str) -> None:
    draft = factories.version(active=False)
    columns = [field.column for field in PlaybookVersion._meta.concrete_fields if not field.primary_key]
    taken = ", ".join({"status": f"'{status}'", "number": "2"}.get(column, column) for column in columns)
    sql = f"INSERT INTO playbooks_playbookversion ({', '.join(columns)}) SELECT {taken} FROM playbooks_playbookversion"
    refuses(f"{sql} WHERE id = %s", [draft.pk], because="begins as a draft")


def test_moving_a_draft_into_another_playbook() -> None:
    draft, other = factories.version(active=False), factories.version()
    refuses(VERSION + "playbook_id = %s, number = 2 WHERE id = %s", [other.playbook_id, draft.pk], because="stays with")


def test_giving_a_playbook_to_another_client_or_turning_it_to_households() -> None:
    playbook = factories.version().playbook
    for change in (f"client_id = {factories.client().pk}", "kind = 'household'"):
        refuses(f"UPDATE playbooks_playbook SET {change} WHERE id = %s", [playbook.pk], because="was made with")


@pytest.mark.parametrize(
    "change", ["change_note = 'Better.'", "activated_at = activated_at - interval '1 day'", "activated_by_id = NULL"]
)
def test_saying_otherwise_who_let_a_version_rule_when_and_why(ruling: PlaybookVersion, change: str) -> None:
    refuses(VERSION + f"{change} WHERE id = %s", [ruling.pk], because="when and why")
    refuses(VERSION + f"status = 'retired', {change} WHERE id = %s", [ruling.pk], because="when and why")


@pytest.fixture
def ruling() -> PlaybookVersion:
    """A version that an admin published."""
    draft = factories.version(active=False)
    admin = factories.user(draft.playbook.client, Role.ADMIN)
    return lifecycle.publish(draft, actor=admin, note="The first.")


ACTIVATION = (
    "INSERT INTO playbooks_activation (version_id, at, note, applies_to, trace_id) VALUES (%s, {}, '', 'all', '')"
)


def test_letting_a_draft_rule_by_the_log_alone(ruling: PlaybookVersion) -> None:
    draft = drafts.new_version(ruling.playbook, actor=None)
    refuses(ACTIVATION.format("now()"), [draft.pk], because="begins to rule")


@pytest.mark.parametrize("at", ["now() - interval '1 year'", "clock_timestamp()"])
def test_saying_that_a_version_began_to_rule_earlier_or_once_more(ruling: PlaybookVersion, at: str) -> None:
    refuses(ACTIVATION.format(at), [ruling.pk], because="begins to rule|before it")


def test_a_rollback_that_says_it_came_before_what_it_takes_back(ruling: PlaybookVersion) -> None:
    newer = lifecycle.publish(drafts.new_version(ruling.playbook, actor=None), actor=None, note="The second.")
    factories.on_record(newer, "retire")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(VERSION + "status = 'active' WHERE id = %s", [ruling.pk])
        with pytest.raises(DatabaseError, match=r"begins to rule|before it"), transaction.atomic():
            cursor.execute(ACTIVATION.format("now() - interval '1 second'"), [ruling.pk])
        transaction.set_rollback(True)


def test_spending_past_a_budget() -> None:
    version = factories.version()
    period = BudgetPeriod.objects.create(
        playbook=version.playbook, bucket="emails", period_start="2026-05-04", limit=5, used=5
    )
    refuses(
        "UPDATE playbooks_budgetperiod SET used = used + 1 WHERE id = %s", [period.pk], because="budget_never_overspent"
    )


def test_deleting_a_stop_instead_of_lifting_it() -> None:
    client = factories.client()
    stop = Stop.objects.create(client=client, level="client", reason="Wrong list.", created_by=factories.user(client))
    refuses("DELETE FROM playbooks_stop WHERE id = %s", [stop.pk], because="cannot be deleted")


@pytest.mark.parametrize("lifted", ["lifted_at = now()", "lifted_at = now(), lifted_by_id = created_by_id"])
def test_a_stop_lifted_by_nobody_or_for_no_reason(lifted: str) -> None:
    client = factories.client()
    stop = Stop.objects.create(client=client, level="client", reason="Wrong list.", created_by=factories.user(client))
    refuses(f"UPDATE playbooks_stop SET {lifted} WHERE id = %s", [stop.pk], because="by_somebody_for_a_reason")


def test_a_stop_that_names_no_target() -> None:
    client = factories.client()
    sql = (
        "INSERT INTO playbooks_stop (client_id, level, kind, agent, reason, created_by_id, created_at, called_off,"
        " lift_reason, trace_id) VALUES (%s, 'prospect', 'pause', '', 'x', %s, now(), '{}', '', 'x')"
    )
    refuses(sql, [client.pk, factories.user(client).pk], because="stop_names_its_target")


@pytest.fixture
def entry() -> AuditEntry:
    client = factories.client()
    with transaction.atomic():
        audit.record(client=client, event=AuditEvent.STOP_SET, subject=client, actor=None)
        return audit.record(client=client, event=AuditEvent.STOP_LIFTED, subject=client, actor=None)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE playbooks_auditentry SET detail = '{\"n\": 1}' WHERE id = %s",
        "UPDATE playbooks_auditentry SET actor_id = NULL, at = now() WHERE id = %s",
        "DELETE FROM playbooks_auditentry WHERE id = %s",
    ],
)
def test_rewriting_the_audit_log(entry: AuditEntry, sql: str) -> None:
    refuses(sql, [entry.pk], because="append-only")


def test_emptying_the_audit_log(entry: AuditEntry) -> None:
    refuses("TRUNCATE playbooks_auditentry CASCADE", because="cannot be truncated")


@pytest.mark.parametrize(
    ("seq", "because"), [(2, "audit_seq_once|does not continue"), (9, "does not continue"), (0, "does not continue")]
)
def test_slipping_an_entry_into_the_chain(entry: AuditEntry, seq: int, because: str) -> None:
    sql = (
        "INSERT INTO playbooks_auditentry (client_id, seq, at, event, subject_type, subject_id, trace_id, detail,"
        " previous_hash, entry_hash) VALUES (%s, %s, now(), 'x', 'x', 1, 'x', '{}', repeat('0', 64), repeat('1', 64))"
    )
    refuses(sql, [entry.client_id, seq], because=because)


def test_beginning_a_chain_with_another_clients_beginning() -> None:
    client = factories.client()
    sql = (
        "INSERT INTO playbooks_auditentry (client_id, seq, at, event, subject_type, subject_id, trace_id, detail,"
        " previous_hash, entry_hash) VALUES (%s, 1, now(), 'x', 'x', 1, 'x', '{}', %s, repeat('1', 64))"
    )
    refuses(sql, [client.pk, audit.genesis(client.pk + 1)], because="does not continue")


def test_the_session_switch_of_the_trigger_library_opens_nothing(entry: AuditEntry) -> None:
    refuses(
        "DO $$ DECLARE names text; BEGIN"
        " SELECT '{' || string_agg(tgname, ',') || '}' INTO names FROM pg_trigger WHERE tgname LIKE 'pgtrigger_%%';"
        " PERFORM set_config('pgtrigger.ignore', names, true);"
        " DELETE FROM playbooks_auditentry; END $$",
        because="append-only",
    )
