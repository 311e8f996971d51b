"""The one attempt to act on a decision, what came back, and what a person must do by hand."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_fsm import FSMField, transition

from approvals.models.guards import OF_ITS_DISPATCH, OF_ITS_MAIL, dispatch_is_approved, dispatch_moves, nothing_holds_it
from approvals.models.messages import Message
from approvals.models.next_steps import notes_next_step
from approvals.models.requests import ApprovalRequest, Decision
from playbooks.models import Channel, Client, ModeSwitch, PlaybookVersion, User
from prospects.models import Contact, Prospect
from prospects.models.erasure_guards import OF_CONTACT, facts_but_erasable
from salesops.dbtypes import trace_id_field
from salesops.fsm import StateModel
from salesops.guards import fact_guards, no_delete, no_truncate, of_its_client
from salesops.tenancy import SameClient, TenantQuerySet


class DispatchQuerySet(TenantQuerySet["Dispatch"]):
    def felt(self, client: Client | int) -> Self:
        """Those of a client that count as touches where it is now: practice counts in the sandbox alone."""
        return self.for_client(client).filter(Q(mode=ModeSwitch.Mode.LIVE) | Q(client__sandbox=True))


class Dispatch(StateModel):
    """The one attempt to act on an approving decision."""

    class Status(models.TextChoices):
        UNDO_HOLD = "undo_hold", "In the undo window"
        QUEUED = "queued", "Queued"
        POSTPONED = "postponed", "Postponed"
        SENDING = "sending", "Sending"
        ACCEPTED = "accepted", "Accepted"
        REFUSED = "refused", "Refused"
        UNKNOWN = "unknown", "Unknown"
        CANCELLED = "cancelled", "Cancelled"

    Mode = ModeSwitch.Mode

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    decision = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="dispatch")
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="dispatches")
    prospect = models.ForeignKey(Prospect, on_delete=models.PROTECT, related_name="dispatches", db_constraint=False)
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="dispatches")
    channel = models.CharField(max_length=16, choices=Channel.choices)
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="dispatches")
    content_hash = models.CharField(max_length=64)
    recipient = models.CharField(max_length=320)
    person_keys = ArrayField(
        models.CharField(max_length=64), default=list, db_default=[], blank=True, editable=False,
        help_text="What a suppression of this person would be kept as: it is looked for again before anything leaves.",
    )  # fmt: skip
    idempotency_key = models.CharField(max_length=200, help_text="For e-mail: the Message-ID.")
    status = FSMField(max_length=12, choices=Status.choices, default=Status.UNDO_HOLD, protected=True, editable=False)
    not_before = models.DateTimeField()
    expires_at = models.DateTimeField()
    mode = models.CharField(
        max_length=8, choices=Mode.choices, help_text="What the client was in when it was approved: it goes there."
    )
    token = models.UUIDField(null=True, blank=True, help_text="Fencing token of the present claim.")
    claimed_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    budget_reserved = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it is postponed, refused, cancelled, unknown.")
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    trace_id = trace_id_field()

    objects = DispatchQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "dispatches"
        constraints = [
            SameClient("prospect", name="dispatch_of_one_client"),
            models.UniqueConstraint(
                fields=["request"], condition=~Q(status="cancelled"), name="dispatch_one_live_per_request"
            ),
            models.UniqueConstraint(fields=["idempotency_key"], name="dispatch_key_once"),
            models.CheckConstraint(
                condition=Q(status__in=["undo_hold", "queued", "postponed", "cancelled"]) | Q(token__isnull=False),
                name="dispatch_sends_only_when_claimed",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "undo_hold", "queued", "postponed", "sending", "accepted", "refused", "unknown", "cancelled",
                    ]
                ),
                name="dispatch_status_known",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(
                fields=["not_before"],
                condition=Q(status__in=["undo_hold", "queued", "postponed"]),
                name="dispatch_due",
            ),
            models.Index(fields=["lease_until"], condition=Q(status="sending"), name="dispatch_leases"),
            models.Index(fields=["client", "-id"], name="dispatch_latest"),
            models.Index(fields=["client", "status", "-id"], name="dispatch_by_status"),
            models.Index(fields=["contact", "-finished_at"], name="dispatch_touches"),
        ]
        triggers = [
            no_delete(), no_truncate(), dispatch_is_approved(), dispatch_moves(), nothing_holds_it(),
            notes_next_step("accepted", "refused", "unknown", "cancelled"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.channel} to {self.contact_id}: {self.status}"

    @transition(field=status, source=[Status.UNDO_HOLD, Status.POSTPONED, Status.SENDING], target=Status.QUEUED)
    def queue(self) -> None:
        """Due; from sending only when the failure was provably before acceptance."""

    @transition(field=status, source=Status.QUEUED, target=Status.SENDING)
    def start_sending(self) -> None:
        """Claimed; committed before the network is touched."""

    @transition(field=status, source=[Status.SENDING, Status.UNKNOWN], target=Status.ACCEPTED)
    def accept(self) -> None:
        """The channel took it over."""

    @transition(field=status, source=[Status.SENDING, Status.UNKNOWN], target=Status.REFUSED)
    def refuse(self) -> None:
        """The channel said no."""

    @transition(field=status, source=Status.SENDING, target=Status.UNKNOWN)
    def lose_track(self) -> None:
        """It may or may not have gone out: a person looks, nothing retries."""

    @transition(field=status, source=Status.QUEUED, target=Status.POSTPONED)
    def postpone(self) -> None:
        """A check said later."""

    @transition(field=status, source=[Status.UNDO_HOLD, Status.QUEUED, Status.POSTPONED], target=Status.CANCELLED)
    def cancel(self) -> None:
        """Undone by a person, or a check said never."""


class DeliveryEvent(models.Model):
    """What the channel reported about a dispatch. Idempotent by the provider's event id."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    dispatch = models.ForeignKey(Dispatch, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=24)
    at = models.DateTimeField()
    provider = models.CharField(max_length=40)
    provider_event_id = models.CharField(max_length=200)
    detail = models.JSONField(default=dict, blank=True)
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["DeliveryEvent"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["provider", "provider_event_id"], name="delivery_event_once")]
        triggers = [
            *facts_but_erasable("detail", of=OF_ITS_DISPATCH),
            of_its_client("dispatch_id", "approvals_dispatch"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.dispatch_id}"


class CapturedMail(models.Model):
    """One message as the sandbox's SMTP server received it. Receipts are never merged: a duplicate must show."""

    dispatch = models.ForeignKey(Dispatch, on_delete=models.PROTECT, null=True, blank=True, related_name="captured")
    message_id = models.CharField(max_length=255)
    mail_from = models.CharField(max_length=320, blank=True)
    rcpt_to = models.CharField(max_length=320)
    subject = models.CharField(max_length=500, blank=True)
    raw = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "captured mail"
        indexes = [models.Index(fields=["message_id"], name="captured_by_message_id")]
        triggers = facts_but_erasable("rcpt_to", "subject", "raw", of=OF_ITS_MAIL)

    def __str__(self) -> str:
        return self.message_id


class Suppression(models.Model):
    """Somebody or something never to be contacted. Kept as a keyed hash, so that it outlives erasure."""

    class Scope(models.TextChoices):
        EMAIL = "email", "E-mail address"
        PHONE = "phone", "Phone number"
        PERSON = "person", "Person"
        DOMAIN = "domain", "Domain"
        LINKEDIN = "linkedin", "LinkedIn profile"

    client = models.ForeignKey(
        Client, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: every client."
    )
    scope = models.CharField(max_length=12, choices=Scope.choices)
    key_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=200)
    source = models.CharField(max_length=120, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    trace_id = trace_id_field()

    objects = TenantQuerySet["Suppression"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "scope", "key_hash"], name="suppression_once", nulls_distinct=False
            )
        ]
        indexes = [
            models.Index(fields=["key_hash"], name="suppression_lookup"),
            models.Index(fields=["client", "-id"], name="suppression_newest"),
        ]
        triggers = fact_guards()

    def __str__(self) -> str:
        return f"{self.scope} {self.key_hash[:8]}"


