"""Which channel, if any: expected value against cost for each one, doing nothing included.

    expected value = probability × value of a converted prospect − cost of one act
    probability    = the channel's reply rate × composite ÷ hot threshold × confidence of the message

The reply rate is the playbook's until the client's own cases are enough. Money in the playbook's currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from approvals.agents.drafting import address_of
from approvals.agents.model_channels import NOTHING, channels_by_model
from approvals.agents.past import own_rate
from approvals.rules.sending import no_way_out
from salesops.percent import percent
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.human import asking
from salesops.runtime.outreach_proposals import EvaluationProposal
from salesops.runtime.playbook_views import ChannelPolicyView, PlaybookView
from salesops.runtime.proposals import TaskProposal
from salesops.runtime.views import MessageView, ProspectView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Team

_LABELS = {"email": "E-mail", "call": "Call", "linkedin": "LinkedIn", "sms": "SMS"}
_FOUR_PLACES = Decimal("0.0001")
_MOST = 0.95  # no reply is ever certain


@dataclass(frozen=True, slots=True)
class _Option:
    policy: ChannelPolicyView
    message: MessageView
    probability: tuple[float, float, float]  # expected, low, high
    value: Decimal

    @property
    def expected_value(self) -> Decimal:
        return _expected(self.probability[0], self.value, self.policy.unit_cost)


def run(batch: Batch, tools: Tools) -> Answers:
    """Evaluations for every prospect with graded messages."""
    return {
        prospect.id: _decide(prospect, tools.playbook)
        for prospect in batch
        if any(m.compliance for m in prospect.messages)
    }


def _decide(prospect: ProspectView, playbook: PlaybookView, choice: str | None = None) -> list[EvaluationProposal]:
    """Evaluations of every usable channel and of doing nothing; ``choice`` picks one that is worth its cost."""
    refused: list[dict[str, Any]] = []
    options: list[_Option] = []
    for policy in playbook.channels:
        message = _best_message(prospect, policy.channel, playbook)
        reason = _against(prospect, policy, message, playbook)
        if reason or message is None:
            refused.append(_alternative("channel", _LABELS[policy.channel], None, reason))
        else:
            options.append(
                _Option(policy, message, _probability(prospect, policy, message, playbook), playbook.deal_value)
            )
    options.sort(key=lambda option: (-option.expected_value, option.policy.channel))
    worthy = [option for option in options if option.expected_value > 0]
    if choice is not None:
        worthy = [option for option in worthy if option.policy.channel == choice]
    worth_it = worthy[0] if worthy else None
    nothing = _alternative("nothing", "Do nothing", Decimal(0), "Costs nothing and brings nothing.")
    found = [
        _evaluation(option, option is worth_it, options, refused, nothing, prospect, playbook) for option in options
    ]
    return [*found, _nothing(worth_it, refused)]


def _best_message(prospect: ProspectView, channel: str, playbook: PlaybookView) -> MessageView | None:
    """The best draft for a channel that is good enough to ask about."""
    spent = {request.message_id for request in prospect.requests}
    good = [
        m
        for m in prospect.messages
        if m.channel == channel
        and m.id not in spent
        and m.compliance in ("PASS", "REVIEW")
        and m.grade != "F"  # a hard failure, whatever the points
        and m.quality_points >= playbook.min_quality
    ]
    return max(good, key=lambda m: (m.compliance == "PASS", m.quality_points, m.confidence, -m.fact_no), default=None)


def _against(
    prospect: ProspectView, policy: ChannelPolicyView, message: MessageView | None, playbook: PlaybookView
) -> str:
    """Why a channel cannot be used; empty when it can."""
    if not policy.enabled:
        return "Switched off in the playbook."
    closed = no_way_out(policy.channel)
    if closed:
        return f"{closed[0].upper()}{closed[1:]}."
    contact = prospect.contact
    if contact is None or not address_of(contact, policy.channel):
        return {"call": "No phone number on file.", "sms": "No phone number on file."}.get(
            policy.channel, "No address on file."
        )
    if message is None:
        drafted = [m for m in prospect.messages if m.channel == policy.channel]
        return "No draft is good enough to ask about." if drafted else "No template could be filled."
    least = max(policy.min_confidence, playbook.min_contact_confidence)
    if message.confidence < least:
        return f"Confidence is {message.confidence:.2f}; {least:.2f} is needed."
    return ""


def _probability(
    prospect: ProspectView, policy: ChannelPolicyView, message: MessageView, playbook: PlaybookView
) -> tuple[float, float, float]:
    standing = (prospect.composite or 0.0) / playbook.hot_threshold if playbook.hot_threshold else 1.0
    own = own_rate(prospect, policy.channel)
    rate = (own[0] if own is not None else policy.reply_rate) * standing
    bounds = (message.confidence, message.confidence_low, message.confidence_high)
    expected, low, high = (round(min(_MOST, rate * share), 6) for share in bounds)
    return expected, low, high


def _expected(probability: float, value: Decimal, cost: Decimal) -> Decimal:
    return (Decimal(str(probability)) * value - cost).quantize(_FOUR_PLACES)


def _alternative(kind: str, label: str, expected: Decimal | None, reason: str) -> dict[str, Any]:
    shown = None if expected is None else f"{expected:.2f}"
    return {"kind": kind, "label": label, "expected_value": shown, "reason": reason}


def _evaluation(
    option: _Option,
    chosen: bool,
    options: Sequence[_Option],
    refused: Sequence[dict[str, Any]],
    nothing: dict[str, Any],
    prospect: ProspectView,
    playbook: PlaybookView,
) -> EvaluationProposal:
    expected, low, high = option.probability
    others = [
        _alternative("channel", _LABELS[o.policy.channel], o.expected_value, "A lower expected value.")
        for o in options
        if o is not option
    ]
    angles = [
        _alternative("angle", m.angle.replace("_", " ").replace("-", " "), None, _weaker(m, option.message))
        for m in prospect.messages
        if m.channel == option.policy.channel and m.id != option.message.id and m.compliance
    ]
    return EvaluationProposal(
        message_id=option.message.id,
        channel=option.policy.channel,
        probability=expected,
        probability_low=low,
        probability_high=high,
        value=option.value,
        cost=option.policy.unit_cost,
        expected_value=option.expected_value,
        chosen=chosen,
        rationale=_words(option, prospect, playbook),
        alternatives=(*angles, *others, *refused, nothing),
    )


def _weaker(other: MessageView, best: MessageView) -> str:
    if other.compliance == "BLOCK":
        return "Blocked by compliance."
    if other.quality_points < best.quality_points:
        return f"Graded {other.grade} ({other.quality_points:.0f}) against {best.grade} ({best.quality_points:.0f})."
    return "As good on quality; the chosen one rests on stronger evidence."


def _words(option: _Option, prospect: ProspectView, playbook: PlaybookView) -> str:
    composite = f"{prospect.composite:.0f}" if prospect.composite is not None else "unknown"
    channel, own = _LABELS[option.policy.channel], own_rate(prospect, option.policy.channel)
    usual = f"brings {percent(option.policy.reply_rate, 1)}"
    brings = usual if own is None else f"has brought {percent(own[0], 1)} in {own[1]} cases"
    sure, currency = percent(option.message.confidence), playbook.currency
    return (
        f"{percent(option.probability[0], 1)} chance of a reply ({channel} {brings}; composite {composite}, {sure}"
        f" sure) of {option.value} {currency} against {option.policy.unit_cost} {currency} for one act."
    )


def _nothing(worth_it: _Option | None, refused: Sequence[dict[str, Any]]) -> EvaluationProposal:
    if worth_it is not None:
        words = f"Waiting would forgo an expected {worth_it.expected_value:.2f}."
    else:
        reasons = "; ".join(f"{row['label']}: {row['reason']}" for row in refused) or "no channel is worth its cost"
        words = f"Nothing is the best there is to do now. {reasons}"
    return EvaluationProposal(
        message_id=None,
        channel=NOTHING,
        probability=0.0,
        probability_low=0.0,
        probability_high=0.0,
        value=Decimal(0),
        cost=Decimal(0),
        expected_value=Decimal(0),
        chosen=worth_it is None,
        rationale=words[:500],
    )


def _ask(prospect: ProspectView, tools: Tools) -> TaskProposal | None:
    """Asks a person to choose among the channels that our numbers allow."""
    if not any(m.compliance for m in prospect.messages):
        return None
    usable = [e for e in _decide(prospect, tools.playbook) if e.channel == NOTHING or e.expected_value > 0]
    asks = tuple({"channel": e.channel, "rationale": e.rationale} for e in usable)
    return TaskProposal(form="channel", title=f"Choose the channel: {prospect.name}"[:200], asks=asks)


def _heard(prospect: ProspectView, tools: Tools, filled_in: Mapping[str, Any]) -> list[EvaluationProposal]:
    return _decide(prospect, tools.playbook, filled_in["channel"])


AGENT = Agent(
    name="channel_decision",
    team=Team.LEAD_GEN,
    phase=Phase.CHANNEL,
    reads=frozenset({Key.STRATEGIES, Key.CONSTRAINTS}),
    writes=frozenset({Key.EVALUATIONS}),
    implementations={
        ImplementationKind.RULES: Implementation(run),
        ImplementationKind.LLM: channels_by_model(_decide),
        ImplementationKind.HUMAN: asking(_ask, _heard),
    },
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
)
