"""One attempt at one question over the network, and what came of it in our own words.

The client library is imported here and nowhere else, on first use: it takes seconds. Its own retries are switched off,
because only the asker knows what a second attempt may still cost.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import structlog

from salesops.llm.config import ModelChoice
from salesops.llm.ports import Outcome
from salesops.llm.prompts import Filled

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.messages import ModelResponse, ToolCallPart
    from pydantic_ai.models import Model

log = structlog.get_logger(__name__)

TOOL = "answer"
# The largest response that is read at all. An answer is a few kilobytes; whatever goes on longer is cut off.
MOST_BYTES = 2_000_000
# How much text a token can be worth; an answer beyond max_tokens times this was not written under our limit.
_CHARACTERS_A_TOKEN = 12
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")  # what JSON can say and no database takes


class Result(StrEnum):
    """What to do about an attempt."""

    DONE = "done"  # an answer, whatever its worth; it was paid for
    WAIT = "wait"  # told to come back later
    AGAIN = "again"  # a passing fault
    HOPELESS = "hopeless"  # this question will never be answered
    BRAKE = "brake"  # no question will be: the key, the credit or the model's name is wrong


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one attempt ended. ``is_charged`` None means nobody can know whether the provider counted it."""

    result: Result
    outcome: Outcome = Outcome.ANSWERED
    text: str = ""
    words: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    is_charged: bool | None = True
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What to send to whom. ``schema`` is the JSON schema of the answer; ``timeout`` covers the whole attempt."""

    model: ModelChoice
    filled: Filled
    schema: Mapping[str, Any]
    describes: str
    max_tokens: int
    timeout: float


async def attempt(call: Call) -> Attempt:
    """Ask once. Never raises for anything the network or the provider does."""
    started = time.perf_counter()
    try:
        response = await _request(call)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        return _failed(error, time.perf_counter() - started)
    return _read(call, response, time.perf_counter() - started)


async def _request(call: Call) -> ModelResponse:
    from pydantic_ai.direct import model_request
    from pydantic_ai.messages import ModelRequest, UserPromptPart
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import ToolDefinition

    tool = ToolDefinition(
        name=TOOL, description=call.describes, parameters_json_schema=dict(call.schema), kind="output"
    )
    return await model_request(
        _client(call.model),
        [ModelRequest(parts=[UserPromptPart(call.filled.question)], instructions=call.filled.system)],
        model_settings=ModelSettings(
            max_tokens=call.max_tokens, timeout=call.timeout, request_timeout=call.timeout, max_retries=0
        ),
        model_request_parameters=ModelRequestParameters(
            output_mode="tool", output_tools=[tool], allow_text_output=False
        ),
    )


# Model clients with the HTTP client under each; their connections belong to the loop that first used them.
_clients: dict[ModelChoice, tuple[Model, httpx2.AsyncClient]] = {}


def _client(choice: ModelChoice) -> Model:
    """The client of one model, made once per process."""
    if choice not in _clients:
        from pydantic_ai.models import create_async_httpx2_client

        http = create_async_httpx2_client()
        http.event_hooks["response"].append(_limit)
        _clients[choice] = _make(choice, http), http
    return _clients[choice][0]


async def close_clients() -> None:
    """Close every connection. The next question opens new ones."""
    while _clients:
        _, (_, http) = _clients.popitem()
        await http.aclose()


def _make(choice: ModelChoice, http: httpx2.AsyncClient) -> Model:
    url = choice.base_url or None
    if choice.provider == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(
            choice.name, provider=AnthropicProvider(api_key=choice.api_key, base_url=url, http_client=http)
        )
    if choice.provider == "google":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleModel(choice.name, provider=GoogleProvider(api_key=choice.api_key, base_url=url, http_client=http))
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(api_key=choice.api_key, base_url=url, http_client=http)
    kind = OpenAIResponsesModel if choice.provider == "openai-responses" else OpenAIChatModel
    return kind(choice.name, provider=provider)


class TooLong(Exception):  # noqa: N818
    """The response was cut off: it went on beyond any answer's length."""


