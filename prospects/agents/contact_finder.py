"""Finds the people in the buying team: those on file and those that sources know, judged by role and standing.

It says who could be written to and why; whether anybody is, a person decides. An address is checked for its form
without asking anybody, and by a verification service where the playbook has one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from playbooks.rules.sources import EMAIL_CHECK
from prospects.agents.by_hand import signals_by_hand
from prospects.agents.enrichment import not_had
from prospects.importing.identity import fold
from prospects.rules import people
from prospects.rules.people import CLEARLY, INVALID, PERSON, SYNTAX_OK, UNKNOWN, VERIFIED
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import ContactProposal, Proposal
from salesops.runtime.toolbox import Checked, Document, Found
from salesops.runtime.views import ContactView, ProspectView
from salesops.runtime.words import CONTACTED_STAGES, Depth, ImplementationKind, Key, Phase, Team

NAME = "contact_finder"
MOST = 10  # people of one company who are judged: the best
ON_FILE = 0.9  # how far what a person typed or imported is believed


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody, wherever they were found. ``known`` is what is on file about them: it counts before what was found."""

    name: str
    first_name: str
    last_name: str
    title: str
    level: str
    email: str
    phone: str
    linkedin_url: str
    country: str
    time_zone: str
    external_id: str
    source: str
    observed_at: datetime
    confidence: float
    document: int | None = None
    known: ContactView | None = None

    @property
    def address(self) -> str:
        """Where they would be written to."""
        return (self.known.email.casefold() if self.known is not None else "") or self.email

    @property
    def stated(self) -> str:
        """What is on file about that address."""
        return self.known.email_status if self.known is not None and self.known.email else UNKNOWN


def run(batch: Batch, tools: Tools) -> Answers:
    """The best people of each prospect with their assessment; one of them is chosen where nobody is yet."""
    found = tools.look_up(batch, frozenset({PERSON})) if PERSON in tools.playbook.delivers else {}
    teams = {
        p.id: _team(p, found[p.id].documents if p.id in found else (), tools.now)
        for p in batch
        if p.company is not None
    }
    checked = _checked(teams, tools) if EMAIL_CHECK in tools.playbook.delivers else {}
    answers: dict[int, list[Proposal]] = {}
    for prospect in batch:
        team, one = teams.get(prospect.id, ()), found.get(prospect.id, Found())
        checks = {check.problem for person in team if (check := checked.get(person.address)) is not None}
        troubles = [*one.problems, *_left_out(one.documents), *sorted(checks - {""})]
        answers[prospect.id] = [*_proposals(prospect, team, tools, checked), *not_had(NAME, troubles)]
    return answers


def _checked(teams: Mapping[int, Sequence[_Person]], tools: Tools) -> Mapping[str, Checked]:
    """What the verification service says about every address it has anything to say about."""
    return tools.verify({i: sorted({p.address for p in team if _askable(p)}) for i, team in teams.items()})


def _left_out(documents: Sequence[Document]) -> list[str]:
    """What is said about records that name nobody."""
    counts = Counter(document.source for document in documents if _found(document, "") is None)
    return [f"{source}: {n} records name no person and were left out" for source, n in sorted(counts.items())]


def _askable(person: _Person) -> bool:
    """Whether a verification service has anything to say about this address."""
    return person.stated != VERIFIED and people.checked_offline(person.address)[1] == SYNTAX_OK


def _team(prospect: ProspectView, documents: Sequence[Document], now: datetime) -> tuple[_Person, ...]:
    """Everybody known at the company, each once: what a source says about somebody on file counts as news of them."""
    on_file = list({p.id: p for p in (prospect.contact, *prospect.people) if p is not None}.values())
    known = {key: p for p in on_file for key in (p.email.casefold(), fold(p.name)) if key}
    heard: dict[str, _Person] = {}
    met: set[int] = set()
    for document in documents:
        person = _found(document, prospect.company.country if prospect.company is not None else "")
        if person is None:
            continue
        same = known.get(person.email) or known.get(fold(person.name))
        if same is not None:
            met.add(same.id)
            person = replace(person, known=same)
        heard.setdefault(person.email or fold(person.name), person)
    kept = [_on_file(p, now) for p in on_file if p.id not in met]
    return (*heard.values(), *kept)


def _found(document: Document, country: str) -> _Person | None:
    """A person as a source describes one, in the company's ``country`` unless it says another; None without a name."""
    said = {name: str(value).strip() for name, value in document.data.items() if isinstance(value, str | int)}
    first, last = said.get("first_name", "")[:100], said.get("last_name", "")[:100]
    name = (said.get("contact_name") or said.get("name") or f"{first} {last}".strip())[:200]
    email = people.checked_offline(said.get("email", ""))[0]
    if not people.is_name(name):
        return None
    words = name.split()
    if not first and not last and len(words) > 1:
        first, last = words[0][:100], " ".join(words[1:])[:100]
    stated = said.get("contact_country", said.get("country", "")).upper()
    return _Person(
        name, first, last, said.get("title", "")[:200], said.get("seniority", ""), email,
        said.get("phone", "")[:40], said.get("linkedin_url", "")[:300], stated if len(stated) == 2 else country,
        said.get("time_zone", "")[:64], said.get("contact_external_id", said.get("external_id", ""))[:120],
        document.source, document.observed_at, document.confidence, document=document.id,
    )  # fmt: skip


