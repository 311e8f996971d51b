from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from playbooks import audit
from playbooks.models import Activation, AuditEntry, Criterion, Playbook, PlaybookVersion, Role
from playbooks.queries import document_of
from playbooks.rules.document import ROWS, head_slots
from playbooks.rules.yaml_io import dump, parse
from playbooks.services import drafts, lifecycle
from playbooks.shipped import contacts
from salesops.errors import NotAllowed
from tests import factories

pytestmark = pytest.mark.django_db
DEMO = parse((contacts.HERE / "demo.yaml").read_text())


def loaded() -> PlaybookVersion:
    client = factories.client(slug="demo")
    version, created = drafts.load_document(DEMO, client=client, actor=None)
    assert created
    return version


def ruling() -> PlaybookVersion:
    version = loaded()
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        version = step(version, actor=None)
    return version


def events() -> list[str]:
    return list(AuditEntry.objects.order_by("seq").values_list("event", flat=True))


def test_every_column_of_a_version_is_in_the_document() -> None:
    kept_apart = {"id", "playbook", "number", "status", "created_at", "created_by", "activated_at", "activated_by"}
    kept_apart |= {"based_on", "edit_no", "submitted_by", "approved_by"}
    columns = {field.name for field in PlaybookVersion._meta.fields} - kept_apart
    assert columns == set(head_slots())
    for shape in ROWS.values():
        model = getattr(PlaybookVersion, shape.related).rel.related_model
        columns = {field.name for field in model._meta.fields} - {"id", "version", "position"}
        assert columns == {slot.at for slot in shape.slots}, shape.related


def test_a_loaded_document_is_read_back_word_for_word() -> None:
    version = loaded()
    assert document_of(PlaybookVersion.objects.get(pk=version.pk)) == DEMO
    assert parse(dump(document_of(version))) == DEMO


def test_loading_the_same_document_again_changes_nothing() -> None:
    version = loaded()
    again, created = drafts.load_document(DEMO, client=version.playbook.client, actor=None)
    assert (again, created) == (version, False)
    assert events() == ["playbook.drafted"]


def test_a_document_that_breaks_a_rule_is_refused_whole() -> None:
    broken = parse(dump(DEMO))
    broken.head["hot_threshold"] = 10.0
    with pytest.raises(drafts.InvalidPlaybook, match=r"thresholds\.hot"):
        drafts.load_document(broken, client=factories.client(), actor=None)
    assert not Playbook.objects.exists()


def test_a_playbook_never_turns_into_another_kind() -> None:
    version = loaded()
    other = parse(dump(DEMO))
    other.kind = "household"
    with pytest.raises(drafts.AnotherKind):
        drafts.load_document(other, client=version.playbook.client, actor=None)


def test_a_version_lives_from_draft_to_active_with_an_entry_for_each_step() -> None:
    version = ruling()
    assert version.status == "active"
    assert version.activated_at is not None
    assert events() == ["playbook.drafted", "playbook.submitted", "playbook.approved", "playbook.activated"]
    assert audit.verify(version.playbook.client) is None
    assert Activation.objects.get().version == version


def test_a_new_version_copies_everything_in_a_constant_number_of_queries() -> None:
    version = ruling()
    with CaptureQueriesContext(
        connection,
    ) as few:
        draft = drafts.new_version(version.playbook, actor=None)
    assert (draft.number, draft.status) == (2, "draft")
    assert document_of(draft).says_the_same(document_of(version))
    more_rows = [
        Criterion(
            version=draft, key=f"more{n}", label="x", layer="behavioral", category="need", kind="signal", weight=1,
            params={"kinds": ["x"]}, position=100 + n,
        )
        for n in range(50)
    ]  # fmt: skip
    Criterion.objects.bulk_create(more_rows)
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        step(draft, actor=None)
    with CaptureQueriesContext(connection) as many:
        drafts.new_version(version.playbook, actor=None)
    assert len(many) == len(few)


