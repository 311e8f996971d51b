"""What agents are handed under one playbook version: its language models and its outside sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db.models import QuerySet

from playbooks.models import AgentAssignment, PlaybookVersion
from prospects.host.loading import configs_of
from prospects.services.model_answers import AnswerStore, PlaybookPurse
from salesops.all_agents import registry
from salesops.llm import config as llm
from salesops.llm import wire
from salesops.llm.asker import Asker
from salesops.runtime.toolbox import LanguageModel, Sources

if TYPE_CHECKING:
    from prospects.sources.tool import PlaybookSources

#: The agents that are handed the playbook's sources.
LOOKS_UP = frozenset({"enrichment", "contact_finder"})
log = structlog.get_logger(__name__)


class ProspectToolbox:
    """See :class:`salesops.runtime.toolbox.Toolbox`. Tools are made on first use and live as long as the scope."""

    def __init__(self, version: PlaybookVersion, *, now: datetime, trace_id: str) -> None:
        self._version = version
        self._now = now
        self._trace_id = trace_id
        self._models: dict[str, Asker | None] = {}
        self._sources: dict[str, PlaybookSources | None] = {}

    def model(self, agent: str) -> LanguageModel | None:
        """The agent's model as the playbook and the environment set it; None when the playbook gives it none."""
        if agent not in self._models:
            self._models[agent] = self._make_model(agent)
        return self._models[agent]

    def _make_model(self, agent: str) -> Asker | None:
        wanted = self._assigned.get(agent)
        if wanted is None:
            return None
        config = llm.from_settings(settings)
        rate = config.rate(self._version.currency)
        why = _why_no_model(config, wanted, self._version)
        if why or rate is None:
            log.warning("language_model_not_usable", agent=agent, reason=why, trace_id=self._trace_id)
            return None
        client = self._version.playbook.client
        store = AnswerStore(client, agent=agent, trace_id=self._trace_id)
        return Asker(config, store, PlaybookPurse(client, self._version), wanted=wanted, rate=rate)

    @cached_property
    def _assigned(self) -> dict[str, str]:
        return _given_to_models(self._version)

    def sources(self, agent: str) -> Sources | None:
        """The playbook's sources, for agents that look things up; each with its own account. None when it has none."""
        if agent not in LOOKS_UP:
            return None
        if agent not in self._sources:
            from prospects.sources.tool import PlaybookSources  # a second's worth of HTTP, only for who looks up

            configs = configs_of(self._version)
            self._sources[agent] = (
                PlaybookSources(
                    version=self._version, client=self._version.playbook.client, configs=configs, now=self._now,
                    trace_id=self._trace_id,
                )
                if configs
                else None
            )  # fmt: skip
        return self._sources[agent]


def import_early() -> None:
    """Import every agent, their sources, and the client of each model that the environment lets them ask.

    Seconds of work that the first prospect would wait for. A worker does it before its processes part: they share it.
    """
    from prospects.sources import tool  # noqa: F401 — see the class above

    registry()
    config = llm.from_settings(settings)
    for choice in {choice for role in llm.ROLES if (choice := config.choose(role)) is not None}:
        wire.import_client(choice)


def models_missing(*versions: PlaybookVersion) -> dict[str, str]:
    """By agent that these versions give to a language model: why it works by rules instead, in words. One query."""
    config = llm.from_settings(settings)
    own = {version.pk: version for version in versions}
    rows = _assigned_to_models(versions).values_list("agent", "model", "version")
    found = ((agent, _why_no_model(config, wanted, own[version])) for agent, wanted, version in rows)
    return {agent: why for agent, why in found if why}


def _assigned_to_models(versions: Sequence[PlaybookVersion]) -> QuerySet[AgentAssignment]:
    by_model = AgentAssignment.Implementation.LLM
    return AgentAssignment.objects.filter(version__in=versions, implementation=by_model).order_by("version", "agent")


def _given_to_models(version: PlaybookVersion) -> dict[str, str]:
    """Agents given to a language model, with the role or id the playbook names; empty leaves it to the prompt."""
    return dict(_assigned_to_models([version]).values_list("agent", "model"))


def _why_no_model(config: llm.LLMConfig, wanted: str, version: PlaybookVersion) -> str:
    """Why no model can be asked for this version; empty when one can. ``wanted`` is a role, an id or empty."""
    if not (config.choose(wanted) if wanted else config.any_usable()):
        return config.why_not(wanted or "analysis")
    if config.rate(version.currency) is None:
        return f"LLM_RATES says nothing about {version.currency}"
    if not version.tokens_per_day:
        return "the playbook allows no tokens a day"
    return ""
