"""A stand-in for a model provider: a real HTTP server on this machine that speaks their protocols.

It answers POST /v1/messages (Anthropic), /v1/chat/completions and /v1/responses (OpenAI) and …:generateContent (Google)
with whatever a function says, counts how many questions it has at once, and turns away what goes beyond its limit, as
providers do. For tests and benches.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Headers = Mapping[str, str]

_PATHS = {
    "anthropic": "/messages",
    "openai": "/chat/completions",
    "openai-responses": "/responses",
    "google": ":generateContent",
}
_SCHEMAS = {
    "anthropic": "input_schema",
    "openai": "parameters",
    "openai-responses": "parameters",
    "google": "parameters_json_schema",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it arrived. ``nth`` counts from 1 over the life of the server."""

    nth: int
    path: str
    headers: Headers
    body: Mapping[str, Any]

    @property
    def protocol(self) -> str:
        """anthropic, openai, openai-responses or google."""
        return next(name for name, end in _PATHS.items() if self.path.partition("?")[0].endswith(end))

    @property
    def system(self) -> str:
        """What the model is told."""
        if self.protocol == "google":
            return _text(self.body["systemInstruction"]["parts"])
        if self.protocol == "openai-responses":
            return _text(self.body["instructions"])
        if self.protocol == "anthropic":
            return _text(self.body.get("system", ""))
        return "\n".join(_text(m["content"]) for m in self.body["messages"] if m["role"] in ("system", "developer"))

    @property
    def question(self) -> str:
        """What it is asked about this prospect."""
        if self.protocol == "google":
            return "\n".join(_text(content["parts"]) for content in self.body["contents"])
        if self.protocol == "openai-responses":
            return "\n".join(_text(item["content"]) for item in self.body["input"])
        return "\n".join(_text(m["content"]) for m in self.body["messages"] if m["role"] == "user")

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON schema of the answer's form."""
        found: Mapping[str, Any] = _tool(self)[_SCHEMAS[self.protocol]]
        return found

    @property
    def most_tokens(self) -> int:
        """How long the answer may be."""
        given = self.body.get("generationConfig", self.body)
        names = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens")
        return next(int(given[name]) for name in names if name in given)


@dataclass(frozen=True, slots=True)
class Say:
    """What to answer. An ``answer`` that is no mapping is sent as the words of a tool call that is no JSON object.

    ``raw`` are bytes put on the wire as they are, after which the connection is cut.
    """

    answer: Mapping[str, Any] | str | None = None
    text: str = ""
    refusal: str = ""
    stop: str = ""
    status: int = 200
    headers: Headers = field(default_factory=dict)
    error: str = "overloaded_error"
    after: float = 0.0
    tokens_in: int = 400
    tokens_out: int = 120
    body: bytes | None = None
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Fenced:
    """One piece of the data in a question: which value it belongs to, its label, and the text."""

    name: str
    label: str
    text: str


_FENCE = re.compile(r"<<<(data-[0-9a-f]{20}) ([a-z_]+) ?(.*?)\n(.*?)\n\1>>>", re.DOTALL)


def fenced(question: str) -> list[Fenced]:
    """The data in a question, as a model that respects the fences reads it."""
    return [Fenced(name, label, text) for _, name, label, text in _FENCE.findall(question)]


Behaviour = Callable[[Asked], Say | Awaitable[Say]]


