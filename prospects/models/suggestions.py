"""Where somebody found the playbook wrong: what it says, what is true instead, and what became of the note."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from playbooks.models import Client, Playbook, PlaybookVersion, User
from prospects.models.erasure_guards import OF_PROSPECT, frozen_but_erasable, only_erased
from prospects.models.prospect import Prospect
from salesops.dbtypes import trace_id_field
from salesops.guards import Guard, no_delete, no_truncate, refuse
from salesops.tenancy import SameClient, TenantQuerySet

_WORDS = ("rule", "truth", "answer")


def answered_once() -> Guard:
    """A note that was taken or declined keeps its answer."""
    return Guard(
        name="answered_once",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            f"IF OLD.state <> 'open' AND NOT {only_erased(*_WORDS, of=OF_PROSPECT)} THEN "
            + refuse("% has its answer")
            + " END IF; RETURN NEW;"
        ),
    )


class Suggestion(models.Model):
    """A note that the playbook is wrong. It changes nothing by itself; it waits for the next version."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        TAKEN = "taken", "Taken up"
        DECLINED = "declined", "Declined"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="suggestions", db_index=False)
    version = models.ForeignKey(
        PlaybookVersion, on_delete=models.PROTECT, null=True, related_name="+", db_index=False,
        help_text="The version that judged the prospect then.",
    )  # fmt: skip
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="suggestions", db_constraint=False, db_index=False
    )
    rule = models.CharField(max_length=200, help_text="Which rule: a criterion, a threshold, a template …")
    truth = models.TextField(help_text="What is true instead.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField(auto_now_add=True)
    answer = models.TextField(blank=True)
    answered_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    answered_at = models.DateTimeField(null=True)
    trace_id = trace_id_field()

    objects = TenantQuerySet["Suggestion"].as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["playbook", "state", "-id"], name="suggestion_by_playbook"),
            models.Index(fields=["prospect", "-id"], name="suggestion_by_prospect"),
        ]
        constraints = [
            SameClient("prospect", name="suggestion_of_one_client"),
            models.CheckConstraint(condition=Q(state__in=["open", "taken", "declined"]), name="suggestion_state_known"),
            models.CheckConstraint(condition=~Q(rule="") & ~Q(truth=""), name="suggestion_says_something"),
            models.CheckConstraint(
                condition=Q(state="open", answered_at__isnull=True, answered_by__isnull=True)
                | Q(~Q(state="open"), answered_at__isnull=False, answered_by__isnull=False),
                name="suggestion_answered_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(state="declined", answer=""), name="suggestion_declined_with_words"),
        ]
        triggers = [
            no_delete(),
            no_truncate(),
            frozen_but_erasable(
                ("client_id", "playbook_id", "version_id", "prospect_id", "rule", "truth", "by_id", "at"),
                *_WORDS,
            ),
            answered_once(),
        ]

    def __str__(self) -> str:
        return f"{self.rule}: {self.truth[:60]}"
