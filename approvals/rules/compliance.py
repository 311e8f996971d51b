"""PASS, REVIEW or BLOCK for one exact message to one person, with what each rule saw.

Evaluated when a message is drafted, when a person decides, and inside the transaction that claims the dispatch.
An unknown jurisdiction blocks. This is engineering, not legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, cast

from approvals.rules import calls, claims, motives
from approvals.rules.calls import Window
from approvals.rules.claims import Backed
from approvals.rules.compliance_tables import COMMON, EVERYWHERE, RULE_VERSION, TABLES, Rule, Verdict, country_code
from approvals.rules.content import (
    UnsafeHeader,
    check_address,
    check_header,
    says,
    says_address,
    split_footer,
    thread_mark,
)

__all__ = [
    "RULE_VERSION",
    "TABLES",
    "BrandRule",
    "Case",
    "ConsentBasis",
    "Finding",
    "Result",
    "Window",
    "call_window",
    "country_code",
    "evaluate",
]

Moment = Literal["draft", "decision", "dispatch"]
_ORDER: Mapping[str, int] = {"PASS": 0, "REVIEW": 1, "BLOCK": 2}
_ASKS_CONSENT = re.compile(
    r"\b(?:can|may|could) (?:i|we) (?:e-?mail|contact|write to|add) you\b|\bopt[ -]?in\b"
    r"|\bpermission to (?:e-?mail|contact)|\bsubscribe\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ConsentBasis:
    """Why we may write: express, purchase, inquiry, inferred or published, with the stored proof of it."""

    type: str
    url: str
    snapshot_hash: str
    captured_at: datetime
    role_relevant: bool


@dataclass(frozen=True, slots=True)
class BrandRule:
    """A playbook's own rule: a pattern that must not stand in the words."""

    pattern: str
    verdict: Verdict
    reason: str

    @classmethod
    def about(cls, phrase: str, verdict: str, reason: str) -> BrandRule:
        """The rule about a phrase as the playbook words it: whole words only, the verdict in small letters."""
        return cls(rf"(?<!\w){re.escape(phrase)}(?!\w)", cast(Verdict, verdict.upper()), reason)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the gate looks at. `country` is ISO alpha-2 of the recipient; "" is unknown."""

    channel: str
    country: str
    moment: Moment
    now: datetime
    sender_name: str
    sender_email: str
    recipient: str
    subject: str
    body: str
    postal_address: str = ""
    privacy_url: str = ""
    unsubscribe_url: str = ""
    details_source: str = ""
    details_collected_on: date | None = None
    has_prior_thread: bool = False
    first_touch: bool = True
    entity_type: Literal["company", "individual", ""] = ""
    consent: ConsentBasis | None = None
    suppressed: bool = False
    countries_allowed: tuple[str, ...] = ()
    time_zones: tuple[str, ...] = ()
    guessed_address: bool = False
    do_not_call: bool = False
    attested: bool = False
    grounds: tuple[Backed, ...] = ()  # what the evidence under each claim says
    names: tuple[str, ...] = ()  # of the recipient's company and of our own
    linkedin_today: int = 0
    linkedin_week: int = 0
    brand_rules: tuple[BrandRule, ...] = ()
    unsaid: tuple[str, ...] = ()  # our guesses at their motive, word for word


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's verdict and what it saw."""

    rule: str
    version: int
    country: str
    channel: str
    verdict: Verdict
    saw: str
    source: str


@dataclass(frozen=True, slots=True)
class Result:
    """The gate's answer: the worst verdict of all rules that hold here."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    rule_version: str

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands in the way, in words; empty on PASS."""
        return tuple(f"{item.saw} ({item.rule})" for item in self.findings if item.verdict != "PASS")

    def as_dict(self) -> dict[str, object]:
        """For Message.compliance_detail: plain JSON."""
        return {
            "verdict": self.verdict,
            "version": self.rule_version,
            "rules": [
                {
                    "id": item.rule,
                    "version": item.version,
                    "country": item.country,
                    "channel": item.channel,
                    "verdict": item.verdict,
                    "saw": item.saw,
                    "source": item.source,
                }
                for item in self.findings
            ],
        }


def evaluate(case: Case, tables: Mapping[str, tuple[Rule, ...]] = TABLES) -> Result:
    """Every rule for this country and channel, and the playbook's own."""
    findings = [_finding(rule, case) for rule in COMMON if _holds_for(rule, case)]
    table = tables.get(case.country)
    if table is None:
        saw = f"no rules are known for {case.country}" if case.country else "the recipient's country is unknown"
        findings.append(Finding("any.jurisdiction", 1, case.country, case.channel, "BLOCK", saw, "unknown blocks"))
    else:
        findings += [_finding(rule, case) for rule in table if _holds_for(rule, case)]
    findings += [_brand(rule, place, case) for place, rule in enumerate(case.brand_rules, 1)]
    worst = max((finding.verdict for finding in findings), key=lambda verdict: _ORDER[verdict], default="PASS")
    return Result(verdict=cast(Verdict, worst), findings=tuple(findings), rule_version=RULE_VERSION)


