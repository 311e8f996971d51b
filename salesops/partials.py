"""One URL serves the page and its fragments: htmx asks for a partial by the id of the element it will fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers


def wanted_partial(request: HttpRequest, offered: str | Sequence[str]) -> str | None:
    """The offered partial that htmx's target names, or None for the whole page.

    A history restore gets the whole page even though htmx asks: the browser has nothing left to put a fragment in.
    """
    headers = request.headers
    if headers.get("HX-Request") != "true" or headers.get("HX-History-Restore-Request") == "true":
        return None
    names = (offered,) if isinstance(offered, str) else tuple(offered)
    target = headers.get("HX-Target", "")
    return target if target and target in names else None


def render_page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    partial: str | Sequence[str] = (),
    status: int = 200,
    toasts: bool = False,
) -> HttpResponse:
    """Render the page, or the one partial of it that htmx asks for.

    ``template`` may itself name a partial ("page.html#part"); ``toasts`` then says that pending messages go with it.
    Pending messages ride along with a partial as out-of-band toasts, so that no message waits for the next full page.
    """
    values = {**(context or {})}
    name = wanted_partial(request, partial)
    if name is None:
        html = render_to_string(template, values, request)
        response = HttpResponse(html + pending_toasts(request) if toasts else html, status=status)
    else:
        html = render_to_string(f"{template}#{name}", values, request)
        response = HttpResponse(html + pending_toasts(request), status=status)
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    return response


def pending_toasts(request: HttpRequest) -> str:
    """Pending messages as an out-of-band fragment; empty when there are none."""
    if not hasattr(request, "_messages") or not len(get_messages(request)):
        return ""
    return render_to_string("partials/toasts.html", {"out_of_band": True}, request)
