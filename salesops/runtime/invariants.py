"""What must hold between facts whatever the agents did: semantic at the end of a cycle, acceptance at the end of all.

Pure functions from a context to the words of what does not hold. PostgreSQL keeps what can be said about one row; these
speak about rows together. A cycle that breaks one is not written.
"""

from __future__ import annotations

from collections.abc import Iterator

from salesops.runtime.context import Context
from salesops.runtime.playbook_views import PlaybookView
from salesops.runtime.words import OUTREACH_STAGES

_ACCEPTED_VALUE = 50.0
_ICP = "icp"
_NO_CHANNEL = "none"
_VERDICTS = frozenset({"qualified", "rejected", "stalled"})


class InvariantBroken(Exception):  # noqa: N818
    """Nothing of this cycle may be written. ``broken`` maps prospect ids to what does not hold."""

    def __init__(self, broken: dict[int, list[str]]) -> None:
        first = next(iter(broken.values()))
        super().__init__(f"{len(broken)} prospects: {first[0]}")
        self.broken = broken


def semantic(playbook: PlaybookView, context: Context) -> list[str]:
    """What does not hold between this prospect's facts at the end of a cycle."""
    return [
        *_evidence(context),
        *_scores(context),
        *_words(context),
        *_channels(context),
        *_requests(playbook, context),
    ]


def acceptance(playbook: PlaybookView, context: Context, missing: list[str], reason: str) -> list[str]:
    """What does not hold on the claim that this prospect has converged."""
    if context.verdict not in _VERDICTS:
        return [f"The verdict is {context.verdict!r}: every prospect ends with an explicit one."]
    if not reason:
        return [f"{context.verdict.capitalize()} without a reason."]
    if context.verdict == "stalled" and not missing:
        return ["Stalled without saying what is missing."]
    return list(_qualified(playbook, context)) if context.verdict == "qualified" else []


def _evidence(context: Context) -> Iterator[str]:
    own = {signal.id for signal in context.signals}
    for evidence in context.evidence.values():
        if not evidence.signal_ids or not own.issuperset(evidence.signal_ids):
            yield f"Evidence for {evidence.scorecard}.{evidence.criterion} rests on signals of somebody else."


def _scores(context: Context) -> Iterator[str]:
    if context.composite is not None and not context.evidence:
        yield "There is a composite and no evidence under it."
    for score in context.scores.values():
        if score.value is not None and not 0 <= score.value <= 100:
            yield f"The {score.scorecard} score {score.value} is not between 0 and 100."


def _words(context: Context) -> Iterator[str]:
    for message in context.messages:
        if message.compliance and not message.grade:
            yield f"Message {message.template_key} has a compliance verdict and no grade."


def _channels(context: Context) -> Iterator[str]:
    chosen = [e for e in context.evaluations.values() if e.chosen]
    if len(chosen) > 1:
        yield f"Two channels are chosen at once: {', '.join(sorted(e.channel for e in chosen))}."
    for evaluation in chosen:
        if evaluation.channel != _NO_CHANNEL and evaluation.expected_value <= 0:
            yield f"The chosen channel {evaluation.channel} costs more than it is expected to bring."


def _requests(playbook: PlaybookView, context: Context) -> Iterator[str]:
    waiting = [r for r in context.requests if r.status == "waiting"]
    if len(waiting) > 1:
        yield "Two requests for this prospect wait at once."
    messages = {message.id: message for message in context.messages}
    for request in waiting:
        if request.id:
            continue  # asked earlier, under whatever held then
        message = messages.get(request.message_id)
        if message is None or message.content_hash != request.content_hash:
            yield "A request asks for other words than any message of this prospect."
        elif (
            message.compliance not in ("PASS", "REVIEW")
            or message.quality_points < playbook.min_quality
            or message.grade == "F"
        ):
            yield "A request asks for words that compliance or the quality gate did not pass."
        if context.stage not in OUTREACH_STAGES:
            yield f"A request is made at stage {context.stage}, where nobody may be contacted."


def _qualified(playbook: PlaybookView, context: Context) -> Iterator[str]:
    if context.stage != "qualified":
        return  # contacted and beyond: what qualified them held when they were
    if any(e.strong_negative and e.scorecard == _ICP for e in context.evidence.values()):
        yield "Qualified against a strong negative."
    categories = {
        e.category
        for e in context.evidence.values()
        if e.value >= _ACCEPTED_VALUE and e.confidence >= playbook.min_confidence
    }
    if len(categories) < playbook.min_categories:
        yield f"Qualified on {len(categories)} categories of evidence; {playbook.min_categories} are needed."
