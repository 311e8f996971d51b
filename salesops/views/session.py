"""Where a person starts, which client they work for, and how they like the pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from playbooks.models import Role
from salesops.access import ClientRequest, require_role
from salesops.context_processors import THEMES
from salesops.middleware import CLIENT_KEY
from salesops.way_back import if_ours

YEAR = 365 * 24 * 3600
HOMES = (
    (Role.REVIEWER, "approvals:queue"),
    (Role.LEADER, "prospects:funnel"),
    (Role.ADMIN, "playbooks:list"),
    (Role.OPERATOR, "agents"),
)
#: Where somebody who switches to another client stays; every role reads these.
_SECTIONS = frozenset(
    f"/{name}/"
    for name in (
        "approvals", "prospects", "funnel", "tasks", "deals", "customers", "outbox", "agents", "playbooks", "audit",
        "sources", "stops", "suppressions", "live",
    )
)  # fmt: skip


@require_GET
@require_role()
def home(request: ClientRequest) -> HttpResponse:
    """The page that a person's first role opens on."""
    name = next((page for role, page in HOMES if role in request.roles), "approvals:queue")
    return redirect(name)


@require_POST
@require_role()
def switch_client(request: ClientRequest) -> HttpResponse:
    """Work for another of one's own clients, in the same section; any other id changes nothing."""
    chosen = request.POST.get("client", "")
    mine = {str(client.pk): client.pk for client in request.clients}
    if chosen in mine:
        request.session[CLIENT_KEY] = mine[chosen]
    section = f"/{request.POST.get('next', '').strip('/').partition('/')[0]}/"  # what is below belongs to one client
    return redirect(section if section in _SECTIONS else "home")


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Light or dark, and the rail folded or not, kept in cookies so that the server draws them right at once."""
    response = HttpResponseRedirect(if_ours(request, request.POST.get("next", ""), otherwise=reverse("home")))
    if request.POST.get("theme") in THEMES:
        _remember(response, request, "theme")
    if request.POST.get("rail") in ("open", "closed"):
        _remember(response, request, "rail")
    return response


def _remember(response: HttpResponse, request: HttpRequest, name: str) -> None:
    # Readable by our own script, which saves the reload; it says nothing about the person.
    response.set_cookie(
        name, request.POST[name], max_age=YEAR, samesite="Lax", secure=request.is_secure(), httponly=False
    )
