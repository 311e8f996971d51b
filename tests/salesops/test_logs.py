"""Logs are events with ids, on stderr, without anybody's data."""

import json
import logging
import subprocess
import sys

import structlog
from django.urls import reverse

from salesops import logs
from salesops.engines.layout import CHECKOUT

_SPEAK = """
import logging.config, structlog
from salesops import logs
logging.config.dictConfig(logs.config())
logs.bind_trace("t1")
log = structlog.get_logger("prospects.importing")
log.info("import_finished", rows=3)
logging.getLogger("celery").warning("plain %s", "words")
try:
    raise ValueError("ann@acme.example is taken\\nDETAIL:  Key (email)=(bob@acme.example) already exists.\\nmore")
except ValueError:
    log.exception("row_refused")
"""


def spoken(**environment: str) -> tuple[list[str], str]:
    done = subprocess.run(
        [sys.executable, "-c", _SPEAK], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines(), done.stdout


def test_a_machine_gets_one_json_document_a_line_on_stderr_only() -> None:
    lines, stdout = spoken()
    events = [json.loads(line) for line in lines]
    assert stdout == ""
    assert events[0]["event"] == "import_finished"
    assert events[0]["rows"] == 3
    assert {event["trace_id"] for event in events} == {"t1"}
    assert events[1]["event"] == "plain words"


def test_errors_lose_the_addresses_and_values_they_quote() -> None:
    for form in ("json", "console"):
        text = "\n".join(spoken(LOG_FORMAT=form)[0])
        assert "row_refused" in text
        assert "ann@" not in text
        assert "bob@" not in text
        assert "ValueError" in text
        assert "more" in text


def test_nobody_learns_from_the_log_whom_somebody_searched_for_or_how_to_become_them() -> None:
    reset = reverse("password_reset_confirm", args=["MQ", "c0ffee-secret"])
    written = [
        logs._scrub(None, "", {"request": f"GET {url}", "event": f"Internal Server Error: {url}"})
        for url in (reset, reverse("unsubscribe", args=["secret"]), f"{reverse('prospects:list')}?q=secret")
    ]
    assert [event["request"] for event in written] == ["GET /password/reset/…", "GET /u/…", "GET /prospects/"]
    assert "secret" not in written[0]["event"] + written[1]["event"]
    kept = logs._scrub(None, "", {"request": f"POST {reverse('password_reset_done')}"})
    assert kept["request"] == "POST /password/reset/sent/"


def test_a_person_gets_words() -> None:
    lines, _ = spoken(LOG_FORMAT="console")
    assert not lines[0].startswith("{")
    assert "import_finished" in lines[0]


def test_the_trace_id_is_made_once_and_then_stays() -> None:
    with structlog.contextvars.bound_contextvars():
        structlog.contextvars.clear_contextvars()
        first = logs.current_trace_id()
        assert len(first) == 32
        assert logs.current_trace_id() == first
        logs.bind_trace("given")
        assert logs.current_trace_id() == "given"
    structlog.contextvars.clear_contextvars()


def test_requests_for_the_health_pages_are_not_logged() -> None:
    def kept(logger: str, message: object, *args: object) -> bool:
        return logs._NotHealth().filter(logging.LogRecord(logger, logging.INFO, "", 0, message, args, None))

    assert not kept("django_structlog", {"request": "GET /healthz"})
    assert not kept("django.request", "%s: %s", "Service Unavailable", "/readyz")
    assert kept("salesops.health", {"event": "not_ready"})
    assert kept("django_structlog", {"request": "GET /funnel/"})
    assert kept("django.request", "%s: %s", "Internal Server Error", "/funnel/")
