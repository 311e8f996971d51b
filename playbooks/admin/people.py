"""People, their roles, and the clients they work for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest

from playbooks.models import Client, Membership, Role, User
from playbooks.services import clients, people
from salesops.admin_site import TenantAdmin, admin_client_ids, admin_clients, admin_user
from salesops.generics import AnyModelForm

if admin.site.is_registered(Group):
    admin.site.unregister(Group)  # roles are per client here; a group would be a second way in


class PersonForm(AnyModelForm):
    """A person and, per client, their roles; ``clients`` are those the editing admin may give roles at."""

    clients: Iterable[Client] = ()
    new_password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters. Leave empty to keep the present one.",
    )

    class Meta:
        model = User
        fields = ("email", "name", "is_active", "is_staff")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = people.roles_at(self.instance, list(self.clients)) if self.instance.pk else {}
        for client in self.clients:
            if (name := roles_field(client)) in self.fields:
                self.fields[name].initial = held.get(client.pk, [])

    def clean_new_password(self) -> str:
        password = self.cleaned_data["new_password"]
        if password:
            validate_password(password, self.instance)
        elif not self.instance.pk:
            raise ValidationError("Give a first password; the person can change it after signing in.")
        return str(password)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.instance.pk and not any(cleaned.get(roles_field(client)) for client in self.clients):
            raise ValidationError("Give the person at least one role, or nobody could find them again.")
        return cleaned


def roles_field(client: Client) -> str:
    return f"roles_{client.pk}"


@admin.register(User)
class UserAdmin(TenantAdmin):
    list_display = ("email", "name", "roles", "is_active", "is_staff", "last_login")
    search_fields = ("email", "name")
    ordering = ("email",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows = User.objects.prefetch_related(
            models.Prefetch("memberships", Membership.objects.filter(client__in=admin_clients(request)), "shown")
        )
        if request.user.is_superuser:
            return rows
        return rows.filter(memberships__client__in=admin_client_ids(request)).distinct()

    @admin.display(description="Roles")
    def roles(self, user: Any) -> str:
        return ", ".join(sorted({membership.get_role_display() for membership in user.shown})) or "none"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Whoever also works for somebody else's client, or runs the installation, is not ours to change."""
        if obj is None or request.user.is_superuser:
            return True
        elsewhere = Membership.objects.filter(user=obj).exclude(client__in=admin_client_ids(request))
        return not obj.is_superuser and not elsewhere.exists()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        mine = list(admin_clients(request))
        fields: dict[str, Any] = {
            roles_field(client): forms.MultipleChoiceField(
                choices=Role.choices, required=False, label=f"Roles at {client}", widget=forms.CheckboxSelectMultiple
            )
            for client in mine
        }
        kwargs["form"] = type("PersonForm", (PersonForm,), {**fields, "clients": mine})
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        person = ["email", "name", "new_password", "is_active", "is_staff"]
        if not self.has_change_permission(request, obj):
            return ((None, {"fields": ("email", "name", "is_active", "is_staff", "last_login", "roles")}),)
        return (
            (None, {"fields": person}),
            ("Roles", {"fields": [roles_field(client) for client in admin_clients(request)]}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if self.has_change_permission(request, obj) else ("last_login", "roles")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        with transaction.atomic():
            if form.cleaned_data.get("new_password"):
                obj.set_password(form.cleaned_data["new_password"])
            super().save_model(request, obj, form, change)
            for client in form.clients:
                wanted = form.cleaned_data.get(roles_field(client))
                if wanted is not None:
                    people.set_roles(obj, client=client, roles=wanted, actor=admin_user(request))


@admin.register(Client)
class ClientAdmin(TenantAdmin):
    client_path = "pk"
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    list_display = ("name", "slug", "sandbox", "sender_email", "time_zone")
    ordering = ("name",)
    readonly_fields = ("slug", "sandbox", "created_at")
    fields = (
        "name", "slug", "sandbox", "sender_name", "sender_email", "postal_address", "privacy_url", "time_zone",
        "created_at",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is not None else ("sandbox", "created_at")

    def has_change_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        clients.save(obj, fields=form.changed_data, actor=admin_user(request))
