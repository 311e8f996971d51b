"""How agents ran: one convergence over many prospects, one run per agent, prospect and watermark."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from playbooks.models import Client, Playbook, PlaybookVersion, User
from prospects.models.erasure_guards import facts_but_erasable
from prospects.models.prospect import Prospect
from salesops.dbtypes import trace_id_field
from salesops.tenancy import SameClient, TenantQuerySet


class Convergence(models.Model):
    """One call of ``converge``: what it was asked, how far it is, what it found."""

    class Depth(models.TextChoices):
        EARLY = "early", "Early"
        PRIMARY = "primary", "Primary"
        EXTENDED = "extended", "Extended"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="convergences")
    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="convergences")
    version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+")
    depth = models.CharField(max_length=10, choices=Depth.choices, default=Depth.PRIMARY)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    seed = models.BigIntegerField(default=0)
    clock = models.DateTimeField(help_text="The time the agents are told it is.")
    limit = models.PositiveIntegerField(null=True, blank=True)
    up_to_id = models.BigIntegerField(default=0, help_text="Prospects with a higher id came too late for this one.")
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    level_totals = ArrayField(
        models.PositiveIntegerField(), default=list, db_default=[], help_text="Prospects due at the start, by level."
    )
    level_done = ArrayField(
        models.PositiveIntegerField(), default=list, db_default=[], help_text="Prospects worked, by level."
    )
    attempts = models.PositiveIntegerField(
        default=1, db_default=1, help_text="How often it was taken up: once, and again whenever it had gone silent."
    )
    cycles = models.PositiveIntegerField(default=0)
    qualified = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    stalled = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    trace_id = trace_id_field()

    objects = TenantQuerySet["Convergence"].as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["client", "-id"], name="convergence_latest"),
            models.Index(fields=["trace_id"], name="convergence_by_trace"),
            models.Index(
                fields=["heartbeat_at"], condition=Q(status__in=["queued", "running"]), name="convergence_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.playbook} {self.depth} {self.created_at:%Y-%m-%d %H:%M}"


class AgentRun(models.Model):
    """What one agent proposed for one prospect from what it could see; refused proposals included."""

    class Status(models.TextChoices):
        OK = "ok", "Done"
        FAILED = "failed", "Failed"
        AGAIN = "again", "To be done again"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    convergence = models.ForeignKey(Convergence, on_delete=models.PROTECT, related_name="runs", db_index=False)
    cycle = models.PositiveSmallIntegerField()
    agent = models.CharField(max_length=40)
    implementation = models.CharField(max_length=8)
    implementation_version = models.CharField(max_length=40)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="runs", db_constraint=False, db_index=False
    )
    playbook_version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    watermark = models.BigIntegerField(help_text="Newest fact the agent could see.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OK)
    proposals = models.JSONField(default=list)
    digest = models.CharField(
        max_length=64, blank=True, help_text="sha256 over the proposals, row ids replaced by stable names."
    )
    proposed = models.PositiveSmallIntegerField(default=0)
    promoted = models.PositiveSmallIntegerField(default=0)
    refused = models.PositiveSmallIntegerField(default=0)
    duration_us = models.PositiveIntegerField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    answers = ArrayField(
        models.BigIntegerField(),
        default=list,
        db_default=[],
        blank=True,
        help_text="Stored model answers this run rests on.",
    )
    error = models.TextField(blank=True, help_text="Of a failed run: the exception's name.")
    fault = models.CharField(max_length=14, blank=True, db_default="", help_text="Of a failed run: its class.")
    at = models.DateTimeField()
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["AgentRun"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            SameClient("prospect", name="agent_run_of_one_client"),
            models.UniqueConstraint(
                fields=["prospect", "agent", "implementation_version", "playbook_version", "watermark"],
                name="agent_run_once",
            ),
        ]
        indexes = [
            models.Index(fields=["convergence", "agent"], name="agent_run_by_convergence"),
            # An agent's newest runs; the rare ones each in a small index of their own, however many others there are.
            models.Index(fields=["client", "agent", "-id"], name="agent_run_latest"),
            models.Index(fields=["client", "-id"], condition=~Q(status="ok"), name="agent_run_unfinished"),
            models.Index(fields=["client", "agent", "-id"], condition=Q(refused__gt=0), name="agent_run_refused"),
            models.Index(
                fields=["client", "agent", "-id"], condition=~Q(implementation="rules"), name="agent_run_not_by_rules"
            ),
        ]
        triggers = facts_but_erasable("proposals")

    def __str__(self) -> str:
        return f"{self.agent} on {self.prospect_id} at {self.watermark}"

    @property
    def words(self) -> str:
        """The agent's name in words."""
        return self.agent.replace("_", " ")

    @property
    def milliseconds(self) -> float:
        """How long it took, as its share of the batch."""
        return self.duration_us / 1000
