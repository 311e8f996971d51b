"""The last look before a message leaves: everything that could have changed since a person approved it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Max, Q

from approvals.models import ApprovalRequest, Dispatch
from approvals.rules import compliance, frequency, timing
from approvals.rules.sending import EXECUTORS, PAUSED, STOPPED, no_way_out, ramp_cap
from approvals.services import gate
from playbooks.models import AgentAssignment, Channel, ChannelPolicy, PlaybookVersion
from playbooks.rules import stages
from playbooks.services import budgets, stops
from prospects.duplicates.same import companies_like, people_like
from prospects.models import Signal
from salesops.reach import why_unreachable

PAUSE_MINUTES = 5
MADE_UP = "this person is made up for the demo"
MERGED = "merged: they are known under another record now"
BUCKETS = {
    Channel.EMAIL: budgets.Bucket.EMAILS,
    Channel.CALL: budgets.Bucket.CALLS,
    Channel.LINKEDIN: budgets.Bucket.LINKEDIN,
    Channel.SMS: budgets.Bucket.SMS,
}


@dataclass(frozen=True)
class Obstacle:
    """Why it does not go out now. `until` None: it will not go out at all."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True)
class Due:
    """A locked dispatch with everything loaded that the checks read."""

    dispatch: Dispatch
    version: PlaybookVersion
    at: datetime

    @property
    def live(self) -> bool:
        """Whether it would reach people: it goes where its client was when it was approved, or nowhere."""
        return self.dispatch.mode == Dispatch.Mode.LIVE


def first_obstacle(due: Due) -> Obstacle | None:
    """The first thing in the way, or None; budgets come last, and are reserved when None is returned."""
    for check in CHECKS:
        obstacle = check(due)
        if obstacle is None:
            continue
        if obstacle.until is not None and obstacle.until > due.dispatch.expires_at:
            return Obstacle(f"{obstacle.reason}; the approval expires before that is over")
        return obstacle
    return None


def _still_approved(due: Due) -> Obstacle | None:
    dispatch = due.dispatch
    if due.at >= dispatch.expires_at:
        return Obstacle("the approval has expired")
    if dispatch.request.status != ApprovalRequest.Status.APPROVED:
        return Obstacle("the request is no longer approved")
    if not gate.is_intact(dispatch.message) or dispatch.message.content_hash != dispatch.content_hash:
        return Obstacle("the words are not the ones that were approved")
    return None


def _mode(due: Due) -> Obstacle | None:
    """Who approved it knew where it would go. Asked under `stops.hold_steady`: no client is switched meanwhile."""
    if due.live is not due.dispatch.client.sandbox:
        return None
    before, now = ("live", "in the sandbox") if due.live else ("in the sandbox", "live")
    return Obstacle(f"approved while this client was {before}, and it is {now} now")


def _stops(due: Due) -> Obstacle | None:
    """Asked under `stops.hold_steady`: no stop can be set between this answer and the claim."""
    dispatch = due.dispatch
    playbook = dispatch.prospect.playbook_id
    brake = stops.in_force(dispatch.client_id, playbook, at=due.at).halts(
        agent=EXECUTORS[dispatch.channel], prospect=dispatch.prospect_id, request=dispatch.request_id
    )
    if brake is None:
        return None
    if brake.cancels:
        return Obstacle(f"{STOPPED}{brake.reason}")
    # A pause only puts off: looked at again soon, at its end, and when the approval runs out.
    soon = due.at + timedelta(minutes=PAUSE_MINUTES)
    return Obstacle(f"{PAUSED}{brake.reason}", min(soon, brake.until or soon, dispatch.expires_at))


def _prospect(due: Due) -> Obstacle | None:
    if due.dispatch.prospect.merged_into_id is not None or due.dispatch.contact.merged_into_id is not None:
        return Obstacle(MERGED)
    if due.dispatch.prospect.stage in stages.LOST:
        return Obstacle(f"the prospect is {due.dispatch.prospect.stage}")
    if due.live and due.dispatch.contact.synthetic:
        return Obstacle(MADE_UP)
    return None


def _lawful(due: Due) -> Obstacle | None:
    dispatch = due.dispatch
    person = gate.person_of(dispatch.contact, client=dispatch.client)
    verdict = gate.compliance_of(
        dispatch.message, person, version=due.version, client=dispatch.client, moment="dispatch", at=due.at
    )
    blocks = [finding for finding in verdict.findings if finding.verdict == "BLOCK"]
    if not blocks:
        return None
    if all(finding.rule.endswith(".call.hours") for finding in blocks):
        window = compliance.call_window(
            compliance.country_code(dispatch.contact.country), (dispatch.contact.time_zone,), due.at
        )
        if window.opens_at is not None:
            return Obstacle(f"quiet hours: {window.saw}", window.opens_at)
    return Obstacle("; ".join(finding.saw for finding in blocks))


def _quiet_hours(due: Due) -> Obstacle | None:
    """Nights, Sundays and holidays at the recipient's. Calls have the law's own hours; the sandbox wakes nobody."""
    contact = due.dispatch.contact
    if not due.live:
        return None
    country = compliance.country_code(contact.country)
    until = timing.quiet_until(due.dispatch.channel, country, contact.time_zone, due.at)
    return None if until is None else Obstacle("quiet hours where the recipient is", until)


