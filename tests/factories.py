"""Rows with honest defaults, made the way the product makes them as far as a test needs it.

Facts and moves go through plain inserts here, so PostgreSQL's guards judge them as they judge everything else.
"""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from approvals.models import ApprovalRequest, Decision, Dispatch, Message
from approvals.rules.content import Content, content_hash
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import (
    Activation,
    ChannelPolicy,
    Client,
    Criterion,
    Membership,
    MessageTemplate,
    ModeSwitch,
    Playbook,
    PlaybookVersion,
    Role,
    StageRule,
    User,
)
from prospects.models import Company, Contact, Customer, Deal, Evidence, Prospect, Signal, StageTransition
from salesops.dbtypes import new_trace_id

_numbers = itertools.count(1)

_LAST = {
    "submit": AuditEvent.PLAYBOOK_SUBMITTED,
    "approve": AuditEvent.PLAYBOOK_APPROVED,
    "activate": AuditEvent.PLAYBOOK_ACTIVATED,
    "retire": AuditEvent.PLAYBOOK_RETIRED,
}
SEEN_ON = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def client(**fields: Any) -> Client:
    n = next(_numbers)
    defaults = {
        "slug": f"client-{n}",
        "name": f"Client {n}",
        "sender_name": "Robin Fields",
        "sender_email": f"robin@client{n}.example",
        "postal_address": "1 Harbour Street, Springfield, IL 62701, USA",
    }
    return Client.objects.create(**{**defaults, **fields})


def go_live(of: Client) -> Client:
    """Past the checklist, as an admin's switch leaves it: with who and why on record."""
    with transaction.atomic():
        by = user(of, Role.ADMIN)
        switch = ModeSwitch.objects.create(client=of, mode=ModeSwitch.Mode.LIVE, by=by, reason="Made for a test.")
        audit.record(client=of, event=AuditEvent.CLIENT_WENT_LIVE, subject=switch, actor=by)
        of.sandbox = False
        of.save(update_fields=["sandbox"])
    return of


def user(of: Client | None = None, *roles: str, **fields: Any) -> User:
    """A person, with ``roles`` at client ``of`` (a reviewer when none is named)."""
    n = next(_numbers)
    person = User.objects.create_user(
        fields.pop("email", f"person{n}@team.example"),
        fields.pop("password", None),
        **{"name": f"Person {n}", **fields},
    )
    if of is not None:
        for role in roles or (Role.REVIEWER,):
            Membership.objects.create(user=person, client=of, role=role)
    return person


def version(of: Client | None = None, *, active: bool = True, **fields: Any) -> PlaybookVersion:
    """A playbook with one version: a few criteria, every stage rule, e-mail open; active unless asked otherwise."""
    owner = of or client()
    n = next(_numbers)
    playbook = Playbook.objects.create(client=owner, slug=f"playbook-{n}", name=f"Playbook {n}")
    defaults = {
        "root_intent": "Sell software to young companies.",
        "icp_industries": ["B2B"],
        "icp_employees_min": 5,
        "icp_employees_max": 200,
        "icp_countries": ["US"],
        "countries": ["US"],
        "money_per_month": 100,
        "deal_value": 5000,
    }
    made = PlaybookVersion.objects.create(playbook=playbook, number=1, **{**defaults, **fields})
    Criterion.objects.bulk_create(
        [
            Criterion(
                version=made, layer="firmographic", category="fit", key="industry", label="Right industry",
                kind="in_set", weight=10, params={"attribute": "industry", "values": ["B2B"]},
            ),
        ]
    )  # fmt: skip
    StageRule.objects.bulk_create(
        StageRule(version=made, pipeline=line, from_stage=source, to_stage=target)
        for line, path in (
            ("deal", ("discovery", "proposal", "negotiation", "won")),
            ("customer", ("onboarding", "healthy", "expansion", "healthy")),
        )
        for source, target in pairwise(path)
    )
    StageRule.objects.bulk_create(
        StageRule(version=made, from_stage=source, to_stage=target, **needs)
        for source, target, needs in (
            ("sourced", "researched", {}),
            ("researched", "qualifying", {}),
            ("qualifying", "qualified", {"min_categories": 3}),
            ("nurture", "qualifying", {}),
            ("stalled", "qualifying", {}),
            ("rejected", "qualifying", {}),
            ("qualified", "contacted", {}),
            ("contacted", "engaged", {}),
            ("engaged", "converted", {}),
        )
    )
    ChannelPolicy.objects.create(version=made, channel="email", daily_cap=200, unit_cost="0.01")
    MessageTemplate.objects.create(
        version=made, key="direct", angle="direct", subject="Quick question", body="Hi {{ first_name }}, one question."
    )
    if active:
        activate(made)
    return made


