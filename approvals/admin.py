"""Outreach in the admin: what was drafted, decided, sent and answered; to read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from approvals.models import (
    Advice,
    ApprovalRequest,
    CapturedMail,
    ConsentBasis,
    Decision,
    DeliveryEvent,
    Dispatch,
    Evaluation,
    Message,
    RequestView,
    Suppression,
    Task,
)
from salesops.admin_site import FactAdmin, admin_client_ids


@admin.register(Message)
class MessageAdmin(FactAdmin):
    list_display = ("id", "prospect_id", "channel", "angle", "subject", "grade", "compliance", "template_key")
    search_fields = ("=prospect__id", "=content_hash")


@admin.register(Evaluation)
class EvaluationAdmin(FactAdmin):
    list_display = ("id", "prospect_id", "channel", "probability", "expected_value", "chosen")
    search_fields = ("=prospect__id",)


@admin.register(Advice)
class AdviceAdmin(FactAdmin):
    list_display = ("id", "prospect_id", "aspect", "channel", "words", "not_before", "blocked")
    list_filter = ("aspect",)
    search_fields = ("=prospect__id",)


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(FactAdmin):
    list_display = ("id", "prospect_id", "channel", "status", "grade", "version", "expires_at")
    list_filter = ("status", "channel", "grade")
    search_fields = ("=prospect__id",)


@admin.register(RequestView)
class RequestViewAdmin(FactAdmin):
    list_display = ("id", "request_id", "user", "at")
    list_select_related = ("user",)


@admin.register(Decision)
class DecisionAdmin(FactAdmin):
    list_display = ("id", "request_id", "kind", "user", "at", "reason_code")
    list_filter = ("kind",)
    list_select_related = ("user",)


@admin.register(Dispatch)
class DispatchAdmin(FactAdmin):
    list_display = ("id", "prospect_id", "channel", "status", "mode", "not_before", "attempts")
    list_filter = ("status", "channel", "mode")
    search_fields = ("=prospect__id", "=message_id")


@admin.register(DeliveryEvent)
class DeliveryEventAdmin(FactAdmin):
    list_display = ("id", "dispatch_id", "kind", "at", "provider")
    list_filter = ("kind",)


@admin.register(CapturedMail)
class CapturedMailAdmin(FactAdmin):
    client_path = "dispatch__client"
    list_display = ("id", "subject", "mail_from", "received_at", "dispatch_id")
    exclude = ("raw",)


@admin.register(Suppression)
class SuppressionAdmin(FactAdmin):
    list_display = ("id", "client", "scope", "reason", "source", "created_by", "created_at")
    list_filter = ("scope",)
    list_select_related = ("client", "created_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """A client's own suppressions, and those that hold for everybody."""
        rows = Suppression.objects.all()
        if request.user.is_superuser:
            return rows
        return rows.filter(Q(client__in=admin_client_ids(request)) | Q(client__isnull=True))


@admin.register(ConsentBasis)
class ConsentBasisAdmin(FactAdmin):
    list_display = ("id", "contact_id", "type", "captured_at")


@admin.register(Task)
class TaskAdmin(FactAdmin):
    list_display = ("id", "kind", "title", "status", "client", "done_by")
    list_filter = ("kind", "status")
    list_select_related = ("client", "done_by")
