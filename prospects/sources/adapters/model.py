"""A language model that knows companies: asked for a kind of company, it names some. Believed little.

What it says is taken like a record of any source: a name and a site, checked for form, kept as the answer it was.
Whether such a company exists and fits, the other sources and the agents find out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field

from playbooks.models import Client, PlaybookVersion
from playbooks.rules.sources import ModelParams, SourceConfig
from prospects.importing.identity import registrable_domain
from prospects.services.model_answers import PlaybookPurse
from prospects.sources.records import fill_text, safe_text
from prospects.sources.troubles import BadAnswer, NetworkTrouble, NotAsked
from salesops.llm import config as llm
from salesops.llm.asker import Asker
from salesops.llm.ports import BUDGET, Answer, Kept
from salesops.runtime.toolbox import Question

PROMPT, ROLE = "prospects/market_scan", "search"
_MOST_FIELD = 300


class Named(BaseModel):
    """One company."""

    model_config = ConfigDict(extra="forbid", str_max_length=1000)

    name: str = Field(description="the company's own name")
    website: str = Field(description="the address of its own site")
    country: str = Field(default="", description="two-letter code, or empty")
    industry: str = Field(default="", description="one or two words, or empty")
    why: str = Field(default="", description="one sentence")


class Companies(BaseModel):
    """The companies you know that are what was asked for."""

    model_config = ConfigDict(extra="forbid")

    companies: list[Named] = Field(max_length=200)


@dataclass
class _Passing:
    """Answers are kept by whoever asked, as a source's; see :class:`salesops.llm.ports.Store`."""

    def find(self, keys: Sequence[str]) -> Mapping[str, Kept]:
        del keys
        return {}

    def keep(self, answers: Sequence[Answer]) -> Mapping[str, Kept]:
        return {answer.key: Kept(0, answer.outcome, answer.text, answer.words) for answer in answers}


def name_companies(
    config: SourceConfig, filled: Mapping[str, str], *, version: PlaybookVersion, client: Client
) -> tuple[list[dict[str, Any]], int, Decimal]:
    """Records of companies, how many said too little to be kept, and what the answer cost.

    Raises NotAsked where no model can be asked or no budget is left, NetworkTrouble where asking again may help, and
    BadAnswer.
    """
    params = config.params
    assert isinstance(params, ModelParams)  # noqa: S101 — the kind says so
    asker = _asker(version, client)
    wanted = fill_text(params.ask, filled)
    question = Question(None, PROMPT, {"wanted": wanted, "most": str(params.max_items)}, Companies)
    (reply,) = asker.ask([question])
    if reply.answer is None:
        if reply.problem == BUDGET:
            raise NotAsked(reply.problem)
        raise (NetworkTrouble if reply.passing else BadAnswer)(reply.problem)
    cost = sum((used.cost for used in asker.usage().values()), Decimal(0))
    named = reply.answer.companies[: params.max_items]
    records = {domain: _record(one, domain) for one in named if (domain := _home(one))}
    return list(records.values()), len(named) - len(records), cost


def _asker(version: PlaybookVersion, client: Client) -> Asker:
    config = llm.from_settings(settings)
    rate = config.rate(version.currency)
    if config.choose(ROLE) is None:
        raise NotAsked(config.why_not(ROLE))
    if rate is None:
        raise NotAsked(f"LLM_RATES says nothing about {version.currency}")
    return Asker(config, _Passing(), PlaybookPurse(client, version), wanted=ROLE, rate=rate)


def _home(one: Named) -> str:
    """The company's domain; empty where it has no name or no site that could be its own."""
    return registrable_domain(one.website) if one.name.strip() else ""


def _record(one: Named, domain: str) -> dict[str, Any]:
    told = {"name": one.name, "website": f"https://{domain}", "country": one.country, "industry": one.industry}
    told["why_named"] = one.why
    return {name: safe_text(text.strip(), _MOST_FIELD) for name, text in told.items() if text.strip()}
