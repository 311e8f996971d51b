"""Is it up, and is it working: ``/healthz`` for the process, ``/readyz`` for everything it needs.

Workers and sweeps leave a time in Redis as they go. A flushed Redis therefore looks unready until they have gone round
once more, some seconds later, and nothing needs repairing.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from salesops.sweeps import Unfinished

log = structlog.get_logger(__name__)

QUEUES = ("outreach", "default", "research", "learning")
WORKER_SECONDS = 45.0
"""A worker leaves its mark every ten seconds; older than this, nobody serves the queue."""
_SWEEP_GRACE_SECONDS = 30.0
_SLOW_SWEEP_SECONDS = 60.0
_FAILING_SECONDS = 3600.0
_DAY_SECONDS = 24 * 3600.0
_KEEP_SECONDS = 7 * 24 * 3600


def note_worker(queues: list[str]) -> None:
    """Record that a worker serving ``queues`` is alive now."""
    cache.set_many({f"health:queue:{queue}": time.time() for queue in queues}, _KEEP_SECONDS)


def note_task(task: str) -> None:
    """Record that ``task`` finished now, if it is a scheduled one."""
    if task in _scheduled_seconds():
        cache.set(f"health:task:{task}", time.time(), _KEEP_SECONDS)
        cache.delete(f"health:failing:{task}")


def note_failure(task: str, error: BaseException) -> None:
    """Record that ``task`` broke, if it is a scheduled one, and since when it has. Anyone may read what of it broke."""
    if task in _scheduled_seconds():
        what = str(error) if isinstance(error, Unfinished) else type(error).__name__
        known = cache.get(f"health:failing:{task}") or {"since": time.time()}
        cache.set(f"health:failing:{task}", known | {"error": what}, _KEEP_SECONDS)


def seconds_since_workers() -> dict[str, float | None]:
    """Return, per queue, the seconds since a worker was seen; None for never."""
    found = cache.get_many([f"health:queue:{queue}" for queue in QUEUES])
    return {queue: _age(found.get(f"health:queue:{queue}")) for queue in QUEUES}


def _age(at: float | None) -> float | None:
    return None if at is None else round(time.time() - at, 1)


def _scheduled_seconds() -> dict[str, float]:
    """Return the interval of every scheduled task; those by the clock come once a day."""
    return {
        str(entry["task"]): schedule if isinstance(schedule := entry["schedule"], float) else _DAY_SECONDS
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
    }


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return {"ok": True}


def _redis() -> dict[str, Any]:
    cache.set("health:probe", 1, 60)
    return {"ok": cache.get("health:probe") == 1}


def _workers() -> dict[str, Any]:
    ages = seconds_since_workers()
    return {"ok": all(age is not None and age < WORKER_SECONDS for age in ages.values()), "seconds_since": ages}


def _sweeps() -> dict[str, Any]:
    """Judge sweeps by their interval. ``failing`` says what broke at the last try of each that did not finish.

    A slow one unknown to Redis (flushed, say) is not held against us, unless it is known to have failed for a while.
    """
    intervals = _scheduled_seconds()
    found = cache.get_many([f"health:{what}:{task}" for task in intervals for what in ("task", "failing")])
    ages = {task: _age(found.get(f"health:task:{task}")) for task in intervals}
    failing = {task: broken for task in intervals if (broken := found.get(f"health:failing:{task}"))}
    late = [task for task, seconds in intervals.items() if _is_late(seconds, ages[task], failing.get(task))]
    return {
        "ok": not late,
        "late": late,
        "failing": {task: {"error": broken["error"], "for": _age(broken["since"])} for task, broken in failing.items()},
        "seconds_since": ages,
    }


def _is_late(seconds: float, age: float | None, failing: dict[str, Any] | None) -> bool:
    patience = 3 * seconds + _SWEEP_GRACE_SECONDS
    if failing is not None and time.time() - failing["since"] > min(patience, _FAILING_SECONDS):
        return True
    return seconds < _SLOW_SWEEP_SECONDS if age is None else age > patience


_CHECKS: dict[str, Callable[[], dict[str, Any]]] = {
    "database": _database,
    "redis": _redis,
    "workers": _workers,
    "sweeps": _sweeps,
}


def readiness() -> dict[str, dict[str, Any]]:
    """Run every check; one that raises is not ok, and says no more than the kind of error (anyone may ask)."""
    report = {}
    for name, check in _CHECKS.items():
        started = time.perf_counter()
        try:
            result = check()
        except Exception as error:
            log.warning("readiness_check_failed", check=name, kind=type(error).__name__)
            result = {"ok": False, "error": type(error).__name__}
        report[name] = result | {"ms": round((time.perf_counter() - started) * 1000, 1)}
    return report


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer that this process is up; touches nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when everything needed works, else 503; the JSON names what does not."""
    report = readiness()
    failing = sorted(name for name, check in report.items() if not check["ok"])
    if failing:
        log.warning("not_ready", failing=failing)
    ready = not failing
    return JsonResponse({"ready": ready, "checks": report}, status=200 if ready else 503)
