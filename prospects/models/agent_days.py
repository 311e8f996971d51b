"""What each agent did on each day: a few counters per agent, so that no page ever adds up its runs."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from playbooks.models import Client
from salesops.tenancy import TenantQuerySet


class AgentDay(models.Model):
    """One agent's day for one client, as one worker counted it; a reader adds up the slots.

    Every worker counts in a slot that nobody else holds, so counting never makes workers wait for each other. The rows
    can be rebuilt from AgentRun and MarketScan. ``buckets`` is a histogram (see ``prospects.rules.durations``).
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+", db_index=False)
    agent = models.CharField(max_length=40)
    day = models.DateField(help_text="In the client's time zone.")
    slot = models.PositiveSmallIntegerField()
    runs = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    proposed = models.BigIntegerField(default=0)
    promoted = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    buckets = ArrayField(models.BigIntegerField(), default=list)
    marked = models.BigIntegerField(default=0, help_text="Prospects for which it gave marks.")
    marks = models.FloatField(default=0, help_text="Sum of those marks, each 0 to 1.")
    last_at = models.DateTimeField()

    objects = TenantQuerySet["AgentDay"].as_manager()

    class Meta:
        ordering = ["-day", "agent", "slot"]
        constraints = [
            models.UniqueConstraint(fields=["client", "day", "agent", "slot"], name="agent_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.day}"
