"""Prospects in the admin: facts, to read."""

from __future__ import annotations

from django.contrib import admin

from prospects.models import (
    AgentRun,
    BulkAction,
    Company,
    Contact,
    Convergence,
    Customer,
    Deal,
    Diagnostic,
    Erasure,
    Evidence,
    ImportBatch,
    MarketScan,
    ModelAnswer,
    Prospect,
    RouteOverride,
    Score,
    Signal,
    SourceAnswer,
    SourceState,
    StageTransition,
    TriggerFiring,
)
from salesops.admin_site import FactAdmin


@admin.register(Company)
class CompanyAdmin(FactAdmin):
    list_display = ("name", "domain", "industry", "country", "status", "client")
    list_select_related = ("client",)
    search_fields = ("=domain", "name__istartswith")


@admin.register(Contact)
class ContactAdmin(FactAdmin):
    list_display = ("name", "title", "email", "company", "synthetic", "client")
    list_filter = ("synthetic",)
    list_select_related = ("company", "client")
    search_fields = ("=email_key", "name__istartswith")


@admin.register(Prospect)
class ProspectAdmin(FactAdmin):
    list_display = ("__str__", "stage", "verdict", "route", "tier", "composite", "client")
    list_filter = ("stage", "verdict", "route", "tier")
    list_select_related = ("client", "company", "contact")
    search_fields = ("=company__domain", "=contact__email_key")


@admin.register(Erasure)
class ErasureAdmin(FactAdmin):
    list_display = ("id", "client", "at", "by", "reason")
    list_select_related = ("client", "by")


@admin.register(RouteOverride)
class RouteOverrideAdmin(FactAdmin):
    list_display = ("id", "prospect_id", "route", "reason", "created_by", "created_at", "lifted_by", "lifted_at")
    list_filter = ("route",)
    list_select_related = ("created_by", "lifted_by")
    search_fields = ("=prospect__id",)


@admin.register(BulkAction)
class BulkActionAdmin(FactAdmin):
    list_display = ("id", "kind", "status", "total", "changed", "reason", "created_by", "created_at")
    list_filter = ("kind", "status")
    list_select_related = ("created_by",)


@admin.register(Deal)
class DealAdmin(FactAdmin):
    list_display = ("id", "__str__", "stage", "amount", "currency", "stage_since", "client")
    list_filter = ("stage",)
    list_select_related = ("client", "prospect__company", "prospect__contact")
    search_fields = ("=prospect__id",)


@admin.register(Customer)
class CustomerAdmin(FactAdmin):
    list_display = ("id", "__str__", "stage", "stage_since", "client")
    list_filter = ("stage",)
    list_select_related = ("client", "prospect__company", "prospect__contact")
    search_fields = ("=prospect__id",)


@admin.register(Signal)
class SignalAdmin(FactAdmin):
    list_display = ("id", "kind", "observed_at", "prospect_id", "source", "source_ref")
    search_fields = ("=prospect__id",)


@admin.register(Evidence)
class EvidenceAdmin(FactAdmin):
    list_display = ("id", "criterion", "category", "value", "confidence", "prospect_id", "observed_at", "source")
    search_fields = ("=prospect__id",)


@admin.register(Score)
class ScoreAdmin(FactAdmin):
    list_display = ("id", "scorecard", "value", "coverage", "prospect_id", "computed_at")
    search_fields = ("=prospect__id",)


@admin.register(StageTransition)
class StageTransitionAdmin(FactAdmin):
    list_display = ("id", "prospect_id", "pipeline", "from_stage", "to_stage", "at", "agent", "reason")
    search_fields = ("=prospect__id",)


@admin.register(AgentRun)
class AgentRunAdmin(FactAdmin):
    list_display = ("id", "agent", "implementation", "prospect_id", "status", "proposed", "promoted", "refused")
    search_fields = ("=prospect__id",)


@admin.register(Convergence)
class ConvergenceAdmin(FactAdmin):
    list_display = ("id", "playbook", "version", "depth", "status", "done", "total")
    list_select_related = ("playbook", "version__playbook")


@admin.register(TriggerFiring)
class TriggerFiringAdmin(FactAdmin):
    list_display = ("id", "playbook", "key", "kind", "occurrence", "convergence_id", "at")
    list_filter = ("kind",)
    list_select_related = ("playbook",)


@admin.register(Diagnostic)
class DiagnosticAdmin(FactAdmin):
    list_display = ("id", "agent", "kind", "message", "prospect_id", "at")
    search_fields = ("=prospect__id",)


@admin.register(ModelAnswer)
class ModelAnswerAdmin(FactAdmin):
    list_display = ("id", "agent", "model", "prompt", "outcome", "prospect_id", "tokens_in", "tokens_out", "cost", "at")
    list_filter = ("outcome",)
    search_fields = ("=prospect__id",)


@admin.register(SourceAnswer)
class SourceAnswerAdmin(FactAdmin):
    list_display = ("id", "source", "type", "subject", "status", "fetched_at", "cost")


@admin.register(SourceState)
class SourceStateAdmin(FactAdmin):
    list_display = ("source", "failures", "open_until", "halted_at", "retired_at", "last_ok_at", "client")
    list_select_related = ("client",)


@admin.register(MarketScan)
class MarketScanAdmin(FactAdmin):
    list_display = ("id", "playbook", "status", "found", "created", "updated", "rejected", "cost", "started_at")
    list_filter = ("status",)
    list_select_related = ("playbook",)


@admin.register(ImportBatch)
class ImportBatchAdmin(FactAdmin):
    list_display = ("id", "file_name", "kind", "status", "processed", "created", "updated", "merged", "rejected")
    list_filter = ("kind", "status")
