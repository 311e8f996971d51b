"""A playbook and its immutable versions."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition

from playbooks.models.checks import refuse_problems
from playbooks.models.clients import Client, User
from playbooks.models.guards import (
    activation_is_now,
    begins_as_a_draft,
    frozen_once_submitted,
    keeps_its_history,
    says_enough,
    stands_on_record,
    two_people_on_record,
    two_people_publish,
)
from playbooks.rules.document import head_slots
from playbooks.rules.twins import LIKELIER_ONE, MERGE, MOST_CONTRADICTED
from playbooks.rules.validation import head_problems
from salesops.dbtypes import trace_id_field
from salesops.fsm import StateModel
from salesops.guards import fact_guards, frozen_columns, no_delete
from salesops.tenancy import TenantQuerySet


class Playbook(models.Model):
    """One client's qualification playbook; what it says lives in its versions."""

    class Kind(models.TextChoices):
        B2B = "b2b", "Companies"
        HOUSEHOLD = "household", "Households"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="playbooks")
    slug = models.SlugField(max_length=60, db_index=False)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.B2B)
    two_person_publish = models.BooleanField(
        "two people to publish",
        default=False,
        db_default=False,
        help_text="Whoever approves a version must be somebody else than who submitted it.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet["Playbook"].as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["client", "slug"], name="playbook_slug_once"),
            models.UniqueConstraint(fields=["id", "client"], name="playbook_and_client"),  # what SameClient points at
        ]
        triggers = [frozen_columns("client_id", "kind", "created_at"), two_people_on_record()]

    def __str__(self) -> str:
        return self.name

    @property
    def active_version(self) -> PlaybookVersion | None:
        """The version that rules today, or None before the first activation."""
        return self.versions.filter(status=PlaybookVersion.Status.ACTIVE).first()


class PlaybookVersionQuerySet(models.QuerySet["PlaybookVersion"]):
    def for_client(self, client: Client | int) -> Self:
        return self.filter(playbook__client=client)

    def active(self) -> Self:
        return self.filter(status=PlaybookVersion.Status.ACTIVE)


def _percent(default: int, label: str) -> models.PositiveSmallIntegerField[int, int]:
    return models.PositiveSmallIntegerField(label, default=default, validators=[MaxValueValidator(100)])


def _words() -> ArrayField[list[str], list[str]]:
    return ArrayField(models.CharField(max_length=120), default=list, blank=True)


