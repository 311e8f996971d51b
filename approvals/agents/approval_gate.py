"""The authority barrier: freezes everything a person needs into one dossier, asks, and halts.

Nobody is asked while a person or their company has heard enough from us.

The dossier is schema 1: plain data, text never markup, money as decimal text, times as ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from approvals.agents.model_channels import NOTHING
from approvals.agents.past import HISTORY
from approvals.agents.timing_optimization import timing_of
from playbooks.rules.criteria import LAYERS
from prospects.agents.judging import criteria_of, facts_of
from prospects.rules import qualification, scoring
from prospects.rules.facts import Facts
from prospects.rules.scoring import Composite, EvidenceItem, IcpModel
from salesops.percent import percent
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.outreach_proposals import RequestProposal
from salesops.runtime.playbook_views import PlaybookView
from salesops.runtime.proposals import moment
from salesops.runtime.views import EvaluationView, EvidenceView, MessageView, ProspectView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Team

SCHEMA = 1
SATURATION = ("saturation", "")
_CARD = "icp"
_UNANSWERED = frozenset({"waiting", "deferred", "approved", "rejected"})


def run(batch: Batch, tools: Tools) -> Answers:
    """At most one request per prospect: for the chosen channel and its message, unless one is open or was refused.

    Words that were handed back are not asked about again.
    """
    answers = {}
    for prospect in batch:
        chosen = next((e for e in prospect.evaluations if e.chosen and e.channel != NOTHING), None)
        message = next((m for m in prospect.messages if chosen is not None and m.id == chosen.message_id), None)
        if chosen is None or message is None or any(r.status in _UNANSWERED for r in prospect.requests):
            continue
        if any(r.status == "redraft" and r.content_hash == message.content_hash for r in prospect.requests):
            continue
        if _is_saturated(prospect, tools):
            continue
        answers[prospect.id] = [_request(prospect, chosen, message, tools)]
    return answers


def _is_saturated(prospect: ProspectView, tools: Tools) -> bool:
    advice = prospect.advice.get(SATURATION)
    if advice is None or not advice.blocked:
        return False
    return advice.not_before is None or advice.not_before > tools.now


def _request(prospect: ProspectView, chosen: EvaluationView, message: MessageView, tools: Tools) -> RequestProposal:
    return RequestProposal(
        message_id=message.id,
        contact_id=message.contact_id,
        channel=message.channel,
        content_hash=message.content_hash,
        grade=message.grade,
        dossier=_dossier(prospect, chosen, message, tools),
        expires_at=tools.now + timedelta(hours=tools.playbook.request_hours),
    )


def _dossier(prospect: ProspectView, chosen: EvaluationView, message: MessageView, tools: Tools) -> dict[str, Any]:
    facts = facts_of(prospect, tools)
    model = tools.memo("icp_model", lambda: _model(tools))
    items = _items(prospect, facts)
    composite = scoring.composite(model, items, tools.now)
    return {
        "schema": SCHEMA,
        "built_at": moment(tools.now),
        "facts_no": prospect.facts_no,
        "prospect": _who(prospect),
        "why": [_layer(layer, prospect, composite, model, tools) for layer in LAYERS],
        "categories": _categories(items, tools.playbook),
        "why_now": _why_now(prospect, message),
        "message": _message(message),
        "value": _value(chosen, message, tools.playbook),
        "alternatives": [dict(row) for row in chosen.alternatives],
        "risks": _risks(prospect, message),
        "timing": _timing(prospect, message.channel, tools),
        "saturation": _limits(prospect),
        "history": _history(prospect),
        "sequence": _sequence(prospect, tools.playbook),
        "gates": _gates(items, composite, model, message, tools.playbook),
        "said_before": [
            {"at": moment(t.at), "channel": t.channel, "subject": t.subject, "outcome": t.outcome.replace("_", " ")}
            for t in prospect.touches
        ],
    }


def _model(tools: Tools) -> IcpModel:
    playbook = tools.playbook
    criteria = [c for (card, _), c in criteria_of(tools).items() if card == _CARD]
    return IcpModel(criteria, playbook.layer_weights, hot=playbook.hot_threshold, warm=playbook.warm_threshold)


def _items(prospect: ProspectView, facts: Facts) -> dict[str, EvidenceItem]:
    return {
        e.criterion: EvidenceItem(
            id=e.id, criterion=e.criterion, layer=e.layer, category=e.category, value=e.value,
            confidence=e.confidence, strong_negative=e.strong_negative, observed_at=e.observed_at,
            signal_ids=e.signal_ids, fact_ref=e.fact_ref, rationale=e.rationale,
            origins=facts.origins(e.signal_ids, e.fact_ref),
        )
        for e in prospect.evidence
        if e.scorecard == _CARD
    }  # fmt: skip


def _who(prospect: ProspectView) -> dict[str, Any]:
    company, contact = prospect.company, prospect.contact
    place = ", ".join(part for part in (company.city, company.country) if part) if company else ""
    return {
        "id": prospect.id,
        "name": prospect.name,
        "domain": company.domain if company else "",
        "industry": " / ".join(p for p in (company.industry, company.subindustry) if p) if company else "",
        "employees": _people(company.employees_min, company.employees_max) if company else "",
        "location": (place or company.location) if company else "",
        "contact": None
        if contact is None
        else {
            "name": contact.name,
            "title": contact.title,
            "email": contact.email,
            "synthetic": contact.synthetic,
        },
        "stage": prospect.stage,
        "route": prospect.route,
        "tier": prospect.tier,
        "composite": prospect.composite,
        "coverage": prospect.coverage,
        "provisional": prospect.provisional,
        "segment": prospect.segment,
        "verdict": "qualified",
    }


def _people(low: int | None, high: int | None) -> str:
    if low is None and high is None:
        return ""
    if low == high or high is None:
        return f"{low}" + ("" if low == high else "+")
    return f"{low}–{high}" if low is not None else f"up to {high}"


def _layer(layer: str, prospect: ProspectView, composite: Composite, model: IcpModel, tools: Tools) -> dict[str, Any]:
    result = composite.layers.get(layer)
    labels = {key: c.label or key for (card, key), c in criteria_of(tools).items() if card == _CARD}
    rows = [e for e in prospect.evidence if e.scorecard == _CARD and e.layer == layer]
    rows.sort(key=lambda e: (-e.value * e.confidence, e.criterion))
    return {
        "layer": layer,
        "value": result.value if result is not None and result.has_evidence else None,
        "coverage": result.coverage if result is not None else 0.0,
        "weight": model.layer_weights[layer],
        "evidence": [_evidence(e, labels.get(e.criterion, e.criterion), prospect) for e in rows],
    }


def _evidence(e: EvidenceView, label: str, prospect: ProspectView) -> dict[str, Any]:
    return {
        "id": e.id,
        "category": e.category,
        "criterion": e.criterion,
        "label": label,
        "value": e.value,
        "confidence": e.confidence,
        "strong_negative": e.strong_negative,
        "rationale": e.rationale,
        "quote": e.quote,
        "fact_ref": e.fact_ref,
        "source": e.source,
        "observed_at": moment(e.observed_at),
        "signals": [
            {
                "id": s.id,
                "kind": s.kind,
                "text": s.text,
                "source": s.source,
                "source_ref": s.source_ref,
                "observed_at": moment(s.observed_at),
            }
            for s in prospect.signals
            if s.id in e.signal_ids
        ],
    }


def _categories(items: Mapping[str, EvidenceItem], playbook: PlaybookView) -> list[str]:
    counted = qualification.accepted(items.values(), playbook.min_confidence)
    return sorted(qualification.independent_categories(counted))


def _why_now(prospect: ProspectView, message: MessageView) -> dict[str, Any] | None:
    """The piece of evidence whose words the message gives as its reason to write now."""
    e = next((e for e in prospect.evidence if message.why_now and e.rationale == message.why_now), None)
    if e is None:
        return None
    return {"text": e.rationale, "at": moment(e.observed_at), "evidence_ids": [e.id]}


def _message(m: MessageView) -> dict[str, Any]:
    return {
        "id": m.id,
        "channel": m.channel,
        "angle": m.angle,
        "sender": m.sender,
        "recipient": m.recipient,
        "subject": m.subject,
        "body": m.body,
        "content_hash": m.content_hash,
        "rationale": m.rationale,
        "confidence": m.confidence,
        "confidence_low": m.confidence_low,
        "confidence_high": m.confidence_high,
        "grade": m.grade,
        "template_key": m.template_key,
        "sentences": [{"text": c["sentence"], "evidence_ids": list(c["evidence_ids"])} for c in m.claims],
        "quality": [
            {name: check[name] for name in ("key", "label", "points", "max", "saw")}
            for check in m.quality.get("checks", ())
        ],
        "compliance": {
            "verdict": m.compliance,
            "rules": [
                {name: rule[name] for name in ("id", "verdict", "saw")} for rule in m.compliance_detail.get("rules", ())
            ],
        },
    }


def _value(chosen: EvaluationView, message: MessageView, playbook: PlaybookView) -> dict[str, Any]:
    scale = chosen.probability / message.confidence if message.confidence else 0.0
    return {
        "currency": playbook.currency,
        "deal_value": f"{chosen.value:.2f}",
        "probability": chosen.probability,
        "probability_low": round(min(1.0, scale * message.confidence_low), 6),
        "probability_high": round(min(1.0, scale * message.confidence_high), 6),
        "cost": f"{chosen.cost:.2f}",
        "expected_value": f"{chosen.expected_value:.2f}",
        "rationale": chosen.rationale,
    }


def _timing(prospect: ProspectView, channel: str, tools: Tools) -> dict[str, Any]:
    """The window to act in; looked up again where the one advised is over."""
    known = prospect.advice.get(("timing", channel))
    if known is not None and (known.until is None or known.until > tools.now):
        window = (known.not_before, known.until, known.words, str(known.data.get("zone", "")))
    else:
        found = timing_of(prospect, channel, tools)
        window = (found.not_before, found.until, found.words, found.zone)
    begins, ends, words, zone = window
    return {
        "not_before": moment(begins) if begins is not None else None,
        "until": moment(ends) if ends is not None else None,
        "words": words,
        "zone": zone,
    }


def _limits(prospect: ProspectView) -> dict[str, Any] | None:
    known = prospect.advice.get(SATURATION)
    return None if known is None else {"words": known.words, "saw": dict(known.data)}


def _history(prospect: ProspectView) -> dict[str, Any] | None:
    known = prospect.advice.get(HISTORY)
    return None if known is None else {"words": known.words, **known.data}


def _sequence(prospect: ProspectView, playbook: PlaybookView) -> dict[str, Any] | None:
    """The touches that the prospect's tier asks for, of which this is the next."""
    steps = [step for step in playbook.sequences if step.tier == prospect.tier]
    if not steps:
        return None
    return {"tier": prospect.tier, "touch": len(prospect.touches) + 1, "touches": len(steps), "days": steps[-1].day}


