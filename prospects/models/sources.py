"""What outside sources said, kept as they said it, and how each source is doing."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from playbooks.models import Client, User
from prospects.models.retention import kept_for_a_time
from salesops.dbtypes import trace_id_field
from salesops.tenancy import TenantQuerySet

#: Documents one answer can hold: a document's id is its answer's id times this, plus its place in the answer.
DOCUMENTS_PER_ANSWER = 1000


class SourceAnswer(models.Model):
    """One answer of one source, stored before anybody reads it: cache, proof and replay in one. Its body is kept for a
    stated time, its hash for good.

    ``lookup_key`` is a hash of everything that shaped the question (source, address, mapping), so an answer is used
    again only for the very same question. Nothing is edited: a newer answer is a newer row.
    """

    class Status(models.TextChoices):
        OK = "ok", "Answered"
        EMPTY = "empty", "Nothing known"
        FAILED = "failed", "Failed"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=40, help_text="The source's key in the playbook.")
    type = models.CharField(max_length=60, help_text="The kind of document asked for.")
    lookup_key = models.CharField(max_length=64)
    subject = models.CharField(max_length=300, help_text="What was asked about: a domain, a company's name, a page.")
    status = models.CharField(max_length=8, choices=Status.choices)
    fetched_at = models.DateTimeField()
    content_hash = models.CharField(max_length=64, blank=True, help_text="sha256 of what the documents say.")
    documents = models.JSONField(default=list, blank=True)
    next_page = models.CharField(max_length=2000, blank=True, help_text="Where a scan goes on after this page.")
    problem = models.CharField(max_length=500, blank=True)
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    forgotten_at = models.DateTimeField(null=True, blank=True, help_text="When what it said was dropped.")
    trace_id = trace_id_field()

    objects = TenantQuerySet["SourceAnswer"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["client", "source", "lookup_key", "fetched_at"], name="source_answer_once"),
            models.CheckConstraint(condition=Q(cost__gte=0), name="source_answer_cost_not_negative"),
        ]
        indexes = [
            models.Index(fields=["client", "-id"], name="source_answer_latest"),
            models.Index(fields=["client", "fetched_at"], name="source_answer_by_day"),
            models.Index(fields=["fetched_at"], condition=Q(forgotten_at__isnull=True), name="source_answer_kept"),
        ]
        triggers = kept_for_a_time(
            "fetched_at", erased_with="OLD.client_id = e.client_id", documents="'[]'::jsonb", subject="''",
            next_page="''",
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.source}: {self.subject}"


class SourceState(models.Model):
    """How one source of one client is doing: failing, resting until a time, or halted until a person resumes it."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+", db_index=False)
    source = models.CharField(max_length=40)
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    open_until = models.DateTimeField(null=True, blank=True, help_text="Not asked before.")
    halted_at = models.DateTimeField(null=True, blank=True, help_text="Refused our key; a person has to resume it.")
    last_error = models.CharField(max_length=500, blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    warning = models.CharField(max_length=500, blank=True, help_text="What the source announced, such as its end.")
    retired_at = models.DateTimeField(null=True, blank=True, help_text="Gone for good: its fallback is asked.")
    resumed_at = models.DateTimeField(null=True, blank=True)
    resumed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    objects = TenantQuerySet["SourceState"].as_manager()

    class Meta:
        ordering = ["source"]
        constraints = [models.UniqueConstraint(fields=["client", "source"], name="source_state_once")]

    def __str__(self) -> str:
        return self.source
