"""Which agents a playbook gives to a language model that nobody can ask, wherever a page shows it."""

from __future__ import annotations

from django import template

from playbooks.models import PlaybookVersion
from prospects.host import toolbox

register = template.Library()


@register.inclusion_tag("partials/models_missing.html")
def models_missing(version: PlaybookVersion) -> dict[str, object]:
    """What is missing for each agent given to a language model; nothing when nothing is."""
    found = toolbox.models_missing(version)
    return {"missing": [(agent.replace("_", " "), why) for agent, why in sorted(found.items())]}