def activate(made: PlaybookVersion) -> PlaybookVersion:
    """Take a draft through its life to active."""
    return on_record(made, "submit", "approve", "activate")


def on_record(made: PlaybookVersion, *steps: str, logged: bool = True) -> PlaybookVersion:
    """Take a version these steps further, with what the logs say of the last, past what the services ask."""
    with transaction.atomic():
        for step in steps:
            getattr(made, step)()
            if step == "activate":
                made.activated_at = timezone.now()
            made.save()
        trace_id = new_trace_id()
        if made.status == made.Status.ACTIVE and logged:
            Activation.objects.create(version=made, trace_id=trace_id)
        client, event = made.playbook.client, _LAST[steps[-1]]
        audit.record(client=client, event=event, subject=made, actor=None, trace_id=trace_id)
    return made


def company(of: Client, **fields: Any) -> Company:
    n = next(_numbers)
    defaults = {
        "name": f"Acme {n}",
        "name_key": f"acme {n}",
        "domain": f"acme{n}.example",
        "source": "companies.csv",
        "industry": "B2B",
        "country": "US",
        "employees_min": 20,
        "employees_max": 20,
        "status": "Active",
        "hiring": True,
    }
    return Company.objects.create(client=of, **{**defaults, **fields})


def contact(of: Client, at: Company | None = None, **fields: Any) -> Contact:
    n = next(_numbers)
    email = fields.pop("email", f"dana{n}@acme{n}.example")
    defaults = {
        "name": "Dana Lee",
        "first_name": "Dana",
        "last_name": "Lee",
        "title": "VP Sales",
        "country": "US",
        "source": "contacts.csv",
        "synthetic": True,
    }
    return Contact.objects.create(client=of, company=at, email=email, email_key=email, **{**defaults, **fields})


def prospect(under: PlaybookVersion | None = None, **fields: Any) -> Prospect:
    ruling = under or version()
    owner = ruling.playbook.client
    account = fields.pop("company", None) or company(owner)
    person = fields.pop("contact", None) or contact(owner, account)
    defaults = {"source": "companies.csv", "segment": account.industry}
    return Prospect.objects.create(
        client=owner, playbook=ruling.playbook, company=account, contact=person, **{**defaults, **fields}
    )


def signal(of: Prospect, **fields: Any) -> Signal:
    n = next(_numbers)
    defaults = {
        "kind": "profile",
        "observed_at": SEEN_ON,
        "source": "companies.csv",
        "source_ref": f"0123456789ab:row {n}",
        "dedup_key": hashlib.sha256(str(n).encode()).hexdigest()[:40],
        "trace_id": new_trace_id(),
    }
    return Signal.objects.create(client=of.client, prospect=of, **{**defaults, **fields})


def evidence(of: Prospect, under: PlaybookVersion, *, cites: Signal | None = None, **fields: Any) -> Evidence:
    source = cites or signal(of)
    defaults = {
        "layer": "firmographic",
        "category": "fit",
        "criterion": "industry",
        "value": 100,
        "confidence": 0.9,
        "rationale": "B2B, which you asked for.",
        "fact_ref": f"{source.kind}:{source.pk}",
        "source": source.source,
        "observed_at": source.observed_at,
    }
    return Evidence.objects.create(
        client=of.client, prospect=of, playbook_version=under, signal_ids=[source.pk], **{**defaults, **fields}
    )


def three_categories(of: Prospect, under: PlaybookVersion) -> list[Evidence]:
    """Evidence that qualifies: fit, timing and need, each from its own signal."""
    return [evidence(of, under, category=category, criterion=category) for category in ("fit", "timing", "need")]


def move(who: Prospect, under: PlaybookVersion, *stages: str, evidence_ids: list[int] | None = None) -> Prospect:
    """Move ``who`` along ``stages`` with one transition row each, in one transaction."""
    with transaction.atomic():
        for stage in stages:
            at = timezone.now()
            who.stage_seq += 1
            StageTransition.objects.create(
                client=who.client, prospect=who, playbook_version=under, seq=who.stage_seq, from_stage=who.stage,
                to_stage=stage, at=at, seconds=(at - who.stage_since).total_seconds(), reason="Made for a test.",
                evidence_ids=evidence_ids or [], trace_id=new_trace_id(),
            )  # fmt: skip
            who.move_to(stage)
            who.stage_since = at
            who.save(update_fields=["stage", "stage_seq", "stage_since"])
    return who


def qualified(under: PlaybookVersion | None = None, **fields: Any) -> Prospect:
    """A prospect that reached *qualified* on three categories of evidence."""
    ruling = under or version()
    who = prospect(ruling, **fields)
    rows = three_categories(who, ruling)
    return move(who, ruling, "researched", "qualifying", "qualified", evidence_ids=[row.pk for row in rows])


