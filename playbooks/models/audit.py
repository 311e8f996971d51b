"""The audit log: one hash chain per client. Written only by :mod:`playbooks.audit`."""

from __future__ import annotations

import pgtrigger
from django.db import models

from playbooks.models.clients import Client, User
from salesops.guards import Guard, fact_guards, refuse
from salesops.tenancy import TenantQuerySet


class AuditEntry(models.Model):
    """Who did what to which row, and when; sealed by the hash of everything before it.

    ``detail`` holds ids, counts and hashes, never personal data.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="audit_entries")
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    event = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=40)
    subject_id = models.BigIntegerField()
    trace_id = models.CharField(max_length=32)
    detail = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    entry_hash = models.CharField(max_length=64)

    objects = TenantQuerySet["AuditEntry"].as_manager()

    class Meta:
        ordering = ["client", "-seq"]
        verbose_name_plural = "audit entries"
        constraints = [
            models.UniqueConstraint(fields=["client", "seq"], name="audit_seq_once"),
            models.UniqueConstraint(fields=["client", "previous_hash"], name="audit_no_fork"),
        ]
        indexes = [
            models.Index(fields=["client", "event", "-seq"], name="audit_by_event"),
            models.Index(fields=["client", "subject_type", "subject_id"], name="audit_by_subject"),
            models.Index(fields=["trace_id"], name="audit_by_trace"),
        ]
        triggers = [
            *fact_guards(),
            Guard(
                name="chained",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("last_hash", "text")],
                func=(
                    # The first continues what ``playbooks.audit.genesis`` says.
                    "IF NEW.seq = 1 THEN last_hash := encode(sha256(convert_to('salesops audit chain of client '"
                    " || NEW.client_id, 'UTF8')), 'hex'); ELSE SELECT entry_hash INTO last_hash"
                    " FROM playbooks_auditentry WHERE client_id = NEW.client_id AND seq = NEW.seq - 1; END IF;"
                    " IF last_hash IS DISTINCT FROM NEW.previous_hash THEN "
                    + refuse("% entry does not continue its chain")
                    + " END IF; RETURN NEW;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.seq} {self.event}"
