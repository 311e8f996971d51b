"""Django's ``migrate``, which does not make all models anew for every index, constraint and trigger.

While it goes through the migrations Django keeps the models of that moment as classes. When one changes, it makes the
class anew together with those of all relatives: nearly all there are, as everything belongs to a client. A column needs
that. An index, a constraint or a trigger changes no column and no relation, so it is only noted on the class there is:
the first start, which runs every migration, takes less than half the time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pgtrigger.migrations
from django.core.management.commands import migrate
from django.db.migrations import operations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

NOTED: tuple[type[Operation], ...] = (
    operations.AddIndex, operations.RemoveIndex, operations.AddConstraint, operations.RemoveConstraint,
    pgtrigger.migrations.AddTrigger, pgtrigger.migrations.RemoveTrigger,
)  # fmt: skip
_Forwards = Callable[[Any, str, ProjectState], None]


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with noting():
            super().handle(*args, **options)


@contextmanager
def noting() -> Iterator[None]:
    """Within this, what changes no column leaves the classes of a migration's moment in place."""
    before = {operation: operation.state_forwards for operation in NOTED}
    for operation, forwards in before.items():
        operation.state_forwards = _noted(forwards)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for operation, forwards in before.items():
            operation.state_forwards = forwards  # type: ignore[method-assign]


def _noted(forwards: _Forwards) -> _Forwards:
    def state_forwards(self: Any, app_label: str, state: ProjectState) -> None:
        apps = state.__dict__.pop("apps", None)  # where there are no classes yet, none are made anew
        forwards(self, app_label, state)
        if apps is not None:
            state.__dict__["apps"] = apps
            options = state.models[app_label, self.model_name_lower].options
            noted = apps.get_model(app_label, self.model_name)._meta
            for name in ("indexes", "constraints", "triggers"):
                setattr(noted, name, list(options.get(name, ())))

    return state_forwards
