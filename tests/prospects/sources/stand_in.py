"""A real HTTP server that answers as it is told, and the pieces a source needs to ask it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore2
import redis

from prospects.sources.config import Reach
from prospects.sources.fetch import Fetcher
from prospects.sources.limits import Limiter
from prospects.sources.line import Office
from prospects.sources.robots import Robots
from salesops import engines


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass
class Reply:
    """What to answer. ``raw`` replaces everything after the connection was made."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: Callable[[Any], None] | None = None


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


def html(text: str, status: int = 200) -> Reply:
    return Reply(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


Answer = Reply | Callable[[Request], Reply]


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up in the middle here: that is the point."""


class StandIn:
    """Routes are paths without their query; ``asked`` is everything that arrived, in order."""

    def __init__(self) -> None:
        self.routes: dict[str, Answer] = {}
        self.asked: list[Request] = []
        self._lock = threading.Lock()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, dict(self.headers.items()), body, time.time())
                with stand_in._lock:
                    stand_in.asked.append(request)
                answer = stand_in.routes.get(self.path.split("?", 1)[0], Reply(404))
                reply = answer(request) if callable(answer) else answer
                if reply.raw is not None:
                    reply.raw(self)
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = _serve  # noqa: N815 — http.server's names

            def log_message(self, *args: Any) -> None:
                """Silence."""

        self.server = _Quiet(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.place}"

    def paths(self) -> list[str]:
        return [request.path for request in self.asked]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A server at a port that another may have had before: what that one asked for does not bind this one."""
    server = StandIn()
    with redis.Redis.from_url(engines.urls().cache_url) as kept:
        for turn in kept.scan_iter(f"*{server.place}*", count=1000):
            kept.delete(turn)
    try:
        yield server
    finally:
        server.close()


def reach(*servers: StandIn, **changes: Any) -> Reach:
    """This machine's stand-ins may be asked; everything private else may not."""
    made = Reach(
        user_agent="SalesOps/test", allow_hosts=frozenset(s.place for s in servers), connect_seconds=2, read_seconds=2,
        request_seconds=5, max_bytes=200_000, threads=8, batch_seconds=20,
    )  # fmt: skip
    return replace(made, **changes)


class Wires(httpcore2.NetworkBackend):
    """A network on which public addresses lead to stand-ins; ``called`` is every address a connection went to."""

    def __init__(self, **servers: StandIn) -> None:
        self.servers = {name.removeprefix("_").replace("_", "."): server for name, server in servers.items()}
        self.called: list[tuple[str, int]] = []

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None, options: Any = None
    ) -> httpcore2.NetworkStream:
        self.called.append((host, port))
        if host not in self.servers:
            raise httpcore2.ConnectError(f"nobody at {host}")
        return httpcore2.SyncBackend().connect_tcp("127.0.0.1", self.servers[host].port, timeout)


class Naps:
    """Sleeps a hundredth of what it is asked to, and remembers what that was."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        time.sleep(seconds / 100)


def office(*servers: StandIn, naps: Callable[[float], None] | None = None, **changes: Any) -> Office:
    within = reach(*servers, **changes)
    fetcher = Fetcher(within)
    return Office(within, fetcher, Limiter(engines.urls().cache_url), Robots(fetcher), naps or Naps())
