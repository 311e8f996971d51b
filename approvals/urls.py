"""Addresses of what goes out: desk, outbox, tasks, audit log. The short unsubscribe link is the project's own."""

from __future__ import annotations

from django.urls import path

from approvals.views import audit, decide, desk, filters, live, outbox, suppressions, tasks

app_name = "approvals"

urlpatterns = [
    path("approvals/", desk.queue, name="queue"),
    path("approvals/changes/", desk.changes, name="changes"),
    path("approvals/filters/", filters.save_filter, name="save_filter"),
    path("approvals/filters/<int:pk>/remove/", filters.remove_filter, name="remove_filter"),
    path("approvals/bulk/", decide.bulk, name="bulk"),
    path("approvals/<int:pk>/", desk.detail, name="detail"),
    path("approvals/<int:pk>/opened/", desk.opened, name="opened"),
    path("approvals/<int:pk>/decide/", decide.decide, name="decide"),
    path("approvals/<int:pk>/diff/", decide.show_diff, name="diff"),
    path("approvals/decisions/<int:decision_id>/undo/", decide.undo, name="undo"),
    path("outbox/", outbox.outbox, name="outbox"),
    path("outbox/<int:pk>/", outbox.outbox_detail, name="outbox_detail"),
    path("tasks/", tasks.tasks, name="tasks"),
    path("tasks/<int:pk>/", tasks.resolve, name="resolve_task"),
    path("tasks/<int:pk>/answer/", tasks.answer, name="answer_task"),
    path("live/", live.live, name="live"),
    path("live/sandbox/", live.sandbox, name="sandbox"),
    path("suppressions/", suppressions.suppressions, name="suppressions"),
    path("suppressions/add/", suppressions.leave_alone, name="leave_alone"),
    path("suppressions/list/", suppressions.leave_alone_list, name="leave_alone_list"),
    path("audit/", audit.audit, name="audit"),
]
