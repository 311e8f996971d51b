"""What every request gets: the client it works for, refusals as answers, and headers that keep the browser careful."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone

from playbooks.models import Client
from playbooks.services.budgets import zone_of
from salesops.errors import Refusal
from salesops.partials import render_page
from salesops.views import errors
from salesops.way_back import if_ours

CLIENT_KEY = "client_id"
# Plain SQL: every request asks this, and composing the query would cost more than answering it.
_CLIENTS = """
SELECT client.*, array_agg(membership.role) AS held
  FROM playbooks_membership membership JOIN playbooks_client client ON client.id = membership.client_id
 WHERE membership.user_id = %s GROUP BY client.id ORDER BY client.name, client.id
"""
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ClientMiddleware:
    """Sets ``request.client``, ``request.clients`` and ``request.roles`` from the session and the memberships.

    Pages tell and read times in the client's own time zone. One query for a signed-in person, none for a visitor. A
    client that the person no longer works for falls away at once: memberships are read on every request.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        clients = {client.pk: client for client in self._clients(request)}
        chosen = request.session.get(CLIENT_KEY, 0) if clients else 0
        client = clients.get(chosen) or next(iter(clients.values()), None)
        request.client = client  # type: ignore[attr-defined]
        request.clients = list(clients.values())  # type: ignore[attr-defined]
        request.roles = frozenset(client.held if client else ())  # type: ignore[attr-defined]
        with timezone.override(zone_of(client) if client else None):
            return self.get_response(request)

    def _clients(self, request: HttpRequest) -> list[Any]:
        """The clients that the person works for, with the roles ``held`` at each."""
        return list(Client.objects.raw(_CLIENTS, [request.user.pk])) if request.user.is_authenticated else []


class NoNulMiddleware:
    """A request that carries the one character no database takes is a bad one, whichever view would have read it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> None:
        """Once it is known to be no forgery."""
        given = [pair for sent in (request.GET, request.POST) for pair in sent.lists()]
        if any("\0" in text for text in (request.path, *(text for name, values in given for text in (name, *values)))):
            raise BadRequest("A NUL character in what was sent.")


class RefusalMiddleware:
    """The one place that turns a named refusal into an answer: a toast for a fragment, a page for a page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and request.method == "GET":
            page = errors.wrong_method(request)
            page.headers["Allow"] = response.headers["Allow"]
            return page
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refusal):
            return None
        if request.headers.get("HX-Request") == "true":
            html = render_to_string("partials/refusal_toast.html", {"message": exception.message}, request)
            headers = {"HX-Retarget": "#toasts", "HX-Reswap": "beforeend"}
            return HttpResponse(html, status=exception.status, headers=headers)
        # The page of ours that the refused form stood on; what was refused to a GET leads nowhere back.
        back = if_ours(request, request.headers.get("Referer", "")) if request.method == "POST" else ""
        context = {"message": exception.message, "back": back}
        return render_page(request, "409.html", context, status=exception.status)


class SecurityHeadersMiddleware:
    """Headers that Django's own middleware leaves out, and no shared cache for what a signed-in person sees."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if hasattr(request, "user") and request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-cache")
        return response
