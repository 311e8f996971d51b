"""What a client needs before its messages may reach people, read off how things are. Half a dozen queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q

from approvals.models import ApprovalRequest, Dispatch, Suppression
from approvals.rules import compliance
from approvals.rules.content import UnsafeHeader, check_address, check_header
from approvals.rules.sending import no_way_out, ramp_cap
from approvals.services.authority import DECIDERS
from playbooks.models import Channel, ChannelPolicy, Client, Membership, PlaybookVersion
from playbooks.services import stops
from salesops.reach import why_unreachable

NO_LIST = "suppression"
_A_DAY = {"email": "emails_per_day", "call": "calls_per_day", "linkedin": "linkedin_per_day", "sms": "sms_per_day"}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing looked at: whether it holds, what was seen, and what to do when it does not.

    A line that is not ``required`` is good to know and keeps nobody back.
    """

    key: str
    title: str
    passed: bool
    saw: str
    todo: str = ""
    required: bool = True


@dataclass(frozen=True)
class Checklist:
    """Every line."""

    lines: tuple[Line, ...]

    def missing(self, acknowledged: Collection[str] = ()) -> list[Line]:
        """What keeps this client in the sandbox. Only the suppression list may be acknowledged instead of there."""
        known = {NO_LIST} & set(acknowledged)
        return [line for line in self.lines if line.required and not line.passed and line.key not in known]

    @property
    def without_list(self) -> bool:
        """Whether somebody must say that there is nobody to leave alone."""
        return any(line.key == NO_LIST and not line.passed for line in self.lines)

    def as_dict(self) -> dict[str, bool]:
        """For the record: line → whether it held."""
        return {line.key: line.passed for line in self.lines}


def checklist(client: Client) -> Checklist:
    """Look at everything now."""
    versions = list(PlaybookVersion.objects.for_client(client).active().select_related("playbook").order_by("pk"))
    policies = list(ChannelPolicy.objects.filter(version__in=versions, enabled=True).order_by("pk"))
    channels = {policy.channel for policy in policies if not no_way_out(policy.channel)}
    lines = [
        _public_address(),
        _mail_server(Channel.EMAIL in channels),
        _debugging(),
        _sender(client),
        *_what_countries_ask(client, versions),
        _playbook(versions),
        _limits(versions, policies),
        _reviewers(client, versions),
        _suppression(client),
        _brake(client),
        _practice(client),
        _moved_in_practice(client),
        _old_links(client),
    ]
    return Checklist(tuple(line for line in lines if line is not None))


def _public_address() -> Line:
    problem = why_unreachable(settings.PUBLIC_URL)
    return Line(
        "public_url", "Public address", not problem,
        f"{settings.PUBLIC_URL}: {problem}" if problem else f"{settings.PUBLIC_URL} begins every unsubscribe link",
        "Set PUBLIC_URL to the https address under which everybody reaches this installation.",
    )  # fmt: skip


def _mail_server(writes: bool) -> Line:
    is_smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend") and bool(settings.EMAIL_HOST)
    sandbox = (settings.SANDBOX_SMTP_HOST, settings.SANDBOX_SMTP_PORT)
    is_sandbox = is_smtp and sandbox == (settings.EMAIL_HOST, settings.EMAIL_PORT)
    saw = "EMAIL_URL is the sandbox's own server" if is_sandbox else "EMAIL_URL names no server"
    return Line(
        "mail_server", "Mail server", is_smtp and not is_sandbox,
        f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT or 25}" if is_smtp and not is_sandbox else saw,
        "Set EMAIL_URL to the server that delivers your mail (smtp+tls://user:password@host:587).", required=writes,
    )  # fmt: skip


def _debugging() -> Line | None:
    if not settings.DEBUG:
        return None
    return Line("debug", "Safe errors", False, "DEBUG is on: errors show what only you may see", "Turn DEBUG off.")


def _sender(client: Client) -> Line:
    problem = "" if client.sender_name.strip() else "The sender has no name"
    try:
        check_header("The sender's name", client.sender_name)
        check_address(client.sender_email)
    except UnsafeHeader as refusal:
        problem = problem or refusal.message
    return Line(
        "sender", "Who writes", not problem,
        problem or f"{client.sender_name} <{client.sender_email}>",
        "Give the sender's name and e-mail address under Admin → Clients.",
    )  # fmt: skip


def _what_countries_ask(client: Client, versions: Sequence[PlaybookVersion]) -> Iterable[Line]:
    """The postal address and the privacy notice, where the rules of a country that is sold into ask for them."""
    anywhere = any(not version.countries for version in versions)
    named = {compliance.country_code(name) for version in versions for name in version.countries}
    codes = set(compliance.TABLES) if anywhere else named
    asked = {rule.check: code for code in sorted(codes, reverse=True) for rule in compliance.TABLES.get(code, ())}
    if "postal_address" in asked:
        there = bool(client.postal_address.strip())
        yield Line(
            "postal_address", "Postal address", there,
            " ".join(client.postal_address.split()) if there else f"None; the rules of {asked['postal_address']} ask",
            "Give the postal address under Admin → Clients: every e-mail ends with it.",
        )  # fmt: skip
    if "privacy_notice" in asked:
        problem = why_unreachable(client.privacy_url)
        yield Line(
            "privacy_notice", "Privacy notice", not problem,
            client.privacy_url if not problem else f"{problem}; the rules of {asked['privacy_notice']} ask for one",
            "Give the https address of your privacy notice under Admin → Clients.",
        )  # fmt: skip
    unknown = sorted(named - set(compliance.TABLES))
    if unknown:
        yield Line(
            "countries", "Countries", False, f"No rules are known for {', '.join(unknown)}: nothing is sent there",
            "Leave them out of the playbook, or have their rules added.", required=False,
        )  # fmt: skip


