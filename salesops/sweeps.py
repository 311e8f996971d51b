"""Sweeps look at everything that may be due. What breaks in one place keeps none of the others waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection

log = structlog.get_logger(__name__)
T = TypeVar("T")
R = TypeVar("R")


class Unfinished(Exception):  # noqa: N818 — named for what happened
    """Parts of a sweep broke, each logged with its own traceback; the text names them. The others were done."""


def each(items: Iterable[T], work: Callable[[T], R], *, sweep: str, name: Callable[[T], str] = str) -> list[R]:
    """Do ``work`` for every item, whichever break; answers what it gave for those that did not.

    Raises ``Unfinished`` after the last, so that the sweep does not count as done. The end of a task's time ends it at
    once. Called outside any transaction: each piece of work has its own.
    """
    done: list[R] = []
    broken: list[str] = []
    for item in items:
        try:
            done.append(work(item))
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            log.exception("sweep_part_failed", sweep=sweep, part=name(item))
            broken.append(f"{name(item)} ({type(error).__name__})")
            if isinstance(error, InterfaceError | OperationalError) and not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()  # what comes next must not meet a line that is dead
    if broken:
        raise Unfinished(f"{sweep}: {', '.join(broken[:10])}{' …' if len(broken) > 10 else ''}")
    return done


def whole_or_each(ids: Sequence[int], work: Callable[[Sequence[int]], int], *, sweep: str) -> int:
    """Do ``work`` for all of them at once; where that breaks, one by one, so that only the one at fault is left over.

    Adds up what ``work`` gave. Raises as ``each`` does.
    """
    if not ids:
        return 0
    try:
        return work(ids)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        log.warning("sweep_goes_one_by_one", sweep=sweep, error=type(error).__name__)
        return sum(each(ids, lambda pk: work([pk]), sweep=sweep))
