"""Market scans: who looked where for companies worth knowing, and what came of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from playbooks.models import Client, Playbook, PlaybookVersion, User
from prospects.models.runs import Convergence
from salesops.dbtypes import trace_id_field
from salesops.tenancy import TenantQuerySet


class MarketScan(models.Model):
    """One scan of the sources that deliver candidates. ``sources`` holds the counts of each, by its key."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        REFUSED = "refused", "Not allowed"
        FAILED = "failed", "Failed"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    convergence = models.OneToOneField(
        Convergence, on_delete=models.PROTECT, null=True, blank=True, related_name="market_scan"
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RUNNING)
    at = models.DateTimeField(help_text="The time the scan was told it is: answers are aged by it.")
    found = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    merged = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    sources = models.JSONField(default=dict, blank=True)
    problems = models.JSONField(default=list, blank=True)
    words = models.CharField(max_length=500, blank=True, help_text="Why it was not done.")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    trace_id = trace_id_field()

    objects = TenantQuerySet["MarketScan"].as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["client", "-id"], name="market_scan_latest")]
        constraints = [models.CheckConstraint(condition=Q(cost__gte=0), name="market_scan_cost_not_negative")]

    def __str__(self) -> str:
        return f"{self.playbook}: scan of {self.started_at:%Y-%m-%d %H:%M}"
