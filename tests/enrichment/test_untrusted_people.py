"""What a proposal says about a person must stand where it was found, whoever proposes it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from prospects.agents.contact_finder import AGENT
from salesops.runtime.context import Context
from salesops.runtime.ports import Scope
from salesops.runtime.proposals import ContactProposal
from salesops.runtime.toolbox import Document
from salesops.runtime.validation import Objection, check, parse
from salesops.runtime.views import ContactView, RequestView
from salesops.runtime.words import Depth, Refused, Resource, Team

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
SAID = Document(
    7, "people", "person", "https://people.example/1", NOW,
    data={"contact_name": "Robin Gale", "title": "CEO", "email": "Robin@acme.example", "phone": "+1 555"},
)  # fmt: skip
DANA = ContactView(
    id=5, name="Dana Lee", first_name="Dana", last_name="Lee", title="Buyer", seniority="", email="dana@acme.example",
    email_status="syntax_ok", phone="", linkedin_url="", country="US", time_zone="", synthetic=False, source="file",
    entity_type="",
)  # fmt: skip


def proposal(**fields: Any) -> dict[str, Any]:
    said = {
        "type": "contact", "person": "0" * 16, "document": 7, "name": "Robin Gale", "title": "CEO",
        "email": "robin@acme.example", "role_match": 1.0, "seniority": 10, "authority": 10, "channel": "email",
        "value": 80, "rationale": "CEO", "observed_at": NOW,
    }  # fmt: skip
    return {name: value for name, value in {**said, **fields}.items() if value is not None}


def judged(
    stage: str = "sourced",
    *,
    may: bool = True,
    requests: tuple[RequestView, ...] = (),
    current: ContactView = DANA,
    **fields: Any,
) -> Any:
    parsed = parse(proposal(**fields))
    if isinstance(parsed, Objection):
        return parsed
    assert isinstance(parsed, ContactProposal)
    context = Context(
        1, "acme", stage, 1, contact=current, people=[current], documents={7: SAID}, requests=list(requests)
    )
    allowed = frozenset({(Team.LEAD_GEN, Resource.CONTACT)}) if may else frozenset()
    scope = Scope(1, None, Depth.PRIMARY, 0, NOW, "0" * 32, permissions=allowed)  # type: ignore[arg-type]
    return check(AGENT, scope, context, parsed)


def test_what_stands_in_the_document_is_accepted() -> None:
    assert judged() is None
    assert judged(document=None, contact_id=5, name="Dana Lee", title="Buyer", email="dana@acme.example") is None


@pytest.mark.parametrize(
    "fields",
    [{"email": "boss@evil.example"}, {"name": "Eve Mallory"}, {"first_name": "Sweetheart"}, {"last_name": "& Sons"},
     {"title": "Chief Hacker"}, {"phone": "+44 1"}, {"linkedin_url": "https://evil.example"}, {"external_id": "99"},
     {"document": 8}, {"document": None, "contact_id": 6}],
)  # fmt: skip
def test_what_was_made_up_is_refused(fields: dict[str, Any]) -> None:
    assert judged(**fields).kind == Refused.PROVENANCE


@pytest.mark.parametrize(
    "fields",
    [{"seniority": 11}, {"authority": 0}, {"value": 101}, {"role_match": 2}, {"contact_id": 5},
     {"email_status": "fine"}, {"channel": "fax"}, {"person": "Robin Gale"}, {"approve": True}],
)  # fmt: skip
def test_what_does_not_fit_is_refused(fields: dict[str, Any]) -> None:
    assert judged(**fields).kind in (Refused.SCHEMA, Refused.RANGE)


def test_the_future_and_a_missing_permission_are_refused() -> None:
    assert judged(observed_at=NOW + timedelta(days=3)).kind == Refused.RANGE
    assert judged(may=False).kind == Refused.PERMISSION


@pytest.mark.parametrize("stage", ["contacted", "engaged", "converted"])
def test_nobody_replaces_whoever_is_spoken_to(stage: str) -> None:
    assert judged(stage, choose=True).kind == Refused.CONFLICT
    assert judged(stage, choose=False) is None
    same = {"document": None, "contact_id": 5, "name": "Dana Lee", "title": "Buyer", "email": "dana@acme.example"}
    assert judged(stage, choose=True, **same) is None


def test_two_people_without_an_address_are_two() -> None:
    """Whoever is spoken to by phone or on LinkedIn has none on file."""
    nameless = {"email": "", "channel": "call", "phone": "+1 555"}
    assert judged("contacted", current=replace(DANA, email=""), choose=True, **nameless).kind == Refused.CONFLICT


def test_nobody_replaces_whom_a_request_waits_for() -> None:
    waiting = RequestView(id=1, channel="email", status="waiting", message_id=1, content_hash="")
    assert judged(choose=True, requests=(waiting,)).kind == Refused.CONFLICT
    assert judged(choose=True) is None
