"""Responsibility that passed from one team to another, with all that was known then, and who took it up."""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from playbooks.models import Client, Team, User
from prospects.models.erasure_guards import facts_but_erasable
from prospects.models.facts import StageTransition
from prospects.models.prospect import Prospect
from prospects.models.runs import AgentRun
from salesops.guards import Guard, fact_guards, refuse
from salesops.tenancy import SameClient, TenantQuerySet


def handoff_follows_a_move() -> Guard:
    """It belongs to a move of its prospect, or of a deal of one read as it, into that stage, and cites its evidence."""
    return Guard(
        name="follows_a_move",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        func=(
            "IF NOT EXISTS (SELECT 1 FROM prospects_stagetransition t JOIN prospects_prospect p ON p.id = t.prospect_id"
            " WHERE t.id = NEW.transition_id AND (p.id = NEW.prospect_id OR t.pipeline <> 'prospect'"
            " AND p.merged_into_id = NEW.prospect_id) AND t.client_id = NEW.client_id AND t.to_stage = NEW.stage"
            " AND t.transaction = pg_current_xact_id()::text::bigint) THEN "
            + refuse("% belongs to a move of its prospect in the same transaction")
            + " END IF; IF cardinality(NEW.evidence_ids) > 0 AND (SELECT count(*) FROM prospects_evidence e"
            " WHERE e.id = ANY(NEW.evidence_ids) AND e.prospect_id = NEW.prospect_id)"
            " <> cardinality(NEW.evidence_ids) THEN "
            + refuse("% cites evidence that is not its prospect''s")
            + " END IF; RETURN NULL;"
        ),
    )


def accepted_by_its_own_run() -> Guard:
    """Who accepts has run on that very prospect, and finished."""
    return Guard(
        name="by_its_own_run",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        func=(
            "IF NOT EXISTS (SELECT 1 FROM prospects_handoff h JOIN prospects_agentrun r ON r.id = NEW.run_id"
            " AND r.prospect_id = h.prospect_id AND r.agent = NEW.agent AND r.status = 'ok'"
            " WHERE h.id = NEW.handoff_id AND h.client_id = NEW.client_id) THEN "
            + refuse("% is accepted by a finished run on its own prospect")
            + " END IF; RETURN NULL;"
        ),
    )


class Handoff(models.Model):
    """One team hands a prospect to another: written with the move that changes who is responsible.

    ``summary``: ``known`` {layer: [[criterion, value 0-100], …]}, ``open`` questions in words, ``touches`` (newest
    first, with time, channel, subject and outcome), ``next`` action in words.
    """

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="handoffs", db_constraint=False, db_index=False
    )
    transition = models.OneToOneField(StageTransition, on_delete=models.PROTECT, related_name="handoff")
    from_team = models.CharField(max_length=16, choices=Team.choices)
    to_team = models.CharField(max_length=16, choices=Team.choices)
    stage = models.CharField(max_length=24)
    summary = models.JSONField()
    evidence_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    run = models.ForeignKey(
        AgentRun,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Last run of the handing team before it.",
    )
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    at = models.DateTimeField()
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["Handoff"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            SameClient("prospect", name="handoff_of_one_client"),
            models.CheckConstraint(
                condition=Q(from_team__in=Team.values, to_team__in=Team.values), name="handoff_teams_known"
            ),
            models.CheckConstraint(condition=~Q(from_team=F("to_team")), name="handoff_changes_team"),
        ]
        indexes = [
            models.Index(fields=["prospect", "-id"], name="handoff_latest"),
            models.Index(fields=["trace_id", "-id"], name="handoff_by_trace"),
        ]
        triggers = [*facts_but_erasable("summary"), handoff_follows_a_move()]

    def __str__(self) -> str:
        return f"{self.get_from_team_display()} to {self.get_to_team_display().lower()}"

    @property
    def is_open(self) -> bool:
        """Nobody has taken it up yet."""
        return not hasattr(self, "acceptance")

    @property
    def known(self) -> dict[str, list[tuple[str, float]]]:
        """What was known, in words: layer to its criteria with their values."""
        layers: dict[str, list[list[Any]]] = self.summary.get("known", {})
        return {layer: [(name.replace("_", " "), value) for name, value in facts] for layer, facts in layers.items()}

    @property
    def open_questions(self) -> list[str]:
        """What nobody knew then."""
        return list(self.summary.get("open", []))


class HandoffAcceptance(models.Model):
    """The receiving team's first run on the prospect took the work up."""

    handoff = models.OneToOneField(Handoff, on_delete=models.PROTECT, related_name="acceptance")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    agent = models.CharField(max_length=40)
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField()

    objects = TenantQuerySet["HandoffAcceptance"].as_manager()

    class Meta:
        ordering = ["-id"]
        triggers = [*fact_guards(), accepted_by_its_own_run()]

    def __str__(self) -> str:
        return f"taken up by {self.agent.replace('_', ' ')}"
