"""What is allowed: the permission matrix, stops, and budgets that cannot be overspent."""

from __future__ import annotations

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from playbooks.models.choices import Team
from playbooks.models.clients import Client, User
from playbooks.models.playbook import Playbook
from playbooks.rules.halts import Brake
from salesops.dbtypes import trace_id_field
from salesops.guards import Guard, frozen_columns, no_delete, no_truncate, refuse


class AgentPermission(models.Model):
    """One cell of the matrix: what a team may do with a resource. A client's row overrides the global one."""

    class Resource(models.TextChoices):
        CONTACT = "contact", "Contact create and update"
        DEAL_STAGE = "deal_stage", "Deal stage advance"
        ACTIVITY = "activity", "Activity log"
        ICP_EVIDENCE = "icp_evidence", "ICP score and evidence"
        DEAL_VALUE = "deal_value", "Deal value and probability"
        CHURN_RISK = "churn_risk", "Churn risk"

    class Access(models.TextChoices):
        NONE = "none", "None"
        READ = "read", "Read"
        WRITE = "write", "Write"

    client = models.ForeignKey(
        Client, on_delete=models.CASCADE, null=True, blank=True, help_text="Empty: every client."
    )
    team = models.CharField(max_length=16, choices=Team.choices)
    resource = models.CharField(max_length=16, choices=Resource.choices)
    access = models.CharField(max_length=8, choices=Access.choices)

    class Meta:
        ordering = ["team", "resource"]
        constraints = [
            models.UniqueConstraint(
                fields=["client", "team", "resource"], name="agent_permission_once", nulls_distinct=False
            ),
            # No row of the matrix can speak of decisions, permissions, playbooks, budgets or users.
            models.CheckConstraint(
                condition=Q(
                    resource__in=[
                        "contact", "deal_stage", "activity", "icp_evidence", "deal_value", "churn_risk",
                    ],
                    team__in=["lead_gen", "qualification", "conversion", "lifecycle"],
                    access__in=["none", "read", "write"],
                ),
                name="agent_permission_known",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.team} · {self.resource}: {self.access}"


class StopQuerySet(models.QuerySet["Stop"]):
    def in_force(self, at: datetime | None = None) -> StopQuerySet:
        """Stops that hold now, or held at ``at`` as far as nobody has lifted them since."""
        return self.filter(Q(until__isnull=True) | Q(until__gt=at or timezone.now()), lifted_at__isnull=True)

    def over(self, at: datetime | None = None) -> StopQuerySet:
        """Stops that hold no more: lifted, or at their end."""
        return self.filter(Q(lifted_at__isnull=False) | Q(until__lte=at or timezone.now()))

    def for_client(self, client: Client | int) -> StopQuerySet:
        """Stops that touch this client: its own and those over everything."""
        return self.filter(Q(client=client) | Q(level=Stop.Level.EVERYTHING))


#: A reason loses the person it names, in the transaction of that person's tombstone: see ``prospects.models.erasures``.
#: A stop over everything is of no client; whoever works for the erasing one set it or lifted it.
_ERASED = (
    "(to_jsonb(OLD) - 'reason' - 'lift_reason' = to_jsonb(NEW) - 'reason' - 'lift_reason' AND EXISTS (SELECT 1"
    " FROM prospects_erasure e WHERE e.transaction = pg_current_xact_id()::text::bigint"
    " AND (e.client_id = OLD.client_id OR OLD.client_id IS NULL AND EXISTS (SELECT 1 FROM playbooks_membership b"
    " WHERE b.client_id = e.client_id AND b.user_id IN (OLD.created_by_id, OLD.lifted_by_id))))"
    " AND salesops_only_erased(to_jsonb(OLD), to_jsonb(NEW)))"
)
_SAID_ONCE = (
    "id", "client_id", "level", "kind", "target_id", "agent", "reason", "created_by_id", "created_at", "until",
    "trace_id",
)  # fmt: skip


def said_once() -> Guard:
    """What a stop says and of what is said once."""
    old, new = (", ".join(f"{row}.{column}" for column in _SAID_ONCE) for row in ("OLD", "NEW"))
    return Guard(
        name="frozen_columns",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            f"IF ({old}) IS DISTINCT FROM ({new}) AND NOT {_ERASED} THEN "
            + refuse("% keeps what it was made with")
            + " END IF; RETURN NEW;"
        ),
    )


