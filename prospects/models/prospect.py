"""A prospect: a company and/or a contact being worked under a playbook."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django_fsm import FSMField, transition

from playbooks.models import Client, Playbook, PlaybookVersion, Route, Tier, User
from playbooks.rules import stages
from prospects.models.accounts import Company, Contact
from prospects.models.funnel import prospect_funnel_triggers
from prospects.models.guards import (
    born_among_its_own,
    person_is_its_clients,
    prospect_keeps_its_origin,
    stage_follows_its_log,
    starts_as_sourced,
)
from prospects.models.merge_guards import one_goes_on, prospect_follows_its_record
from prospects.models.route_guards import born_by_score, hand_is_an_override
from salesops.fsm import StateModel
from salesops.guards import no_delete
from salesops.tenancy import SameClient, TenantQuerySet


class Stage(models.TextChoices):
    SOURCED = stages.SOURCED, "Sourced"
    RESEARCHED = stages.RESEARCHED, "Researched"
    QUALIFYING = stages.QUALIFYING, "Qualifying"
    QUALIFIED = stages.QUALIFIED, "Qualified"
    CONTACTED = stages.CONTACTED, "Contacted"
    ENGAGED = stages.ENGAGED, "Engaged"
    CONVERTED = stages.CONVERTED, "Converted"
    NURTURE = stages.NURTURE, "Nurture"
    STALLED = stages.STALLED, "Stalled"
    REJECTED = stages.REJECTED, "Rejected"
    DISQUALIFIED = stages.DISQUALIFIED, "Disqualified"
    CLOSED = stages.CLOSED, "Closed"


class Verdict(models.TextChoices):
    NONE = "", "Not judged yet"
    QUALIFIED = "qualified", "Qualified"
    REJECTED = "rejected", "Rejected"
    STALLED = "stalled", "Stalled"


class WorkLevel(models.IntegerChoices):
    """The three levels in which agents take prospects: the best fit first, the older first within a level."""

    FIRST = 1, "First"
    NORMAL = 2, "Normal"
    LATER = 3, "Later"


class ProspectQuerySet(TenantQuerySet["Prospect"]):
    def due(self) -> ProspectQuerySet:
        """Prospects with facts that no finished convergence has seen."""
        return self.going_on().filter(facts_no__gt=F("converged_no"))

    def going_on(self) -> ProspectQuerySet:
        """Those that are worked as themselves, and not as part of another they were merged into."""
        return self.filter(merged_into__isnull=True)


class Prospect(StateModel):
    """Who we work on and where they stand.

    Stage columns are written by the stage service alone, score columns by the score service alone; both can be rebuilt
    from StageTransition and Score.
    """

    client = models.ForeignKey(
        Client, on_delete=models.PROTECT, related_name="prospects", db_constraint=False, db_index=False
    )
    playbook = models.ForeignKey(
        Playbook, on_delete=models.PROTECT, related_name="prospects", db_constraint=False, db_index=False
    )
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, null=True, blank=True, related_name="prospects", db_index=False
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="prospects", db_index=False
    )
    external_id = models.CharField(max_length=120, blank=True)
    source = models.CharField(max_length=120)
    segment = models.CharField(max_length=120, blank=True)
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="merged",
        db_index=False,
        editable=False,
        help_text="The prospect this one is worked as, since their companies or people turned out to be one.",
    )
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False)

    stage = FSMField(max_length=24, choices=Stage.choices, default=Stage.SOURCED, protected=True, editable=False)
    stage_seq = models.PositiveIntegerField(default=0, editable=False)
    stage_since = models.DateTimeField(default=timezone.now, editable=False)

    composite = models.FloatField(null=True, blank=True)
    coverage = models.FloatField(default=0)
    provisional = models.BooleanField(default=True)
    route = models.CharField(max_length=8, choices=Route.choices, blank=True)
    tier = models.CharField(max_length=8, choices=Tier.choices, blank=True)
    priority = models.FloatField(default=0)
    routed_by_hand = models.BooleanField(
        db_default=False, editable=False, help_text="Whether a RouteOverride is in force. Set by PostgreSQL."
    )
    verdict = models.CharField(max_length=12, choices=Verdict.choices, blank=True)
    verdict_reason = models.CharField(max_length=500, blank=True)
    verdict_missing = models.JSONField(default=list, blank=True)
    next_action = models.CharField(max_length=200, blank=True)

    facts_no = models.BigIntegerField(default=1, help_text="Number of the newest fact about this prospect.")
    converged_no = models.BigIntegerField(default=0, help_text="Newest fact seen by the last finished convergence.")
    converged_version = models.ForeignKey(
        PlaybookVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    due_again_at = models.DateTimeField(
        null=True, blank=True, help_text="When agents that a stop, a budget or a failure kept away may look again."
    )
    failures = models.PositiveSmallIntegerField(
        db_default=0, help_text="Convergences in a row in which an agent broke."
    )
    refreshed_at = models.DateTimeField(null=True, blank=True, help_text="Last visit by an extended convergence.")
    work_level = models.PositiveSmallIntegerField(
        db_default=WorkLevel.NORMAL, choices=WorkLevel.choices, help_text="Whose turn comes first: fit, then age."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProspectQuerySet.as_manager()

    class Meta:
        ordering = ["-priority", "-id"]
        constraints = [
            SameClient("playbook", name="prospect_of_one_client"),
            models.UniqueConstraint(fields=["id", "client"], name="prospect_and_client"),  # what SameClient points at
            models.CheckConstraint(
                condition=Q(company__isnull=False) | Q(contact__isnull=False), name="prospect_is_someone"
            ),
            models.UniqueConstraint(
                fields=["company", "playbook"], condition=Q(company__isnull=False), name="prospect_company_once"
            ),
            models.UniqueConstraint(
                fields=["playbook", "contact"], condition=Q(company__isnull=True), name="prospect_contact_once"
            ),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="prospect_stage_known"),
            models.CheckConstraint(condition=Q(route__in=["", *Route.values]), name="prospect_route_known"),
            models.CheckConstraint(condition=Q(tier__in=["", *Tier.values]), name="prospect_tier_known"),
            models.CheckConstraint(
                condition=Q(composite__isnull=True) | Q(composite__gte=0, composite__lte=100),
                name="prospect_composite_in_range",
            ),
        ]
        indexes = [
            models.Index(fields=["contact"], condition=Q(contact__isnull=False), name="prospect_by_contact"),
            models.Index(fields=["merged_into"], condition=Q(merged_into__isnull=False), name="prospect_merged"),
            # Lists. A playbook says whose its prospects are, so no index names the client.
            models.Index(fields=["playbook", "-priority", "-id"], name="prospect_ranked"),
            models.Index(
                fields=["playbook", "stage", "route", "tier", "-priority", "-id"],
                condition=Q(merged_into__isnull=True),
                name="prospect_by_state",
            ),
            models.Index(fields=["playbook", "segment", "-priority", "-id"], name="prospect_by_segment"),
            models.Index(fields=["playbook", "source", "-priority", "-id"], name="prospect_by_source"),
            models.Index(
                fields=["playbook", "owner", "-priority", "-id"],
                condition=Q(owner__isnull=False),
                name="prospect_by_owner",
            ),
            models.Index(
                fields=["playbook", "-priority", "-id"], condition=Q(routed_by_hand=True), name="prospect_by_hand"
            ),
            models.Index(fields=["playbook", "created_at"], name="prospect_arrivals"),
            models.Index(
                fields=["converged_version", "-id"],
                condition=Q(converged_version__isnull=False),
                name="prospect_by_version",
            ),
            models.Index(fields=["playbook", "work_level", "id"], name="prospect_turn"),
            models.Index(fields=["playbook", "id"], condition=Q(facts_no__gt=F("converged_no")), name="prospect_due"),
            models.Index(
                fields=["client", "due_again_at"], condition=Q(due_again_at__isnull=False), name="prospect_due_again"
            ),
            models.Index(
                fields=["client", "external_id"], condition=~Q(external_id=""), name="prospect_by_external_id"
            ),
        ]
        triggers = [
            no_delete(),
            prospect_keeps_its_origin(),
            person_is_its_clients(),
            born_among_its_own(company_id="prospects_company", contact_id="prospects_contact"),
            starts_as_sourced(),
            stage_follows_its_log(),
            born_by_score(),
            hand_is_an_override(),
            *prospect_follows_its_record(),
            one_goes_on(),
            *prospect_funnel_triggers(),
        ]

    def __str__(self) -> str:
        return str(self.company or self.contact)

    def get_absolute_url(self) -> str:
        return reverse("prospects:detail", args=[self.pk])

    # One transition per target. They set the field and nothing else: conditions on evidence are the playbook's stage
    # rules, applied by prospects.services.moving.stages, which also writes the log row that PostgreSQL asks for.

    @transition(field=stage, source=stages.sources_of(stages.RESEARCHED), target=Stage.RESEARCHED)
    def research(self) -> None:
        """Facts are gathered."""

    @transition(field=stage, source=stages.sources_of(stages.QUALIFYING), target=Stage.QUALIFYING)
    def qualify(self) -> None:
        """Judging has begun, or begins again on new evidence."""

    @transition(field=stage, source=stages.sources_of(stages.QUALIFIED), target=Stage.QUALIFIED)
    def accept(self) -> None:
        """The stage rule for outreach holds."""

    @transition(field=stage, source=stages.sources_of(stages.NURTURE), target=Stage.NURTURE)
    def nurture(self) -> None:
        """Worth keeping warm, not worth a call yet."""

    @transition(field=stage, source=stages.sources_of(stages.STALLED), target=Stage.STALLED)
    def stall(self) -> None:
        """Something is missing; the verdict says what."""

    @transition(field=stage, source=stages.sources_of(stages.REJECTED), target=Stage.REJECTED)
    def reject(self) -> None:
        """Not a customer; the verdict says why."""

    @transition(field=stage, source=stages.sources_of(stages.CONTACTED), target=Stage.CONTACTED)
    def contact_made(self) -> None:
        """The first message was accepted by the channel."""

    @transition(field=stage, source=stages.sources_of(stages.ENGAGED), target=Stage.ENGAGED)
    def engage(self) -> None:
        """They answered."""

    @transition(field=stage, source=stages.sources_of(stages.CONVERTED), target=Stage.CONVERTED)
    def convert(self) -> None:
        """A discovery call or a deal came of it."""

    @transition(field=stage, source=stages.sources_of(stages.DISQUALIFIED), target=Stage.DISQUALIFIED)
    def disqualify(self) -> None:
        """Ruled out for a stated reason."""

    @transition(field=stage, source=stages.sources_of(stages.CLOSED), target=Stage.CLOSED)
    def close(self) -> None:
        """Work ended for a stated reason."""

    def move_to(self, stage: str) -> None:
        """Fire the transition that ends in ``stage``. Raises django_fsm.TransitionNotAllowed when it is not legal."""
        getattr(self, _MOVES[stage])()


_MOVES: dict[str, str] = {
    Stage.RESEARCHED: "research",
    Stage.QUALIFYING: "qualify",
    Stage.QUALIFIED: "accept",
    Stage.NURTURE: "nurture",
    Stage.STALLED: "stall",
    Stage.REJECTED: "reject",
    Stage.CONTACTED: "contact_made",
    Stage.ENGAGED: "engage",
    Stage.CONVERTED: "convert",
    Stage.DISQUALIFIED: "disqualify",
    Stage.CLOSED: "close",
}
