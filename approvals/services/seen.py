"""What a person had before them when they decided, and what has changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from approvals.models import ApprovalRequest, Decision, Message
from approvals.rules.sending import EXECUTORS
from approvals.services.refusals import StaleDecision
from playbooks.models import Client, ModeSwitch, PlaybookVersion
from playbooks.rules.halts import Brake, StopSet
from playbooks.services import stops
from prospects.models import Evidence, Signal

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
    stops: tuple[Brake, ...]


@dataclass(frozen=True)
class Asked:
    """What a stop can aim at in a request."""

    request_id: int
    prospect_id: int
    playbook_id: int
    channel: str

    @classmethod
    def by(cls, request: ApprovalRequest) -> Asked:
        """Of a request with `prospect` loaded."""
        return cls(request.pk, request.prospect_id, request.prospect.playbook_id, request.channel)


@dataclass(frozen=True)
class Rules:
    """What rules a client's requests now: the active version of each playbook, the stops in force, where mail goes."""

    versions: dict[int, PlaybookVersion]
    stops: StopSet
    mode: str

    def holding(self, asked: Asked) -> tuple[Brake, ...]:
        """The stops that touch this request."""
        return self.stops.holding(
            playbook=asked.playbook_id,
            agent=EXECUTORS[asked.channel],
            prospect=asked.prospect_id,
            request=asked.request_id,
        )

    def limits(self, asked: Asked) -> str:
        """The version that rules the request, the stops that touch it and where it would go, as one word to compare."""
        version = self.versions.get(asked.playbook_id)
        stopped = ",".join(str(brake.id) for brake in self.holding(asked))
        return f"{version.pk if version else 0}:{stopped}:{self.mode}"


def rules_now(client: Client) -> Rules:
    """The rules as they stand. Two queries."""
    versions = PlaybookVersion.objects.for_client(client).active()
    return Rules({row.playbook_id: row for row in versions}, stops.in_force(client.pk), str(ModeSwitch.Mode.of(client)))


def present(request: ApprovalRequest, rules: Rules | None = None) -> Present:
    """How things stand for one request (with `prospect` loaded), under `rules` or those read now."""
    asked = Asked.by(request)
    rules = rules or rules_now(request.client)
    first = first_approvals({request.pk: request.version}).get(request.pk)
    message = first.message if first else request.message
    seen = Seen(
        version=request.version,
        content_hash=message.content_hash,
        facts_no=request.prospect.facts_no,
        stage=request.prospect.stage,
        limits=rules.limits(asked),
    )
    return Present(seen, message, rules.versions.get(asked.playbook_id), rules.holding(asked))


def first_approvals(versions: Mapping[int, int]) -> dict[int, Decision]:
    """The first of two approvals that a request (id → its version) stands at, with the message it was about.

    A first approver's edit replaces the words the request was made with. Their approval raised the version, so only
    requests beyond their first one are looked up.
    """
    raised = [pk for pk, version in versions.items() if version > 1]
    if not raised:
        return {}
    firsts = Decision.objects.filter(request__in=raised, kind=Decision.Kind.FIRST_APPROVE).select_related("message")
    return {row.request_id: row for row in firsts if row.request_version == versions[row.request_id] - 1}


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
    version, _, rest = before.partition(":")
    set_then, _, mode = rest.partition(":")
    now_mode = now.seen.limits.rpartition(":")[2]
    found = []
    if mode and mode != now_mode:
        found.append(
            "this client is live now: it would reach a real person"
            if now_mode == ModeSwitch.Mode.LIVE
            else "this client is in the sandbox now: it would reach nobody"
        )
    if version != str(now.version.pk if now.version else 0):
        found.append(f"version {now.version.number} of the playbook rules now" if now.version else "no version rules")
    known = set(set_then.split(",")) - {""}
    found += [f"a stop was set: {brake.reason}" for brake in now.stops if str(brake.id) not in known]
    if known - {str(brake.id) for brake in now.stops}:
        found.append("a stop was lifted")
    return found or ["the limits are not the ones you saw"]


def new_facts(prospect_id: int, after: int) -> list[str]:
    """What became known about the prospect after fact number `after`, in words; our own drafts are no news."""
    signals = Signal.objects.filter(prospect=prospect_id, fact_no__gt=after).order_by("fact_no")
    evidence = Evidence.objects.filter(prospect=prospect_id, fact_no__gt=after).order_by("fact_no")
    named = [f"new signal: {kind.replace('_', ' ')}" for kind in signals.values_list("kind", flat=True)[:NAMED_FACTS]]
    named += [f"new evidence: {words}" for words in evidence.values_list("rationale", flat=True)[:NAMED_FACTS]]
    return named
