"""The funnel's summary: what the funnel page reads instead of counting prospects.

All three tables are projections of StageTransition and Prospect. ``prospects.services.funnel_cells`` alone writes cells
and marks; triggers alone write what has changed. Dropping every row and rebuilding gives the same cells again.
"""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from playbooks.models import Client, Playbook
from salesops.guards import Guard
from salesops.tenancy import TenantQuerySet


class Basis(models.TextChoices):
    """Which day a cell is filed under."""

    ENTERED = "entered", "Day the stage was first entered"
    LEFT = "left", "Day the stage's outcome came"
    REACHED = "reached", "Day the prospect came in, for every stage it ever reached"


class Outcome(models.TextChoices):
    """What became of a prospect's first entry into a stage."""

    ON = "on", "Moved on"
    ASIDE = "aside", "Set aside"
    LOST = "lost", "Lost"
    OPEN = "open", "Still there"


class Grain(models.TextChoices):
    """What a cell is split by. A pair with the segment holds counts alone, for the table of segments."""

    ALL = "all", "Not split"
    SEGMENT = "segment", "By segment"
    SOURCE = "source", "By source"
    ROUTE = "route", "By route"
    TIER = "tier", "By tier"
    VERSION = "version", "By playbook version"
    SEGMENT_SOURCE = "segment+source", "By segment and source"
    SEGMENT_ROUTE = "segment+route", "By segment and route"
    SEGMENT_TIER = "segment+tier", "By segment and tier"
    SEGMENT_VERSION = "segment+version", "By segment and playbook version"


class Span(models.TextChoices):
    """How long a cell's time is. Months are sums of days, so that a long period reads few rows."""

    DAY = "day", "One day"
    MONTH = "month", "One month, filed under its first day"


class FunnelCell(models.Model):
    """How many prospects share a day, a stage, an outcome, durations and the value(s) of the cell's grain.

    A prospect counts once per stage: at its first entry. Days are calendar days in the client's time zone. Durations
    are numbers of the buckets of ``prospects.rules.statistics.DURATION_EDGES``; -1 means *not ended*. ``value`` is the
    value of the grain's dimension (a version's id as text), in a pair that of the dimension beside the segment;
    ``segment`` is filled in pairs alone, which have no outcome and no durations.
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+", db_index=False)
    playbook = models.ForeignKey(Playbook, on_delete=models.CASCADE, related_name="+", db_index=False)
    grain = models.CharField(max_length=16, choices=Grain.choices)
    value = models.CharField(max_length=120, blank=True)
    segment = models.CharField(max_length=120, blank=True)
    basis = models.CharField(max_length=8, choices=Basis.choices)
    span = models.CharField(max_length=5, choices=Span.choices)
    day = models.DateField()
    stage = models.CharField(max_length=24)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True)
    stay_bucket = models.SmallIntegerField(help_text="Length of the first stay in the stage.")
    outcome_bucket = models.SmallIntegerField(help_text="Time from the first entry to the outcome.")
    n = models.PositiveIntegerField()
    entered_sum = models.BigIntegerField(help_text="Sum of the entry times, in whole seconds since 1970.")
    stay_sum = models.BigIntegerField(help_text="Sum of the first stays that ended, in whole seconds.")

    objects = TenantQuerySet["FunnelCell"].as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["playbook", "grain", "basis", "span", "value", "day"], name="funnel_cell_read"),
            models.Index(fields=["playbook", "span", "day"], name="funnel_cell_rebuild"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.stage} {self.outcome}: {self.n}"


class FunnelMark(models.Model):
    """How far a playbook's cells have followed the facts."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    playbook = models.OneToOneField(Playbook, on_delete=models.CASCADE, related_name="funnel_mark")
    as_of = models.DateTimeField(help_text="Everything committed by then is in the cells.")
    changed_at = models.DateTimeField(help_text="When the cells last changed.")
    time_zone = models.CharField(max_length=64, help_text="The time zone whose days the cells are filed under.")

    objects = TenantQuerySet["FunnelMark"].as_manager()

    def __str__(self) -> str:
        return f"{self.playbook} as of {self.as_of:%Y-%m-%d %H:%M}"


class FunnelChange(models.Model):
    """Something the cells have not followed yet: prospects that one statement changed, or a time when some came in.

    Written by triggers inside the transaction that made the change, so no commit order can hide one; deleted by the
    sweep that follows it. Not a fact. Foreign keys are not checked: the rows live for seconds.
    """

    playbook = models.ForeignKey(Playbook, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False)
    prospect_ids = ArrayField(models.BigIntegerField(), null=True)
    came_in_at = models.DateTimeField(null=True)
    noted_at = models.DateTimeField(default=timezone.now, db_default=Now())

    def __str__(self) -> str:
        return f"{self.playbook_id}: {self.prospect_ids or self.came_in_at}"


_NOTE = "INSERT INTO prospects_funnelchange (playbook_id, prospect_ids, came_in_at, noted_at) {}; RETURN NULL;"


def prospect_funnel_triggers() -> list[pgtrigger.Trigger]:
    """Note every prospect that came in, or whose stage or dimensions changed: one statement per statement."""
    return [
        Guard(
            name="funnel_notes_arrivals",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),
            func=_NOTE.format(
                "SELECT DISTINCT playbook_id, NULL::bigint[], date_trunc('minute', created_at), now() FROM new_rows"
            ),
        ),
        Guard(
            name="funnel_notes_changes",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Update,
            referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
            func=_NOTE.format(
                "SELECT n.playbook_id, array_agg(n.id), NULL::timestamptz, now()"
                " FROM new_rows n JOIN old_rows o ON o.id = n.id"
                " WHERE (n.stage, n.route, n.tier, n.segment, n.source, n.merged_into_id)"
                " IS DISTINCT FROM (o.stage, o.route, o.tier, o.segment, o.source, o.merged_into_id)"
                " GROUP BY n.playbook_id"
            ),
        ),
    ]


def transition_funnel_triggers() -> list[pgtrigger.Trigger]:
    """Note every prospect that moved."""
    return [
        Guard(
            name="funnel_notes_moves",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),
            func=_NOTE.format(
                "SELECT p.playbook_id, array_agg(DISTINCT n.prospect_id), NULL::timestamptz, now()"
                " FROM new_rows n JOIN prospects_prospect p ON p.id = n.prospect_id WHERE n.pipeline = 'prospect'"
                " GROUP BY p.playbook_id"
            ),
        ),
    ]
