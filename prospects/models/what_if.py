"""What would change under another version of the playbook, computed before anybody publishes it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from playbooks.models import Client, Playbook, PlaybookVersion, User
from prospects.models.prospect import Prospect
from salesops.dbtypes import trace_id_field
from salesops.guards import frozen_columns
from salesops.tenancy import TenantQuerySet


class WhatIf(models.Model):
    """One look at all current prospects under a version: how far it is, and what it found. Writes no score."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="what_ifs", db_index=False)
    against = models.ForeignKey(
        PlaybookVersion, on_delete=models.PROTECT, null=True, related_name="+", db_index=False,
        help_text="The version that ruled then.",
    )  # fmt: skip
    fingerprint = models.CharField(max_length=64, help_text="sha256 of what the version said then.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    clock = models.DateTimeField(help_text="The time at which evidence is weighed.")
    up_to_id = models.BigIntegerField(help_text="Prospects with a higher id came too late for this one.")
    at_id = models.BigIntegerField(default=0, help_text="Prospects up to this id are done.")
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="Prospects by what they are and what they would be.")
    error = models.CharField(max_length=300, blank=True)
    cancel_requested = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(auto_now_add=True)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    trace_id = trace_id_field()

    objects = TenantQuerySet["WhatIf"].as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["version", "-id"], name="what_if_latest"),
            models.Index(fields=["heartbeat_at"], condition=Q(status__in=["queued", "running"]), name="what_if_open"),
        ]
        constraints = [
            # Two clicks make one: a second open look at the same version cannot be made.
            models.UniqueConstraint(
                fields=["version"], condition=Q(status__in=["queued", "running"]), name="what_if_open_once"
            ),
        ]
        triggers = [
            frozen_columns(
                "client_id", "playbook_id", "version_id", "fingerprint", "clock", "up_to_id", "created_by_id"
            )
        ]

    def __str__(self) -> str:
        return f"What if {self.version}"


class WhatIfChange(models.Model):
    """One prospect that would not stand where it stands today, and why."""

    what_if = models.ForeignKey(WhatIf, on_delete=models.CASCADE, related_name="changes", db_index=False)
    prospect = models.ForeignKey(Prospect, on_delete=models.PROTECT, related_name="+", db_index=False)
    route = models.CharField(max_length=8, blank=True)
    new_route = models.CharField(max_length=8, blank=True)
    tier = models.CharField(max_length=8, blank=True)
    new_tier = models.CharField(max_length=8, blank=True)
    verdict = models.CharField(max_length=12, blank=True)
    new_verdict = models.CharField(max_length=12, blank=True)
    composite = models.FloatField(null=True)
    new_composite = models.FloatField(null=True)
    moved = models.FloatField(help_text="Points of the composite, whichever way.")
    why = models.JSONField(default=list, help_text="Sentences, the weightiest first.")

    class Meta:
        ordering = ["-moved", "-id"]
        indexes = [
            models.Index(fields=["what_if", "-moved", "-id"], name="what_if_change_ranked"),
            models.Index(fields=["what_if", "route", "new_route", "-moved", "-id"], name="what_if_change_by_route"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["what_if", "prospect"], name="what_if_change_once"),
        ]
        triggers = [
            frozen_columns(
                "what_if_id", "prospect_id", "route", "new_route", "tier", "new_tier", "verdict", "new_verdict",
                "composite", "new_composite", "moved", "why",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.prospect_id}: {self.route} → {self.new_route}"
