"""Asking a person, and what they said."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django_fsm import FSMField, transition

from approvals.models.guards import OF_ITS_REQUEST, decision_is_current, request_is_frozen, request_matches_its_message
from approvals.models.messages import Message
from approvals.models.next_steps import notes_next_step
from playbooks.models import Channel, Client, PlaybookVersion, User
from prospects.models import Contact, Prospect
from prospects.models.erasure_guards import facts_but_erasable
from salesops.dbtypes import trace_id_field
from salesops.fsm import StateModel
from salesops.guards import frozen_columns, no_delete, of_its_client
from salesops.tenancy import SameClient, TenantQuerySet


class ApprovalRequestQuerySet(TenantQuerySet["ApprovalRequest"]):
    def waiting(self) -> ApprovalRequestQuerySet:
        return self.filter(status=ApprovalRequest.Status.WAITING)


class ApprovalRequest(StateModel):
    """A frozen dossier awaiting a person: this person, this channel, these words, this window."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        DEFERRED = "deferred", "Deferred"
        REDRAFT = "redraft", "Handed back"
        EXPIRED = "expired", "Expired"
        CANCELLED = "cancelled", "Cancelled"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(Prospect, on_delete=models.PROTECT, related_name="requests", db_constraint=False)
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="+", db_index=False)
    playbook_version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="requests")
    channel = models.CharField(max_length=16, choices=Channel.choices)
    status = FSMField(max_length=12, choices=Status.choices, default=Status.WAITING, protected=True, editable=False)
    version = models.PositiveIntegerField(default=1)
    content_hash = models.CharField(max_length=64)
    facts_no = models.BigIntegerField(help_text="Newest fact about the prospect when the dossier was frozen.")
    dossier = models.JSONField()
    grade = models.CharField(max_length=2)
    composite = models.FloatField(null=True)
    priority = models.FloatField(default=0)
    expires_at = models.DateTimeField()
    defer_until = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Empty: agents.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    trace_id = trace_id_field()

    objects = ApprovalRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-priority", "-id"]
        constraints = [
            SameClient("prospect", name="request_of_one_client"),
            models.UniqueConstraint(
                fields=["prospect", "channel"],
                condition=Q(status__in=["waiting", "deferred"]),
                name="request_one_open_per_channel",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["waiting", "approved", "rejected", "deferred", "redraft", "expired", "cancelled"]
                ),
                name="request_status_known",
            ),
        ]
        indexes = [
            models.Index(fields=["client", "-priority", "-id"], condition=Q(status="waiting"), name="request_queue"),
            models.Index(fields=["client", "status", "-id"], name="request_by_status"),
            models.Index(
                fields=["expires_at"], condition=Q(status__in=["waiting", "deferred"]), name="request_expiring"
            ),
            models.Index(fields=["defer_until"], condition=Q(status="deferred"), name="request_deferred"),
            models.Index(fields=["trace_id", "-id"], name="request_by_trace"),
            models.Index(fields=["playbook_version", "-id"], name="request_by_version"),
        ]
        triggers = [no_delete(), request_matches_its_message(), request_is_frozen(), notes_next_step()]

    def __str__(self) -> str:
        return f"#{self.pk} {self.channel}"

    def get_absolute_url(self) -> str:
        return reverse("approvals:detail", args=[self.pk])

    @transition(field=status, source=Status.WAITING, target=Status.APPROVED)
    def approve(self) -> None:
        """A person said yes to exactly these words."""

    @transition(field=status, source=Status.WAITING, target=Status.REJECTED)
    def reject(self) -> None:
        """A person said no."""

    @transition(field=status, source=Status.WAITING, target=Status.DEFERRED)
    def defer(self) -> None:
        """Not now; it waits again later."""

    @transition(field=status, source=Status.WAITING, target=Status.REDRAFT)
    def hand_back(self) -> None:
        """Other words, please; a new request follows."""

    @transition(field=status, source=[Status.DEFERRED, Status.APPROVED], target=Status.WAITING)
    def wait_again(self) -> None:
        """The deferral ended or the approval was undone in time."""

    @transition(field=status, source=[Status.WAITING, Status.DEFERRED], target=Status.EXPIRED)
    def expire(self) -> None:
        """Nobody decided in time."""

    @transition(field=status, source=[Status.WAITING, Status.DEFERRED], target=Status.CANCELLED)
    def cancel(self) -> None:
        """The reason to ask is gone."""


class RequestView(models.Model):
    """A reviewer has opened this request: the ground for approving many at once."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.CASCADE, related_name="views")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField()
    at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet["RequestView"].as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "user", "version"], name="request_view_once")]
        triggers = [
            frozen_columns("client_id", "request_id", "user_id", "version", "at"),
            of_its_client("request_id", "approvals_approvalrequest"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} saw {self.request_id}"


class Decision(models.Model):
    """What a person said about one request, on which content, when. A fact."""

    class Kind(models.TextChoices):
        APPROVE = "approve", "Approved"
        APPROVE_EDITS = "approve_edits", "Approved with edits"
        FIRST_APPROVE = "first_approve", "Approved, awaiting a second person"
        REJECT = "reject", "Rejected"
        DEFER = "defer", "Deferred"
        REDRAFT = "redraft", "Handed back"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="decisions")
    request_version = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="decisions")
    content_hash = models.CharField(max_length=64)
    reason_code = models.CharField(max_length=40, blank=True)
    words = models.TextField(blank=True)
    diff = models.JSONField(default=list, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["Decision"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["request", "request_version"], name="decision_once_per_version"),
            models.CheckConstraint(
                condition=~Q(kind="reject") | ~Q(reason_code=""), name="decision_rejection_has_reason"
            ),
            models.CheckConstraint(
                condition=~Q(kind="defer") | Q(until__isnull=False), name="decision_deferral_has_end"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["approve", "approve_edits", "first_approve", "reject", "defer", "redraft"]),
                name="decision_kind_known",
            ),
        ]
        indexes = [models.Index(fields=["client", "-at"], name="decision_latest")]
        triggers = [*facts_but_erasable("words", "diff", of=OF_ITS_REQUEST), decision_is_current()]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.request_id}"
