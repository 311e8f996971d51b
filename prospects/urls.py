"""Addresses of prospects and their funnel."""

from __future__ import annotations

from django.urls import path

from prospects.views import funnel, prospects

app_name = "prospects"

urlpatterns = [
    path("prospects/", prospects.prospect_list, name="list"),
    path("prospects/export.csv", prospects.prospect_csv, name="export"),
    path("prospects/<int:pk>/", prospects.prospect_page, name="detail"),
    path("funnel/", funnel.funnel_page, name="funnel"),
    path("funnel/stages.csv", funnel.funnel_csv, name="funnel_csv"),
    path("funnel/segments.csv", funnel.segments_csv, name="segments_csv"),
]