def _on_file(contact: ContactView, now: datetime) -> _Person:
    return _Person(
        contact.name, contact.first_name, contact.last_name, contact.title, contact.seniority, contact.email.casefold(),
        contact.phone, contact.linkedin_url, contact.country, contact.time_zone, "", contact.source, now, ON_FILE,
        known=contact,
    )  # fmt: skip


def _proposals(
    prospect: ProspectView, team: Iterable[_Person], tools: Tools, checked: Mapping[str, Checked]
) -> list[ContactProposal]:
    """The best people, whoever should be the contact first."""
    judged = [(person, _proposal(prospect, person, tools, checked.get(person.address))) for person in team]
    judged.sort(key=lambda pair: (pair[1].channel == "none", -pair[1].value, -pair[1].authority, pair[1].person))
    chosen = _choice(prospect, judged)
    ranked = [proposal for _, proposal in judged if proposal is not chosen]
    first = [chosen.model_copy(update={"choose": True})] if chosen is not None else []
    return [*first, *ranked][:MOST]


def _proposal(prospect: ProspectView, person: _Person, tools: Tools, check: Checked | None) -> ContactProposal:
    known = person.known
    title = (known.title if known is not None else "") or person.title
    phone, profile = person.phone, person.linkedin_url
    if known is not None:
        phone, profile = known.phone or phone, known.linkedin_url or profile
    standing = people.judge(title, person.level, tools.playbook.icp_roles)
    status = _status(person, check)
    channel = people.best_channel(
        status=status, phone=bool(phone), linkedin=bool(profile),
        enabled=(policy.channel for policy in tools.playbook.channels if policy.enabled),
    )  # fmt: skip
    return ContactProposal(
        person=_key(prospect, person),
        document=person.document,
        contact_id=known.id if known is not None and person.document is None else None,
        name=person.name,
        first_name=person.first_name,
        last_name=person.last_name,
        title=person.title,
        level=standing.level,
        email=person.email,
        email_status=status,
        phone=person.phone,
        linkedin_url=person.linkedin_url,
        country=person.country,
        time_zone=person.time_zone,
        external_id=person.external_id,
        role_match=standing.match,
        seniority=standing.seniority,
        authority=standing.authority,
        channel=channel,
        value=people.scorecard(standing, status=status, linkedin=bool(profile)),
        rationale=_words(title, standing, status, channel),
        observed_at=person.observed_at,
        confidence=person.confidence,
    )


def _status(person: _Person, check: Checked | None) -> str:
    """The surest thing that is known about the address."""
    if check is not None and check.verdict in (VERIFIED, INVALID):
        return check.verdict
    offline = people.checked_offline(person.address)[1]
    return person.stated if person.stated in (VERIFIED, INVALID) and offline != INVALID else offline


def _choice(prospect: ProspectView, ranked: Sequence[tuple[_Person, ContactProposal]]) -> ContactProposal | None:
    """Who should be the contact: whoever is. But where nobody is, or somebody clearly better is known and nobody was
    spoken to yet, the best one who can be reached.
    """
    best = next((proposal for _, proposal in ranked if proposal.channel != "none"), None)
    contact = prospect.contact
    if contact is None:
        return best
    current = next((p for person, p in ranked if person.known is not None and person.known.id == contact.id), None)
    waiting = any(request.status == "waiting" for request in prospect.requests)
    if current is None or best is None or waiting or prospect.touches or prospect.stage in CONTACTED_STAGES:
        return current
    better = best.value >= current.value + CLEARLY and best.email_status in (SYNTAX_OK, VERIFIED)
    return best if better else current


def _key(prospect: ProspectView, person: _Person) -> str:
    """Tells people apart in every database without naming them."""
    named = person.address or f"{prospect.key}\x1f{fold(person.name)}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def _words(title: str, standing: people.Standing, status: str, channel: str) -> str:
    role = f"fits “{standing.role}”" if standing.match >= 1 else f"near “{standing.role}”" if standing.match else ""
    address = {SYNTAX_OK: "address well-formed", VERIFIED: "address verified", INVALID: "address takes no mail"}
    parts = [
        title or "no title known",
        role or "none of the roles asked for",
        f"standing {standing.seniority} of 10",
        f"authority {standing.authority} of 10",
        address.get(status, "no address"),
        f"best reached by {channel}" if channel != "none" else "no way to reach them",
    ]
    return "; ".join(parts)[:300]


AGENT = Agent(
    name=NAME,
    team=Team.LEAD_GEN,
    phase=Phase.DISCOVERY,
    order=1,
    reads=frozenset({Key.SIGNALS}),
    writes=frozenset({Key.SIGNALS}),
    implementations={
        ImplementationKind.RULES: Implementation(run),
        ImplementationKind.HUMAN: signals_by_hand("Find people to write to"),
    },
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
    refresh_days=30,
    concerns=people.wanted,
    ignores=frozenset({"signal_extraction", "enrichment", "deduplication"}),
)
