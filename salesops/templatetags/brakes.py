"""The brake beside whatever it stops: a button while it runs, who stopped it and why while it does not."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.http import urlencode

from playbooks.models import Stop
from salesops.access import ClientRequest

register = template.Library()


@register.inclusion_tag("partials/brake.html", takes_context=True)
def brake(context: RequestContext, level: str, target: int | str, what: str = "", verb: str = "Stop") -> dict[str, Any]:
    """Of a playbook, prospect, request (by id) or agent (by name); ``what`` names it for those who cannot see.

    ``verb`` is what the button says.
    """
    request: ClientRequest = context["request"]
    here = [stop for stop in stops_in_force(request) if stop.level == level and target in (stop.target_id, stop.agent)]
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "stops": here,
        "what": what,
        "verb": verb,
        "url": f"{reverse('stops')}?{urlencode({level: target, 'next': request.get_full_path()})}",
    }


def stops_in_force(request: ClientRequest) -> list[Stop]:
    """The client's stops in force, read once however many brakes a page has."""
    found: list[Stop] | None = getattr(request, "stops_in_force", None)
    if found is None:
        rows = Stop.objects.in_force().for_client(request.client).select_related("created_by").order_by("-pk")
        found = list(rows)
        request.stops_in_force = found  # type: ignore[attr-defined]
    return found