def lifted_once() -> Guard:
    """A lifted stop stays as it was lifted: nobody un-lifts it or rewrites why."""
    return Guard(
        name="lifted_once",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            "IF OLD.lifted_at IS NOT NULL AND (OLD.lifted_at, OLD.lifted_by_id, OLD.lift_reason) IS DISTINCT FROM"
            f" (NEW.lifted_at, NEW.lifted_by_id, NEW.lift_reason) AND NOT {_ERASED} THEN "
            + refuse("% was lifted, and stays so")
            + " END IF; RETURN NEW;"
        ),
    )


class Stop(models.Model):
    """A person's brake. Checked before every run and again immediately before every dispatch."""

    class Level(models.TextChoices):
        EVERYTHING = "everything", "Everything"
        CLIENT = "client", "This client"
        PLAYBOOK = "playbook", "A playbook"
        AGENT = "agent", "An agent"
        PROSPECT = "prospect", "A prospect"
        REQUEST = "request", "One request"

    class Kind(models.TextChoices):
        PAUSE = "pause", "Pause"
        CANCEL = "cancel", "Cancel"

    client = models.ForeignKey(Client, on_delete=models.CASCADE, null=True, blank=True)
    level = models.CharField(max_length=16, choices=Level.choices)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PAUSE)
    target_id = models.BigIntegerField(null=True, blank=True)
    agent = models.SlugField(max_length=40, blank=True, db_index=False)
    reason = models.CharField(max_length=300)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    until = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    lift_reason = models.CharField(max_length=300, blank=True)
    called_off = models.JSONField(default=dict, blank=True, help_text="What a cancel ended, by kind, with how many.")
    trace_id = trace_id_field()

    objects = StopQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(level="everything", client__isnull=True) | Q(~Q(level="everything"), client__isnull=False),
                name="stop_client_fits_level",
            ),
            models.CheckConstraint(
                condition=Q(level__in=["everything", "client"])
                | Q(level="agent") & ~Q(agent="")
                | Q(level__in=["playbook", "prospect", "request"], target_id__isnull=False),
                name="stop_names_its_target",
            ),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True, lift_reason="")
                | Q(lifted_at__isnull=False, lifted_by__isnull=False) & ~Q(lift_reason=""),
                name="stop_lifted_by_somebody_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["client", "level"], condition=Q(lifted_at__isnull=True), name="stop_open"),
            models.Index(fields=["client", "-id"], name="stop_latest"),
        ]
        triggers = [no_delete(), no_truncate(), lifted_once(), said_once()]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.get_level_display()}: {self.reason}"

    @property
    def brake(self) -> Brake:
        """What of it decides."""
        return Brake(
            self.pk, self.level, self.kind, self.client_id, self.target_id, self.agent, self.reason, self.until
        )

    @property
    def state(self) -> str:
        """in force, expired or lifted."""
        if self.lifted_at is not None:
            return "lifted"
        return "expired" if self.until is not None and self.until <= timezone.now() else "in force"


class BudgetPeriod(models.Model):
    """How much of one limit is used in one period. The check makes overspending impossible, not unlikely."""

    class Bucket(models.TextChoices):
        CALLS = "calls", "Calls a day"
        EMAILS = "emails", "E-mails a day"
        LINKEDIN = "linkedin", "LinkedIn actions a day"
        SMS = "sms", "SMS a day"
        MONEY = "money", "Money a month"
        EXPERIMENTS = "experiments", "Experiments a week"
        TOKENS = "tokens", "Tokens a day"

    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="budget_periods")
    bucket = models.CharField(max_length=16, choices=Bucket.choices)
    period_start = models.DateField()
    limit = models.DecimalField(max_digits=16, decimal_places=4)
    used = models.DecimalField(max_digits=16, decimal_places=4, default=0)

    class Meta:
        ordering = ["-period_start", "bucket"]
        constraints = [
            models.UniqueConstraint(fields=["playbook", "bucket", "period_start"], name="budget_period_once"),
            models.CheckConstraint(condition=Q(used__gte=0, used__lte=F("limit")), name="budget_never_overspent"),
        ]
        triggers = [no_delete(), no_truncate(), frozen_columns("playbook_id", "bucket", "period_start")]

    def __str__(self) -> str:
        return f"{self.playbook} {self.bucket} {self.period_start}: {self.used}/{self.limit}"