def test_activating_retires_the_one_that_ruled_and_rolling_back_is_activating_it_again() -> None:
    first = ruling()
    second = drafts.new_version(first.playbook, actor=None)
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        second = step(second, actor=None)
    assert [v.status for v in first.playbook.versions.order_by("number")] == ["retired", "active"]
    lifecycle.activate(first, actor=None, note="The new one wrote too much.")
    assert [v.status for v in first.playbook.versions.order_by("number")] == ["active", "retired"]
    assert events()[-2:] == ["playbook.retired", "playbook.activated"]
    assert Activation.objects.order_by("id").last().note == "The new one wrote too much."  # type: ignore[union-attr]


def test_steps_out_of_order_are_refused() -> None:
    version = loaded()
    for step in (lifecycle.approve, lifecycle.activate, lifecycle.retire, lifecycle.send_back):
        with pytest.raises(lifecycle.WrongStatus):
            step(version, actor=None)
    lifecycle.submit(version, actor=None)
    with pytest.raises(lifecycle.WrongStatus):
        lifecycle.submit(version, actor=None)
    assert lifecycle.send_back(version, actor=None).status == "draft"


def test_a_draft_that_breaks_a_rule_cannot_be_submitted() -> None:
    version = loaded()
    version.criteria.filter(key="size").update(params={"attribute": "employees"})
    with pytest.raises(lifecycle.NotReady, match=r"criteria\[1\]\.params\.minimum"):
        lifecycle.submit(version, actor=None)
    assert PlaybookVersion.objects.get(pk=version.pk).status == "draft"


def test_only_an_admin_of_the_client_may_change_its_playbooks() -> None:
    version = loaded()
    client = version.playbook.client
    reviewer = factories.user(client, Role.REVIEWER, Role.LEADER)
    stranger = factories.user(factories.client(), Role.ADMIN)
    admin = factories.user(client, Role.ADMIN)
    for person in (reviewer, stranger):
        with pytest.raises(NotAllowed):
            lifecycle.submit(version, actor=person)
        with pytest.raises(NotAllowed):
            drafts.new_version(version.playbook, actor=person)
    assert lifecycle.submit(version, actor=admin).status == "in_review"
    assert AuditEntry.objects.order_by("seq").last().actor == admin  # type: ignore[union-attr]


def test_postgresql_holds_what_services_promise() -> None:
    version = ruling()
    for sql in (
        "UPDATE playbooks_playbookversion SET hot_threshold = 71 WHERE id = %s",
        "UPDATE playbooks_playbookversion SET status = 'draft' WHERE id = %s",
        "UPDATE playbooks_criterion SET weight = 1 WHERE version_id = %s",
        "DELETE FROM playbooks_criterion WHERE version_id = %s",
        "DELETE FROM playbooks_playbookversion WHERE id = %s",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, [version.pk])


def test_the_commands_load_and_dump(tmp_path: Path) -> None:
    factories.client(slug="demo")
    file = contacts.HERE / "demo.yaml"
    out = StringIO()
    call_command("load_playbook", file, activate=True, stdout=out)
    call_command("load_playbook", file, activate=True, stdout=out)
    assert "v1: active" in out.getvalue()
    assert "unchanged" in out.getvalue()
    written = StringIO()
    call_command("dump_playbook", "demo/founders@1", stdout=written)
    assert parse(written.getvalue()) == DEMO


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("client: demo\nkind: 3\n")
    with pytest.raises(CommandError, match="kind: expected one of b2b, household, got 3"):
        call_command("load_playbook", broken)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("load_playbook", tmp_path / "none.yaml")
    with pytest.raises(CommandError, match="no client 'demo'"):
        call_command("load_playbook", contacts.HERE / "demo.yaml")
    with pytest.raises(CommandError, match="expected CLIENT/PLAYBOOK"):
        call_command("dump_playbook", "demo")
    with pytest.raises(CommandError, match=r"no client 'demo'\. Clients: none yet"):
        call_command("dump_playbook", "demo/none")
