"""Which models there are, what they cost and how hard to try. Read from the settings, which read the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

ROLES = ("fast", "search", "analysis", "writing")
#: The protocols spoken, by the part of a model's id before the colon. ``openai`` is chat completions, which local
#: servers speak too; ``openai-responses`` is the newer interface of the same keys.
PROVIDERS: Mapping[str, str] = {
    "anthropic": "anthropic",
    "openai": "openai",
    "openai-responses": "openai",
    "google": "google",
}
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """Money for one million tokens, in the currency of the price list."""

    tokens_in: Decimal
    tokens_out: Decimal

    def of(self, tokens_in: int, tokens_out: int, rate: Decimal = Decimal(1)) -> Decimal:
        """What these tokens cost; ``rate`` is how much of the playbook's currency one unit of the list's is."""
        return (self.tokens_in * tokens_in + self.tokens_out * tokens_out) * rate / _MILLION


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that can be asked: where, with which key, at what price."""

    id: str
    provider: str
    name: str
    price: Price
    api_key: str = field(repr=False)
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class LLMConfig:
    """Everything that can be set. Times in seconds."""

    models: Mapping[str, str]
    prices: Mapping[str, Price]
    keys: Mapping[str, str] = field(repr=False)
    base_urls: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    concurrency: int = 32
    slots_folder: str = ""
    timeout: float = 60.0
    attempts: int = 3
    rate_limit_attempts: int = 8
    longest_wait: float = 60.0
    ask_seconds: float = 300.0
    brake_after: int = 8
    brake_seconds: float = 60.0

    def choose(self, wanted: str) -> ModelChoice | None:
        """The model of a role, or the model of that id; None when it has no key, no price, or is unknown."""
        model_id = self.models.get(wanted, "") if wanted in ROLES else wanted
        provider, _, name = model_id.partition(":")
        family = PROVIDERS.get(provider)
        price = self.prices.get(model_id)
        if family is None or not name or price is None or not is_installed():
            return None
        key, base_url = self.keys.get(family, ""), self.base_urls.get(family, "")
        if not key and not base_url:
            return None
        # A server of one's own often wants no key, but every client insists on sending one.
        return ModelChoice(model_id, provider, name, price, key or "none", base_url)

    def why_not(self, wanted: str) -> str:
        """In words, why :meth:`choose` has no such model."""
        model_id = self.models.get(wanted, "") if wanted in ROLES else wanted
        if not model_id:
            return f"no model is set for {wanted}"
        family = PROVIDERS.get(model_id.partition(":")[0])
        if family is None:
            return f"{model_id!r} names no provider we speak to; write one of {', '.join(PROVIDERS)} before the colon"
        if model_id not in self.prices:
            return f"{model_id} has no price, so no ceiling could hold it; add it to LLM_PRICES"
        return f"no key is set for {family}"

    def any_usable(self) -> bool:
        """Whether any role has a model that can be asked."""
        return any(self.choose(role) is not None for role in ROLES)

    def rate(self, currency: str) -> Decimal | None:
        """How much of ``currency`` one unit of the price list's currency is; None when nobody said."""
        return self.rates.get(currency)


@lru_cache(maxsize=1)
def is_installed() -> bool:
    """Whether the client library is there. Asking does not import it."""
    return find_spec("pydantic_ai") is not None


def from_settings(settings: Any) -> LLMConfig:
    """The configuration a Django settings object holds under ``LLM``."""
    given: dict[str, Any] = dict(settings.LLM)
    return LLMConfig(
        models=dict(given["MODELS"]),
        prices={name: _price(name, price) for name, price in given["PRICES"].items()},
        keys=dict(given["KEYS"]),
        base_urls=dict(given["BASE_URLS"]),
        rates={currency: Decimal(str(rate)) for currency, rate in given["RATES"].items()},
        concurrency=given["CONCURRENCY"],
        slots_folder=str(given["SLOTS_FOLDER"]),
        timeout=given["TIMEOUT"],
        attempts=given["ATTEMPTS"],
        ask_seconds=given["ASK_SECONDS"],
    )


def _price(name: str, given: Any) -> Price:
    try:
        price = Price(Decimal(str(given["in"])), Decimal(str(given["out"])))
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f'LLM_PRICES: {name} needs {{"in": money, "out": money}} for a million tokens') from error
    if price.tokens_in < 0 or price.tokens_out < 0:
        raise ValueError(f"LLM_PRICES: {name} has a price below 0")
    return price
