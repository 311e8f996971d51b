"""The deal service: the only writer of deals and customers.

A deal opens in the transaction in which its prospect converts; a customer in the one in which the first deal is won.
Moves are written like a prospect's: one log row with the evidence and the score that satisfied the stage rule, then the
stage columns. PostgreSQL refuses anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, PlaybookVersion, Role, User
from playbooks.rules import stages
from playbooks.services.authority import require
from prospects.models import Customer, Deal, Prospect, StageTransition
from prospects.reading.moves import Option, option_to
from prospects.services.moving import handoffs
from prospects.services.moving.ledger import COLUMNS, Ground, IllegalMove, Word, log_move, ruling_versions
from salesops.errors import Refusal

#: Who may move deals, customers and prospects by hand.
MOVERS = (Role.REVIEWER, Role.LEADER, Role.ADMIN)
_MOST = Decimal("9999999999.99")  # what Deal.amount holds
_EVENTS = {stages.WON: AuditEvent.DEAL_WON, stages.LOST_DEAL: AuditEvent.DEAL_LOST}


class RuleNotMet(Refusal):
    """The stage rule of the playbook does not hold yet, or asks for a person or a reason."""


class NotWorth(Refusal):
    """The amount given is none, or not one that a deal can be closed at."""


def open_deals(rows: Iterable[Prospect], ruling: Mapping[int, int], word: Word) -> list[Deal]:
    """One deal for each of these converted prospects, worth what their playbook expects. Inside their transaction.

    ``ruling`` names, by prospect, the version that rules it.
    """
    versions = PlaybookVersion.objects.in_bulk(set(ruling.values()))
    made = [
        Deal(
            client_id=row.client_id, playbook_id=row.playbook_id, prospect=row,
            amount=versions[ruling[row.pk]].deal_value, currency=versions[ruling[row.pk]].currency,
            owner_id=row.owner_id, stage_since=row.stage_since, created_at=row.stage_since, trace_id=word.trace_id,
        )
        for row in rows
    ]  # fmt: skip
    Deal.objects.bulk_create(made)
    _opened(made, word)
    return made


def _opened(made: list[Deal], word: Word) -> None:
    entries = [
        audit.Entry(
            event=AuditEvent.DEAL_OPENED, subject=deal, trace_id=word.trace_id,
            detail={"prospect": deal.prospect_id, "amount": str(deal.amount), "currency": deal.currency},
        )
        for deal in made
    ]  # fmt: skip
    if made:
        audit.record_many(client=made[0].client, entries=entries, actor=word.actor)


def open_another(
    prospect_id: int, *, client: Client, actor: User, word: Word, name: str = "", amount: Decimal | None = None
) -> Deal:
    """One more deal for a prospect that has converted.

    Raises ``NotAllowed``, ``IllegalMove`` for any other prospect, and ``NotWorth``.
    """
    require(client, actor, MOVERS, to="open deals")
    with transaction.atomic():
        row = Prospect.objects.for_client(client).select_for_update(no_key=True).get(pk=prospect_id)
        version = PlaybookVersion.objects.filter(pk__in=ruling_versions([row]).values()).first()
        if row.stage != stages.CONVERTED or version is None:
            raise IllegalMove("A deal is opened for somebody who has converted, under a playbook that rules.")
        worth = _worth(amount if amount is not None else version.deal_value)
        deal = Deal.objects.create(
            client=client, playbook_id=row.playbook_id, prospect=row, name=name[:160], amount=worth,
            currency=version.currency, owner=actor, stage_since=word.at, created_at=word.at, trace_id=word.trace_id,
        )  # fmt: skip
        _opened([deal], replace(word, actor=actor))
    return deal


def change_deal(deal_id: int, *, client: Client, actor: User, name: str, amount: Decimal) -> Deal:
    """What an open deal is called and worth. Raises ``NotAllowed``, ``IllegalMove`` for a closed one, ``NotWorth``."""
    require(client, actor, MOVERS, to="change deals")
    with transaction.atomic():
        deal = _locked_deal(deal_id, client)
        if not deal.is_open:
            raise IllegalMove("This deal is closed; what it was closed at stays.")
        before, called = {"amount": str(deal.amount)}, deal.name
        deal.name, deal.amount = name[:160], _worth(amount)
        deal.save(update_fields=["name", "amount"])
        after = {"amount": str(deal.amount)}
        audit.record(
            client=client, event=AuditEvent.DEAL_CHANGED, subject=deal, actor=actor, trace_id=deal.trace_id,
            detail={"before": before, "after": after, "renamed": deal.name != called},
        )  # fmt: skip
    return deal


def move_deal(
    deal_id: int, to_stage: str, *, client: Client, word: Word, amount: Decimal | None = None
) -> StageTransition:
    """Move an open deal. ``amount``, when given, is what it is worth from now on; won, what it was won at.

    Raises ``NotAllowed``, ``IllegalMove``, ``RuleNotMet`` with exactly what is missing, and ``NotWorth``.
    """
    require(client, word.actor, MOVERS, to="move deals")
    with transaction.atomic():
        deal = _locked_deal(deal_id, client)
        if amount is not None:
            deal.amount = _worth(amount)
        if to_stage == stages.WON and deal.amount <= 0:
            raise NotWorth("Say what the deal was won at: more than nothing.")
        if amount is not None and deal.is_open:
            deal.save(update_fields=["amount"])  # before the log row: its rule may ask for a person from a value on
        log = _moved(deal, deal.prospect, to_stage, word)
        event = _EVENTS.get(to_stage, AuditEvent.DEAL_MOVED)
        _record(event, deal, log, {"amount": str(deal.amount), "currency": deal.currency})
        if to_stage == stages.WON:
            _welcome(deal, word)
    return log


def move_customer(customer_id: int, to_stage: str, *, client: Client, word: Word) -> StageTransition:
    """Move a customer. Raises ``NotAllowed``, ``IllegalMove``, and ``RuleNotMet`` with exactly what is missing."""
    require(client, word.actor, MOVERS, to="move customers")
    with transaction.atomic():
        related = ("prospect__playbook", "prospect__merged_into", "client")
        rows = Customer.objects.for_client(client).select_related(*related)
        customer = rows.select_for_update(of=("self",), no_key=True).get(pk=customer_id)
        log = _moved(customer, customer.prospect, to_stage, word)
        _record(AuditEvent.CUSTOMER_MOVED, customer, log, {})
    return log


def _locked_deal(deal_id: int, client: Client) -> Deal:
    rows = Deal.objects.for_client(client).select_related("prospect__playbook", "prospect__merged_into", "client")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=deal_id)


def _moved(row: Deal | Customer, prospect: Prospect, to_stage: str, word: Word) -> StageTransition:
    prospect = prospect.merged_into or prospect  # who was merged is judged as the one they are read as
    option = option_to(row, prospect, to_stage)
    if option is None:
        raise IllegalMove(f"A {row.pipeline} cannot go from {row.stage} to {to_stage} in this playbook.")
    refuse_unmet(option, word)
    log = log_move(row, to_stage, word, Ground(option.version_id, option.evidence_ids, option.score_id))
    StageTransition.objects.bulk_create([log])
    handoffs.write_for_moves([prospect], [log], actor=word.actor, run_id=word.run_id)
    row.save(update_fields=COLUMNS)
    return log


def refuse_unmet(option: Option, word: Word) -> None:
    """Raises ``RuleNotMet`` in words where PostgreSQL would refuse in its own."""
    if option.missing:
        raise RuleNotMet(f"Not yet {option.label.lower()}: {' '.join(option.missing)}")
    if option.asks_person and word.actor is None:
        raise RuleNotMet("The playbook asks a person to confirm this move.")
    if option.asks_reason and not word.reason.strip():
        raise RuleNotMet("Give the reason: it stands in place of a stage rule.")


def _record(event: AuditEvent, row: Deal | Customer, log: StageTransition, detail: dict[str, Any]) -> None:
    told = {"from": log.from_stage, "to": log.to_stage, **detail}
    audit.record(client=row.client, event=event, subject=row, actor=log.actor, trace_id=log.trace_id, detail=told)


def _welcome(deal: Deal, word: Word) -> None:
    """The customer that a won deal opens, unless its prospect is one already. Inside its transaction."""
    one = deal.prospect.merged_into_id or deal.prospect_id
    known = Customer.objects.filter(Q(prospect=one) | Q(prospect__merged_into=one))
    living = known.exclude(stage=stages.CHURNED)
    if living.exists():
        return
    customer = Customer.objects.create(
        client=deal.client, playbook_id=deal.playbook_id, prospect_id=deal.prospect_id, deal=deal,
        owner_id=deal.owner_id, stage_since=deal.stage_since, created_at=deal.stage_since, trace_id=word.trace_id,
    )  # fmt: skip
    audit.record(
        client=deal.client, event=AuditEvent.CUSTOMER_OPENED, subject=customer, actor=word.actor,
        trace_id=word.trace_id, detail={"prospect": deal.prospect_id, "deal": deal.pk},
    )  # fmt: skip


def _worth(amount: Decimal) -> Decimal:
    if not amount.is_finite() or not 0 <= amount <= _MOST:
        raise NotWorth("Give the amount as a number of at least 0.")
    return amount.quantize(Decimal("0.01"))
