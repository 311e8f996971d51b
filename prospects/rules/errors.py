"""What kind of failure it was, which decides what happens next. Pure."""

from __future__ import annotations

_NETWORK = ("Timeout", "Connection", "Unreachable", "BrokenPipe", "Network")
_LIMIT = ("RateLimit", "TooManyRequests", "Throttled")
_ACCESS = ("Unauthorized", "Authentication", "PermissionDenied")


def class_of(error: str) -> str:
    """The class of an error by its type's name: rate limit, network, authentication, or else a bug of ours."""
    for names, words in ((_LIMIT, "rate limit"), (_ACCESS, "authentication"), (_NETWORK, "network")):
        if any(name in error for name in names):
            return words
    return "bug"
