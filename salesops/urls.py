"""Addresses. Each app names its own under its own prefix."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver

from approvals.views import unsubscribe
from salesops.health import healthz, readyz
from salesops.views import agents, jobs, session, stops, trace, where_used, work
from salesops.views.sign_in import EmailSignInForm, NewLinkView, NewPasswordForm, OtherPasswordForm

SIGN_IN = auth.LoginView.as_view(authentication_form=EmailSignInForm, redirect_authenticated_user=True)
CHANGE = auth.PasswordChangeView.as_view(form_class=OtherPasswordForm)
CONFIRM = auth.PasswordResetConfirmView.as_view(form_class=NewPasswordForm)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", session.home, name="home"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("sign-in/", SIGN_IN, name="login"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
    path("password/", CHANGE, name="password_change"),
    path("password/changed/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"),
    path("password/reset/", NewLinkView.as_view(), name="password_reset"),
    path("password/reset/sent/", auth.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path("password/reset/<uidb64>/<token>/", CONFIRM, name="password_reset_confirm"),
    path("password/reset/done/", auth.PasswordResetCompleteView.as_view(), name="password_reset_complete"),
    path("client/", session.switch_client, name="switch_client"),
    path("preferences/", session.preferences, name="preferences"),
    path("agents/", agents.agents, name="agents"),
    path("agents/work/", work.work_chart, name="work"),
    path("agents/run/", agents.run_agents, name="run_agents"),
    path("agents/retry/", agents.retry, name="retry"),
    path("agents/<int:pk>/cancel/", agents.cancel_run, name="cancel_run"),
    path("agents/jobs/", jobs.jobs, name="jobs"),
    path("agents/jobs/<int:pk>/", jobs.job, name="job"),
    path("agents/runs/<int:pk>/", agents.run_page, name="run"),
    path("agents/<slug:name>/", agents.agent_page, name="agent"),
    path("prospects/<int:pk>/runs/", agents.prospect_runs, name="prospect_runs"),
    path("playbooks/versions/<int:version_id>/used/", where_used.where_used, name="where_used"),
    path("trace/<str:trace_id>/", trace.trace_page, name="trace"),
    path("stops/", stops.stops_page, name="stops"),
    path("stops/<int:pk>/lift/", stops.lift_stop, name="lift_stop"),
    path("u/<str:token>/", unsubscribe.page, name="unsubscribe"),
    path("", include("approvals.urls")),
    path("", include("prospects.urls")),
    path("", include("playbooks.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "salesops.views.errors.bad_request"
handler403 = "salesops.views.errors.forbidden"
handler404 = "salesops.views.errors.not_found"
handler500 = "salesops.views.errors.server_error"