class _Limited:
    """A response body that ends with :class:`TooLong` instead of filling the memory."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for chunk in self._stream:
            seen += len(chunk)
            if seen > MOST_BYTES:
                raise TooLong
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _limit(response: Any) -> None:
    """Response hook: bound what is read, before anything of it has been."""
    import httpx2

    class Limited(_Limited, httpx2.AsyncByteStream):
        pass

    response.stream = Limited(response.stream)


def _read(call: Call, response: ModelResponse, seconds: float) -> Attempt:
    """The answer's text and kind. It was paid for, so it counts even when it is no use."""
    from pydantic_ai.messages import TextPart, ToolCallPart

    called = [part for part in response.parts if isinstance(part, ToolCallPart) and part.tool_name == TOOL]
    spoken = "\n".join(part.content for part in response.parts if isinstance(part, TextPart)).strip()
    text = _NO_TEXT.sub("", _said(called[0]) if called else spoken)
    outcome, words = Outcome.ANSWERED, ""
    if response.finish_reason == "content_filter":
        outcome, words = Outcome.REFUSED, "The model refused to answer."
        text = text or _NO_TEXT.sub("", str((response.provider_details or {}).get("refusal", "")))
    elif response.finish_reason == "length" or len(text) > call.max_tokens * _CHARACTERS_A_TOKEN:
        outcome, words = Outcome.MALFORMED, "The answer was too long and was cut off."
    elif len(called) > 1:
        outcome, words = Outcome.MALFORMED, "The model answered more than once."
    elif not called and not spoken.startswith("{"):
        outcome, words = Outcome.REFUSED, "The model did not answer in the form asked for."
    used = response.usage
    counted = used.input_tokens and (used.output_tokens or not text)  # some servers do not say what an answer took
    return Attempt(
        Result.DONE,
        outcome,
        text[: call.max_tokens * _CHARACTERS_A_TOKEN],
        words,
        tokens_in=used.input_tokens or 0,
        tokens_out=used.output_tokens or 0,
        seconds=seconds,
        is_charged=True if counted else None,
    )


def _said(part: ToolCallPart) -> str:
    """The answer as JSON. The library's own way breaks over half a character."""
    return part.args if isinstance(part.args, str) else json.dumps(part.args or {}, ensure_ascii=False)


def _failed(error: Exception, seconds: float) -> Attempt:
    """What an exception of the client library means for this question and for the others."""
    from pydantic_ai import exceptions as e

    if _was_cut_off(error):
        return _lost("The response went on for too long and was cut off.", Outcome.MALFORMED, seconds)
    if isinstance(error, e.ContentFilterError):
        return _lost("The model refused to answer.", Outcome.REFUSED, seconds)
    if isinstance(error, e.ModelRateLimitError):
        words = "The model's service asked us to slow down."
        return Attempt(Result.WAIT, words=words, seconds=seconds, is_charged=False, wait=error.retry_after)
    for kind, words in (
        (e.ModelAuthenticationError, "The model's service refused our key."),
        (e.ModelQuotaExceededError, "The credit with the model's service is used up."),
        (e.ModelNotFoundError, "The model's service knows no such model."),
    ):
        if isinstance(error, kind):
            log.error("model_service_stopped", reason=words, error=type(error).__name__)
            return Attempt(Result.BRAKE, words=words, seconds=seconds, is_charged=False)
    if isinstance(error, e.ModelRequestRejectedError):
        log.warning("model_rejected_question", status=getattr(error, "status_code", None))
        words = "The model's service rejected the question."
        return Attempt(Result.HOPELESS, words=words, seconds=seconds, is_charged=False)
    return _passing(error, seconds)


def _passing(error: Exception, seconds: float) -> Attempt:
    """Faults that another attempt may heal. What was under way when it broke may have been counted."""
    from pydantic_ai import exceptions as e

    wait = getattr(error, "retry_after", None)
    if isinstance(error, e.ModelUnavailableError | e.ModelServerError):
        words = "The model's service is failing."
        return Attempt(Result.AGAIN, words=words, seconds=seconds, is_charged=False, wait=wait)
    is_charged = False if getattr(error, "phase", None) in ("pool", "connect") else None
    if isinstance(error, e.ModelRequestTimeout | e.ModelTimeoutError):
        words = "The model did not answer in time."
    elif isinstance(error, e.ModelConnectionError):
        reached = is_charged is None
        words = "The connection to the model's service broke." if reached else "The model's service cannot be reached."
    else:
        log.warning("model_answer_unreadable", error=type(error).__name__)
        words = "The model's service sent no readable answer."
    return Attempt(Result.AGAIN, words=words, seconds=seconds, is_charged=is_charged, wait=wait)


def _was_cut_off(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, TooLong):
        error = error.__cause__ or error.__context__
    return error is not None


def _lost(words: str, outcome: Outcome, seconds: float) -> Attempt:
    """An answer there was, and nobody knows what it cost."""
    return Attempt(Result.DONE, outcome, "", words, seconds=seconds, is_charged=None)


def worst_tokens_in(call: Call) -> int:
    """More tokens than the question can be: no token is shorter than a byte, and providers add a preamble for tools."""
    text = call.filled.system + call.filled.question + call.describes + json.dumps(call.schema)
    return len(text.encode()) + 1000


def import_client(choice: ModelChoice) -> None:
    """Import what asking this model takes, now instead of at its first question, which would wait for it for seconds.

    A client is made and thrown away: making one is what loads the library's last parts.
    """
    from pydantic_ai import direct
    from pydantic_ai.models import create_async_httpx2_client

    _make(choice, create_async_httpx2_client())
    log.debug("model_client_ready", library=direct.__name__, model=choice.id)
