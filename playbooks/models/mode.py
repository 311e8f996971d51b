"""Whether a client's messages reach people: who let them out, who took them back in, and when."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.utils import timezone

from playbooks.models.clients import Client, User
from salesops.dbtypes import trace_id_field
from salesops.guards import Guard, fact_guards, refuse
from salesops.tenancy import TenantQuerySet


def switched_by_an_admin() -> Guard:
    """Going live is an admin's word."""
    return Guard(
        name="by_an_admin",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            "NEW.transaction := pg_current_xact_id()::text::bigint;"
            " IF NEW.mode = 'live' AND NOT EXISTS (SELECT 1 FROM playbooks_user u WHERE u.id = NEW.by_id"
            " AND u.is_active AND (u.is_superuser OR EXISTS (SELECT 1 FROM playbooks_membership b"
            " WHERE b.user_id = u.id AND b.client_id = NEW.client_id AND b.role = 'admin'))) THEN "
            + refuse("% to live is by somebody who may not do that here")
            + " END IF; RETURN NEW;"
        ),
    )


class ModeSwitch(models.Model):
    """One switch of a client from the sandbox to live, or back. PostgreSQL lets no client go live without one."""

    class Mode(models.TextChoices):
        SANDBOX = "sandbox", "Sandbox"
        LIVE = "live", "Live"

        @classmethod
        def of(cls, client: Client) -> ModeSwitch.Mode:
            """What a client is in."""
            return cls.SANDBOX if client.sandbox else cls.LIVE

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="mode_switches", db_index=False)
    mode = models.CharField(max_length=8, choices=Mode.choices)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    checked = models.JSONField(default=dict, blank=True, help_text="What the checklist said, line by line.")
    asked_again = models.PositiveIntegerField(default=0, help_text="Approved messages that went back to the queue.")
    at = models.DateTimeField(default=timezone.now)
    transaction = models.BigIntegerField(default=0, editable=False, help_text="Written by PostgreSQL.")
    trace_id = trace_id_field()

    objects = TenantQuerySet["ModeSwitch"].as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "mode switches"
        constraints = [
            models.CheckConstraint(condition=models.Q(mode__in=["sandbox", "live"]), name="mode_switch_known"),
            models.CheckConstraint(
                condition=models.Q(mode="sandbox") | ~models.Q(reason=""), name="mode_switch_live_for_a_reason"
            ),
        ]
        indexes = [models.Index(fields=["client", "-id"], name="mode_switch_latest")]
        triggers = [*fact_guards(), switched_by_an_admin()]

    def __str__(self) -> str:
        return f"{self.client} → {self.mode}"