def deal(under: PlaybookVersion | None = None, **fields: Any) -> Deal:
    """An open deal of a prospect that has just converted."""
    ruling = under or version()
    who = move(qualified(ruling), ruling, "contacted", "engaged", "converted")
    defaults = {"amount": 5000, "currency": "USD", "trace_id": new_trace_id()}
    return Deal.objects.create(client=who.client, playbook=who.playbook, prospect=who, **{**defaults, **fields})


def customer(under: PlaybookVersion | None = None) -> Customer:
    """Somebody whose deal was just won."""
    ruling = under or version()
    won = deal(ruling)
    with transaction.atomic():
        for stage in ("proposal", "negotiation", "won"):
            at = timezone.now()
            StageTransition.objects.create(
                client=won.client, prospect=won.prospect, deal=won, pipeline="deal", playbook_version=ruling,
                seq=won.stage_seq + 1, from_stage=won.stage, to_stage=stage, at=at, seconds=0, trace_id=won.trace_id,
            )  # fmt: skip
            won.move_to(stage)
            won.stage_seq, won.stage_since = won.stage_seq + 1, at
            won.save()
    return Customer.objects.create(
        client=won.client, playbook=won.playbook, prospect=won.prospect, deal=won, trace_id=won.trace_id
    )


def message(to: Prospect, under: PlaybookVersion, **fields: Any) -> Message:
    assert to.contact is not None
    words = {
        "channel": "email",
        "sender": f"{to.client.sender_name} <{to.client.sender_email}>",
        "recipient": to.contact.email,
        "subject": "Your sales hiring",
        "body": "Hi Dana,\n\nYou are hiring for sales. Worth a look?\n",
        "rule_version": "test-1",
    }
    words.update({key: fields.pop(key) for key in list(fields) if key in words})
    defaults = {"compliance": "PASS", "grade": "A", "quality_points": 92, "template_key": "direct", "angle": "direct"}
    digest = content_hash(Content(**words, attachments=()))
    return Message.objects.create(
        client=to.client, prospect=to, contact=to.contact, playbook_version=under,
        **{**defaults, **words, "content_hash": digest, **fields},
    )  # fmt: skip


def request(under: PlaybookVersion | None = None, *, words: Message | None = None, **fields: Any) -> ApprovalRequest:
    """A waiting request for a qualified prospect."""
    if words is None:
        ruling = under or version()
        words = message(qualified(ruling), ruling)
    who = words.prospect
    who.refresh_from_db()
    defaults = {
        "dossier": {},
        "grade": words.grade,
        "priority": 0.5,
        "facts_no": who.facts_no,
        "expires_at": timezone.now() + timedelta(hours=72),
    }
    return ApprovalRequest.objects.create(
        client=words.client, prospect=who, contact=words.contact, playbook_version=words.playbook_version,
        message=words, channel=words.channel, content_hash=words.content_hash, **{**defaults, **fields},
    )  # fmt: skip


def decision(about: ApprovalRequest, by: User, kind: str = "approve", **fields: Any) -> Decision:
    """A decision row alone: neither the request's status nor a dispatch follows."""
    defaults = {
        "message": about.message,
        "content_hash": about.content_hash,
        "request_version": about.version,
        "at": timezone.now(),
        "trace_id": about.trace_id,
    }
    return Decision.objects.create(client=about.client, request=about, user=by, kind=kind, **{**defaults, **fields})


def end_undo_windows(*, seconds_left: float = -1) -> None:
    """Bring the end of every undo window near, as waiting would. PostgreSQL lets nobody do this with its guards on."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        end = timezone.now() + timedelta(seconds=seconds_left)
        cursor.execute("UPDATE approvals_dispatch SET not_before = %s WHERE status = 'undo_hold'", [end])
        cursor.execute("SET session_replication_role = DEFAULT")


def dispatch(by: Decision, **fields: Any) -> Dispatch:
    """The dispatch of an approving decision, due at the end of its undo window; the request says approved."""
    words, version = by.message, by.request.playbook_version
    ApprovalRequest.objects.filter(pk=by.request_id, status="waiting").update(status="approved")
    defaults = {
        "not_before": by.at + timedelta(seconds=version.undo_seconds),
        "expires_at": by.at + timedelta(hours=version.request_hours),
        "idempotency_key": f"<{new_trace_id()}@salesops.example>",
        "mode": Dispatch.Mode.of(by.client),
    }
    return Dispatch.objects.create(
        client=by.client, decision=by, request=by.request, prospect=words.prospect, contact=words.contact,
        channel=words.channel, message=words, content_hash=words.content_hash, recipient=words.recipient,
        **{**defaults, **fields},
    )  # fmt: skip
