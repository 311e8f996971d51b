"""Where language models' answers are kept and what they may cost: the two ports of :mod:`salesops.llm`.

Both write at once, each call in a transaction of its own and never in a cycle's: an answer that was paid for stays,
whatever becomes of the work it was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

import structlog
from django.db import transaction
from django.utils import timezone

from playbooks.models import Client, PlaybookVersion
from playbooks.services import budgets
from playbooks.services.budgets import Bucket
from prospects.models import ModelAnswer
from salesops.llm.ports import Amount, Answer, Kept, Outcome

log = structlog.get_logger(__name__)

_SMALLEST = Decimal("0.0001")  # what a budget counts in


class AnswerStore:
    """The answers of one client. See :class:`salesops.llm.ports.Store`."""

    def __init__(self, client: Client, *, agent: str, trace_id: str) -> None:
        self._client = client
        self._agent = agent
        self._trace_id = trace_id

    def find(self, keys: Sequence[str]) -> Mapping[str, Kept]:
        """The stored answers among these keys, in one query."""
        rows = ModelAnswer.objects.for_client(self._client).filter(key__in=keys, forgotten_at__isnull=True)
        return {
            key: Kept(pk, Outcome(outcome), text, words)
            for pk, key, outcome, text, words in rows.values_list("pk", "key", "outcome", "text", "words")
        }

    def keep(self, answers: Sequence[Answer]) -> Mapping[str, Kept]:
        """Store answers at once. Where another worker was faster, its answer is the one returned."""
        now = timezone.now()
        with transaction.atomic():
            ModelAnswer.objects.bulk_create([self._row(answer, now) for answer in answers], ignore_conflicts=True)
        return self.find([answer.key for answer in answers])

    def _row(self, answer: Answer, now: datetime) -> ModelAnswer:
        return ModelAnswer(
            client=self._client, key=answer.key, prospect_id=answer.prospect_id, agent=self._agent, model=answer.model,
            prompt=answer.prompt, prompt_version=answer.prompt_version, outcome=answer.outcome, text=answer.text,
            words=answer.words[:300], tokens_in=answer.tokens_in, tokens_out=answer.tokens_out,
            cost=answer.cost.quantize(Decimal("0.000001"), ROUND_CEILING), seconds=answer.seconds, at=now,
            trace_id=self._trace_id,
        )  # fmt: skip


class PlaybookPurse:
    """The token and money budgets of one playbook version. See :class:`salesops.llm.ports.Purse`.

    Budgets run by the clock on the wall: a convergence that is told another time spends today's money all the same.
    """

    def __init__(self, client: Client, version: PlaybookVersion) -> None:
        self._client = client
        self._version = version

    def reserve(self, amount: Amount) -> datetime | None:
        """Both or neither: the worst case in tokens of the day and in money of the month."""
        at = timezone.now()
        tokens, money = _counted(amount)
        with transaction.atomic():
            if self._take(Bucket.TOKENS, tokens, at) and self._take(Bucket.MONEY, money, at):
                return at
            transaction.set_rollback(True)
        return None

    def _take(self, bucket: Bucket, amount: Decimal, at: datetime) -> bool:
        return budgets.reserve(self._version, bucket, amount, client=self._client, at=at)

    def settle(self, at: datetime, reserved: Amount, used: Amount) -> None:
        """Put back what was not used, in the periods it was taken from."""
        with transaction.atomic():
            for bucket, taken, real in zip(
                (Bucket.TOKENS, Bucket.MONEY), _counted(reserved), _counted(used), strict=True
            ):
                beyond = budgets.settle(self._version, bucket, taken, real, client=self._client, at=at)
                if beyond > 0:
                    log.error("model_cost_beyond_worst_case", bucket=bucket, beyond=str(beyond))


def _counted(amount: Amount) -> tuple[Decimal, Decimal]:
    return Decimal(amount.tokens), amount.money.quantize(_SMALLEST, ROUND_CEILING)
