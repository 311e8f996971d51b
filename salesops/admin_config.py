"""Puts our own admin site in the place of Django's. Apart from it, because settings load this before any model."""

from django.contrib.admin.apps import AdminConfig


class SalesOpsAdminConfig(AdminConfig):
    default_site = "salesops.admin_site.SalesOpsAdminSite"
