"""What sets the agents to work by itself, wherever a page shows it."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import RequestContext
from django.utils import timezone

from playbooks.models import PlaybookVersion
from prospects.reading.triggers import standing
from salesops.sql import fetch

register = template.Library()
_RULING = """
SELECT version.id FROM playbooks_playbookversion version JOIN playbooks_playbook playbook
    ON playbook.id = version.playbook_id WHERE playbook.client_id = %s AND version.status = 'active'
"""


@register.inclusion_tag("partials/triggers.html", takes_context=True)
def trigger_list(context: RequestContext, version: PlaybookVersion | None = None) -> dict[str, Any]:
    """The triggers of one version, or of every version that rules for this client: last fired, and when next."""
    ruling = [version.pk] if version is not None else [pk for (pk,) in fetch(_RULING, [context["request"].client.pk])]
    return {"rows": standing(ruling, at=timezone.now()), "several": len(ruling) > 1}
