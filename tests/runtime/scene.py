"""The demo playbook with a handful of companies, each made to end in a known way."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Max

from playbooks.models import Client, PlaybookVersion
from playbooks.rules.yaml_io import parse
from playbooks.services import drafts, lifecycle
from prospects.models import Prospect, Signal
from prospects.services.converging.converge import converge
from prospects.services.converging.reports import Report
from tests import factories

CLOCK = datetime(2026, 6, 1, 9, tzinfo=UTC)
IMPORTED = datetime(2026, 4, 7, 9, tzinfo=UTC)
CHANGED = datetime(2026, 5, 20, 9, tzinfo=UTC)

GOOD = {"industry": "B2B", "country": "US", "tags": ["SaaS", "B2B"], "status": "Active", "hiring": True,
        "employees_min": 12, "employees_max": 12}  # fmt: skip
GONE = {**GOOD, "status": "Acquired"}
POOR = {"industry": "Consumer", "country": "FR", "tags": ["Games"], "status": "Active", "hiring": False,
        "employees_min": 900, "employees_max": 900}  # fmt: skip


def demo(of: Client | None = None, *, edit: dict[str, str] | None = None, activate: bool = True) -> PlaybookVersion:
    """The shipped demo playbook, ruling for a client. ``edit`` replaces patterns in the file before it is read."""
    text = Path(settings.BASE_DIR, "playbooks/shipped/demo.yaml").read_text(encoding="utf-8")
    for old, new in (edit or {}).items():
        text, times = re.subn(old, new, text)
        assert times == 1
    version, _ = drafts.load_document(pickle.loads(_parsed(text)), client=of or factories.client(), actor=None)
    if activate:
        for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
            version = step(version, actor=None)
    return version


@cache
def _parsed(text: str) -> bytes:
    """The document, read once for the hundreds of tests that begin with it, and everybody's own when unpacked."""
    return pickle.dumps(parse(text))


def company(under: PlaybookVersion, facts: dict[str, Any], *, news: bool = True, **fields: Any) -> Prospect:
    """A prospect as the import makes it: its row as a profile signal, and perhaps the news that it started hiring."""
    client = under.playbook.client
    account = factories.company(client, **facts)
    made = factories.prospect(under, company=account, external_id=account.domain, **fields)
    profile = {**facts, "name": account.name, "domain": account.domain}
    factories.signal(made, data=profile, observed_at=IMPORTED, dedup_key=f"profile:{account.domain}",
                     source_ref=f"row of {account.domain}")  # fmt: skip
    if news:
        factories.signal(
            made, kind="change", data={"field": "hiring", "old": "False", "new": "True"}, observed_at=CHANGED,
            source="changes.csv", source_ref=f"change of {account.domain}", dedup_key=f"change:{account.domain}",
        )  # fmt: skip
    return seen(made)


def seen(made: Prospect) -> Prospect:
    """Note the newest fact on the prospect, as whoever writes signals must."""
    newest = Signal.objects.filter(prospect=made).aggregate(n=Max("fact_no"))["n"]
    Prospect.objects.filter(pk=made.pk).update(facts_no=newest)
    made.refresh_from_db()
    return made


def run(under: PlaybookVersion, **fields: Any) -> Report:
    """Converge everything that is due, at a fixed time."""
    defaults = {"client": under.playbook.client, "playbook": under.playbook, "actor": None, "clock": CLOCK}
    return converge(**{**defaults, **fields})
