"""What a playbook's triggers have seen so far, and every time one of them set the agents to work."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from playbooks.models import Client, Playbook, PlaybookVersion, Trigger
from prospects.models.runs import Convergence
from salesops.dbtypes import trace_id_field
from salesops.guards import fact_guards
from salesops.tenancy import TenantQuerySet


class TriggerWatch(models.Model):
    """Where one trigger of a playbook stands. It outlives versions, for as long as they say the same (``spec``)."""

    playbook = models.ForeignKey(Playbook, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.SlugField(max_length=60, db_index=False)
    spec = models.CharField(max_length=255, help_text="What it watches. When that changes, it starts afresh.")
    since = models.DateTimeField(help_text="What happened before does not count.")
    next_at = models.DateTimeField(help_text="When to look again; of a schedule, when it is due.")
    settled_no = models.BigIntegerField(default=0, help_text="Facts up to this number have been looked at for good.")
    seen = models.PositiveBigIntegerField(default=0, help_text="Signals beyond settled_no already counted.")
    mark_no = models.BigIntegerField(default=0, help_text="The newest number when mark_xid was read.")
    mark_xid = models.BigIntegerField(default=0, help_text="Once no older transaction runs, mark_no is settled.")
    armed = models.BooleanField(default=True, help_text="A number must come back before it can cross again.")
    crossings = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["playbook", "key"], name="trigger_watch_once")]
        indexes = [models.Index(fields=["next_at"], name="trigger_watch_due")]

    def __str__(self) -> str:
        return f"{self.key}: {self.spec}"


class TriggerFiring(models.Model):
    """One time that a trigger set the agents to work. A fact; ``occurrence`` makes it happen once."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.SlugField(max_length=60, db_index=False)
    kind = models.CharField(max_length=12, choices=Trigger.Kind.choices)
    occurrence = models.CharField(max_length=80, help_text="What happened, the same however many sweeps see it.")
    saw = models.JSONField(help_text="The time it was due, the signals counted, or the number and its threshold.")
    convergence = models.ForeignKey(Convergence, on_delete=models.PROTECT, related_name="firings")
    at = models.DateTimeField(default=timezone.now)
    trace_id = trace_id_field()

    objects = TenantQuerySet["TriggerFiring"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["playbook", "key", "occurrence"], name="trigger_fires_once")]
        indexes = [
            models.Index(fields=["playbook", "key", "-id"], name="trigger_last_fired"),
            models.Index(fields=["client", "-id"], name="trigger_latest"),
        ]
        triggers = fact_guards()

    def __str__(self) -> str:
        return f"{self.key} at {self.at:%Y-%m-%d %H:%M}"