class StandIn:
    """The server, on a thread of its own. ``limit`` is how many questions it takes at once; more get a 429."""

    def __init__(self, behaviour: Behaviour, *, limit: int | None = None, port: int = 0) -> None:
        self.behaviour = behaviour
        self.limit = limit
        self.port = port
        self.asked: list[Asked] = []
        self.busy = self.most_at_once = self.turned_away = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-stand-in", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> StandIn:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        self._open: set[asyncio.Task[Any]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 — a connection is always served by a task
        self._open.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request of a connection; False when the connection ends."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
        asked = Asked(len(self.asked) + 1, first.split(" ")[1], headers, body)
        self.asked.append(asked)
        said = await self._answer(asked)
        if said.raw is not None:
            writer.write(said.raw)
            await writer.drain()
            return False
        writer.write(_response(asked, said))
        await writer.drain()
        return True

    async def _answer(self, asked: Asked) -> Say:
        if self.limit is not None and self.busy >= self.limit:
            self.turned_away += 1
            return Say(status=429, error="rate_limit_error", headers={"retry-after": "1"})
        self.busy += 1
        self.most_at_once = max(self.most_at_once, self.busy)
        try:
            said = self.behaviour(asked)
            if not isinstance(said, Say):
                said = await said
            if said.after:
                await asyncio.sleep(said.after)
            return said
        finally:
            self.busy -= 1


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def _response(asked: Asked, said: Say) -> bytes:
    if said.body is not None:
        payload = said.body
    elif said.status >= 400:
        payload = json.dumps(
            {"type": "error", "error": {"type": said.error, "message": "no", "code": said.error}}
        ).encode()
    else:
        payload = json.dumps(_ANSWERS[asked.protocol](asked, said)).encode()
    lines = [
        f"HTTP/1.1 {said.status} X", "content-type: application/json", f"content-length: {len(payload)}",
        *(f"{name}: {value}" for name, value in said.headers.items()),
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode() + payload


def _anthropic(asked: Asked, said: Say) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if said.text or said.refusal:
        content.append({"type": "text", "text": said.text or said.refusal})
    if said.answer is not None:
        given = said.answer if isinstance(said.answer, Mapping) else {"": said.answer}
        content.append({"type": "tool_use", "id": f"toolu_{asked.nth}", "name": _tool(asked)["name"], "input": given})
    stop = said.stop or ("refusal" if said.refusal else "tool_use" if said.answer is not None else "end_turn")
    return {
        "id": f"msg_{asked.nth}", "type": "message", "role": "assistant", "model": asked.body["model"],
        "content": content, "stop_reason": stop, "stop_sequence": None,
        "usage": {"input_tokens": said.tokens_in, "output_tokens": said.tokens_out},
    }  # fmt: skip


def _openai(asked: Asked, said: Say) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
    if said.refusal:
        message["refusal"] = said.refusal
    if said.answer is not None:
        words = said.answer if isinstance(said.answer, str) else json.dumps(said.answer)
        call = {
            "id": f"call_{asked.nth}",
            "type": "function",
            "function": {"name": _tool(asked)["name"], "arguments": words},
        }
        message["tool_calls"] = [call]
    stop = said.stop or ("tool_calls" if said.answer is not None else "stop")
    return {
        "id": f"chatcmpl-{asked.nth}", "object": "chat.completion", "created": 1_780_000_000,
        "model": asked.body["model"], "choices": [{"index": 0, "message": message, "finish_reason": stop}],
        "usage": {
            "prompt_tokens": said.tokens_in, "completion_tokens": said.tokens_out,
            "total_tokens": said.tokens_in + said.tokens_out,
        },
    }  # fmt: skip


def _responses(asked: Asked, said: Say) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if said.text or said.refusal:
        kind = {"type": "output_text", "text": said.text, "annotations": []}
        content = {"type": "refusal", "refusal": said.refusal} if said.refusal else kind
        output.append({"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [content]})
    if said.answer is not None:
        words = said.answer if isinstance(said.answer, str) else json.dumps(said.answer)
        call = {"type": "function_call", "id": "f", "call_id": "c", "name": _tool(asked)["name"], "arguments": words}
        output.append({**call, "status": "completed"})
    return {
        "id": f"resp_{asked.nth}", "object": "response", "created_at": 1_780_000_000, "model": asked.body["model"],
        "status": "completed", "output": output, "parallel_tool_calls": False, "tool_choice": "required", "tools": [],
        "usage": {
            "input_tokens": said.tokens_in, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said.tokens_out, "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": said.tokens_in + said.tokens_out,
        },
    }  # fmt: skip


def _google(asked: Asked, said: Say) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": said.text}] if said.text else []
    if said.answer is not None:
        given = said.answer if isinstance(said.answer, Mapping) else {"": said.answer}
        parts.append({"functionCall": {"name": _tool(asked)["name"], "args": given}})
    stop = "SAFETY" if said.refusal else said.stop or "STOP"
    content = {} if said.refusal else {"content": {"role": "model", "parts": parts}}
    return {
        "candidates": [{**content, "finishReason": stop, "index": 0}], "modelVersion": "m", "responseId": "r",
        "usageMetadata": {
            "promptTokenCount": said.tokens_in, "candidatesTokenCount": said.tokens_out,
            "totalTokenCount": said.tokens_in + said.tokens_out,
        },
    }  # fmt: skip


_ANSWERS = {"anthropic": _anthropic, "openai": _openai, "openai-responses": _responses, "google": _google}


def _tool(asked: Asked) -> Mapping[str, Any]:
    tool: Mapping[str, Any] = asked.body["tools"][0]
    if asked.protocol == "google":
        tool = tool["functionDeclarations"][0]
    return tool["function"] if asked.protocol == "openai" else tool


def judge_industry(asked: Asked) -> Mapping[str, Any]:
    """An honest answer to the evidence question: the industry, in the words of the first piece that names it."""
    for piece in fenced(asked.question):
        found = re.search(r"^industry: (.+)$", piece.text, re.MULTILINE) if piece.name == "signals" else None
        if found is not None:
            judged = {
                "criterion": "fit/icp.industry", "value": 80, "confidence": 0.8, "rationale": "It says so.",
                "quote": found.group(1), "signals": [piece.label.split(",")[0]],
            }  # fmt: skip
            return {"judgements": [judged]}
    return {"judgements": []}


def serve(seconds: float, limit: int) -> None:
    """Answer evidence questions until standard input ends; the address is the first line on standard output."""
    with StandIn(lambda asked: Say(answer=judge_industry(asked), after=seconds), limit=limit) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve(float(sys.argv[1]), int(sys.argv[2]))
