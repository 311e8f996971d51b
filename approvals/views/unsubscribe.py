"""/u/<token>/: one-click unsubscribe (RFC 8058) and the page behind the visible link."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from approvals.services import suppress

ONE_CLICK = "List-Unsubscribe"


@csrf_exempt  # the POST comes from a mailbox provider: it carries no cookie, and the token is the authority
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """GET only shows a button, because link scanners follow every link. POST unsubscribes, twice as well as once."""
    contact = suppress.contact_of_token(token)
    if request.method == "POST":
        if contact is not None:
            suppress.unsubscribe(contact)
        if ONE_CLICK in request.POST or "page" not in request.POST:
            return HttpResponse(status=200 if contact is not None else 404)
    state = "unknown" if contact is None else ("done" if request.method == "POST" else "ask")
    context = {"state": state, "sender": contact.client.sender_name or contact.client.name if contact else ""}
    response = render(request, "approvals/unsubscribe.html", context, status=404 if contact is None else 200)
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response