def _frequency(due: Due) -> Obstacle | None:
    dispatch = due.dispatch
    done = Dispatch.objects.felt(dispatch.client_id).filter(
        status__in=[Dispatch.Status.ACCEPTED, Dispatch.Status.UNKNOWN, Dispatch.Status.SENDING]
    )
    me = dispatch.contact_id
    alike = people_like([me])[me]  # the same person under other records
    touches = list(done.filter(contact__in=alike).values_list("claimed_at", flat=True))
    people: dict[int, datetime] = {}
    theirs = Q(prospect=dispatch.prospect_id) | Q(prospect__merged_into=dispatch.prospect_id)
    if dispatch.contact.company_id is not None:
        home = companies_like([dispatch.contact.company_id])[dispatch.contact.company_id]
        week = done.filter(contact__company__in=home, claimed_at__gt=due.at - timedelta(days=7))
        for contact, last in week.values_list("contact").annotate(last=Max("claimed_at")):
            who = me if contact in alike else contact
            people[who] = max(last, people.get(who, last))
        theirs |= Q(prospect__company__in=home)
    replied = Signal.objects.filter(theirs, kind__in=frequency.REPLY_KINDS)
    cap = frequency.check([at for at in touches if at], people, me, due.at, company_replied=replied.exists())
    return None if cap.ok else Obstacle(cap.reason, cap.until)


def _ramp(due: Due) -> Obstacle | None:
    """A new mailbox warms up. Only a live one has a reputation to lose."""
    if not due.live or due.dispatch.channel != Channel.EMAIL:
        return None
    sent = Dispatch.objects.for_client(due.dispatch.client_id).filter(
        channel=Channel.EMAIL, mode=Dispatch.Mode.LIVE, status=Dispatch.Status.ACCEPTED
    )
    zone = budgets.zone_of(due.dispatch.client)
    today = datetime.combine(due.at.astimezone(zone).date(), time(), zone)
    clean_days = sent.filter(finished_at__lt=today).datetimes("finished_at", "day", tzinfo=zone).count()
    cap = ramp_cap(clean_days)
    if sent.filter(finished_at__gte=today).count() < cap:
        return None
    return Obstacle(f"the mailbox is warming up: {cap} e-mails today", budgets.next_day(due.at, due.dispatch.client))


def _channel(due: Due) -> Obstacle | None:
    dispatch = due.dispatch
    closed = no_way_out(dispatch.channel)
    if closed:
        return Obstacle(closed)
    if dispatch.channel == Channel.EMAIL and due.live:
        obstacle = _live_email(due)
        if obstacle is not None:
            return obstacle
    policy = _policy(due.version, dispatch.channel)
    if policy is None or not policy.enabled:
        return Obstacle("the playbook does not use this channel")
    executor = EXECUTORS[dispatch.channel]
    if AgentAssignment.objects.filter(version=due.version, agent=executor, implementation="off").exists():
        return Obstacle(f"the playbook has switched {executor.replace('_', ' ')} off")
    return None


def _live_email(due: Due) -> Obstacle | None:
    """What this installation lacks waits until it is there; a link that is in the words already cannot be mended."""
    soon = due.at + timedelta(minutes=PAUSE_MINUTES)
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        return Obstacle("no mail server is set for live sending", soon)
    closed = why_unreachable(settings.PUBLIC_URL)
    if closed:
        return Obstacle(f"nobody outside can open PUBLIC_URL: {closed}", soon)
    link = gate.dead_link(due.dispatch.message)
    return Obstacle(link) if link else None


def _policy(version: PlaybookVersion, channel: str) -> ChannelPolicy | None:
    return ChannelPolicy.objects.filter(version=version, channel=channel).first()


def _budget(due: Due) -> Obstacle | None:
    """Reserve the channel's daily unit and its money. Inside the claim's transaction: no claim, no reservation."""
    client = due.dispatch.client
    taken: list[tuple[str, Decimal]] = []
    for bucket, amount, cap in costs(due.version, due.dispatch.channel):
        if not budgets.reserve(due.version, bucket, amount, client=client, at=due.at, cap=cap):
            for earlier, given in taken:
                budgets.release(due.version, earlier, given, client=client, at=due.at)
            label = budgets.Bucket(bucket).label.lower()
            return Obstacle(f"the limit is used up: {label}", budgets.next_day(due.at, client))
        taken.append((bucket, amount))
    return None


def costs(version: PlaybookVersion, channel: str) -> Iterator[tuple[str, Decimal, Decimal | None]]:
    """What one touch on this channel takes from which budget, and a tighter limit than the budget's own, if any."""
    policy = _policy(version, channel)
    cap = Decimal(policy.daily_cap) if policy is not None and policy.daily_cap else None
    yield BUCKETS[Channel(channel)], Decimal(1), cap
    if policy is not None and policy.unit_cost:
        yield budgets.Bucket.MONEY, policy.unit_cost, None


CHECKS: tuple[Callable[[Due], Obstacle | None], ...] = (
    _still_approved,
    _mode,
    _stops,
    _prospect,
    _channel,
    _lawful,
    _quiet_hours,
    _frequency,
    _ramp,
    _budget,
)
