"""Error pages in our own words and style. They ask nothing of the database: it may be what failed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


def _page(request: HttpRequest, status: int, **words: str) -> HttpResponse:
    theme = request.COOKIES.get("theme", "auto")
    return HttpResponse(render_to_string("error.html", {"theme": theme, "status": status, **words}), status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 — Django's signature
    """400."""
    return _page(request, 400, title="That request made no sense", words="Go back, reload the page and try once more.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 — Django's signature
    """403."""
    return _page(
        request, 403, title="Not yours to open", words="Your role does not include this page. An admin can change that."
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 — Django's signature
    """403, when a form came without its token."""
    return _page(
        request,
        403,
        title="This form has gone stale",
        words="Nothing was saved. Go back, reload the page and send it again. Cookies must be allowed for this site.",
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001 — Django's signature
    """404."""
    return _page(
        request,
        404,
        title="Nothing here",
        words="The page does not exist, or it belongs to another client. If you work for that one, choose it first.",
    )


def wrong_method(request: HttpRequest) -> HttpResponse:
    """405: an address that only takes forms was opened, say after signing in again on the way to it."""
    return _page(
        request,
        405,
        title="Nothing to see at this address",
        words="It only takes what a form sends, and nothing was sent. Go back to the page you came from and try again.",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """500."""
    return _page(
        request,
        500,
        title="Something broke on our side",
        words="Nothing was sent. Try again; if it happens twice, tell an operator the time it happened.",
    )
