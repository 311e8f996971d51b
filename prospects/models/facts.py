"""Facts about prospects: append-only. What was seen, how it was judged, what it added up to, where it moved them."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone

from playbooks.models import Category, Client, Layer, PlaybookVersion, StageRule, User
from prospects.models.erasure_guards import facts_but_erasable
from prospects.models.funnel import transition_funnel_triggers
from prospects.models.guards import (
    evidence_cites_its_signals,
    prospect_follows_transition,
    transition_is_earned,
    under_its_playbook,
)
from prospects.models.prospect import Prospect
from prospects.models.runs import AgentRun
from salesops.dbtypes import JsonDocument, fact_no_field
from salesops.guards import fact_guards
from salesops.tenancy import SameClient, TenantQuerySet


class Signal(models.Model):
    """A raw observation with a time and a source. Kind ``profile`` is one row of an imported file, in ``data``."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="signals", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=60)
    observed_at = models.DateTimeField()
    value = models.FloatField(null=True, blank=True)
    text = models.TextField(blank=True)
    data = models.JSONField(default=dict, blank=True)
    source = models.CharField(max_length=255, help_text="The file, connector or agent that saw it.")
    source_ref = models.CharField(max_length=300, blank=True, help_text="Where in the source: row, URL, event id.")
    dedup_key = models.CharField(
        max_length=80, help_text="The same observation has the same key, however often it comes."
    )
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    fact_no = fact_no_field()
    created_at = models.DateTimeField(default=timezone.now)
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["Signal"].as_manager()

    class Meta:
        ordering = ["-observed_at", "-id"]
        constraints = [
            SameClient("prospect", name="signal_of_one_client"),
            models.UniqueConstraint(fields=["prospect", "dedup_key"], name="signal_once"),
        ]
        # What arrived lately, for triggers. Numbers rise with the rows, so a few bytes per block range are enough.
        indexes = [BrinIndex(fields=["fact_no"], autosummarize=True, pages_per_range=32, name="signal_newest")]
        triggers = facts_but_erasable("text", "data", "source_ref")

    def __str__(self) -> str:
        return f"{self.kind} {self.observed_at:%Y-%m-%d}"


class Evidence(models.Model):
    """A judged fragment under one criterion. Later evidence for a criterion supersedes earlier; nothing is edited."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="evidence", db_constraint=False, db_index=False
    )
    playbook_version = models.ForeignKey(
        PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    scorecard = models.CharField(max_length=40, default="icp")
    layer = models.CharField(max_length=16, choices=Layer.choices)
    category = models.CharField(max_length=16, choices=Category.choices)
    criterion = models.CharField(max_length=60, help_text="Key of the criterion in that version.")
    value = models.FloatField()
    confidence = models.FloatField()
    strong_negative = models.BooleanField(default=False)
    rationale = models.CharField(max_length=500)
    quote = models.TextField(blank=True)
    signal_ids = ArrayField(models.BigIntegerField())
    fact_ref = models.CharField(
        max_length=160, help_text="The underlying fact: rows that share it are not independent."
    )
    source = models.CharField(max_length=255)
    observed_at = models.DateTimeField()
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    fact_no = fact_no_field()
    created_at = models.DateTimeField(default=timezone.now)

    objects = TenantQuerySet["Evidence"].as_manager()

    class Meta:
        ordering = ["-observed_at", "-id"]
        verbose_name_plural = "evidence"
        constraints = [
            models.CheckConstraint(condition=Q(value__gte=0, value__lte=100), name="evidence_value_in_range"),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1), name="evidence_confidence_in_range"
            ),
            models.CheckConstraint(condition=~Q(rationale=""), name="evidence_has_rationale"),
            models.CheckConstraint(condition=Q(layer__in=Layer.values), name="evidence_layer_known"),
            models.CheckConstraint(condition=Q(category__in=Category.values), name="evidence_category_known"),
        ]
        indexes = [models.Index(fields=["prospect", "scorecard", "criterion"], name="evidence_by_criterion")]
        triggers = [*facts_but_erasable("rationale", "quote"), evidence_cites_its_signals(), under_its_playbook()]

    def __str__(self) -> str:
        return f"{self.criterion}: {self.value:g}"


class Score(models.Model):
    """One scorecard of one prospect at one time, with everything it was added up from."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="scores", db_constraint=False, db_index=False
    )
    playbook_version = models.ForeignKey(
        PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    scorecard = models.CharField(max_length=40)
    value = models.FloatField()
    coverage = models.FloatField()
    provisional = models.BooleanField(default=True)
    breakdown = JsonDocument(help_text="Per criterion: weight, value, contribution, evidence id; per layer: score.")
    computed_at = models.DateTimeField()
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    fact_no = fact_no_field()

    objects = TenantQuerySet["Score"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(value__gte=0, value__lte=100), name="score_value_in_range"),
            models.CheckConstraint(condition=Q(coverage__gte=0, coverage__lte=1), name="score_coverage_in_range"),
        ]
        indexes = [models.Index(fields=["prospect", "scorecard", "-id"], name="score_latest")]
        triggers = [*fact_guards(), under_its_playbook()]

    def __str__(self) -> str:
        return f"{self.scorecard} {self.value:g}"


