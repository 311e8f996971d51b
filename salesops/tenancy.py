"""Tenancy: every row that belongs to a client is asked for through ``for_client``."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.db import models

ModelT = TypeVar("ModelT", bound=models.Model, covariant=True)


class TenantQuerySet(models.QuerySet[ModelT]):
    """Rows of many clients, until ``for_client`` narrows them. Pages never start from anything else."""

    def for_client(self, client: Any) -> Self:
        """The rows of one client (an instance or its id)."""
        return self.filter(client=client)
