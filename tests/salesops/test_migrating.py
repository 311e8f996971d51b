"""What changes no column leaves the classes of a migration's moment in place; what does makes them anew, whole."""

from django.core.management import get_commands
from django.db import models
from django.db.migrations import operations
from django.db.migrations.state import ModelState, ProjectState
from pgtrigger.migrations import AddTrigger, RemoveTrigger

from salesops.management.commands.migrate import noting

BOOKS = ("library", "book")


def library() -> ProjectState:
    state = ProjectState()
    state.add_model(ModelState("library", "Book", [("id", models.BigAutoField(primary_key=True))], {"indexes": []}))
    assert state.apps.get_model(*BOOKS)
    return state


def test_indexes_constraints_and_triggers_come_and_go_without_a_new_class() -> None:
    state, trigger = library(), type("Trigger", (), {"name": "kept"})()
    first = state.apps.get_model(*BOOKS)
    index = models.Index(fields=["id"], name="by_id")
    check = models.CheckConstraint(condition=models.Q(id__gt=0), name="counted")
    with noting():
        operations.AddIndex("book", index).state_forwards("library", state)
        operations.AddConstraint("book", check).state_forwards("library", state)
        AddTrigger("book", trigger).state_forwards("library", state)
        noted = first._meta
        assert (noted.indexes, noted.constraints, noted.triggers) == ([index], [check], [trigger])
        operations.RemoveConstraint("book", "counted").state_forwards("library", state)
        RemoveTrigger("book", "kept").state_forwards("library", state)
        assert (noted.indexes, noted.constraints, noted.triggers) == ([index], [], [])
    assert state.apps.get_model(*BOOKS) is first


def test_a_new_column_makes_the_class_anew_with_what_was_noted() -> None:
    state = library()
    with noting():
        index = models.Index(fields=["id"], name="by_id")
        operations.AddIndex("book", index).state_forwards("library", state)
        operations.AddField("book", "pages", models.IntegerField(null=True)).state_forwards("library", state)
    now = state.apps.get_model(*BOOKS)._meta
    assert [found.name for found in now.indexes] == ["by_id"]
    assert now.get_field("pages")


def test_afterwards_django_is_as_it_was_and_migrate_is_ours() -> None:
    before = operations.AddIndex.state_forwards
    with noting():
        assert operations.AddIndex.state_forwards is not before
    assert operations.AddIndex.state_forwards is before
    assert get_commands()["migrate"] == "salesops"
