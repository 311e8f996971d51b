"""A playbook version's sources, and what each may be asked about a company."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playbooks.rules.sources import CANDIDATE, FeedParams, JsonParams, SourceConfig, WebsiteParams
from prospects.importing.identity import name_key, registrable_domain
from prospects.sources.adapters import file
from prospects.sources.adapters.json_api import params_of
from prospects.sources.adapters.website import CHANGE
from prospects.sources.breaker import FAILURES, FAILURES_PER_HOST, Brake, Standing
from prospects.sources.config import Reach
from prospects.sources.records import Question, key_of, words_of
from salesops.runtime.views import ProspectView


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The sources of one version. A source that is some other's fallback is asked only once that one is retired."""

    configs: Sequence[SourceConfig]

    def delivering(self, kinds: frozenset[str], standings: Mapping[str, Standing]) -> list[SourceConfig]:
        """Who is asked for these kinds of document, in the playbook's order."""
        by_key = {config.key: config for config in self.configs if config.enabled}
        in_reserve = {c.fallback for c in by_key.values() if c.fallback}
        chosen: dict[str, SourceConfig] = {}
        for config in by_key.values():
            if config.key in in_reserve or not kinds & set(config.delivers):
                continue
            standing = self._standing_in(config, by_key, standings)
            chosen[standing.key] = standing
        return list(chosen.values())

    def _standing_in(
        self, config: SourceConfig, by_key: Mapping[str, SourceConfig], standings: Mapping[str, Standing]
    ) -> SourceConfig:
        """The source itself, or the fallback that took over; never in a circle."""
        seen = {config.key}
        while (standing := standings.get(config.key)) is not None and standing.retired:
            following = by_key.get(config.fallback)
            if following is None or following.key in seen:
                break
            config = following
            seen.add(config.key)
        return config

    def fallback_of(self, config: SourceConfig) -> SourceConfig | None:
        return next((c for c in self.configs if c.enabled and c.key == config.fallback), None)

    @property
    def keys(self) -> list[str]:
        return [config.key for config in self.configs]

    def scanned(self, standings: Mapping[str, Standing]) -> list[SourceConfig]:
        """Who takes part in market scans."""
        return self.delivering(frozenset({CANDIDATE}), standings)


def brake_of(config: SourceConfig, standing: Standing | None) -> Brake:
    """A source's brake as it stands."""
    threshold = FAILURES_PER_HOST if config.per_host else FAILURES
    return Brake(config.key, standing or Standing(), threshold)


def filled_of(prospect: ProspectView, intent: str) -> dict[str, str]:
    """What fills the braces, from the company's own facts."""
    company = prospect.company
    if company is None:
        return {"intent": intent}
    domain = registrable_domain(company.domain) or company.domain
    return {
        "name": company.name,
        "domain": domain,
        "label": domain.split(".", 1)[0],
        "website": f"https://{domain}" if domain else "",
        "country": company.country,
        "region": company.region,
        "city": company.city,
        "industry": company.industry,
        "intent": intent,
    }


def question_of(config: SourceConfig, filled: Mapping[str, str], reach: Reach) -> Question | str:
    """What to ask this source about this company, or why nothing can be asked."""
    if "name" not in filled:
        return "there is no company to ask about"
    lacking = sorted(word for word in words_of(config) if not filled.get(word))
    if lacking:
        known = "domain" if lacking[0] in ("website", "label") else lacking[0]
        return f"the company's {known} is not known"
    subject = filled["domain"] or filled["name"]
    if config.kind == "file":
        # A file has no braces: the company itself is the question, and the file's state is part of it.
        key = key_of(
            config, filled, f"{filled['domain']}\x1f{filled['name']}", version=file.version_of(config, reach.folder)
        )
        return Question(config.key, key, subject, filled)
    most = 1
    if isinstance(config.params, JsonParams) and config.params.paging is not None:
        most = config.params.paging.last
    elif isinstance(config.params, WebsiteParams):
        most = config.params.pages
    if not words_of(config):
        subject = config.url[:300]
    return Question(config.key, key_of(config, filled), subject, filled, most)


def is_about(config: SourceConfig, document: Mapping[str, Any], filled: Mapping[str, str]) -> bool:
    """Whether a document of an answer that may speak of many companies speaks of this one."""
    params = config.params
    if isinstance(params, JsonParams) and params_of(config).match:
        about = str(document.get("about", ""))
        if params.match == "domain":
            return bool(filled.get("domain")) and registrable_domain(about) == filled["domain"]
        return bool(about) and name_key(about) == name_key(filled.get("name", ""))
    if isinstance(params, FeedParams) and params.match == "name":
        words = f" {name_key(str(document.get('text', '')))} "
        return f" {name_key(filled.get('name', ''))} " in words
    return True


def wanted(config: SourceConfig, kind: str, kinds: Iterable[str]) -> bool:
    """Whether a document of this kind was asked for; a site's changes come with its pages."""
    return kind in kinds or (kind == CHANGE and config.type in kinds)