class StageTransition(models.Model):
    """One move of a prospect, or of one of its deals or customers: from where, to where, on whose word and evidence."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="transitions", db_constraint=False, db_index=False
    )
    playbook_version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    pipeline = models.CharField(max_length=16, choices=StageRule.Pipeline.choices, default=StageRule.Pipeline.PROSPECT)
    deal = models.ForeignKey(
        "prospects.Deal", on_delete=models.PROTECT, null=True, blank=True, related_name="transitions", db_index=False
    )
    customer = models.ForeignKey(
        "prospects.Customer", on_delete=models.PROTECT, null=True, blank=True, related_name="transitions",
        db_index=False,
    )  # fmt: skip
    seq = models.PositiveIntegerField()
    from_stage = models.CharField(max_length=24)
    to_stage = models.CharField(max_length=24)
    skipped = ArrayField(
        models.CharField(max_length=24), default=list, blank=True, editable=False,
        help_text="Stages passed over. Set by PostgreSQL.",
    )  # fmt: skip
    at = models.DateTimeField()
    seconds = models.FloatField(help_text="Spent in the stage left.")
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    agent = models.CharField(max_length=40, blank=True)
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    reason = models.CharField(max_length=500, blank=True)
    evidence_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    score = models.ForeignKey(Score, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    transaction = models.BigIntegerField(default=0, editable=False, help_text="Set by PostgreSQL.")
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["StageTransition"].as_manager()

    class Meta:
        ordering = ["prospect", "pipeline", "-seq"]
        constraints = [
            SameClient("prospect", name="transition_of_one_client"),
            models.UniqueConstraint(
                fields=["prospect", "pipeline", "seq", "deal", "customer"],
                nulls_distinct=False,
                name="transition_seq_once",
            ),
            models.CheckConstraint(
                condition=Q(pipeline="prospect", deal__isnull=True, customer__isnull=True)
                | Q(pipeline="deal", deal__isnull=False, customer__isnull=True)
                | Q(pipeline="customer", deal__isnull=True, customer__isnull=False),
                name="transition_names_what_moved",
            ),
            models.CheckConstraint(condition=Q(seconds__gte=0), name="transition_seconds_not_negative"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="transition_seq_from_one"),
        ]
        indexes = [
            models.Index(fields=["client", "at"], name="transition_by_time"),
            models.Index(fields=["client", "to_stage", "at"], name="transition_by_stage"),
        ]
        triggers = [
            *facts_but_erasable("reason"),
            transition_is_earned(),
            prospect_follows_transition(),
            *transition_funnel_triggers(),
        ]

    def __str__(self) -> str:
        return f"{self.from_stage} → {self.to_stage}"


class Diagnostic(models.Model):
    """Why a proposal was refused, or why a prospect stalled."""

    class Kind(models.TextChoices):
        SCHEMA = "schema", "Malformed proposal"
        PERMISSION = "permission_denied", "Not permitted"
        PROVENANCE = "provenance", "Source does not hold"
        RANGE = "range", "Out of range"
        CONFLICT = "conflict", "In conflict"
        PREEMPTED = "preempted", "Another team had priority"
        BUDGET = "budget", "Limit reached"
        COMPLIANCE = "compliance", "Compliance refused"
        QUALITY = "quality", "Needs review"
        STALLED = "stalled", "Stalled"
        STOPPED = "stopped", "Stopped by a person"
        FAILED = "failed", "Agent failed"
        SOURCE = "source", "A source had nothing or failed"
        MODEL = "model", "The model gave no usable answer"
        INVARIANT = "invariant", "An invariant does not hold"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="diagnostics", db_constraint=False, db_index=False
    )
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="diagnostics")
    agent = models.CharField(max_length=40)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    message = models.CharField(max_length=500)
    detail = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["Diagnostic"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [SameClient("prospect", name="diagnostic_of_one_client")]
        indexes = [
            models.Index(fields=["prospect", "-id"], name="diagnostic_latest"),
            models.Index(
                fields=["client", "-id"], condition=Q(kind__in=["failed", "invariant"]), name="diagnostic_broken"
            ),
        ]
        triggers = facts_but_erasable("message", "detail")

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"