def _risks(prospect: ProspectView, message: MessageView) -> list[dict[str, Any]]:
    risks = [
        _risk("caution", e.rationale, [e.id])
        for e in prospect.evidence
        if e.category == "risk" and e.value < 50 and not e.strong_negative
    ]
    risks += [_risk("caution", s.text) for s in prospect.signals if s.kind == "possible_duplicate"]
    risks += [
        _risk("caution", rule["saw"])
        for rule in message.compliance_detail.get("rules", ())
        if rule.get("verdict") == "REVIEW"
    ]
    contact = prospect.contact
    if contact is not None and contact.synthetic:
        risks.append(_risk("info", "This person is made up for the demo."))
    if contact is not None and message.channel == "email" and contact.email_status != "verified":
        risks.append(_risk("info", "Nobody has verified this address."))
    if prospect.provisional:
        risks.append(_risk("info", "The composite is provisional: too few decisions have tested it yet."))
    return risks


def _risk(level: str, text: str, evidence_ids: list[int] | None = None) -> dict[str, Any]:
    return {"level": level, "text": text, "evidence_ids": evidence_ids or []}


def _gates(
    items: Mapping[str, EvidenceItem],
    composite: Composite,
    model: IcpModel,
    message: MessageView,
    playbook: PlaybookView,
) -> list[dict[str, Any]]:
    """The conditions this request has met, with the numbers; failed ones would have kept it from being asked."""
    gates = []
    goal = next((r for r in playbook.stage_rules if (r.from_stage, r.to_stage) == ("qualifying", "qualified")), None)
    if goal is not None:
        rule = qualification.Rule(
            goal.pipeline, goal.from_stage, goal.to_stage, goal.required_categories, goal.required_layers,
            max(goal.min_categories, playbook.min_categories), goal.min_score, goal.min_coverage, goal.needs_person,
        )  # fmt: skip
        standing = qualification.Standing(items, composite, model.criteria, playbook.min_confidence)
        for gate in qualification.rule_holds(rule, standing).gates:
            have, need = _shown(gate)
            gates.append(_gate(gate.key, gate.label, gate.passed, have, need))
    points, least = message.quality_points, playbook.min_quality
    confidence = playbook.min_contact_confidence
    verdict = message.compliance.replace("_", " ").lower()
    return [
        *gates,
        _gate("quality", "Message quality", points >= least, f"{message.grade} ({points:.0f})", f"{least:g}"),
        _gate("compliance", "Compliance", message.compliance == "PASS", verdict, ""),
        _gate(
            "confidence", "Confidence to contact", message.confidence >= confidence, percent(message.confidence),
            percent(confidence),
        ),
    ]  # fmt: skip


def _shown(gate: qualification.Gate) -> tuple[str, str]:
    """What is there and what is needed, as a person reads it; nothing is needed beside a plain yes."""
    if gate.key == "coverage":
        return percent(gate.actual), percent(gate.needed)
    if gate.key.startswith(("layer_", "category_")):
        return ("evidenced" if gate.passed else "no evidence"), ""
    if gate.key == "strong_negative":
        return ("none" if gate.passed else "found"), ""
    return f"{gate.actual:.0f}", f"{gate.needed:.0f}"


def _gate(key: str, label: str, passed: bool, have: str, need: str) -> dict[str, Any]:
    return {"key": key, "label": label, "passed": passed, "have": have, "need": need}


AGENT = Agent(
    name="approval_gate",
    team=Team.LEAD_GEN,
    phase=Phase.APPROVAL,
    reads=frozenset({Key.EVALUATIONS}),
    writes=frozenset({Key.PROPOSALS}),
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
)
