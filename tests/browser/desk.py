"""A furnished desk: a client, a founder, and requests with evidence, as the agents would leave them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from playwright.sync_api import Page

from approvals.models import ApprovalRequest
from approvals.rules import compliance, content
from approvals.services import suppress
from playbooks.models import Client, PlaybookVersion, User
from prospects.models import Evidence
from tests import factories

PASSWORD = "quiet-harbour-19"
COMPANIES = ("Birch Robotics", "Cobalt Data", "Dune Health", "Elm Logistics")


@dataclass
class Desk:
    """Where the pages are, who works there, and what waits."""

    url: str
    client: Client
    founder: User
    version: PlaybookVersion
    requests: list[ApprovalRequest]

    def sign_in(self, page: Page, email: str = "") -> None:
        """Sign in through the form."""
        page.goto(f"{self.url}/sign-in/")
        page.get_by_label("E-mail address").fill(email or self.founder.email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/sign-in/" not in url)


def furnish(url: str, **rules: Any) -> Desk:
    """Rows for one client. ``rules`` are fields of its playbook version."""
    owner = factories.client(name="Northwind")
    founder = factories.user(owner, "reviewer", "leader", "admin", name="Mira Moss", password=PASSWORD)
    version = factories.version(owner, **rules)
    requests = [_request(version, name, place) for place, name in enumerate(COMPANIES)]
    return Desk(url, owner, founder, version, requests)


def _request(version: PlaybookVersion, name: str, place: int) -> ApprovalRequest:
    owner = version.playbook.client
    company = factories.company(owner, name=name)
    person = factories.contact(owner, company)
    who = factories.qualified(version, company=company, contact=person, composite=90 - place, coverage=0.8, route="hot")
    rows = list(Evidence.objects.filter(prospect=who).order_by("id"))
    hook = f"{name} has been hiring for sales since spring."
    words = f"Hi Dana,\n\n{hook} New sellers take months to ramp up.\n\nWorth a look at a one-page example?\n"
    body = content.with_footer(
        words,
        sender_name=owner.sender_name,
        postal_address=owner.postal_address,
        unsubscribe_url=suppress.unsubscribe_url(owner.pk, person.pk),
    )
    message = factories.message(
        who,
        version,
        subject=f"Hiring at {name}",
        body=body,
        sender=content.sender_header(owner.sender_name, owner.sender_email),
        rule_version=compliance.RULE_VERSION,
        evidence_ids=[row.pk for row in rows],
        claims=[{"sentence": hook, "evidence_ids": [rows[0].pk]}],
    )
    return factories.request(
        words=message, dossier=dossier(rows, hook, name), composite=90 - place, priority=0.9 - place / 10
    )


def dossier(rows: list[Evidence], hook: str, name: str) -> dict[str, Any]:
    """What the approval gate freezes, in little."""
    shown = [
        {
            "id": row.pk, "category": row.category, "criterion": row.criterion, "label": row.category.capitalize(),
            "value": row.value, "confidence": row.confidence, "strong_negative": False, "rationale": row.rationale,
            "quote": "", "source": row.source, "observed_at": row.observed_at.isoformat(),
            "signals": [{"id": row.signal_ids[0], "kind": "profile", "source": row.source, "source_ref": "row 7",
                         "observed_at": row.observed_at.isoformat()}],
        }
        for row in rows
    ]  # fmt: skip
    layers = ("firmographic", "behavioral", "psychologic", "investment")
    why = [{"layer": layer, "value": 80.0, "coverage": 0.6, "weight": 25, "evidence": []} for layer in layers]
    why[0]["evidence"] = shown
    return {
        "schema": 1,
        "built_at": timezone.now().isoformat(),
        "why": why,
        "why_now": {"text": "Hiring since 4 May.", "at": rows[0].observed_at.isoformat(), "evidence_ids": [rows[1].pk]},
        "message": {
            "angle": "problem-aware",
            "sentences": [
                {"text": hook, "evidence_ids": [rows[0].pk, rows[1].pk]},
                {"text": f"Hiring at {name}", "evidence_ids": [rows[1].pk]},
            ],
            "quality": [{"key": "words", "label": "Words", "points": 15, "max": 15, "saw": "72 words"}],
            "compliance": {"verdict": "PASS", "rules": [{"id": "us.address", "verdict": "PASS", "saw": "found"}]},
        },
        "value": {
            "currency": "USD", "deal_value": "5000.00", "probability": 0.03, "probability_low": 0.01,
            "probability_high": 0.06, "cost": "0.01", "expected_value": "149.99",
        },
        "alternatives": [
            {"kind": "nothing", "label": "Do nothing", "expected_value": "0.00", "reason": "The moment passes."}
        ],
        "risks": [{"level": "caution", "text": "The contact is made up.", "evidence_ids": []}],
        "gates": [{"key": "categories", "label": "Independent categories", "passed": True, "have": "3", "need": "3"}],
        "said_before": [],
    }  # fmt: skip
