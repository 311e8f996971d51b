"""What the permission matrix means for reading: a team that may not read a resource is not shown what belongs to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Final

from salesops.runtime.views import ProspectView
from salesops.runtime.words import Resource

# What stands in the place of each field of a view that belongs to a resource. Fields that are not named here are open
# to everybody: who the account is, and what the runtime itself needs.
_HIDDEN: Final[Mapping[Resource, Mapping[str, Any]]] = {
    Resource.CONTACT: {"contact": None, "people": (), "extras": {}},
    Resource.DEAL_STAGE: {"stage": ""},
    Resource.ACTIVITY: {
        "signals": (), "messages": (), "evaluations": (), "requests": (), "touches": (), "advice": {}, "extras": {},
    },
    Resource.ICP_EVIDENCE: {
        "evidence": (), "scores": {}, "composite": None, "coverage": 0.0, "provisional": True, "route": "", "tier": "",
        "verdict": "", "priority": 0.0,
    },
    Resource.DEAL_VALUE: {},  # kept on deals, which no prospect's view carries
    Resource.CHURN_RISK: {},  # kept on customers, likewise
}  # fmt: skip
OPEN: Final = frozenset({"id", "key", "segment", "facts_no", "company"})


def hide(view: ProspectView, barred: Collection[Resource]) -> ProspectView:
    """The view without what belongs to the barred resources; the view itself when nothing is barred."""
    changes = {name: blank for resource in barred for name, blank in _HIDDEN[resource].items()}
    return dataclasses.replace(view, **changes) if changes else view


def hidden_fields() -> frozenset[str]:
    """The fields that belong to some resource."""
    return frozenset(name for fields in _HIDDEN.values() for name in fields)
