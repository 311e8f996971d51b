"""What could be said: drafted messages and the evaluation of ways to say it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from approvals.models.guards import content_is_hashed, not_to_the_erased
from playbooks.models import Channel, Client, PlaybookVersion, User
from prospects.models import AgentRun, Contact, Prospect
from prospects.models.erasure_guards import OF_CONTACT, facts_but_erasable
from salesops.dbtypes import fact_no_field, trace_id_field
from salesops.tenancy import SameClient, TenantQuerySet


class Message(models.Model):
    """One drafted hypothesis of what to say, whole and final. An edit is a new message with a ``parent``."""

    class Compliance(models.TextChoices):
        PASS = "PASS", "Passes"
        REVIEW = "REVIEW", "Needs a look"
        BLOCK = "BLOCK", "Blocked"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(Prospect, on_delete=models.PROTECT, related_name="messages", db_constraint=False)
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="messages")
    playbook_version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    channel = models.CharField(max_length=16, choices=Channel.choices)
    sender = models.CharField(max_length=320)
    recipient = models.CharField(max_length=320)
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField()
    attachments = ArrayField(models.CharField(max_length=80), default=list, blank=True, help_text="sha256 of each.")
    rule_version = models.CharField(max_length=60)
    content_hash = models.CharField(max_length=64)
    template_key = models.CharField(max_length=60, blank=True)
    angle = models.CharField(max_length=40, blank=True)
    claims = models.JSONField(default=list, blank=True, help_text="Each sentence with the evidence it rests on.")
    evidence_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    why_now = models.CharField(max_length=500, blank=True)
    rationale = models.TextField(blank=True)
    confidence = models.FloatField(default=0)
    confidence_low = models.FloatField(default=0)
    confidence_high = models.FloatField(default=1)
    quality_points = models.FloatField(default=0)
    grade = models.CharField(max_length=2, blank=True)
    quality = models.JSONField(default=dict, blank=True)
    compliance = models.CharField(max_length=6, choices=Compliance.choices)
    compliance_detail = models.JSONField(default=dict, blank=True)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="edits")
    edited_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    fact_no = fact_no_field()
    created_at = models.DateTimeField(default=timezone.now)
    trace_id = trace_id_field()

    objects = TenantQuerySet["Message"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            SameClient("prospect", name="message_of_one_client"),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1, confidence_low__lte=models.F("confidence_high")),
                name="message_confidence_in_range",
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | Q(edited_by__isnull=False), name="message_edit_names_editor"
            ),
        ]
        indexes = [
            models.Index(fields=["trace_id", "-id"], name="message_by_trace"),
            models.Index(fields=["playbook_version", "-id"], name="message_by_version"),
        ]
        triggers = [
            *facts_but_erasable(
                "recipient", "subject", "body", "claims", "why_now", "rationale", "quality", "compliance_detail",
                of=OF_CONTACT,
            ),
            content_is_hashed(),
            not_to_the_erased(),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.subject or f"{self.channel} {self.pk}"


class Evaluation(models.Model):
    """What one channel (or doing nothing) is worth for one message, and whether it was chosen."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(Prospect, on_delete=models.PROTECT, related_name="evaluations", db_constraint=False)
    message = models.ForeignKey(Message, on_delete=models.PROTECT, null=True, blank=True, related_name="evaluations")
    channel = models.CharField(max_length=16, help_text="A channel, or 'none' for doing nothing.")
    probability = models.FloatField(help_text="Of a positive reply, 0–1.")
    value = models.DecimalField(max_digits=14, decimal_places=2)
    cost = models.DecimalField(max_digits=14, decimal_places=4)
    expected_value = models.DecimalField(max_digits=14, decimal_places=4)
    chosen = models.BooleanField(default=False)
    rationale = models.CharField(max_length=500)
    alternatives = models.JSONField(default=list, blank=True)
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    fact_no = fact_no_field()
    created_at = models.DateTimeField(default=timezone.now)

    objects = TenantQuerySet["Evaluation"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            SameClient("prospect", name="evaluation_of_one_client"),
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1), name="evaluation_probability_in_range"
            ),
        ]
        triggers = facts_but_erasable("rationale", "alternatives")

    def __str__(self) -> str:
        return f"{self.channel}: {self.expected_value}"


class Advice(models.Model):
    """What an agent found about how to reach a prospect: what worked before, when to act, whether it is too much."""

    class Aspect(models.TextChoices):
        HISTORY = "history", "What worked before"
        TIMING = "timing", "When"
        SATURATION = "saturation", "Limits and fatigue"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="advice", db_constraint=False, db_index=False
    )
    playbook_version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    aspect = models.CharField(max_length=12, choices=Aspect.choices)
    channel = models.CharField(max_length=16, blank=True, help_text="Empty: it holds for every channel.")
    words = models.CharField(max_length=500)
    data = models.JSONField(default=dict, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    blocked = models.BooleanField(default=False, help_text="Nothing may be asked for before the time given, if any.")
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    fact_no = fact_no_field()
    created_at = models.DateTimeField(default=timezone.now)

    objects = TenantQuerySet["Advice"].as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "advice"
        constraints = [
            SameClient("prospect", name="advice_of_one_client"),
            models.CheckConstraint(
                condition=Q(aspect__in=["history", "timing", "saturation"]), name="advice_aspect_known"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(not_before__isnull=True) | Q(until__gt=models.F("not_before")),
                name="advice_window_in_order",
            ),
        ]
        indexes = [models.Index(fields=["prospect", "aspect", "channel", "-fact_no"], name="advice_latest")]
        triggers = facts_but_erasable("words", "data")

    def __str__(self) -> str:
        return self.words
