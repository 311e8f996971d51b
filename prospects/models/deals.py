"""What a prospect becomes once it converts: deals, and the customer that a won deal opens."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django_fsm import FSMField, transition

from playbooks.models import Client, Playbook, User
from playbooks.rules import stages
from prospects.models.guards import stage_follows_its_log
from prospects.models.prospect import Prospect
from salesops.fsm import StateModel
from salesops.guards import Guard, frozen_columns, no_delete, no_truncate, refuse
from salesops.tenancy import SameClient, TenantQuerySet


class DealStage(models.TextChoices):
    DISCOVERY = stages.DISCOVERY, "Discovery"
    PROPOSAL = stages.PROPOSAL, "Proposal"
    NEGOTIATION = stages.NEGOTIATION, "Negotiation"
    WON = stages.WON, "Won"
    LOST = stages.LOST_DEAL, "Lost"


class CustomerStage(models.TextChoices):
    ONBOARDING = stages.ONBOARDING, "Onboarding"
    HEALTHY = stages.HEALTHY, "Healthy"
    EXPANSION = stages.EXPANSION, "Expansion"
    AT_RISK = stages.AT_RISK, "At risk"
    CHURNED = stages.CHURNED, "Churned"


CLOSED_DEALS = (DealStage.WON, DealStage.LOST)
_KEPT = ("client_id", "playbook_id", "prospect_id", "created_at", "trace_id")


def opens_for(born: str, condition: str, words: str) -> Guard:
    """A row begins in its pipeline's first stage, for a prospect of its client and playbook that has come that far."""
    return Guard(
        name="opens_for_its_prospect",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            f"IF NEW.stage <> '{born}' OR NEW.stage_seq <> 0 OR NOT EXISTS (SELECT 1 FROM prospects_prospect p"
            " WHERE p.id = NEW.prospect_id AND p.client_id = NEW.client_id AND p.playbook_id = NEW.playbook_id"
            f"{condition})"
            " THEN " + refuse(words) + " END IF; RETURN NEW;"
        ),
    )


def worth_is_settled() -> Guard:
    """What a deal was won or lost at is not changed afterwards."""
    return Guard(
        name="worth_is_settled",
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf("amount", "currency"),
        func=(
            "IF OLD.stage IN ('won', 'lost') AND (OLD.amount, OLD.currency) IS DISTINCT FROM (NEW.amount, NEW.currency)"
            " THEN " + refuse("% is closed: its amount stays") + " END IF; RETURN NEW;"
        ),
    )


