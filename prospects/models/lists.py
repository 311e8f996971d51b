"""How people work the list: filters they keep, columns they choose, work on many at once, routes set by hand."""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from playbooks.models import Client, Playbook, Route, User
from prospects.models.erasure_guards import OF_CLIENT, OF_PROSPECT, frozen_but_erasable, only_erased
from prospects.models.prospect import Prospect
from prospects.models.route_guards import prospect_says_so
from salesops.dbtypes import trace_id_field
from salesops.guards import Guard, no_delete, no_truncate, refuse
from salesops.tenancy import SameClient, TenantQuerySet


class SavedFilterQuerySet(TenantQuerySet["SavedFilter"]):
    def seen_by(self, user: User) -> SavedFilterQuerySet:
        """A person's own and those that others at the client share."""
        return self.filter(Q(owner=user) | Q(shared=True))


class SavedFilter(models.Model):
    """A named way to narrow a list. ``query`` holds URL parameters, checked again whenever they are read."""

    class Page(models.TextChoices):
        PROSPECTS = "prospects", "Prospects"
        APPROVALS = "approvals", "Approvals"

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+", db_index=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    page = models.CharField(
        max_length=12, choices=Page.choices, default=Page.PROSPECTS, db_default=Page.PROSPECTS, editable=False
    )
    name = models.CharField(max_length=60)
    query = models.JSONField(default=dict)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint("client", "owner", "page", Lower("name"), name="saved_filter_once_a_page"),
            models.CheckConstraint(condition=Q(page__in=["prospects", "approvals"]), name="saved_filter_page_known"),
            models.CheckConstraint(condition=~Q(name=""), name="saved_filter_has_name"),
        ]

    def __str__(self) -> str:
        return self.name


