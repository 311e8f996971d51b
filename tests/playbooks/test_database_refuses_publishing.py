"""What PostgreSQL refuses about the life of a playbook version: nonsense that leaves draft, rule without a trace."""

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from playbooks.models import Activation, Criterion, PlaybookVersion, Role
from playbooks.services import drafts, lifecycle
from tests import factories
from tests.refusals import elsewhere, refuses

pytestmark = pytest.mark.django_db

STATUS = "UPDATE playbooks_playbookversion SET status = '{}' WHERE id = {};"


@pytest.fixture
def draft() -> PlaybookVersion:
    return factories.version(active=False)


@pytest.fixture
def ruling() -> PlaybookVersion:
    return factories.version()


@pytest.mark.parametrize(
    ("sql", "because"),
    [
        ("UPDATE playbooks_playbookversion SET root_intent = '' WHERE id = %(draft)s", "for whom"),
        ("UPDATE playbooks_playbookversion SET countries = '{}' WHERE id = %(draft)s", "for whom"),
        ("UPDATE playbooks_playbookversion SET icp_industries = '{}', icp_employees_min = NULL,"
         " icp_employees_max = NULL WHERE id = %(draft)s", "for whom"),
        ("UPDATE playbooks_playbookversion SET icp_employees_min = 900 WHERE id = %(draft)s", "for whom"),
        ("DELETE FROM playbooks_criterion WHERE version_id = %(draft)s", "add up to a score"),
        ("UPDATE playbooks_criterion SET weight = 0 WHERE version_id = %(draft)s", "add up to a score"),
        ("UPDATE playbooks_criterion SET weight = 'NaN' WHERE version_id = %(draft)s", "add up to a score"),
        ("UPDATE playbooks_criterion SET weight = 'infinity' WHERE version_id = %(draft)s", "add up to a score"),
        ("UPDATE playbooks_criterion SET kind = 'hunch' WHERE version_id = %(draft)s", "add up to a score"),
        ("UPDATE playbooks_criterion SET kind = 'flag' WHERE version_id = %(draft)s", "add up to a score"),
        ("UPDATE playbooks_criterion SET params = '[]' WHERE version_id = %(draft)s", "add up to a score"),
        ("DELETE FROM playbooks_stagerule WHERE version_id = %(draft)s AND to_stage = 'qualified'", "moves that exist"),
        ("UPDATE playbooks_stagerule SET to_stage = 'heaven' WHERE version_id = %(draft)s AND to_stage = 'contacted'",
         "moves that exist"),
        ("UPDATE playbooks_stagerule SET from_stage = 'sourced' WHERE version_id = %(draft)s"
         " AND to_stage = 'qualified'", "moves that exist"),
        ("UPDATE playbooks_stagerule SET from_stage = 'researched', route = 'hot' WHERE version_id = %(draft)s"
         " AND to_stage = 'qualified'", "to qualified too"),
    ],
)  # fmt: skip
def test_nonsense_that_leaves_draft(draft: PlaybookVersion, sql: str, because: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, {"draft": draft.pk})
        assert cursor.rowcount
        with pytest.raises(DatabaseError, match=because), transaction.atomic():
            cursor.execute(STATUS.format("in_review", draft.pk))
        transaction.set_rollback(True)


def test_a_household_playbook_that_asks_for_nothing_they_do(draft: PlaybookVersion) -> None:
    home = factories.version(active=False)
    playbook = type(home.playbook).objects.create(
        client=home.playbook.client, slug="homes", name="Homes", kind="household"
    )
    empty = PlaybookVersion.objects.create(playbook=playbook, number=1, root_intent="Sell.", countries=["US"])
    refuses(STATUS.format("in_review", empty.pk), because="for whom")


@pytest.mark.parametrize("steps", [["in_review"], ["in_review", "approved"], ["in_review", "draft"]])
def test_a_version_that_moves_on_without_a_trace(draft: PlaybookVersion, steps: list[str]) -> None:
    refuses("".join(STATUS.format(step, draft.pk) for step in steps), because="on record")


def test_letting_another_version_rule_without_a_trace(ruling: PlaybookVersion) -> None:
    newer = factories.on_record(drafts.new_version(ruling.playbook, actor=None), "submit", "approve")
    for change in (
        STATUS.format("retired", ruling.pk),
        STATUS.format("retired", ruling.pk) + STATUS.format("active", newer.pk),
    ):
        refuses(change, because="on record")
    lifecycle.activate(newer, actor=None, note="Otherwise.")
    refuses(STATUS.format("retired", newer.pk) + STATUS.format("active", ruling.pk), because="on record")


def test_a_version_that_the_audit_log_says_rules_and_the_log_of_what_ruled_does_not(draft: PlaybookVersion) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        factories.on_record(draft, "submit", "approve", "activate", logged=False)
        with pytest.raises(DatabaseError, match="log of what ruled when"), transaction.atomic():
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def test_asking_for_two_people_no_more_without_a_trace(ruling: PlaybookVersion) -> None:
    boss = factories.user(ruling.playbook.client, Role.ADMIN)
    switch = "UPDATE playbooks_playbook SET two_person_publish = {}"
    refuses(switch.format("true"), because="on record")
    lifecycle.ask_for_two(ruling.playbook, wanted=True, actor=boss)
    refuses(switch.format("false"), because="on record")


def test_a_row_in_the_log_of_what_ruled_for_a_version_that_comes_later(ruling: PlaybookVersion) -> None:
    """A foreign key is content with what comes later in the transaction; a guard is not."""
    sql = (
        "INSERT INTO playbooks_activation (version_id, at, note, applies_to, trace_id)"
        " VALUES (%s, clock_timestamp(), '', 'all', '')"
    )
    with pytest.raises(DatabaseError, match="begins to rule"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, [ruling.pk + 1000])
    assert Activation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_change_that_was_begun_in_draft_and_is_committed_once_it_rules(draft: PlaybookVersion) -> None:
    weigh = "UPDATE playbooks_criterion SET weight = 99 WHERE version_id = %s"
    with elsewhere() as other, other.cursor() as cursor:
        cursor.execute(weigh, [draft.pk])
        with connection.cursor() as mine:
            mine.execute("SET lock_timeout = '200ms'")
        with pytest.raises(DatabaseError, match="lock timeout"):
            factories.activate(draft)
        with connection.cursor() as mine:
            mine.execute("RESET lock_timeout")
        other.rollback()
        factories.activate(PlaybookVersion.objects.get(pk=draft.pk))
        with pytest.raises(psycopg.errors.IntegrityError, match="frozen"):
            cursor.execute(weigh, [draft.pk])
    assert Criterion.objects.get(version=draft).weight == 10
