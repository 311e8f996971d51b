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
_SINGLE = (Stop.Level.PROSPECT, Stop.Level.REQUEST)  # a page has one of them, and a client may have stopped thousands


@register.inclusion_tag("partials/brake.html", takes_context=True)
def brake(context: RequestContext, level: str, target: int | str, what: str = "", verb: str = "Stop") -> dict[str, Any]:
    """Of a playbook, prospect, request (by id) or agent (by name); ``what`` names it for those who cannot see.

    ``verb`` is what the button says.
    """
    request: ClientRequest = context["request"]
    single = int(target) if level in _SINGLE else None
    here = [stop for stop in stops_in_force(request, level, single) if target in (stop.target_id, stop.agent)]
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "stops": here,
        "what": what,
        "verb": verb,
        "url": f"{reverse('stops')}?{urlencode({level: target, 'next': request.get_full_path()})}",
    }


def stops_in_force(request: ClientRequest, level: str, target: int | None = None) -> list[Stop]:
    """The client's stops of one level in force, or those of one target, read once however many brakes a page has."""
    held: dict[tuple[str, int | None], list[Stop]] = request.__dict__.setdefault("stops_in_force", {})
    if (level, target) not in held:
        rows = Stop.objects.in_force().filter(client=request.client, level=level).select_related("created_by")
        rows = rows.filter(target_id=target) if target is not None else rows
        held[level, target] = list(rows.order_by("-pk"))
    return held[level, target]
