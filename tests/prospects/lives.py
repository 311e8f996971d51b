"""Prospects with a given history, written the way PostgreSQL insists on: log and stage together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import count

import time_machine
from django.db import connection, transaction

from playbooks.models import Client, Criterion, Playbook, PlaybookVersion, StageRule
from playbooks.rules import stages
from prospects.models import Company, Prospect, StageTransition
from tests import factories as make

_numbers = count(1)
BY_REASON = (stages.REJECTED, stages.STALLED, stages.NURTURE, stages.DISQUALIFIED, stages.CLOSED)


def make_client(slug: str = "acme", *, time_zone: str = "UTC") -> Client:
    return Client.objects.create(slug=slug, name=slug.title(), time_zone=time_zone)


def make_playbook(client: Client, slug: str = "main") -> Playbook:
    return Playbook.objects.create(client=client, slug=slug, name=slug.title())


def make_version(playbook: Playbook, number: int = 1, *, active: bool = True) -> PlaybookVersion:
    """A version whose stage rules ask for nothing, so that tests may move prospects freely along legal moves.

    Retired unless ``active``: prospects may have moved under it.
    """
    version = PlaybookVersion.objects.create(
        playbook=playbook, number=number, root_intent="Sell.", icp_industries=["B2B"], countries=["US"]
    )
    Criterion.objects.create(version=version, layer="firmographic", category="fit", key="any", kind="in_set")
    StageRule.objects.bulk_create(
        StageRule(version=version, from_stage=source, to_stage=target)
        for source, target in stages.PROSPECT_MOVES
        if target not in BY_REASON
    )
    return make.on_record(version, "submit", "approve", "activate" if active else "retire")


def live(
    playbook: Playbook,
    version: PlaybookVersion,
    born: datetime,
    moves: Sequence[tuple[str, datetime]] = (),
    *,
    segment: str = "B2B",
    source: str = "file",
    route: str = "",
    tier: str = "",
    priority: float = 0.0,
    name: str = "",
) -> Prospect:
    """A prospect that came in at ``born`` and then made ``moves`` (stage, time)."""
    number = next(_numbers)
    client = playbook.client
    name = name or f"Company {number}"
    company = Company.objects.create(
        client=client, name=name, name_key=name.casefold(), domain=f"c{number}.example", source=source
    )
    with time_machine.travel(born, tick=False):
        prospect = Prospect.objects.create(
            client=client, playbook=playbook, company=company, segment=segment, source=source, stage_since=born,
            route=route, tier=tier, priority=priority,
        )  # fmt: skip
    move(prospect, version, moves)
    return Prospect.objects.get(pk=prospect.pk)


def move(prospect: Prospect, version: PlaybookVersion, moves: Sequence[tuple[str, datetime]]) -> None:
    """Move a prospect on, one transaction a move."""
    for target, at in moves:
        with transaction.atomic():
            stage, seq, since = Prospect.objects.values_list("stage", "stage_seq", "stage_since").get(pk=prospect.pk)
            StageTransition.objects.create(
                client_id=prospect.client_id, prospect_id=prospect.pk, playbook_version=version, seq=seq + 1,
                from_stage=stage, to_stage=target, at=at, seconds=max((at - since).total_seconds(), 0.0),
                reason="as the test says", trace_id="0" * 32,
            )  # fmt: skip
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE prospects_prospect SET stage = %s, stage_seq = %s, stage_since = %s WHERE id = %s",
                    [target, seq + 1, at, prospect.pk],
                )
