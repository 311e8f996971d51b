"""What outside sources answered, kept at once: an answer that was paid for stays, whatever comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from playbooks.models import Client
from prospects.models import SourceAnswer
from prospects.sources.cache import Fetched, Key


def keep(client: Client, answers: Sequence[Fetched], *, at: datetime, trace_id: str) -> dict[Key, int]:
    """Write answers at once. Returns the ids of their rows.

    Where another worker wrote the same one, its row is the one.
    """
    rows = [
        SourceAnswer(
            client=client, source=a.source, type=a.type, lookup_key=a.key, subject=a.subject[:300], status=a.status,
            fetched_at=at, content_hash=a.content_hash, documents=list(a.documents), next_page=a.next_page,
            problem=a.problem[:500], cost=a.cost, trace_id=trace_id,
        )
        for a in answers
    ]  # fmt: skip
    SourceAnswer.objects.bulk_create(rows, ignore_conflicts=True)
    written = SourceAnswer.objects.for_client(client).filter(
        fetched_at=at, lookup_key__in=[a.key for a in answers], source__in={a.source for a in answers}
    )
    return {(source, key): pk for source, key, pk in written.values_list("source", "lookup_key", "pk")}
