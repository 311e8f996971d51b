"""Moves of a prospect by a person: onwards when its stage rule holds, aside or out with a reason."""

from __future__ import annotations

from django.db import transaction

from playbooks.models import Client
from playbooks.services.authority import require
from prospects.models import Prospect, StageTransition
from prospects.reading.moves import option_to
from prospects.services.moving import stages
from prospects.services.moving.deals import MOVERS, refuse_unmet
from prospects.services.moving.ledger import IllegalMove, Word


def move_prospect(prospect_id: int, to_stage: str, *, client: Client, word: Word) -> list[StageTransition]:
    """Move one prospect on the evidence in force; whoever converts gets a deal.

    Raises ``NotAllowed``, ``IllegalMove``, and ``RuleNotMet`` with exactly what is missing.
    """
    require(client, word.actor, MOVERS, to="move prospects")
    with transaction.atomic():
        rows = Prospect.objects.for_client(client).going_on().select_related("playbook")
        prospect = rows.select_for_update(of=("self",), no_key=True).get(pk=prospect_id)
        option = option_to(prospect, prospect, to_stage)
        if option is None:
            raise IllegalMove(f"A prospect cannot go from {prospect.stage} to {to_stage} in this playbook.")
        refuse_unmet(option, word)
        return stages.move(
            [prospect], to_stage, client=client, word=word, evidence_ids={prospect.pk: option.evidence_ids},
            score_ids={prospect.pk: option.score_id} if option.score_id else None,
        )  # fmt: skip
