"""Tenancy: every row that belongs to a client is asked for through ``for_client``, and hangs on rows of that client."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self, TypeVar

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models

ModelT = TypeVar("ModelT", bound=models.Model, covariant=True)


class TenantQuerySet(models.QuerySet[ModelT]):
    """Rows of many clients, until ``for_client`` narrows them. Pages never start from anything else."""

    def for_client(self, client: Any) -> Self:
        """The rows of one client (an instance or its id)."""
        return self.filter(client=client)


class SameClient(models.BaseConstraint):
    """A row and the row it hangs on are one client's: a foreign key over both columns.

    Stands in for the two keys that would check parent and client apart (their fields say ``db_constraint=False``): one
    look-up a row instead of two, and a promise the two together do not make. The parent has a unique (id, client).
    """

    def __init__(self, parent: str, *, name: str) -> None:
        super().__init__(name=name)
        self.parent = parent

    def constraint_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        field = model._meta.get_field(self.parent)
        return (
            f"CONSTRAINT {quote(self.name)} FOREIGN KEY ({quote(field.column)}, client_id)"
            f" REFERENCES {quote(field.related_model._meta.db_table)} (id, client_id) DEFERRABLE INITIALLY DEFERRED"
        )

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        table = schema_editor.quote_name(model._meta.db_table)
        return f"ALTER TABLE {table} ADD {self.constraint_sql(model, schema_editor)}"

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def validate(
        self,
        model: type[models.Model],  # noqa: ARG002
        instance: models.Model,
        exclude: Collection[str] | None = None,
        using: str = DEFAULT_DB_ALIAS,  # noqa: ARG002
    ) -> None:
        if {self.parent, "client"} & set(exclude or ()):
            return
        row: Any = instance
        if getattr(row, self.parent).client_id != row.client_id:
            raise ValidationError({self.parent: f"This {self.parent} belongs to another client."})

    def deconstruct(self) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        return "salesops.tenancy.SameClient", (self.parent,), {"name": self.name}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SameClient):
            return (self.parent, self.name) == (other.parent, other.name)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.parent, self.name))
