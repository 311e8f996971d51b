"""What stays of a person who was erased: that it was done, by whom, when and why, and how not to take them in again."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from playbooks.models import Client, User
from prospects.models.erasure_guards import erasure_is_of_its_own, erasure_is_whole
from salesops.dbtypes import trace_id_field
from salesops.guards import fact_guards
from salesops.tenancy import SameClient, TenantQuerySet


class Erasure(models.Model):
    """The tombstone of one person: all records they were known under, and no word about them.

    ``prospect_ids`` are those whose rows lost words: worked for this person, or for their company. ``counts`` says in
    how many rows of which table.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    contact_ids = ArrayField(models.BigIntegerField())
    prospect_ids = ArrayField(models.BigIntegerField(), default=list)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=300, help_text="Why, without a word about the person.")
    at = models.DateTimeField(default=timezone.now)
    counts = models.JSONField(default=dict, help_text="Rows that lost words, by table.")
    transaction = models.BigIntegerField(default=0, editable=False, help_text="Set by PostgreSQL.")
    trace_id = trace_id_field()

    objects = TenantQuerySet["Erasure"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["id", "client"], name="erasure_and_client"),  # what SameClient points at
            models.CheckConstraint(condition=~Q(reason=""), name="erasure_has_reason"),
        ]
        indexes = [
            models.Index(fields=["client", "-id"], name="erasure_latest"),
            models.Index(fields=["transaction"], name="erasure_now"),
        ]
        triggers = [*fact_guards(), erasure_is_of_its_own(), erasure_is_whole()]

    def __str__(self) -> str:
        return f"Erasure {self.pk}"


class ErasedKey(models.Model):
    """A keyed hash of what an erased person is recognised by. Whoever comes in under it is turned away."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    erasure = models.ForeignKey(
        Erasure, on_delete=models.PROTECT, related_name="keys", db_constraint=False, db_index=False
    )
    key_hash = models.CharField(max_length=64)

    objects = TenantQuerySet["ErasedKey"].as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            SameClient("erasure", name="erased_key_of_one_client"),
            models.UniqueConstraint(fields=["client", "key_hash", "erasure"], name="erased_key_once"),
        ]
        triggers = fact_guards()

    def __str__(self) -> str:
        return self.key_hash[:8]
