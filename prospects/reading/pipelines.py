"""What pages show of pipelines: where a prospect, its deals and its customers stand, may go, and came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import QuerySet

from playbooks.models import Client, Team
from prospects.models import Customer, CustomerStage, Deal, DealStage, Prospect, Stage, StageTransition
from prospects.reading.moves import Option, footing_of, options_of

_STAGES = {"prospect": dict(Stage.choices), "deal": dict(DealStage.choices), "customer": dict(CustomerStage.choices)}
_TEAMS = dict(Team.choices)
_LOG = 30  # moves of one prospect, its deals and its customers that a page shows


@dataclass(frozen=True, slots=True)
class Step:
    """One move as it is told: from where to where, by whom, why, on how much evidence."""

    log: StageTransition
    words: str
    who: str
    passed_over: str

    @property
    def days(self) -> float:
        """Days in the stage left."""
        return self.log.seconds / 86_400


@dataclass(frozen=True, slots=True)
class Card:
    """One thing that moves. ``options`` is empty for whoever may only read, and at the end of a pipeline."""

    row: Prospect | Deal | Customer
    pipeline: str
    title: str
    stage: str
    team: str = ""
    options: list[Option] = field(default_factory=list)
    log: list[Step] = field(default_factory=list)

    @property
    def onwards(self) -> list[Option]:
        """The moves that a stage rule allows."""
        return [option for option in self.options if not option.asks_reason]

    @property
    def exits(self) -> list[Option]:
        """The ways aside and out, for which a reason is given."""
        return [option for option in self.options if option.asks_reason]

    @property
    def key(self) -> str:
        """Names the card on its page."""
        return f"{self.pipeline}-{self.row.pk}"


def cards_of(prospect: Prospect) -> list[Card]:
    """The prospect, then its deals, then what it is as a customer; a constant number of queries."""
    mine = [prospect.pk, *prospect.merged.values_list("pk", flat=True)]
    deals = list(Deal.objects.filter(prospect__in=mine).select_related("prospect__company", "owner").order_by("-pk"))
    customers = list(Customer.objects.filter(prospect__in=mine).select_related("prospect__company").order_by("-pk"))
    footing = footing_of(prospect)
    steps = _steps(mine)
    cards = []
    rows: list[Prospect | Deal | Customer] = [prospect, *deals, *customers]
    for row in rows:
        pipeline = "prospect" if isinstance(row, Prospect) else row.pipeline
        options = options_of(row, footing) if footing is not None and prospect.merged_into_id is None else []
        log = steps.get((pipeline, row.pk), [])
        cards.append(Card(row, pipeline, _title(row), _STAGES[pipeline][row.stage], _team(options), options, log))
    return cards


def _title(row: Prospect | Deal | Customer) -> str:
    if isinstance(row, Deal):
        return row.name or "Deal"
    return "Customer" if isinstance(row, Customer) else "Prospect"


def _team(options: list[Option]) -> str:
    """Whose move the next one onwards is."""
    return next((str(_TEAMS[option.team]) for option in options if option.team), "")


def _steps(prospect_ids: list[int]) -> dict[tuple[str, int], list[Step]]:
    rows = StageTransition.objects.filter(prospect__in=prospect_ids).select_related("actor").order_by("-pk")[:_LOG]
    told: dict[tuple[str, int], list[Step]] = {}
    for log in rows:
        names = _STAGES[log.pipeline]
        words = f"{names.get(log.from_stage, log.from_stage)} → {names.get(log.to_stage, log.to_stage)}"
        who = str(log.actor) if log.actor else log.agent.replace("_", " ") or "the system"
        over = ", ".join(names.get(stage, stage).lower() for stage in log.skipped)
        moved = {"prospect": log.prospect_id, "deal": log.deal_id, "customer": log.customer_id}[log.pipeline]
        told.setdefault((log.pipeline, moved or 0), []).append(Step(log, words, who, over))
    return told


def deals_of(client: Client, stage: str) -> QuerySet[Deal]:
    """The client's deals, in one stage where one is named; order by the last move. Every filter has an index."""
    rows = Deal.objects.for_client(client).select_related("prospect__company", "prospect__contact", "owner")
    return rows.filter(stage=stage) if stage else rows


def customers_of(client: Client, stage: str) -> QuerySet[Customer]:
    """The client's customers, in one stage where one is named."""
    rows = Customer.objects.for_client(client).select_related("prospect__company", "prospect__contact", "owner", "deal")
    return rows.filter(stage=stage) if stage else rows
