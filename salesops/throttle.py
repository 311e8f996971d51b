"""How often something was asked for lately, counted in Redis: emptied at any moment, it forgets, and lets through."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import redis
import structlog
from django.core.cache import cache

log = structlog.get_logger(__name__)


def asked_too_often(what: str, whose: str, *, most: int, within: timedelta) -> bool:
    """Count one more time that somebody asks; whether that is more than ``most`` times since the first of them.

    ``whose`` may name a person: only a hash of it is kept.
    """
    key = f"throttle:{what}:{hashlib.sha256(whose.encode()).hexdigest()}"
    try:
        if cache.add(key, 1, timeout=round(within.total_seconds())):
            return most < 1
        return cache.incr(key) > most
    except ValueError:  # it was forgotten between the two
        return False
    except redis.RedisError as error:
        log.warning("throttle_out_of_order", what=what, error=type(error).__name__)
        return False