def call_window(country: str, time_zones: tuple[str, ...], now: datetime) -> Window:
    """When this country's rules let a phone ring; closed where no rules are known."""
    rule = next((rule for rule in TABLES.get(country, ()) if rule.check == "call_hours"), None)
    if rule is None:
        return Window(open=False, opens_at=None, saw="no calling hours are known for this country")
    params = cast(Mapping[str, Any], rule.params)
    return calls.call_window(country, time_zones, now, params["windows"], holidays=params["holidays"])


def _holds_for(rule: Rule, case: Case) -> bool:
    return rule.channel in (EVERYWHERE, case.channel)


def _finding(rule: Rule, case: Case) -> Finding:
    problem, saw = CHECKS[rule.check](case, cast(Mapping[str, Any], rule.params))
    verdict: Verdict = rule.fails_as if problem else "PASS"
    return Finding(rule.id, rule.version, case.country, case.channel, verdict, saw, rule.source)


def _brand(rule: BrandRule, place: int, case: Case) -> Finding:
    try:
        found = re.search(rule.pattern, f"{case.subject}\n{case.body}", re.IGNORECASE)
    except re.error:
        saw = "the rule's pattern cannot be read"
        return Finding(f"brand.{place}", 1, case.country, case.channel, "BLOCK", saw, "playbook brand rule")
    verdict: Verdict = rule.verdict if found else "PASS"
    saw = f"says “{found.group()}”: {rule.reason}" if found else "not in the words"
    return Finding(f"brand.{place}", 1, case.country, case.channel, verdict, saw, "playbook brand rule")


# A check answers (is there a problem, what it saw).
Answer = tuple[bool, str]
Params = Mapping[str, Any]


def _accurate_sender(case: Case, _: Params) -> Answer:
    try:
        check_address(case.sender_email)
        check_header("The sender's name", case.sender_name)
    except UnsafeHeader as refusal:
        return True, refusal.message
    if not case.sender_name.strip():
        return True, "the sender has no name"
    named = says(case.body, case.sender_name)
    return (not named, "the sender is named" if named else "the words do not name the sender")


def _honest_thread(case: Case, _: Params) -> Answer:
    mark = thread_mark(case.subject)
    if mark and not case.has_prior_thread:
        return True, f"“{mark}” with no earlier message"
    return (not case.subject.strip(), "subject starts no false thread" if case.subject.strip() else "no subject")


def _postal_address(case: Case, _: Params) -> Answer:
    found = says_address(case.body, case.postal_address)
    return not found, "postal address in the words" if found else "no postal address in the words"


def _unsubscribe_offered(case: Case, _: Params) -> Answer:
    offered = bool(case.unsubscribe_url) and case.unsubscribe_url in case.body
    return not offered, "unsubscribe link in the words" if offered else "no unsubscribe link in the words"


def _not_suppressed(case: Case, _: Params) -> Answer:
    return case.suppressed, "the recipient is suppressed" if case.suppressed else "not on the suppression list"


def _country_allowed(case: Case, _: Params) -> Answer:
    refused = bool(case.countries_allowed) and case.country not in case.countries_allowed
    return refused, f"the playbook does not sell into {case.country or 'an unknown country'}" if refused else "allowed"


def _plain_recipient(case: Case, _: Params) -> Answer:
    try:
        check_address(case.recipient)
        check_header("The subject", case.subject)
    except UnsafeHeader as refusal:
        return True, refusal.message
    return False, "one plain address"


def _not_on_call_list(case: Case, _: Params) -> Answer:
    return case.do_not_call, "on a do-not-call list" if case.do_not_call else "on no do-not-call list"


def _attested_by_hand(case: Case, _: Params) -> Answer:
    # Only the act itself is attested; a draft or a decision has nothing to attest yet.
    missing = case.moment == "dispatch" and not case.attested
    return missing, "no person has attested doing it by hand" if missing else "a person does it by hand"


def _no_motive_asserted(case: Case, _: Params) -> Answer:
    found = motives.asserted(f"{case.subject}\n{case.body}", case.unsaid)
    return bool(found), f"tells them what moves them: “{found}”" if found else "says nothing of their motives"


