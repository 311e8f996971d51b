"""The admin site: for admins of a client, each seeing that client's rows and no others."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from playbooks.models import Client, Membership, Role, User
from salesops.generics import AnyModelAdmin, AnyPaginator
from salesops.partials import render_page

_COUNTED = 10_000


class SalesOpsAdminSite(admin.AdminSite):
    """Django's admin behind our own sign-in; a person needs the admin role at some client, and staff status."""

    site_header = site_title = "SalesOps admin"
    index_title = "What may be changed here, and by whom"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return bool(user.is_active and user.is_staff and (user.is_superuser or admin_client_ids(request)))

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.GET.get("next") or request.get_full_path(), settings.LOGIN_URL)
        return render_page(request, "403.html", {"needed": [Role.ADMIN.label]}, status=403)


def admin_client_ids(request: HttpRequest) -> frozenset[int]:
    """The clients at which this person is an admin; read once a request."""
    known: frozenset[int] | None = getattr(request, "_admin_client_ids", None)
    if known is None:
        mine = Membership.objects.filter(user=admin_user(request), role=Role.ADMIN)
        known = frozenset(mine.values_list("client_id", flat=True))
        request._admin_client_ids = known  # type: ignore[attr-defined]
    return known


def admin_clients(request: HttpRequest) -> models.QuerySet[Client]:
    """The clients whose rows this person may see here; a superuser sees them all."""
    if request.user.is_superuser:
        return Client.objects.all()
    return Client.objects.filter(pk__in=admin_client_ids(request))


def admin_user(request: HttpRequest) -> User:
    """The signed-in person; every admin view has one."""
    return cast(User, request.user)


class CappedPaginator(AnyPaginator):
    """Counts no further than a person pages: a list of millions opens as fast as one of hundreds."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows[:_COUNTED].count() if isinstance(rows, models.QuerySet) else len(rows)


class TenantAdmin(AnyModelAdmin):
    """Rows of the person's own clients, to look at. What may be changed is opened model by model.

    ``client_path`` is the look-up from the model to its client; rows without a client belong to superusers.
    """

    client_path = "client"
    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-pk",)
    actions: Any = None

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        return rows.filter(**{f"{self.client_path}__in": admin_client_ids(request)})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.related_model is Client:
            kwargs["queryset"] = admin_clients(request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Filters by related rows would list other clients' names; only a superuser gets them."""
        filters = super().get_list_filter(request)
        if request.user.is_superuser:
            return filters
        return [name for name in filters if not (isinstance(name, str) and self._is_relation(name))]

    def _is_relation(self, name: str) -> bool:
        return "__" in name or self.model._meta.get_field(name).is_relation


class FactAdmin(TenantAdmin):
    """Facts: read, never written, by anybody."""
