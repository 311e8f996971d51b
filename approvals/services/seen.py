"""What a person had before them when they decided, and what has changed since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from approvals.models import ApprovalRequest, Decision, Message
from approvals.services.refusals import StaleDecision
from playbooks.models import Client, PlaybookVersion, Stop
from prospects.models import Evidence, Prospect, Signal

_NONE = "-"
NAMED_FACTS = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """The state a page showed; its form sends it back. It guards against haste, not against forgery."""

    version: int
    content_hash: str
    facts_no: int
    stage: str
    limits: str

    def encode(self) -> str:
        """One line for a hidden field."""
        return "|".join((str(self.version), self.content_hash, str(self.facts_no), self.stage, self.limits or _NONE))

    @classmethod
    def parse(cls, text: str) -> Seen:
        """Raises StaleDecision for anything that `encode` did not write: the page is too old to know."""
        parts = text.split("|")
        if len(parts) != 5 or not (parts[0].isdecimal() and parts[2].isdecimal()):
            raise StaleDecision(["the page does not say what it showed"])
        return cls(int(parts[0]), parts[1], int(parts[2]), parts[3], parts[4])


@dataclass(frozen=True)
class Present:
    """How things stand now for one request; `message` is the one it is about now."""

    seen: Seen
    message: Message
    version: PlaybookVersion | None
    stops: tuple[Stop, ...]


def present_many(requests: Sequence[ApprovalRequest], *, client: Client) -> dict[int, Present]:
    """How things stand for each request (with `prospect` loaded). Three queries, however many."""
    playbooks = {request.prospect.playbook_id for request in requests}
    versions = {row.playbook_id: row for row in PlaybookVersion.objects.active().filter(playbook__in=playbooks)}
    stops = list(Stop.objects.in_force().for_client(client).order_by("id"))
    words = words_on_the_table(requests)
    return {
        request.pk: _present(request, words[request.pk], versions.get(request.prospect.playbook_id), stops)
        for request in requests
    }


def present(request: ApprovalRequest) -> Present:
    """How things stand for one request."""
    return present_many([request], client=request.client)[request.pk]


def words_on_the_table(requests: Iterable[ApprovalRequest]) -> dict[int, Message]:
    """The message each request is about now: a first approver's edit replaces the one it was made with."""
    found = {request.pk: request.message for request in requests}
    firsts = Decision.objects.filter(request__in=list(found), kind=Decision.Kind.FIRST_APPROVE)
    versions = {request.pk: request.version for request in requests}
    for first in firsts.select_related("message").order_by("id"):
        if first.request_version == versions[first.request_id] - 1:
            found[first.request_id] = first.message
    return found


def _present(
    request: ApprovalRequest, message: Message, version: PlaybookVersion | None, stops: Iterable[Stop]
) -> Present:
    holding = tuple(stop for stop in stops if holds(stop, request.prospect, request))
    limits = f"{version.pk if version else 0}:{','.join(str(stop.pk) for stop in holding)}"
    seen = Seen(
        version=request.version,
        content_hash=message.content_hash,
        facts_no=request.prospect.facts_no,
        stage=request.prospect.stage,
        limits=limits,
    )
    return Present(seen, message, version, holding)


def holds(stop: Stop, prospect: Prospect, request: ApprovalRequest) -> bool:
    """Whether a stop in force touches what this request would do."""
    level = Stop.Level
    if stop.level in (level.EVERYTHING, level.CLIENT):
        return True
    if stop.level == level.AGENT:
        return stop.agent in (f"{request.channel}_execution", "message_execution")
    target = {level.PLAYBOOK: prospect.playbook_id, level.PROSPECT: prospect.pk, level.REQUEST: request.pk}
    return target.get(Stop.Level(stop.level)) == stop.target_id


def changes(request: ApprovalRequest, seen: Seen, now: Present) -> list[str]:
    """What is different from what was seen, in words; empty when nothing is."""
    found = []
    if seen.version != now.seen.version:
        found.append("another decision was made on it and taken back or passed on")
    if seen.content_hash != now.seen.content_hash:
        found.append("the words are not the ones you saw")
    if seen.stage != now.seen.stage:
        found.append(f"the prospect moved from {seen.stage} to {now.seen.stage}")
    if seen.limits != now.seen.limits:
        found += _limit_changes(seen.limits, now)
    if now.seen.facts_no > seen.facts_no:
        found += new_facts(request.prospect_id, seen.facts_no)
    return found


def _limit_changes(before: str, now: Present) -> list[str]:
    version, _, stops = before.partition(":")
    found = []
    if version != str(now.version.pk if now.version else 0):
        found.append(f"version {now.version.number} of the playbook rules now" if now.version else "no version rules")
    known = set(stops.split(",")) - {""}
    found += [f"a stop was set: {stop.reason}" for stop in now.stops if str(stop.pk) not in known]
    if known - {str(stop.pk) for stop in now.stops}:
        found.append("a stop was lifted")
    return found or ["the limits are not the ones you saw"]


def new_facts(prospect_id: int, after: int) -> list[str]:
    """What became known about the prospect after fact number `after`, in words; our own drafts are no news."""
    signals = Signal.objects.filter(prospect=prospect_id, fact_no__gt=after).order_by("fact_no")
    evidence = Evidence.objects.filter(prospect=prospect_id, fact_no__gt=after).order_by("fact_no")
    named = [f"new signal: {kind.replace('_', ' ')}" for kind in signals.values_list("kind", flat=True)[:NAMED_FACTS]]
    named += [f"new evidence: {words}" for words in evidence.values_list("rationale", flat=True)[:NAMED_FACTS]]
    return named
