"""The Celery app. Its messages are nudges: what is due is always found again in PostgreSQL by a sweep."""

import contextlib
import logging.config
import os
import time
from typing import Any

from celery import Celery, signals
from django_structlog.celery.steps import DjangoStructLogInitStep
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.settings")

app = Celery("salesops")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(DjangoStructLogInitStep)

_MARK_SECONDS = 10.0
_queues: list[str] = []
_marked_at = 0.0


def _sweep_at_once(**_: Any) -> None:
    """When the scheduler starts, look for due work straight away instead of one interval later."""
    for entry in app.conf.beat_schedule.values():
        if isinstance(entry["schedule"], float):
            with contextlib.suppress(OperationalError):  # Redis is still away: the scheduler itself goes on trying
                app.send_task(entry["task"], **entry["options"])


def _keep_our_logs(**_: Any) -> None:
    """Being connected is enough to keep Celery's own logging away; the dictionary is the web process's."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


def _learn_queues(sender: Any, **_: Any) -> None:
    _queues[:] = [queue.name for queue in sender.task_consumer.queues]
    _mark_worker()


def _mark_worker(**_: Any) -> None:
    """Say "seen" for our queues from the worker's main process, which is never too busy with a task to do so."""
    global _marked_at
    if not _queues or time.monotonic() - _marked_at < _MARK_SECONDS:
        return
    from salesops import health

    with contextlib.suppress(Exception):  # Redis is away: that is what the missing mark says
        health.note_worker(_queues)
        _marked_at = time.monotonic()


def _mark_sweep(sender: Any, **_: Any) -> None:
    from salesops import health

    with contextlib.suppress(Exception):  # as above
        health.note_task(sender.name)


def _mark_failed_sweep(sender: Any, exception: BaseException, **_: Any) -> None:
    from salesops import health

    with contextlib.suppress(Exception):  # as above
        health.note_failure(sender.name, exception)


signals.beat_init.connect(_sweep_at_once)
signals.setup_logging.connect(_keep_our_logs)
signals.worker_ready.connect(_learn_queues)
signals.heartbeat_sent.connect(_mark_worker)
signals.task_success.connect(_mark_sweep)
signals.task_failure.connect(_mark_failed_sweep)
