"""The child rows of a playbook version: criteria, rules, words, limits. They freeze with their version."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from playbooks.models.checks import VersionRow
from playbooks.models.choices import Category, Channel, Layer, Team
from playbooks.models.playbook import PlaybookVersion
from salesops.guards import Guard, no_truncate, refuse


def frozen_with_version() -> list[Guard]:
    """Refuse any change to a child row whose version has left draft, and emptying the table, which no row sees.

    The version is held meanwhile: it cannot leave draft under a change that is not committed yet.
    """
    was = "CASE WHEN TG_OP <> 'INSERT' THEN OLD.version_id END"
    now = "CASE WHEN TG_OP <> 'DELETE' THEN NEW.version_id END"
    touched = f"id IN ({was}, {now})"
    guard = Guard(
        name="frozen_with_version",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        declare=[("frozen", "boolean")],
        func=(
            f"PERFORM 1 FROM playbooks_playbookversion WHERE {touched} ORDER BY id FOR SHARE;"
            f" SELECT bool_or(status <> 'draft') INTO frozen FROM playbooks_playbookversion WHERE {touched};"
            " IF frozen THEN " + refuse("% belongs to a playbook version that is frozen") + " END IF;"
            " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;"
        ),
    )
    return [guard, no_truncate()]


class Criterion(VersionRow):
    """One weighted, declarative question in a scorecard. ``params`` fit ``kind`` (see prospects.rules.criteria)."""

    section = "criteria"

    class Kind(models.TextChoices):
        IN_SET = "in_set", "Is the value one of these?"
        IN_RANGE = "in_range", "Is the number inside?"
        OVERLAP = "overlap", "What share of the wanted set is present?"
        SIGNAL = "signal", "Did this kind of signal happen?"
        MEASURE = "measure", "A number from signals"
        PHRASE = "phrase", "Do these words appear?"
        ANSWER = "answer", "A structured answer"
        FLAG = "flag", "A strong negative if true"

    class Missing(models.TextChoices):
        UNKNOWN = "unknown", "Unknown: leaves the sum, lowers coverage"
        ZERO = "zero", "Counts as zero"
        VALUE = "value", "Counts as the value given"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="criteria")
    scorecard = models.SlugField(max_length=40, default="icp", db_index=False)
    layer = models.CharField(max_length=16, choices=Layer.choices)
    category = models.CharField(max_length=16, choices=Category.choices)
    key = models.SlugField(max_length=60, db_index=False)
    label = models.CharField(max_length=160)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    weight = models.FloatField(default=10)
    params = models.JSONField(default=dict, blank=True)
    half_life_days = models.FloatField(null=True, blank=True, help_text="Evidence fades by half in this many days.")
    missing = models.CharField(max_length=8, choices=Missing.choices, default=Missing.UNKNOWN)
    missing_value = models.FloatField(
        null=True, blank=True, help_text="Points (0 to 100) that count while nothing is known."
    )
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["scorecard", "position", "id"]
        verbose_name_plural = "criteria"
        constraints = [
            models.UniqueConstraint(fields=["version", "scorecard", "key"], name="criterion_key_once"),
            models.CheckConstraint(condition=Q(weight__gte=0), name="criterion_weight_not_negative"),
            models.CheckConstraint(
                condition=Q(half_life_days__isnull=True) | Q(half_life_days__gt=0), name="criterion_half_life_positive"
            ),
            models.CheckConstraint(
                condition=Q(missing__in=["unknown", "zero"], missing_value__isnull=True)
                | Q(missing="value", missing_value__isnull=False, missing_value__gte=0, missing_value__lte=100),
                name="criterion_missing_value_fits",
            ),
            models.CheckConstraint(condition=Q(layer__in=Layer.values), name="criterion_layer_known"),
            models.CheckConstraint(condition=Q(category__in=Category.values), name="criterion_category_known"),
        ]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return self.label


class ValueProposition(VersionRow):
    section = "value_propositions"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="value_propositions")
    segment = models.CharField(max_length=80, blank=True)
    pain = models.CharField(max_length=300)
    promise = models.CharField(max_length=300)
    proof = models.CharField(max_length=300, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return self.promise


class StageRule(VersionRow):
    """What must hold before a stage may change."""

    section = "stage_rules"

    class Pipeline(models.TextChoices):
        PROSPECT = "prospect", "Prospect"
        DEAL = "deal", "Deal"
        CUSTOMER = "customer", "Customer"

    class OnlyFor(models.TextChoices):
        ANY = "any", "Anybody"
        HOT = "hot", "Hot prospects"
        WARM = "warm", "Warm prospects"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="stage_rules")
    pipeline = models.CharField(max_length=16, choices=Pipeline.choices, default=Pipeline.PROSPECT)
    from_stage = models.CharField(max_length=24)
    to_stage = models.CharField(max_length=24)
    min_categories = models.PositiveSmallIntegerField(default=0)
    required_categories = models.JSONField(default=list, blank=True)
    required_layers = models.JSONField(default=list, blank=True)
    scorecard = models.SlugField(
        max_length=40, default="icp", db_index=False,
        help_text="Whose score and coverage are asked for: icp, bant, meddic …",
    )  # fmt: skip
    min_score = models.FloatField(null=True, blank=True)
    min_coverage = models.FloatField(null=True, blank=True)
    route = models.CharField(
        max_length=8, choices=OnlyFor.choices, default=OnlyFor.ANY, help_text="Whom the rule is for. A skip is for hot."
    )
    needs_person = models.BooleanField(default=False)
    confirm_from_value = models.DecimalField(
        max_digits=12, decimal_places=2, null=True, blank=True,
        help_text="A deal worth at least this is moved by a person alone.",
    )  # fmt: skip
    team = models.CharField(max_length=16, choices=Team.choices, default=Team.QUALIFICATION)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["pipeline", "position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "pipeline", "from_stage", "to_stage"], name="stage_rule_once"),
            models.CheckConstraint(condition=Q(route__in=["any", "hot", "warm"]), name="stage_rule_route_known"),
        ]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return f"{self.from_stage} → {self.to_stage}".replace("_", " ").capitalize()


class ChannelPolicy(VersionRow):
    section = "channels"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="channel_policies")
    channel = models.CharField(max_length=16, choices=Channel.choices)
    enabled = models.BooleanField(default=True)
    daily_cap = models.PositiveIntegerField(default=0)
    unit_cost = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    reply_rate = models.FloatField(default=0.05, help_text="Expected share of positive replies, before our own data.")
    min_confidence = models.FloatField(default=0.6)

    class Meta:
        ordering = ["channel"]
        verbose_name_plural = "channel policies"
        constraints = [models.UniqueConstraint(fields=["version", "channel"], name="channel_policy_once")]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return self.get_channel_display()


class MessageTemplate(VersionRow):
    """Words with placeholders; resolved only from evidence and company facts."""

    section = "templates"

    class Addresses(models.TextChoices):
        NONE = "none", "Neither"
        ANXIETY = "anxiety", "What they fear about changing"
        HABIT = "habit", "What they are used to"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="templates")
    key = models.SlugField(max_length=60, db_index=False)
    channel = models.CharField(max_length=16, choices=Channel.choices, default=Channel.EMAIL)
    angle = models.CharField(max_length=40)
    segment = models.CharField(max_length=80, blank=True)
    requires = models.JSONField(default=list, blank=True, help_text="Criterion keys this angle rests on.")
    addresses = models.CharField(
        max_length=8, choices=Addresses.choices, default=Addresses.NONE,
        help_text="Which force against changing these words answer: tried first where it is the larger one.",
    )  # fmt: skip
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField()
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="template_key_once")]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return self.key


class SequenceStep(VersionRow):
    """One planned touch of a tier."""

    section = "sequences"

    class Slot(models.TextChoices):
        PREFERRED = "preferred", "Preferred channel"
        SECOND = "second", "Second channel"
        PHONE = "phone", "Phone"
        EMAIL = "email", "E-mail"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="sequence_steps")
    tier = models.CharField(max_length=8)
    day = models.PositiveSmallIntegerField()
    slot = models.CharField(max_length=16, choices=Slot.choices)
    purpose = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["tier", "day"]
        constraints = [models.UniqueConstraint(fields=["version", "tier", "day"], name="sequence_step_once")]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return f"{self.tier.replace('_', ' ').capitalize()}, day {self.day}"


class AgentAssignment(VersionRow):
    """Which implementation of an agent runs for this playbook. No row means ``rules``."""

    section = "agents"

    class Implementation(models.TextChoices):
        RULES = "rules", "Rules"
        LLM = "llm", "Language model"
        HUMAN = "human", "Human"
        OFF = "off", "Off"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="agent_assignments")
    agent = models.SlugField(max_length=40, db_index=False)
    implementation = models.CharField(max_length=8, choices=Implementation.choices, default=Implementation.RULES)
    model = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["agent"]
        constraints = [models.UniqueConstraint(fields=["version", "agent"], name="agent_assignment_once")]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return f"{self.agent.replace('_', ' ').capitalize()}: {self.get_implementation_display().lower()}"


class Trigger(VersionRow):
    """What sets the agents to work by itself: a signal that arrives, a time, or a number that crosses a value."""

    section = "triggers"

    class Kind(models.TextChoices):
        EVENT = "event", "A signal arrives"
        SCHEDULE = "schedule", "A time comes"
        THRESHOLD = "threshold", "A number crosses a value"

    class Comparison(models.TextChoices):
        BELOW = "below", "falls below"
        ABOVE = "above", "rises above"

    class Depth(models.TextChoices):
        EARLY = "early", "Early"
        PRIMARY = "primary", "Primary"
        EXTENDED = "extended", "Extended"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="triggers")
    key = models.SlugField(max_length=60, db_index=False)
    label = models.CharField(max_length=160)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    signal_kind = models.CharField(max_length=60, blank=True)
    cron = models.CharField(max_length=80, blank=True, help_text="Minute, hour, day, month, weekday: 0 2 * * *.")
    metric = models.CharField(max_length=40, blank=True)
    comparison = models.CharField(max_length=8, choices=Comparison.choices, default=Comparison.BELOW)
    value = models.FloatField(null=True, blank=True)
    depth = models.CharField(max_length=10, choices=Depth.choices, default=Depth.PRIMARY)
    enabled = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "key"], name="trigger_key_once"),
            models.CheckConstraint(
                condition=Q(kind="event") & ~Q(signal_kind="")
                | Q(kind="schedule") & ~Q(cron="")
                | Q(kind="threshold", value__isnull=False) & ~Q(metric=""),
                name="trigger_names_what_it_watches",
            ),
        ]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return self.label


class BrandRule(VersionRow):
    """Words this client never says, or says only after a second look."""

    section = "brand_rules"

    class Verdict(models.TextChoices):
        REVIEW = "review", "Needs a second look"
        BLOCK = "block", "Never"

    version = models.ForeignKey(PlaybookVersion, on_delete=models.CASCADE, related_name="brand_rules")
    phrase = models.CharField(max_length=200)
    verdict = models.CharField(max_length=8, choices=Verdict.choices, default=Verdict.BLOCK)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["phrase"]
        constraints = [models.UniqueConstraint(fields=["version", "phrase"], name="brand_rule_once")]
        triggers = frozen_with_version()

    def __str__(self) -> str:
        return self.phrase