def _playbook(versions: Sequence[PlaybookVersion]) -> Line:
    saw = ", ".join(f"{version.playbook.name}, version {version.number}" for version in versions)
    return Line(
        "playbook", "A playbook that rules", bool(versions), saw or "No version is active",
        "Publish a version of a playbook.",
    )  # fmt: skip


def _limits(versions: Sequence[PlaybookVersion], policies: Sequence[ChannelPolicy]) -> Line:
    """Each version has a channel that is open, leads somewhere, and may be used and paid for at least once."""
    said: list[str] = []
    empty: list[str] = []
    for version in versions:
        ways = [
            f"{Channel(policy.channel).label} {most} a day"
            for policy in policies
            if policy.version_id == version.pk and (most := _a_day(version, policy))
        ]
        (said if ways else empty).append(f"{version.playbook.name}: {', '.join(ways) or 'no channel can be used'}")
    return Line(
        "limits", "Channels and limits", bool(versions) and not empty, "; ".join([*empty, *said]) or "None",
        "Open a channel in the playbook, with a limit a day and the money a month that it costs.",
    )  # fmt: skip


def _a_day(version: PlaybookVersion, policy: ChannelPolicy) -> int:
    """How often a channel may be used in a day; 0 where nothing here sends it or nothing pays for it."""
    if no_way_out(policy.channel) or version.money_per_month < policy.unit_cost:
        return 0
    limit: int = getattr(version, _A_DAY[policy.channel])
    return min(limit, policy.daily_cap or limit)


def _reviewers(client: Client, versions: Sequence[PlaybookVersion]) -> Line:
    needed = 2 if any(version.two_approvers for version in versions) else 1
    able = Membership.objects.filter(client=client, role__in=DECIDERS, user__is_active=True)
    found = able.values("user").distinct().count()
    return Line(
        "reviewers", "People who approve", found >= needed,
        f"{found} can approve, {needed} needed", "Give somebody the role of reviewer under Admin → People.",
    )  # fmt: skip


def _suppression(client: Client) -> Line:
    there = Suppression.objects.filter(Q(client=client) | Q(client__isnull=True)).exists()
    return Line(
        NO_LIST, "People to leave alone", there,
        "There is a suppression list" if there else "The suppression list is empty",
        "Bring in who refused before, or tick that there is nobody.",
    )  # fmt: skip


def _brake(client: Client) -> Line:
    held = [brake.reason for brake in stops.in_force(client.pk).brakes if brake.level in ("everything", "client")]
    return Line(
        "stops", "Not stopped", not held, f"Stopped: {held[0]}" if held else "No stop holds all of this client",
        "Lift the stop when messages may go out.", required=False,
    )  # fmt: skip


def _practice(client: Client) -> Line:
    tried = Dispatch.objects.for_client(client).filter(
        status=Dispatch.Status.ACCEPTED, mode=Dispatch.Mode.SANDBOX, channel=Channel.EMAIL
    )
    seen = tried.exists()
    return Line(
        "practice", "Tried in the sandbox", seen,
        f"An e-mail was captured in the Outbox; a new mailbox then sends {ramp_cap(0)} on its first day" if seen
        else "No e-mail has gone through the sandbox yet",
        "Approve a message and read it in the Outbox as it would arrive.", required=False,
    )  # fmt: skip


def _moved_in_practice(client: Client) -> Line | None:
    """A stage once reached stays reached: whoever reads the funnel should know how many have heard nothing yet."""
    told = Dispatch.objects.for_client(client).filter(status=Dispatch.Status.ACCEPTED)
    reached = told.filter(mode=Dispatch.Mode.LIVE, prospect=OuterRef("prospect"))
    in_practice = told.filter(~Exists(reached), mode=Dispatch.Mode.SANDBOX, channel=Channel.EMAIL)
    moved = in_practice.aggregate(n=Count("prospect", distinct=True))["n"]
    if not moved:
        return None
    are, them = ("prospects were", "them") if moved != 1 else ("prospect was", "it")
    return Line(
        "moved_in_practice", "Contacted in practice", False,
        f"{moved} {are} written to in the sandbox alone; the funnel goes on counting {them} as contacted",
        "Nobody there has heard from you, so a first message is a first message. For real numbers, read the funnel from"
        " the day you go live.",
        required=False,
    )  # fmt: skip


def _old_links(client: Client) -> Line | None:
    """Words keep the unsubscribe link they were drafted with."""
    prefix = f"{settings.PUBLIC_URL.rstrip('/')}/u/"
    waiting = ApprovalRequest.objects.for_client(client).waiting().filter(channel=Channel.EMAIL)
    old = waiting.exclude(message__body__contains=prefix).count()
    if not old:
        return None
    return Line(
        "old_links", "Drafts of before", False,
        f"The unsubscribe link of another address stands in {old} waiting e-mail{'s' if old != 1 else ''}",
        "Hand them back when they come up: new words get the right link. With a dead link they cannot be approved.",
        required=False,
    )  # fmt: skip
