"""Companies and contacts: the shared state that every agent reads."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from playbooks.models import Client
from prospects.models.erasure_guards import contact_is_erased_once
from prospects.models.guards import born_among_its_own, employer_is_its_clients, keeps_its_client
from prospects.models.merge_guards import company_follows_its_merge, contact_follows_its_merge
from salesops.dbtypes import trace_id_field
from salesops.tenancy import TenantQuerySet

#: What an erased person is called.
ERASED_NAME = "Erased person"


class Company(models.Model):
    """A CRM account. Empty text and null numbers mean *unknown*, never zero."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="companies", db_index=False)
    name = models.CharField(max_length=300)
    name_key = models.CharField(max_length=300, help_text="Name without case, accents, punctuation and legal form.")
    domain = models.CharField(max_length=253, blank=True)
    external_id = models.CharField(max_length=120, blank=True)
    source = models.CharField(max_length=120)
    website = models.CharField(max_length=500, blank=True)
    industry = models.CharField(max_length=120, blank=True)
    subindustry = models.CharField(max_length=200, blank=True)
    employees_min = models.PositiveIntegerField(null=True, blank=True)
    employees_max = models.PositiveIntegerField(null=True, blank=True)
    revenue_min = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    revenue_max = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1 alpha-2.")
    region = models.CharField(max_length=120, blank=True)
    city = models.CharField(max_length=120, blank=True)
    location = models.CharField(max_length=500, blank=True)
    tags = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    status = models.CharField(max_length=40, blank=True)
    hiring = models.BooleanField(null=True, blank=True)
    founded_year = models.PositiveSmallIntegerField(null=True, blank=True)
    attributes = models.JSONField(default=dict, blank=True, help_text="Other columns, as given.")
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TenantQuerySet["Company"].as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "companies"
        constraints = [
            models.UniqueConstraint(  # also finds domains by how they begin
                fields=["client", "domain"],
                condition=~Q(domain=""),
                opclasses=["int8_ops", "varchar_pattern_ops"],
                name="company_domain_once",
            ),
            models.UniqueConstraint(
                fields=["client", "source", "external_id"],
                condition=~Q(external_id=""),
                name="company_external_id_once",
            ),
        ]
        indexes = [
            models.Index(fields=["client", "name_key"], name="company_by_name_key"),
            models.Index("client", OpClass(Lower("name"), "text_pattern_ops"), name="company_name_prefix"),
            models.Index(fields=["merged_into"], condition=Q(merged_into__isnull=False), name="company_merged"),
        ]
        triggers = [*company_follows_its_merge(), keeps_its_client()]

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """A person. ``synthetic`` marks people made up for the demo."""

    class EmailStatus(models.TextChoices):
        UNKNOWN = "unknown", "Not checked"
        SYNTAX_OK = "syntax_ok", "Well-formed"
        VERIFIED = "verified", "Verified"
        INVALID = "invalid", "Invalid"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="contacts", db_index=False)
    company = models.ForeignKey(Company, on_delete=models.PROTECT, null=True, blank=True, related_name="contacts")
    external_id = models.CharField(max_length=120, blank=True)
    source = models.CharField(max_length=120)
    name = models.CharField(max_length=200)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=200, blank=True)
    seniority = models.CharField(max_length=40, blank=True)
    email = models.CharField(max_length=254, blank=True)
    email_key = models.CharField(
        max_length=254, blank=True, help_text="The address as compared: normalised, casefolded."
    )
    email_status = models.CharField(max_length=12, choices=EmailStatus.choices, default=EmailStatus.UNKNOWN)
    phone = models.CharField(max_length=40, blank=True)
    linkedin_url = models.CharField(max_length=300, blank=True)
    country = models.CharField(max_length=2, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    entity_type = models.CharField(
        max_length=12, blank=True, choices=[("company", "Company"), ("individual", "Individual")]
    )
    synthetic = models.BooleanField(default=False)
    attributes = models.JSONField(default=dict, blank=True)
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="merged", db_index=False
    )
    erased_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When all that names them was taken out, for good."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TenantQuerySet["Contact"].as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(  # also finds addresses by how they begin
                fields=["client", "email_key"],
                condition=~Q(email_key=""),
                opclasses=["int8_ops", "varchar_pattern_ops"],
                name="contact_email_once",
            ),
            models.UniqueConstraint(
                fields=["client", "source", "external_id"],
                condition=~Q(external_id=""),
                name="contact_external_id_once",
            ),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True)
                | Q(
                    name=ERASED_NAME, first_name="", last_name="", title="", email="", email_key="", phone="",
                    linkedin_url="", external_id="", attributes={},
                ),
                name="contact_erased_is_empty",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index("client", OpClass(Lower("name"), "text_pattern_ops"), name="contact_name_prefix"),
            models.Index(fields=["merged_into"], condition=Q(merged_into__isnull=False), name="contact_merged"),
        ]
        triggers = [
            *contact_follows_its_merge(),
            *contact_is_erased_once(),
            keeps_its_client(),
            employer_is_its_clients(),
            born_among_its_own(company_id="prospects_company"),
        ]

    def __str__(self) -> str:
        return self.name


class ImportBatch(models.Model):
    """One file on its way in: its mapping, its progress and what became of its rows."""

    class Kind(models.TextChoices):
        PROSPECTS = "prospects", "Companies and people"
        SIGNALS = "signals", "Signals"

    class Status(models.TextChoices):
        UPLOADED = "uploaded", "Uploaded"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="imports")
    playbook = models.ForeignKey("playbooks.Playbook", on_delete=models.PROTECT, related_name="imports")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.UPLOADED)
    file = models.FileField(upload_to="imports/%Y/%m/", max_length=300, blank=True)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    as_of = models.DateTimeField(null=True, blank=True, help_text="When the facts in the file were true.")
    mapping = models.JSONField(default=dict, blank=True)
    total = models.PositiveIntegerField(null=True, blank=True)
    processed = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    merged = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    notes = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True)
    error_file = models.FileField(upload_to="imports/%Y/%m/", max_length=300, blank=True)
    cancel_requested = models.BooleanField(default=False)
    created_by = models.ForeignKey("playbooks.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    trace_id = trace_id_field()

    objects = TenantQuerySet["ImportBatch"].as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "import batches"
        indexes = [
            models.Index(fields=["client", "-id"], name="import_latest"),
            models.Index(fields=["trace_id"], name="import_by_trace"),
        ]

    def __str__(self) -> str:
        return self.file_name
