"""Companies to ask about and sources to ask, for tests of look-ups."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from playbooks.models import PlaybookVersion
from playbooks.rules.sources import SourceConfig, read_source
from prospects.sources.line import Office
from prospects.sources.tool import PlaybookSources
from salesops.runtime.toolbox import Found
from salesops.runtime.views import CompanyView, ProspectView

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
TRACE = "0" * 32
_ids = itertools.count(1)


def company(domain: str = "acme.example", name: str = "Acme Tools", **fields: Any) -> CompanyView:
    defaults: dict[str, Any] = {
        "id": next(_ids), "name": name, "domain": domain, "industry": "B2B", "subindustry": "", "employees_min": 10,
        "employees_max": 10, "country": "US", "region": "", "city": "", "location": "", "tags": (), "status": "Active",
        "hiring": None,
    }  # fmt: skip
    return CompanyView(**{**defaults, **fields})


def prospect(domain: str = "acme.example", name: str = "Acme Tools", **fields: Any) -> ProspectView:
    n = next(_ids)
    return ProspectView(
        id=n, key=f"company:{domain}", stage="sourced", route="", tier="", segment="", verdict="", composite=None,
        coverage=0.0, provisional=True, priority=0.0, facts_no=1, company=company(domain, name, **fields), contact=None,
        signals=(), evidence=(), scores={}, messages=(), evaluations=(), requests=(), touches=(), extras={},
    )  # fmt: skip


def source(**raw: Any) -> SourceConfig:
    return read_source({"key": "crunch", "kind": "json", "rate_per_minute": 60_000, **raw})


def tool(
    version: PlaybookVersion, configs: Sequence[SourceConfig], office: Office, *, now: datetime = NOW
) -> PlaybookSources:
    return PlaybookSources(
        version=version, client=version.playbook.client, configs=configs, now=now, trace_id=TRACE, office=office
    )


def ask(version: PlaybookVersion, config: SourceConfig, desk: Office, *kinds: str, now: datetime = NOW) -> Found:
    acme = prospect()
    return tool(version, [config], desk, now=now).look_up([acme], frozenset(kinds))[acme.id]