class ConsentBasis(models.Model):
    """Why we may write to this person at all, with its proof. The latest row counts."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="consents")
    type = models.CharField(max_length=40)
    url = models.CharField(max_length=500, blank=True)
    snapshot_hash = models.CharField(max_length=64, blank=True)
    captured_at = models.DateTimeField()
    role_relevant = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects = TenantQuerySet["ConsentBasis"].as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "consent bases"
        triggers = [*facts_but_erasable("url", of=OF_CONTACT), of_its_client("contact_id", "prospects_contact")]

    def __str__(self) -> str:
        return f"{self.type} {self.captured_at:%Y-%m-%d}"


class Task(models.Model):
    """Something only a person can do: look after an unknown dispatch, dial, connect."""

    class Kind(models.TextChoices):
        UNKNOWN_DISPATCH = "unknown_dispatch", "Did it go out?"
        REFUSED_DISPATCH = "refused_dispatch", "Refused by the channel"
        CALL = "call", "Call"
        LINKEDIN = "linkedin", "LinkedIn"
        REVIEW = "review", "Needs review"
        AGENT_WORK = "agent_work", "Work for an agent"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    prospect = models.ForeignKey(Prospect, on_delete=models.PROTECT, null=True, blank=True, related_name="tasks")
    dispatch = models.ForeignKey(Dispatch, on_delete=models.PROTECT, null=True, blank=True, related_name="tasks")
    title = models.CharField(max_length=200)
    detail = models.TextField(blank=True)
    agent = models.CharField(max_length=40, blank=True, help_text="The agent whose work a person does here.")
    form = models.CharField(max_length=12, blank=True)
    asks = models.JSONField(default=list, blank=True)
    playbook_version = models.ForeignKey(
        PlaybookVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    resolution = models.CharField(max_length=40, blank=True)
    words = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    trace_id = trace_id_field()

    objects = TenantQuerySet["Task"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dispatch", "kind"], condition=Q(dispatch__isnull=False), name="task_once_per_dispatch"
            ),
            models.UniqueConstraint(
                fields=["prospect", "agent"], condition=Q(status="open") & ~Q(agent=""), name="task_once_per_agent"
            ),
        ]
        indexes = [models.Index(fields=["client", "status", "-id"], name="task_list")]
        triggers = [
            no_delete(),
            no_truncate(),
            of_its_client("prospect_id", "prospects_prospect"),
            of_its_client("dispatch_id", "approvals_dispatch"),
        ]

    def __str__(self) -> str:
        return self.title
