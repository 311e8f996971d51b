"""What language models answered, word for word: paid once, read again whenever the same question comes up."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from playbooks.models import Client
from prospects.models.erasure_guards import OF_PROSPECT
from prospects.models.prospect import Prospect
from prospects.models.retention import kept_for_a_time
from salesops.tenancy import SameClient, TenantQuerySet


class ModelAnswer(models.Model):
    """One answer of one language model, stored the moment it came and never edited; its words are kept for a time.

    ``key`` is a hash of everything that shaped the question: model, prompt and its edition, the filled-in words and
    the form asked for. Written outside the cycle's transaction: what was paid for outlives whatever happens to it.
    """

    class Outcome(models.TextChoices):
        ANSWERED = "answered", "Answered"
        REFUSED = "refused", "Refused"
        MALFORMED = "malformed", "Malformed"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    key = models.CharField(max_length=64)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="model_answers", db_constraint=False, db_index=False
    )
    agent = models.CharField(max_length=40)
    model = models.CharField(max_length=80)
    prompt = models.CharField(max_length=80)
    prompt_version = models.CharField(max_length=40)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    text = models.TextField(blank=True, help_text="The answer as it came: untrusted, and read again at every use.")
    words = models.CharField(max_length=300, blank=True, help_text="Why it is no use, when it is none.")
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    seconds = models.FloatField(default=0)
    at = models.DateTimeField(default=timezone.now)
    forgotten_at = models.DateTimeField(null=True, blank=True, help_text="When what it said was dropped.")
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["ModelAnswer"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            SameClient("prospect", name="model_answer_of_one_client"),
            models.UniqueConstraint(
                fields=["client", "key"], condition=Q(forgotten_at__isnull=True), name="model_answer_once"
            ),
            models.CheckConstraint(condition=Q(cost__gte=0), name="model_answer_cost_not_negative"),
        ]
        indexes = [
            models.Index(fields=["prospect", "-id"], name="model_answer_latest"),
            models.Index(fields=["client", "agent", "-id"], name="model_answer_by_agent"),
            models.Index(fields=["at"], condition=Q(forgotten_at__isnull=True), name="model_answer_kept"),
        ]
        triggers = kept_for_a_time("at", erased_with=OF_PROSPECT, text="''")

    def __str__(self) -> str:
        return f"{self.prompt} by {self.model}"