def _linkedin_limits(case: Case, params: Params) -> Answer:
    over = case.linkedin_today >= params["day"] or case.linkedin_week >= params["week"]
    return over, f"{case.linkedin_today} today, {case.linkedin_week} in 7 days"


def _note_length(case: Case, params: Params) -> Answer:
    return len(case.body) > params["characters"], f"{len(case.body)} characters"


def _never(_: Case, __: Params) -> Answer:
    return True, "this channel is not offered here"


def _call_hours(case: Case, params: Params) -> Answer:
    window = calls.call_window(case.country, case.time_zones, case.now, params["windows"], holidays=params["holidays"])
    if case.moment != "dispatch" and case.time_zones and window.opens_at is not None:
        return False, f"{window.saw}; hours are checked again before the call"
    return not window.open, window.saw


def _details_source(case: Case, _: Params) -> Answer:
    missing = [
        name
        for name, known in (("source", case.details_source), ("collection date", case.details_collected_on))
        if not known
    ]
    return bool(missing), f"no {' and no '.join(missing)} on file" if missing else f"from {case.details_source}"


def _privacy_notice(case: Case, _: Params) -> Answer:
    if not case.first_touch:
        return False, "not the first touch"
    told = bool(case.privacy_url) and case.privacy_url in case.body
    told = told and says(case.body, case.details_source)
    return (
        not told,
        "notice and source in the words" if told else "the privacy notice or the source is not in the words",
    )


def _told_within_a_month(case: Case, params: Params) -> Answer:
    if case.details_collected_on is None or not case.first_touch:
        return False, "not the first touch" if case.details_collected_on else "no collection date"
    days = (case.now.date() - case.details_collected_on).days
    return days > params["days"], f"details collected {days} days before the first touch"


def _known_company(case: Case, _: Params) -> Answer:
    saw = {"company": "a company", "individual": "an individual"}.get(case.entity_type, "entity type unknown")
    consented = case.consent is not None and case.consent.type == "express"
    return case.entity_type != "company" and not consented, saw


def _consent(case: Case, params: Params) -> Answer:
    basis = case.consent
    if basis is None:
        return True, "no consent on file"
    saw = f"{basis.type} consent of {basis.captured_at:%Y-%m-%d}"
    if basis.type not in params["types"]:
        return True, f"{saw} is not enough here"
    limit = params.get("max_days", {}).get(basis.type)
    if basis.captured_at > case.now or (limit is not None and (case.now - basis.captured_at).days > limit):
        return True, f"{saw} has run out" if basis.captured_at <= case.now else f"{saw} lies in the future"
    if basis.type in params.get("relevant", ()) and not basis.role_relevant:
        return True, f"{saw} is not relevant to the person's role"
    if basis.type in params.get("proof", ()) and not (basis.url and basis.snapshot_hash):
        return True, f"{saw} has no stored proof"
    return False, saw


def _address_not_guessed(case: Case, _: Params) -> Answer:
    return case.guessed_address, "the address was guessed" if case.guessed_address else "the address was not guessed"


def _sensitive_claims(case: Case, params: Params) -> Answer:
    words = f"{case.subject}\n{split_footer(case.body)[0]}"
    open_word, covered = claims.bare(words, params["words"], case.grounds, (case.sender_name, *case.names))
    if open_word:
        return True, f"speaks of “{open_word}” where no evidence does"
    return False, f"speaks of “{covered}” as its evidence does" if covered else f"no claim about {params['topics']}"


def _asks_no_consent(case: Case, _: Params) -> Answer:
    found = _ASKS_CONSENT.search(case.body.replace(case.unsubscribe_url, "") if case.unsubscribe_url else case.body)
    return found is not None, f"asks for consent: “{found.group()}”" if found else "does not ask for consent"


CHECKS: Mapping[str, Callable[[Case, Params], Answer]] = {
    "accurate_sender": _accurate_sender,
    "honest_thread": _honest_thread,
    "postal_address": _postal_address,
    "unsubscribe_offered": _unsubscribe_offered,
    "no_motive_asserted": _no_motive_asserted,
    "not_suppressed": _not_suppressed,
    "country_allowed": _country_allowed,
    "plain_recipient": _plain_recipient,
    "not_on_call_list": _not_on_call_list,
    "attested_by_hand": _attested_by_hand,
    "linkedin_limits": _linkedin_limits,
    "note_length": _note_length,
    "never": _never,
    "call_hours": _call_hours,
    "details_source": _details_source,
    "privacy_notice": _privacy_notice,
    "told_within_a_month": _told_within_a_month,
    "known_company": _known_company,
    "consent": _consent,
    "address_not_guessed": _address_not_guessed,
    "sensitive_claims": _sensitive_claims,
    "asks_no_consent": _asks_no_consent,
}