class Moving(StateModel):
    """What deals and customers share: whose they are, and a stage that only the stage service writes."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="+", db_index=False)
    stage_seq = models.PositiveIntegerField(default=0, editable=False)
    stage_since = models.DateTimeField(default=timezone.now, editable=False)
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=timezone.now)
    trace_id = models.CharField(max_length=32)

    class Meta:
        abstract = True


class DealQuerySet(TenantQuerySet["Deal"]):
    def going_on(self) -> DealQuerySet:
        """Neither won nor lost yet."""
        return self.exclude(stage__in=CLOSED_DEALS)


class Deal(Moving):
    """One thing a converted prospect may buy. A prospect may have several."""

    pipeline = "deal"

    prospect = models.ForeignKey(Prospect, on_delete=models.PROTECT, related_name="deals", db_constraint=False)
    name = models.CharField(max_length=160, blank=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2, help_text="What it is worth, in its currency.")
    currency = models.CharField(max_length=3)
    stage = FSMField(
        max_length=24, choices=DealStage.choices, default=DealStage.DISCOVERY, protected=True, editable=False
    )

    objects = DealQuerySet.as_manager()

    class Meta:
        ordering = ["-stage_since", "-id"]
        constraints = [
            SameClient("prospect", name="deal_of_one_client"),
            models.CheckConstraint(condition=Q(stage__in=DealStage.values), name="deal_stage_known"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="deal_amount_not_negative"),
            models.CheckConstraint(condition=~Q(stage="won") | Q(amount__gt=0), name="deal_is_won_for_something"),
        ]
        indexes = [
            models.Index(fields=["client", "-stage_since", "-id"], name="deal_latest"),
            models.Index(fields=["client", "stage", "-stage_since", "-id"], name="deal_by_stage"),
        ]
        triggers = [
            no_delete(),
            no_truncate(),
            frozen_columns(*_KEPT),
            opens_for("discovery", " AND p.stage = 'converted'", "% opens in discovery, for a converted prospect"),
            stage_follows_its_log("deal"),
            worth_is_settled(),
        ]

    def __str__(self) -> str:
        return self.name or str(self.prospect)

    def get_absolute_url(self) -> str:
        return f"{reverse('prospects:pipelines', args=[self.prospect_id])}#deal-{self.pk}"

    @property
    def is_open(self) -> bool:
        """Neither won nor lost yet."""
        return self.stage not in CLOSED_DEALS

    @transition(field=stage, source=stages.sources_of(stages.PROPOSAL, "deal"), target=DealStage.PROPOSAL)
    def propose(self) -> None:
        """An offer is on the table."""

    @transition(field=stage, source=stages.sources_of(stages.NEGOTIATION, "deal"), target=DealStage.NEGOTIATION)
    def negotiate(self) -> None:
        """Terms are being agreed."""

    @transition(field=stage, source=stages.sources_of(stages.WON, "deal"), target=DealStage.WON)
    def win(self) -> None:
        """They bought."""

    @transition(field=stage, source=stages.sources_of(stages.LOST_DEAL, "deal"), target=DealStage.LOST)
    def lose(self) -> None:
        """They will not buy, for a stated reason."""

    def move_to(self, stage: str) -> None:
        """Fire the transition that ends in ``stage``. Raises TransitionNotAllowed, or KeyError for no such stage."""
        getattr(self, _DEAL_VERBS[stage])()


class Customer(Moving):
    """Somebody who bought. The first won deal opens it; one that came back after leaving is a new one."""

    pipeline = "customer"

    prospect = models.ForeignKey(
        Prospect, on_delete=models.PROTECT, related_name="customers", db_constraint=False, db_index=False
    )
    deal = models.OneToOneField(Deal, on_delete=models.PROTECT, related_name="customer")
    stage = FSMField(
        max_length=24, choices=CustomerStage.choices, default=CustomerStage.ONBOARDING, protected=True, editable=False
    )

    objects = TenantQuerySet["Customer"].as_manager()

    class Meta:
        ordering = ["-stage_since", "-id"]
        constraints = [
            SameClient("prospect", name="customer_of_one_client"),
            models.CheckConstraint(condition=Q(stage__in=CustomerStage.values), name="customer_stage_known"),
            models.UniqueConstraint(
                fields=["prospect"], condition=~Q(stage="churned"), name="customer_once_until_it_leaves"
            ),
        ]
        indexes = [
            models.Index(fields=["prospect"], name="customer_of_prospect"),
            models.Index(fields=["client", "-stage_since", "-id"], name="customer_latest"),
            models.Index(fields=["client", "stage", "-stage_since", "-id"], name="customer_by_stage"),
        ]
        triggers = [
            no_delete(),
            no_truncate(),
            frozen_columns(*_KEPT, "deal_id"),
            opens_for(
                "onboarding",
                " AND EXISTS (SELECT 1 FROM prospects_deal d WHERE d.id = NEW.deal_id AND d.prospect_id = p.id"
                " AND d.stage = 'won')",
                "% opens in onboarding, for a won deal",
            ),
            stage_follows_its_log("customer"),
        ]

    def __str__(self) -> str:
        return str(self.prospect)

    def get_absolute_url(self) -> str:
        return f"{reverse('prospects:pipelines', args=[self.prospect_id])}#customer-{self.pk}"

    @property
    def is_open(self) -> bool:
        """Still with us."""
        return bool(self.stage != CustomerStage.CHURNED)

    @transition(field=stage, source=stages.sources_of(stages.HEALTHY, "customer"), target=CustomerStage.HEALTHY)
    def thrive(self) -> None:
        """They use what they bought, or do again."""

    @transition(field=stage, source=stages.sources_of(stages.EXPANSION, "customer"), target=CustomerStage.EXPANSION)
    def expand(self) -> None:
        """They may buy more."""

    @transition(field=stage, source=stages.sources_of(stages.AT_RISK, "customer"), target=CustomerStage.AT_RISK)
    def endanger(self) -> None:
        """They may leave, for a stated reason."""

    @transition(field=stage, source=stages.sources_of(stages.CHURNED, "customer"), target=CustomerStage.CHURNED)
    def leave(self) -> None:
        """They left, for a stated reason."""

    def move_to(self, stage: str) -> None:
        """Fire the transition that ends in ``stage``. Raises TransitionNotAllowed, or KeyError for no such stage."""
        getattr(self, _CUSTOMER_VERBS[stage])()


_DEAL_VERBS: dict[str, str] = {
    DealStage.PROPOSAL: "propose",
    DealStage.NEGOTIATION: "negotiate",
    DealStage.WON: "win",
    DealStage.LOST: "lose",
}
_CUSTOMER_VERBS: dict[str, str] = {
    CustomerStage.HEALTHY: "thrive",
    CustomerStage.EXPANSION: "expand",
    CustomerStage.AT_RISK: "endanger",
    CustomerStage.CHURNED: "leave",
}
