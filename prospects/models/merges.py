"""Who is who: pairs that may be one, merges and their undoing, other names, and the keys by which pairs are found.

A merge never moves or edits a fact. It is a row here and a pointer on what was merged; undoing it is a word on that row
and the pointer taken back. Merges are the truth, pointers the projection: PostgreSQL lets neither go without the other.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from playbooks.models import Client, User
from prospects.models.accounts import Company, Contact
from prospects.models.erasure_guards import alias_is_kept
from prospects.models.merge_guards import merge_is_followed, merge_joins_two, undone_once
from prospects.models.runs import AgentRun
from salesops.dbtypes import trace_id_field
from salesops.guards import frozen_columns, no_delete, no_truncate
from salesops.tenancy import TenantQuerySet


class RecordKind(models.TextChoices):
    """What is recognised and merged."""

    COMPANY = "company", "Company"
    CONTACT = "contact", "Person"


def _one_kind(first: str, second: str) -> Q:
    """Both companies and no people, or the other way round; and two of them."""
    company = Q(kind="company", **{f"{first}_company__isnull": False, f"{second}_company__isnull": False})
    contact = Q(kind="contact", **{f"{first}_contact__isnull": False, f"{second}_contact__isnull": False})
    no_company = Q(**{f"{first}_company__isnull": True, f"{second}_company__isnull": True})
    no_contact = Q(**{f"{first}_contact__isnull": True, f"{second}_contact__isnull": True})
    return (company & no_contact) | (contact & no_company)


class Duplicate(models.Model):
    """Two records that may be one, found once. A person's word on them stays: who was kept apart is not asked again."""

    class Status(models.TextChoices):
        OPEN = "open", "To be reviewed"
        MERGED = "merged", "Merged"
        APART = "apart", "Kept apart"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=RecordKind.choices)
    one_company = models.ForeignKey(
        Company, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    other_company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    one_contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    other_contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    score = models.FloatField(help_text="0–1: the chance that they are one.")
    reasons = models.JSONField(default=list, help_text="What was compared: what, words, weight in bits.")
    automatic = models.BooleanField(default=False, help_text="Sure enough to be merged without asking.")
    keep_other = models.BooleanField(default=False, help_text="The second of the two is the one to keep.")
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    found_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    trace_id = trace_id_field()

    objects = TenantQuerySet["Duplicate"].as_manager()

    class Meta:
        ordering = ["-score", "-id"]
        constraints = [
            models.CheckConstraint(condition=_one_kind("one", "other"), name="duplicate_of_one_kind"),
            models.CheckConstraint(
                condition=Q(kind="company", one_company__lt=models.F("other_company"))
                | Q(kind="contact", one_contact__lt=models.F("other_contact")),
                name="duplicate_in_order",
            ),
            models.UniqueConstraint(
                fields=["one_company", "other_company"], condition=Q(kind="company"), name="duplicate_company_once"
            ),
            models.UniqueConstraint(
                fields=["one_contact", "other_contact"], condition=Q(kind="contact"), name="duplicate_contact_once"
            ),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="duplicate_score_in_range"),
            models.CheckConstraint(condition=Q(status__in=["open", "merged", "apart"]), name="duplicate_status_known"),
            models.CheckConstraint(
                condition=~Q(status="apart") | Q(decided_by__isnull=False), name="duplicate_apart_by_a_person"
            ),
        ]
        indexes = [
            models.Index(
                fields=["client", "-score", "-id"], condition=Q(status="open", automatic=False), name="duplicate_review"
            ),
            models.Index(fields=["client", "id"], condition=Q(status="open", automatic=True), name="duplicate_sure"),
            models.Index(fields=["client", "-decided_at", "-id"], condition=Q(status="apart"), name="duplicate_apart"),
        ]
        triggers = [
            no_delete(),
            no_truncate(),
            frozen_columns("client_id", "kind", "one_company_id", "other_company_id", "one_contact_id",
                           "other_contact_id", "found_at"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.one} / {self.other}"

    @property
    def one(self) -> Company | Contact:
        """The older of the two."""
        one = self.one_company or self.one_contact
        assert one is not None  # noqa: S101 — a constraint says so
        return one

    @property
    def other(self) -> Company | Contact:
        """The newer of the two."""
        other = self.other_company or self.other_contact
        assert other is not None  # noqa: S101 — a constraint says so
        return other


class Merge(models.Model):
    """Two records were made one, by whom and why. Undone at most once; a later merge of the two is a new row."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=RecordKind.choices)
    kept_company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    merged_company = models.ForeignKey(
        Company, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    kept_contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    merged_contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    duplicate = models.ForeignKey(Duplicate, on_delete=models.PROTECT, null=True, blank=True, related_name="merges")
    score = models.FloatField(help_text="0–1: the chance that they are one, when they were merged.")
    reasons = models.JSONField(default=list, help_text="What was compared: what, words, weight in bits.")
    by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    run = models.ForeignKey(AgentRun, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    trace_id = trace_id_field()
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )

    objects = TenantQuerySet["Merge"].as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=_one_kind("kept", "merged"), name="merge_of_one_kind"),
            models.CheckConstraint(
                condition=~Q(kind="company", kept_company=models.F("merged_company"))
                & ~Q(kind="contact", kept_contact=models.F("merged_contact")),
                name="merge_of_two",
            ),
            models.UniqueConstraint(
                fields=["merged_company"], condition=Q(undone_at__isnull=True, merged_company__isnull=False),
                name="merge_company_once",
            ),
            models.UniqueConstraint(
                fields=["merged_contact"], condition=Q(undone_at__isnull=True, merged_contact__isnull=False),
                name="merge_contact_once",
            ),
            models.CheckConstraint(
                condition=Q(undone_at__isnull=True, undone_by__isnull=True)
                | Q(undone_at__isnull=False, undone_by__isnull=False),
                name="merge_undone_by_a_person",
            ),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="merge_score_in_range"),
        ]  # fmt: skip
        indexes = [models.Index(fields=["client", "-id"], name="merge_latest")]
        triggers = [no_delete(), no_truncate(), merge_joins_two(), undone_once(), merge_is_followed()]

    def __str__(self) -> str:
        return f"{self.merged} → {self.kept}"

    @property
    def kept(self) -> Company | Contact:
        """The one that goes on."""
        kept = self.kept_company or self.kept_contact
        assert kept is not None  # noqa: S101 — a constraint says so
        return kept

    @property
    def merged(self) -> Company | Contact:
        """The one that is now read as the other."""
        merged = self.merged_company or self.merged_contact
        assert merged is not None  # noqa: S101 — a constraint says so
        return merged


class Alias(models.Model):
    """Another name somebody is known by: a second id in a source, a second domain, an earlier address."""

    class Name(models.TextChoices):
        EXTERNAL_ID = "external_id", "Id in a source"
        KEY = "key", "Domain or e-mail address"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=8, choices=RecordKind.choices)
    name = models.CharField(max_length=12, choices=Name.choices)
    source = models.CharField(max_length=120, blank=True, help_text="The source that gave the id; empty for keys.")
    value = models.CharField(max_length=254)
    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True, blank=True, related_name="aliases")
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="aliases")
    at = models.DateTimeField(default=timezone.now)
    trace_id = models.CharField(max_length=32)

    objects = TenantQuerySet["Alias"].as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "aliases"
        constraints = [
            models.UniqueConstraint(fields=["client", "kind", "name", "value", "source"], name="alias_once"),
            models.CheckConstraint(
                condition=Q(kind="company", company__isnull=False, contact__isnull=True)
                | Q(kind="contact", contact__isnull=False, company__isnull=True),
                name="alias_of_one_kind",
            ),
            models.CheckConstraint(condition=~Q(value=""), name="alias_says_something"),
        ]
        triggers = alias_is_kept()

    def __str__(self) -> str:
        return self.value


class BlockingKey(models.Model):
    """A key under which likely duplicates meet (``prospects.rules.blocking``). A projection: dropped and made again."""

    pk = models.CompositePrimaryKey("client_id", "kind", "key", "record_id")
    client_id = models.BigIntegerField()  # no foreign key: rows are made by the million, and from rows that have one
    kind = models.CharField(max_length=8, choices=RecordKind.choices)
    key = models.CharField(max_length=24)
    record_id = models.BigIntegerField(help_text="The company's or the contact's id.")

    class Meta:
        indexes = [models.Index(fields=["kind", "record_id"], name="blocking_key_of")]

    def __str__(self) -> str:
        return f"{self.kind} {self.record_id}: {self.key}"


class BlockingMark(models.Model):
    """Up to which record the sweep has made keys, by which version of the rules."""

    kind = models.CharField(max_length=8, choices=RecordKind.choices, unique=True)
    keys_version = models.PositiveSmallIntegerField(default=0)
    up_to_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.kind} up to {self.up_to_id}"
