"""Clients (the tenants), the people who work for them, and what each person may do."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import pgtrigger
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower

from salesops.guards import Guard, refuse


def live_by_somebody() -> Guard:
    """No client goes live but by an admin's switch, in the audit log, both of this very transaction."""
    return Guard(
        name="live_by_somebody",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("sandbox"),
        condition=pgtrigger.Condition("NOT NEW.sandbox"),
        func=(
            "IF TG_OP = 'UPDATE' THEN IF NOT OLD.sandbox THEN RETURN NEW; END IF; END IF;"
            " IF NOT EXISTS (SELECT 1 FROM playbooks_modeswitch s JOIN playbooks_auditentry a"
            " ON a.client_id = s.client_id AND a.subject_type = 'playbooks.modeswitch' AND a.subject_id = s.id"
            " AND a.event = 'client.went_live' AND a.actor_id = s.by_id WHERE s.client_id = NEW.id"
            " AND s.mode = 'live' AND s.transaction = pg_current_xact_id()::text::bigint) THEN "
            + refuse("% goes live by an admin alone, and on record")
            + " END IF; RETURN NEW;"
        ),
    )


class Client(models.Model):
    """The business we sell for. All data belongs to one client."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    sandbox = models.BooleanField(
        default=True, help_text="On: every message is captured in the Outbox and nothing leaves this machine."
    )
    sender_name = models.CharField(max_length=120, blank=True)
    sender_email = models.EmailField(blank=True)
    postal_address = models.CharField(
        max_length=300, blank=True, help_text="Shown in every e-mail; the law of most countries asks for it."
    )
    privacy_url = models.URLField(blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        triggers = [live_by_somebody()]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raises ValidationError for a time zone that does not exist: days and hours are told by it everywhere."""
        if self.time_zone not in available_timezones():
            words = "There is no such time zone; expected a name such as Pacific/Auckland."
            raise ValidationError({"time_zone": words})


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person, known by e-mail address."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField("e-mail", unique=True)
    name = models.CharField(max_length=120, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = UserManager()  # type: ignore[misc,assignment]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_ci")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return (self.name or self.email).split(" ")[0]


class Role(models.TextChoices):
    REVIEWER = "reviewer", "Reviewer"
    LEADER = "leader", "Sales leader"
    ADMIN = "admin", "Admin"
    OPERATOR = "operator", "Operator"


class Membership(models.Model):
    """One role of one person at one client; a person may hold several."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "client", "role"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.client} · {self.get_role_display()}"
