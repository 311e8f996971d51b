"""What a version says is sealed when it leaves draft: `verify_decisions` finds what was changed behind the guards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from approvals.verify.history import DECISIONS, first_fault
from playbooks.models import AuditEntry, PlaybookVersion
from playbooks.queries import document_of
from playbooks.rules.sealing import seal
from playbooks.services import drafts, lifecycle
from tests import factories
from tests.approvals.test_verifying_history import behind_the_guards

pytestmark = pytest.mark.django_db


@pytest.fixture
def ruling() -> PlaybookVersion:
    """Published, each step with a note of its own."""
    draft = drafts.new_version(factories.version().playbook, actor=None)
    lifecycle.submit(draft, actor=None, note="Look at this.")
    lifecycle.approve(draft, actor=None, note="Fine.")
    return lifecycle.activate(draft, actor=None, note="From today.")


def test_honest_versions_say_what_was_sealed(ruling: PlaybookVersion) -> None:
    assert AuditEntry.objects.get(event="playbook.submitted").detail["says"] == seal(document_of(ruling))
    assert first_fault(DECISIONS) is None


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("playbooks_playbookversion", "hot_threshold = hot_threshold - 1"),
        ("playbooks_playbookversion", "two_approvers = NOT two_approvers"),
        ("playbooks_playbookversion", "money_per_month = money_per_month + 0.01"),
        ("playbooks_criterion", "params = '{}'"),
        ("playbooks_stagerule", "min_categories = min_categories + 1"),
        ("playbooks_channelpolicy", "enabled = false"),
    ],
)
def test_a_frozen_version_changed_behind_the_guards_is_found(ruling: PlaybookVersion, table: str, change: str) -> None:
    column = "id" if table == "playbooks_playbookversion" else "version_id"
    behind_the_guards(
        f"UPDATE {table} SET {change} WHERE id = (SELECT min(id) FROM {table} WHERE {column} = %s)", ruling.pk
    )
    fault = first_fault(DECISIONS)
    assert fault is not None
    assert (fault.table, fault.row) == ("playbooks_playbookversion", ruling.pk)


@pytest.mark.parametrize("change", ["at = at - interval '1 day'", "by_id = 1", "applies_to = 'new'", "trace_id = 'x'"])
def test_a_log_of_what_ruled_that_says_otherwise_is_found(ruling: PlaybookVersion, change: str) -> None:
    behind_the_guards(f"UPDATE playbooks_activation SET {change} WHERE version_id = %s", ruling.pk)
    fault = first_fault(DECISIONS)
    assert fault is not None
    assert fault.table == "playbooks_activation"


def test_a_version_that_stands_elsewhere_than_the_audit_log_says_is_found(ruling: PlaybookVersion) -> None:
    behind_the_guards("UPDATE playbooks_playbookversion SET status = 'retired' WHERE id = %s", ruling.pk)
    assert "stand where" in str(first_fault(DECISIONS))


def test_a_column_at_its_default_and_needless_decimals_change_no_fingerprint(ruling: PlaybookVersion) -> None:
    document = document_of(ruling)
    before = seal(document)
    document.head["money_per_month"] = Decimal("100.000")
    assert seal(document) == before
    document.head["change_note"] = "Said later."
    assert seal(document) == before
    row: dict[str, Any] = document.rows["criteria"][0]
    row["weight"] += 1
    assert seal(document) != before
