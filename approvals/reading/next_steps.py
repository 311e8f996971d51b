"""What the list of prospects needs to know of outreach to say what should happen next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from approvals.models import ApprovalRequest, Dispatch, Message, Suppression
from approvals.services.suppress import hashes_of
from prospects.models import Diagnostic, Prospect
from prospects.rules.next_step import LEFT_ALONE, NO_GOOD_DRAFT, NO_TEMPLATE, NOT_SENT, SENT, is_settled

_SENDING = Dispatch.Status
_ENDED = {
    _SENDING.ACCEPTED: SENT,
    _SENDING.UNKNOWN: "unknown",
    _SENDING.REFUSED: NOT_SENT,
    _SENDING.CANCELLED: NOT_SENT,
}
_WRITER = "message_hypothesis"


def asked_about(prospects: Collection[int]) -> Mapping[int, Sequence[str]]:
    """What became of the requests about these, the latest last; of approved ones, what became of their sending.

    Where nothing is under way, the last word is why no agent will write: that the person wants to be left alone, or
    that no words were found. Two queries, and a few more where nothing is under way; constant.
    """
    sent = dict(
        Dispatch.objects.filter(prospect__in=prospects).order_by("pk").values_list("request_id", "status")
    )  # the latest of each request
    asked: dict[int, list[str]] = defaultdict(list)
    rows = ApprovalRequest.objects.filter(prospect__in=prospects).order_by("pk")
    for pk, prospect, status in rows.values_list("pk", "prospect_id", "status"):
        over = _ENDED.get(_SENDING(sent[pk])) if pk in sent and status == ApprovalRequest.Status.APPROVED else None
        asked[prospect].append(over or status)
    idle = [pk for pk in prospects if not is_settled(asked.get(pk, ()))]
    unsent = [pk for pk in idle if SENT not in asked.get(pk, ())[-1:]]
    for prospect, word in {**_wordless(unsent), **dict.fromkeys(_left_alone(idle), LEFT_ALONE)}.items():
        asked[prospect].append(word)
    return asked


def _left_alone(prospects: Collection[int]) -> list[int]:
    """Those whose person must not be contacted, at the client of each."""
    rows = Prospect.objects.filter(pk__in=prospects, contact__isnull=False).select_related("contact")
    asked = list(rows.only("client_id", "contact")) if prospects else []
    owners = hashes_of([row.contact for row in asked if row.contact is not None]) if asked else {}
    hits = Suppression.objects.filter(key_hash__in=list(owners)).values_list("client_id", "key_hash") if owners else ()
    stopped = {(client, contact) for client, found in hits for contact in owners[found]}
    return [row.pk for row in asked if not stopped.isdisjoint({(c, row.contact_id) for c in (row.client_id, None)})]


def _wordless(prospects: Collection[int]) -> dict[int, str]:
    """Why whoever drafts gave up last, where nothing was drafted since."""
    if not prospects:
        return {}
    notes = Diagnostic.objects.filter(prospect__in=prospects, agent=_WRITER, kind=Diagnostic.Kind.QUALITY)
    latest = notes.order_by("prospect_id", "-pk").distinct("prospect_id").values_list("prospect_id", "at", "detail")
    found = {prospect: (at, detail) for prospect, at, detail in latest}
    drafted: dict[int, datetime] = {}
    if found:
        rows = Message.objects.filter(prospect__in=list(found)).order_by("created_at")
        drafted = dict(rows.values_list("prospect_id", "created_at"))
    return {
        prospect: NO_GOOD_DRAFT if "grade" in detail else NO_TEMPLATE
        for prospect, (at, detail) in found.items()
        if prospect not in drafted or drafted[prospect] <= at
    }
