"""Who may see a page: the person's roles at the client they are working for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url

from playbooks.models import Client, Role, User
from salesops.partials import render_page

P = ParamSpec("P")
View = Callable[Concatenate["ClientRequest", P], HttpResponseBase]
AnyView = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


class ClientRequest(HttpRequest):
    """A request that passed :func:`require_role`: somebody is signed in and works for ``client``."""

    user: User
    client: Client
    clients: list[Client]
    roles: frozenset[str]


def require_role(*roles: Role) -> Callable[[View[P]], AnyView[P]]:
    """Only signed-in members of a client, and only those holding one of ``roles``; no roles named means any member.

    A signed-out visitor is sent to sign in, a person without a client or without the role gets a page that says whom
    to ask (403).
    """

    def decorate(view: View[P]) -> AnyView[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if getattr(request, "client", None) is None:
                return render_page(request, "no_client.html", status=403)
            member = cast(ClientRequest, request)
            if roles and not holds_any(member, roles):
                return render_page(request, "403.html", {"needed": [role.label for role in roles]}, status=403)
            return view(member, *args, **kwargs)

        return cast(AnyView[P], guarded)

    return decorate


def holds_any(request: ClientRequest, roles: Iterable[Role]) -> bool:
    """Whether this person holds one of ``roles`` at the client they are working for, as of this request."""
    return not request.roles.isdisjoint(roles)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page and back to the page that the person saw; a fragment cannot show it, so htmx is told to go.

    The address that a form was sent to has nothing to show: they come back to the form, told that it was not taken.
    """
    is_fragment, is_form = request.headers.get("HX-Request") == "true", request.method == "POST"
    seen = request.headers.get("HX-Current-URL" if is_fragment else "Referer", "")
    page = urlsplit(seen)._replace(scheme="", netloc="").geturl() or "/"
    back = page if is_fragment or is_form else request.get_full_path()
    url = f"{resolve_url(settings.LOGIN_URL)}?next={quote(back)}{'&unsaved=yes' if is_form else ''}"
    return HttpResponse(status=204, headers={"HX-Redirect": url}) if is_fragment else HttpResponseRedirect(url)
