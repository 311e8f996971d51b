"""Django classes that type checkers know as generic and Python does not, under one name for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.forms import SetPasswordForm
from django.core.paginator import Paginator
from django.forms.models import BaseInlineFormSet

if TYPE_CHECKING:
    AnyInlineFormSet = BaseInlineFormSet[Any, Any, Any]
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyModelForm = forms.ModelForm[Any]
    AnyPaginator = Paginator[Any]
    AnySetPasswordForm = SetPasswordForm[Any]
    AnyStackedInline = admin.StackedInline[Any, Any]
    AnyTabularInline = admin.TabularInline[Any, Any]
else:
    AnyInlineFormSet, AnyPaginator, AnySetPasswordForm = BaseInlineFormSet, Paginator, SetPasswordForm
    AnyModelAdmin, AnyModelForm = admin.ModelAdmin, forms.ModelForm
    AnyStackedInline, AnyTabularInline = admin.StackedInline, admin.TabularInline

__all__ = [
    "AnyInlineFormSet",
    "AnyModelAdmin",
    "AnyModelForm",
    "AnyPaginator",
    "AnySetPasswordForm",
    "AnyStackedInline",
    "AnyTabularInline",
]
