"""Structured logs: one event per line on stderr, so that stdout belongs to a command's own answer.

People reading a terminal get coloured words, machines get JSON; both carry the request or task id and the trace id that
``bind_trace`` put there. Events name ids, counts and outcomes: never an e-mail address, a name or a message's words.
"""

import logging
import os
import re
import sys
import uuid
from collections.abc import MutableMapping
from typing import Any

import structlog

_ADDRESS = re.compile(r"[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
# PostgreSQL's DETAIL repeats the row's values: "Key (email)=(…) already exists", "Failing row contains (…)".
_ROW_VALUES = re.compile(r"(DETAIL:)[^\n]*")
# Whoever reads one of these tokens can sign in as somebody, or end their mail.
_TOKENS = re.compile(r"(/password/reset/|/u/)(?!sent/|done/)[^\s?]+")


def _scrub(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take personal data out of text that we did not write ourselves: requests, error messages and tracebacks."""
    request = event.get("request")
    if isinstance(request, str):
        event["request"] = _TOKENS.sub(r"\1…", request.partition("?")[0])  # a query says whom somebody searched for
    for key in ("event", "exception", "error"):
        text = event.get(key)
        if isinstance(text, str) and ("@" in text or "DETAIL:" in text):
            text = _ROW_VALUES.sub(r"\1 …", _ADDRESS.sub("‹address›", text))
        if isinstance(text, str):
            event[key] = _TOKENS.sub(r"\1…", text)
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def new_trace_id() -> str:
    """Return the 32 hexadecimal digits that will follow one import, click or run through every row and log line."""
    return uuid.uuid4().hex


def bind_trace(trace_id: str) -> None:
    """Put ``trace_id`` on every log line of this request, task or command from here on."""
    structlog.contextvars.bind_contextvars(trace_id=trace_id)


def current_trace_id() -> str:
    """Return the trace id in force, making and binding one when there is none."""
    found = structlog.contextvars.get_contextvars().get("trace_id")
    if found:
        return str(found)
    made = new_trace_id()
    bind_trace(made)
    return made


def configure() -> None:
    """Send structlog's own loggers through the standard library, where LOGGING decides what happens."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _wants_json() -> bool:
    """JSON unless a person is looking: ``LOG_FORMAT`` decides, else whether DEBUG is on or stderr is a terminal."""
    chosen = os.environ.get("LOG_FORMAT", "")
    if chosen:
        return chosen == "json"
    return os.environ.get("DEBUG", "").lower() not in {"1", "true", "yes", "on"} and not sys.stderr.isatty()


def _formatter() -> logging.Formatter:
    renderer: Any = structlog.processors.JSONRenderer()
    if not _wants_json():
        plain = structlog.dev.plain_traceback  # a pretty one would print local variables: whole rows, for instance
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _scrub,
            renderer,
        ],
    )


class _NotHealth(logging.Filter):
    """Leaves out requests for the health pages, one every few seconds; what is wrong they log themselves."""

    def filter(self, record: logging.LogRecord) -> bool:
        event = record.msg
        if isinstance(event, dict):
            return event.get("request") not in {"GET /healthz", "GET /readyz"}
        return not (record.name == "django.request" and record.getMessage().endswith(": /readyz"))


def config() -> dict[str, Any]:
    """Return settings.LOGGING. ``LOG_LEVEL`` moves our own loggers; everybody else's speak from WARNING on."""
    level = os.environ.get("LOG_LEVEL") or "INFO"
    ours = ("salesops", "playbooks", "prospects", "approvals", "celery", "django_structlog")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"events": {"()": _formatter}},
        "filters": {"not_health": {"()": _NotHealth}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "events",
                "filters": ["not_health"],
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        # Tasks are logged, with their ids, by django_structlog; a line for every nudge would drown everything else.
        # The request log is one line a page, from django_structlog; Django's own copy of each 4xx would double it.
        "loggers": {name: {"level": level} for name in ours}
        | {
            "django.request": {"level": "ERROR"},
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "CRITICAL"},
        },
    }


configure()
