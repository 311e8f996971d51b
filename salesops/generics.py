"""Django classes that type checkers know as generic and Python does not, under one name for both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.forms.models import BaseInlineFormSet

if TYPE_CHECKING:
    AnyInlineFormSet = BaseInlineFormSet[Any, Any, Any]
    AnyModelAdmin = admin.ModelAdmin[Any]
    AnyModelForm = forms.ModelForm[Any]
    AnyPaginator = Paginator[Any]
    AnyStackedInline = admin.StackedInline[Any, Any]
    AnyTabularInline = admin.TabularInline[Any, Any]
else:
    AnyInlineFormSet, AnyPaginator = BaseInlineFormSet, Paginator
    AnyModelAdmin, AnyModelForm = admin.ModelAdmin, forms.ModelForm
    AnyStackedInline, AnyTabularInline = admin.StackedInline, admin.TabularInline

__all__ = ["AnyInlineFormSet", "AnyModelAdmin", "AnyModelForm", "AnyPaginator", "AnyStackedInline", "AnyTabularInline"]
