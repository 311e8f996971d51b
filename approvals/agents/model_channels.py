"""The choice among channels by a language model. It chooses one of the options we computed, and changes no number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import Field

from prospects.agents.asking import Form, Untyped, instead, known_about
from salesops.llm.prompts import load
from salesops.llm.screening import addressed_to_models
from salesops.runtime.contract import Answers, Batch, Implementation, Tools
from salesops.runtime.outreach_proposals import EvaluationProposal
from salesops.runtime.playbook_views import PlaybookView
from salesops.runtime.proposals import NoteProposal
from salesops.runtime.toolbox import Question
from salesops.runtime.views import ProspectView
from salesops.runtime.words import Refused

PROMPT = "approvals/channel_decision"
NOTHING = "none"
_MOST_TOUCHES = 10

Decide = Callable[[ProspectView, PlaybookView, str | None], list[EvaluationProposal]]


class ChannelAnswer(Form):
    """The chosen option and the reason."""

    option: str = Field(description="the name of the option exactly as listed")
    reason: str = Field(description="one sentence")


def channels_by_model(decide: Decide) -> Implementation:
    """The implementation that lets a model choose. ``decide`` computes every option, and marks the one named."""

    def run(batch: Batch, tools: Tools) -> Answers:
        computed = {
            prospect.id: decide(prospect, tools.playbook, None)
            for prospect in batch
            if any(message.compliance for message in prospect.messages)
        }
        offered = {prospect_id: _offered(found) for prospect_id, found in computed.items()}
        asked = [prospect for prospect in batch if len(offered.get(prospect.id, ())) > 1]
        replies = tools.ask([_question(p, offered[p.id]) for p in asked])
        answers: dict[int, list[Untyped]] = {prospect_id: [*found] for prospect_id, found in computed.items()}
        for prospect, reply in zip(asked, replies, strict=True):
            by_rules = computed[prospect.id]
            if reply.answer is None:
                answers[prospect.id] = instead(reply.problem, by_rules)
            elif reply.answer.option not in {e.channel for e in offered[prospect.id]}:
                words = f"The language model chose something that was not offered (“{reply.answer.option[:40]}”)."
                note = NoteProposal(kind=Refused.PROVENANCE, message=words)
                answers[prospect.id] = [note, *instead("Its choice was refused.", by_rules)]
            else:
                chosen = decide(prospect, tools.playbook, reply.answer.option)
                answers[prospect.id] = [_with_reason(e, reply.answer.reason) for e in chosen]
        return answers

    return Implementation(run, version=f"1.{load(PROMPT).edition}")


def _offered(found: Sequence[EvaluationProposal]) -> list[EvaluationProposal]:
    """What a model may choose from: channels that bring more than they cost, and doing nothing."""
    return [e for e in found if e.channel == NOTHING or e.expected_value > 0]


def _question(prospect: ProspectView, offered: Sequence[EvaluationProposal]) -> Question[ChannelAnswer]:
    options = [
        "none: do nothing now" if e.channel == NOTHING else f"{e.channel}: worth {e.expected_value:.2f}. {e.rationale}"
        for e in offered
    ]
    touches = [f"{t.at:%Y-%m-%d} {t.channel} “{t.subject}”: {t.outcome}" for t in prospect.touches[-_MOST_TOUCHES:]]
    contact = prospect.contact
    person = f"{contact.title}\n{known_about(prospect)}" if contact is not None else known_about(prospect)
    values = {"options": "\n".join(options), "touches": "\n".join(touches) or "nothing", "person": person}
    return Question(prospect, PROMPT, values, ChannelAnswer)


def _with_reason(evaluation: EvaluationProposal, reason: str) -> EvaluationProposal:
    """Our numbers and words, with the model's reason behind those of what it chose."""
    words = " ".join(reason.split())[:200]
    if not evaluation.chosen or not words or addressed_to_models(words):
        return evaluation
    return evaluation.model_copy(
        update={"rationale": f"{evaluation.rationale[:270]} Chosen by a language model: {words}"[:500]}
    )
