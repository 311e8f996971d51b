"""The outside sources a playbook looks things up in; their columns are the fields of ``SourceConfig``."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from playbooks.models.checks import VersionRow
from playbooks.models.content import frozen_with_version
from playbooks.models.playbook import PlaybookVersion


class Source(VersionRow):
    """Where agents may look something up, how it answers, what it costs and how far it is believed."""

    section = "sources"

    class Kind(models.TextChoices):
        FILE = "file", "A file"
        JSON = "json", "An interface that answers in JSON"
        WEBSITE = "website", "The company's own website"
        JOBS = "jobs", "A public job board"
        FEED = "feed", "A news feed"
        MODEL = "model", "A language model that knows companies"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="sources")
    key = models.SlugField(max_length=40, db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    url = models.CharField("address", max_length=500, blank=True)
    params = models.JSONField(default=dict, blank=True)
    delivers = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    cost = models.DecimalField(max_digits=8, decimal_places=4, default=Decimal(0))
    weight = models.FloatField(default=1.0)
    confidence = models.FloatField(default=0.8)
    rate_per_minute = models.PositiveIntegerField(default=60)
    auth_env = models.CharField(max_length=100, blank=True)
    auth_header = models.CharField(max_length=60, default="Authorization")
    fallback = models.CharField(max_length=40, blank=True)
    enabled = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "key"], name="source_key_once"),
            models.CheckConstraint(condition=Q(cost__gte=0), name="source_cost_not_negative"),
            models.CheckConstraint(condition=Q(rate_per_minute__gte=1), name="source_rate_positive"),
            models.CheckConstraint(
                condition=Q(weight__gte=0, weight__lte=1, confidence__gte=0, confidence__lte=1),
                name="source_shares_are_shares",
            ),
        ]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return self.key