class PlaybookVersion(StateModel):
    """Everything one playbook says at one time. Editable while a draft; frozen, with its child rows, ever after."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        APPROVED = "approved", "Approved"
        ACTIVE = "active", "Active"
        RETIRED = "retired", "Retired"

    playbook = models.ForeignKey(Playbook, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    status = FSMField(max_length=16, choices=Status.choices, default=Status.DRAFT, protected=True, editable=False)
    change_note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    based_on = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    edit_no = models.PositiveIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="How often the draft was saved: two people cannot miss each other.",
    )
    submitted_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    approved_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)
    activated_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )

    root_intent = models.CharField(max_length=300, blank=True, help_text="What this playbook is for, in one sentence.")
    procedure = models.TextField(blank=True, help_text="The documented workflow, in Markdown.")
    icp_description = models.TextField("ideal customer", blank=True)
    icp_industries = _words()
    icp_related_industries = _words()
    icp_employees_min = models.PositiveIntegerField(null=True, blank=True)
    icp_employees_max = models.PositiveIntegerField(null=True, blank=True)
    icp_countries = _words()
    icp_roles = _words()

    weight_firmographic = _percent(20, "firmographic weight")
    weight_behavioral = _percent(25, "behavioral weight")
    weight_psychologic = _percent(30, "psychologic weight")
    weight_investment = _percent(25, "investment weight")

    hot_threshold = models.FloatField(default=70, help_text="Composite at or above: hot.")
    warm_threshold = models.FloatField(default=40, help_text="Composite at or above: warm; below: cold.")
    tier_1_threshold = models.FloatField(default=0.8)
    tier_2_threshold = models.FloatField(default=0.6)
    tier_3_threshold = models.FloatField(default=0.4)
    min_confidence = models.FloatField(default=0.6, help_text="Evidence below this confidence does not count.")
    min_categories = models.PositiveSmallIntegerField(default=3, validators=[MinValueValidator(1)])
    min_quality = models.PositiveSmallIntegerField(default=85, help_text="Message points needed to reach the queue.")
    min_contact_confidence = models.FloatField(default=0.6)
    keep_threshold = models.FloatField(default=0.7, help_text="Companies found are kept from this discovery fit on.")
    enrich_threshold = models.FloatField(
        default=0.75, help_text="Sources are asked about companies from this discovery composite on."
    )
    crm_threshold = models.FloatField(default=0.7, help_text="Ready for a CRM from this data quality on.")
    merge_threshold = models.FloatField(
        default=MERGE, help_text="Two records this likely to be one are merged without asking."
    )
    twin_threshold = models.FloatField(
        default=LIKELIER_ONE,
        help_text="Two records this likely to be one are shown to a person; below nobody hears of it.",
    )

    calls_per_day = models.PositiveIntegerField(default=40)
    emails_per_day = models.PositiveIntegerField(default=200)
    linkedin_per_day = models.PositiveIntegerField(default=15)
    sms_per_day = models.PositiveIntegerField(default=0)
    money_per_month = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    experiments_per_week = models.PositiveIntegerField(default=2)
    tokens_per_day = models.PositiveBigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="USD")
    deal_value = models.DecimalField(
        max_digits=12, decimal_places=2, default=0, help_text="Expected value of one converted prospect."
    )

    undo_seconds = models.PositiveIntegerField(default=60)
    request_hours = models.PositiveIntegerField(default=72, help_text="A request or approval older than this expires.")
    two_approvers = models.BooleanField(default=False)
    countries = _words()

    #: What a form knows that the database does not yet: the layers of the criteria being saved along.
    criterion_layers: frozenset[str] | None = None

    objects = PlaybookVersionQuerySet.as_manager()

    class Meta:
        ordering = ["playbook", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["playbook", "number"], name="playbook_version_number_once"),
            models.UniqueConstraint(fields=["playbook"], condition=Q(status="active"), name="playbook_one_active"),
            models.CheckConstraint(
                condition=Q(
                    weight_firmographic=100 - F("weight_behavioral") - F("weight_psychologic") - F("weight_investment")
                ),
                name="playbook_layer_weights_sum_to_100",
                violation_error_message="The four layer weights must sum to 100.",
            ),
            models.CheckConstraint(
                condition=Q(hot_threshold__gt=F("warm_threshold"), warm_threshold__gte=0, hot_threshold__lte=100),
                name="playbook_hot_above_warm",
                violation_error_message="The hot threshold must be above the warm one, both between 0 and 100.",
            ),
            models.CheckConstraint(
                condition=Q(
                    tier_1_threshold__gt=F("tier_2_threshold"),
                    tier_2_threshold__gt=F("tier_3_threshold"),
                    tier_3_threshold__gte=0,
                    tier_1_threshold__lte=1,
                ),
                name="playbook_tiers_ordered",
                violation_error_message="Tier thresholds must fall: tier 1 > tier 2 > tier 3, all between 0 and 1.",
            ),
            models.CheckConstraint(
                condition=Q(calls_per_day__gt=0, emails_per_day__gt=0, money_per_month__gte=0),
                name="playbook_limits_positive",
                violation_error_message="Calls and e-mails per day must be above 0, and the money limit not negative.",
            ),
            models.CheckConstraint(
                condition=Q(min_confidence__gte=0, min_confidence__lte=1, min_categories__gte=1),
                name="playbook_minimums_in_range",
                violation_error_message="Minimum confidence lies between 0 and 1; minimum categories is at least 1.",
            ),
            models.CheckConstraint(
                condition=Q(
                    keep_threshold__gte=0,
                    keep_threshold__lte=1,
                    enrich_threshold__gte=0,
                    enrich_threshold__lte=1,
                    crm_threshold__gte=0,
                    crm_threshold__lte=1,
                ),
                name="playbook_quality_gates_are_shares",
                violation_error_message="The thresholds keep, enrich and CRM lie between 0 and 1.",
            ),
            models.CheckConstraint(
                condition=Q(
                    twin_threshold__gte=LIKELIER_ONE,
                    twin_threshold__lte=F("merge_threshold"),
                    merge_threshold__gt=MOST_CONTRADICTED,
                    merge_threshold__lte=1,
                ),
                name="playbook_merges_are_sure",
                violation_error_message="A merge without asking needs more than 0.95, a question at least 0.5.",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "in_review", "approved", "active", "retired"]),
                name="playbook_version_status_known",
            ),
        ]
        triggers = [
            no_delete(),
            frozen_once_submitted(),
            begins_as_a_draft(),
            keeps_its_history(),
            two_people_publish(),
            says_enough(),
            stands_on_record(),
        ]

    def __str__(self) -> str:
        return f"{self.playbook} v{self.number}"

    def clean(self) -> None:
        """Raises ValidationError naming every field of the version's own row that breaks a rule."""
        super().clean()
        head = {column: getattr(self, column) for column in head_slots()}
        layers = self.criterion_layers
        if layers is None:
            layers = frozenset(self.criteria.values_list("layer", flat=True)) if self.pk else frozenset()
        refuse_problems(head_problems(head, self.playbook.kind, layers))

    @property
    def editable(self) -> bool:
        return bool(self.status == self.Status.DRAFT)

    @property
    def layer_weights(self) -> dict[str, int]:
        """Layer → whole-number weight; the four sum to 100."""
        return {
            "firmographic": self.weight_firmographic,
            "behavioral": self.weight_behavioral,
            "psychologic": self.weight_psychologic,
            "investment": self.weight_investment,
        }

    @transition(field=status, source=Status.DRAFT, target=Status.IN_REVIEW)
    def submit(self) -> None:
        """Put the draft before a second pair of eyes; it freezes."""

    @transition(field=status, source=Status.IN_REVIEW, target=Status.DRAFT)
    def send_back(self) -> None:
        """Return to its author; it thaws."""

    @transition(field=status, source=Status.IN_REVIEW, target=Status.APPROVED)
    def approve(self) -> None:
        """Accept the words; it does not rule yet."""

    @transition(field=status, source=[Status.APPROVED, Status.RETIRED], target=Status.ACTIVE)
    def activate(self) -> None:
        """Let it rule from now on (of a retired version: a rollback)."""

    @transition(field=status, source=[Status.ACTIVE, Status.APPROVED], target=Status.RETIRED)
    def retire(self) -> None:
        """Stop ruling; past scores and decisions stay bound to it."""


class Activation(models.Model):
    """When a version began to rule, whom, on whose word and why: rollbacks included."""

    class AppliesTo(models.TextChoices):
        ALL = "all", "Everybody, also those already in work"
        NEW = "new", "Only those who come in from now on"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.PROTECT, related_name="activations")
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True)
    applies_to = models.CharField(
        max_length=8, choices=AppliesTo.choices, default=AppliesTo.ALL, db_default=AppliesTo.ALL
    )
    trace_id = trace_id_field()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.CheckConstraint(condition=Q(applies_to__in=["all", "new"]), name="activation_applies_to_known")
        ]
        triggers = [*fact_guards(), activation_is_now()]

    def __str__(self) -> str:
        return f"{self.version} at {self.at:%Y-%m-%d}"