class ListPreference(models.Model):
    """What one person wants to see of the list at one client: columns in their order, and the filter it opens with."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    columns = ArrayField(models.CharField(max_length=24), default=list, blank=True)
    default_filter = models.ForeignKey(SavedFilter, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = TenantQuerySet["ListPreference"].as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "client"], name="list_preference_once")]

    def __str__(self) -> str:
        return f"{self.user} at {self.client}"


class BulkAction(models.Model):
    """One thing done to many prospects: who was chosen when it began, how far it is, and whether it was taken back."""

    class Kind(models.TextChoices):
        PAUSE = "pause", "Pause"
        RESUME = "resume", "Resume"
        ASSIGN = "assign", "Assign an owner"
        RERUN = "rerun", "Run the agents again"
        ROUTE = "route", "Set the route by hand"
        UNROUTE = "unroute", "Give the route back to the score"

    class Status(models.TextChoices):
        RUNNING = "running", "At work"
        DONE = "done", "Done"
        UNDOING = "undoing", "Being taken back"
        UNDONE = "undone", "Taken back"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RUNNING)
    chosen = models.JSONField(default=dict, blank=True, help_text="The filters, when all that match were meant.")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    route = models.CharField(max_length=8, choices=Route.choices, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(default=timezone.now)
    undone_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    trace_id = trace_id_field()

    objects = TenantQuerySet["BulkAction"].as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["client", "created_by", "-id"], name="bulk_latest"),
            models.Index(fields=["heartbeat_at"], condition=Q(status__in=["running", "undoing"]), name="bulk_open"),
        ]
        triggers = [
            no_delete(),
            frozen_but_erasable(
                (
                    "client_id", "playbook_id", "kind", "chosen", "owner_id", "route", "reason", "created_by_id",
                    "created_at", "trace_id",
                ),
                "reason", "chosen", of=OF_CLIENT,
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.total}"

    @property
    def is_open(self) -> bool:
        """Whether work on it goes on."""
        return self.status in (self.Status.RUNNING, self.Status.UNDOING)

    @property
    def can_be_undone(self) -> bool:
        """Runs of agents and lifted pauses cannot be taken back; whatever is at work comes to its end first."""
        return self.status == self.Status.DONE and self.kind not in (self.Kind.RERUN, self.Kind.RESUME)

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.done / self.total if self.total else 1.0


class BulkItem(models.Model):
    """One prospect of a bulk action, and what it had before. ``ref`` is the row that the action made or ended."""

    action = models.ForeignKey(BulkAction, on_delete=models.CASCADE, related_name="items", db_index=False)
    prospect = models.ForeignKey(Prospect, on_delete=models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(
        max_length=8,
        choices=[("waiting", "Waiting"), ("changed", "Changed"), ("same", "Nothing to do"), ("undone", "Taken back")],
        db_default="waiting",
    )
    before = models.BigIntegerField(null=True, blank=True, help_text="The owner or override that was replaced.")
    ref = models.BigIntegerField(null=True, blank=True, help_text="The stop or override that was made.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "prospect"], name="bulk_item_once")]
        indexes = [
            models.Index(fields=["action", "id"], condition=Q(state="waiting"), name="bulk_item_waiting"),
            models.Index(fields=["action", "id"], condition=Q(state="changed"), name="bulk_item_changed"),
        ]

    def __str__(self) -> str:
        return f"{self.action_id}: {self.prospect_id}"


def lifted_once() -> Guard:
    """A lifted override stays as it was lifted."""
    return Guard(
        name="lifted_once",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            f"IF {only_erased('reason', of=OF_PROSPECT)} THEN RETURN NEW; END IF;"
            " IF OLD.lifted_at IS NOT NULL THEN " + refuse("% was lifted, and stays so") + " END IF;"
            " IF NEW.lifted_at IS NULL OR NEW.lifted_by_id IS NULL THEN "
            + refuse("% changes only by being lifted, by somebody")
            + " END IF; RETURN NEW;"
        ),
    )


def override_is_the_clients() -> Guard:
    """An override stands at the client of its prospect."""
    return Guard(
        name="override_is_the_clients",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            "IF NEW.client_id IS DISTINCT FROM (SELECT client_id FROM prospects_prospect WHERE id = NEW.prospect_id)"
            " OR NEW.lifted_at IS NOT NULL THEN "
            + refuse("% names a prospect of another client, or is lifted before it holds")
            + " END IF; RETURN NEW;"
        ),
    )


class RouteOverrideQuerySet(TenantQuerySet["RouteOverride"]):
    def in_force(self) -> RouteOverrideQuerySet:
        """Those nobody has lifted."""
        return self.filter(lifted_at__isnull=True)


class RouteOverride(models.Model):
    """A person's route beside the score's, and why. The score and its route stay as they were computed."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="route_overrides", db_constraint=False, db_index=False
    )
    route = models.CharField(max_length=8, choices=Route.choices)
    reason = models.CharField(max_length=300)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    trace_id = trace_id_field()

    objects = RouteOverrideQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            SameClient("prospect", name="route_override_of_one_client"),
            models.UniqueConstraint(
                fields=["prospect"], condition=Q(lifted_at__isnull=True), name="route_override_one_in_force"
            ),
            models.CheckConstraint(condition=Q(route__in=Route.values), name="route_override_route_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="route_override_has_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True) | Q(lifted_by__isnull=False), name="route_override_lifted_by"
            ),
        ]
        indexes = [
            models.Index(fields=["prospect", "-id"], name="route_override_history"),
            models.Index(
                fields=["client", "route", "prospect"], condition=Q(lifted_at__isnull=True), name="route_override_now"
            ),
        ]
        triggers = [
            no_delete(),
            no_truncate(),
            lifted_once(),
            override_is_the_clients(),
            *prospect_says_so(),
            frozen_but_erasable(
                ("client_id", "prospect_id", "route", "reason", "created_by_id", "created_at", "trace_id"), "reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_route_display()} by hand: {self.reason}"
