"""Addresses of prospects and their funnel."""

from __future__ import annotations

from django.urls import path

from prospects.views import (
    buying,
    duplicates,
    funnel,
    imports,
    lists,
    pipelines,
    prospects,
    publishing,
    sources,
    suggestions,
)

app_name = "prospects"

urlpatterns = [
    path("prospects/", prospects.prospect_list, name="list"),
    path("prospects/export.csv", prospects.prospect_csv, name="export"),
    path("prospects/filters/", lists.save_filter, name="save_filter"),
    path("prospects/filters/<int:pk>/remove/", lists.remove_filter, name="remove_filter"),
    path("prospects/filters/<int:pk>/open/", lists.open_with, name="open_with"),
    path("prospects/columns/", lists.choose_columns, name="columns"),
    path("prospects/many/", lists.start_bulk, name="start_bulk"),
    path("prospects/many/<int:pk>/", lists.bulk_page, name="bulk"),
    path("prospects/many/<int:pk>/undo/", lists.undo_bulk, name="undo_bulk"),
    path("prospects/import/", imports.import_list, name="imports"),
    path("prospects/import/<int:pk>/", imports.import_page, name="import"),
    path("prospects/import/<int:pk>/mapping/", imports.import_mapping, name="import_mapping"),
    path("prospects/import/<int:pk>/start/", imports.import_start, name="import_start"),
    path("prospects/import/<int:pk>/cancel/", imports.import_cancel, name="import_cancel"),
    path("prospects/import/<int:pk>/rejected.csv", imports.import_errors, name="import_errors"),
    path("prospects/duplicates/", duplicates.duplicate_list, name="duplicates"),
    path("prospects/duplicates/merged/", duplicates.merge_list, name="merges"),
    path("prospects/duplicates/apart/", duplicates.apart_list, name="apart"),
    path("prospects/duplicates/<int:pk>/merge/", duplicates.merge_pair, name="merge_pair"),
    path("prospects/duplicates/<int:pk>/apart/", duplicates.keep_pair_apart, name="keep_apart"),
    path("prospects/duplicates/<int:pk>/again/", duplicates.ask_pair_again, name="ask_again"),
    path("prospects/duplicates/merged/<int:pk>/undo/", duplicates.undo_merge, name="undo_merge"),
    path("prospects/<int:pk>/", prospects.prospect_page, name="detail"),
    path("prospects/<int:pk>/wrong/", suggestions.suggest, name="suggest"),
    path("playbooks/<int:playbook_id>/notes/", suggestions.suggestion_list, name="suggestions"),
    path("playbooks/notes/<int:pk>/answer/", suggestions.answer_suggestion, name="answer_suggestion"),
    path("playbooks/versions/<int:version_id>/what-if/", publishing.what_if_page, name="what_if"),
    path("playbooks/versions/<int:version_id>/what-if/stop/", publishing.stop_what_if, name="what_if_stop"),
    path("playbooks/versions/<int:version_id>/what-if.csv", publishing.what_if_csv, name="what_if_csv"),
    path("playbooks/versions/<int:version_id>/publish/", publishing.publish_page, name="publish"),
    path("prospects/<int:pk>/pipelines/", pipelines.pipelines, name="pipelines"),
    path("prospects/<int:pk>/buying/", buying.buying, name="buying"),
    path("prospects/<int:pk>/move/", pipelines.move_prospect, name="move"),
    path("prospects/<int:pk>/deals/open/", pipelines.open_deal, name="open_deal"),
    path("deals/", pipelines.deal_list, name="deals"),
    path("deals/<int:pk>/move/", pipelines.move_deal, name="move_deal"),
    path("deals/<int:pk>/change/", pipelines.change_deal, name="change_deal"),
    path("customers/", pipelines.customer_list, name="customers"),
    path("customers/<int:pk>/move/", pipelines.move_customer, name="move_customer"),
    path("sources/", sources.sources_page, name="sources"),
    path("sources/<int:pk>/resume/", sources.resume_source, name="resume_source"),
    path("funnel/", funnel.funnel_page, name="funnel"),
    path("funnel/stages.csv", funnel.funnel_csv, name="funnel_csv"),
    path("funnel/segments.csv", funnel.segments_csv, name="segments_csv"),
]
