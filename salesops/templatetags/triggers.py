"""What sets the agents to work by itself, wherever a page shows it."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import RequestContext
from django.utils import timezone

from playbooks.models import PlaybookVersion
from prospects.services.triggers import standing

register = template.Library()


@register.inclusion_tag("partials/triggers.html", takes_context=True)
def trigger_list(context: RequestContext, version: PlaybookVersion | None = None) -> dict[str, Any]:
    """The triggers of one version, or of every version that rules for this client: last fired, and when next."""
    client = context["request"].client
    ruling = PlaybookVersion.objects.for_client(client).active()
    versions = [version.pk] if version is not None else list(ruling.values_list("pk", flat=True))
    return {"rows": standing(versions, at=timezone.now()), "several": len(versions) > 1}
