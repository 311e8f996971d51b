"""What kind of failure an exception is, which decides what happens next; said by the exception, never guessed.

An exception class of ours declares it in its class attribute ``fault``. For others, whoever knows them registers it.
What nobody declared is a bug of ours.
"""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """The classes of failure; the value is how pages say it."""

    RATE_LIMIT = "rate limit"  # wait as told, then try again
    NETWORK = "network"  # try again later and later
    BAD_RECORD = "bad record"  # skip it and go on
    AUTHENTICATION = "authentication"  # stop the connector, a person must act
    DEPRECATED = "deprecated"  # use the fallback
    BUG = "bug"  # fail this batch only


_KNOWN: dict[type[BaseException], Fault] = {ConnectionError: Fault.NETWORK, TimeoutError: Fault.NETWORK}


def register(kind: type[BaseException], fault: Fault) -> None:
    """Say what an exception class of somebody else's, and its subclasses, mean."""
    _KNOWN[kind] = fault


def fault_of(error: BaseException) -> Fault:
    """The class of a failure: what its own class declares or is registered as, the nearest ancestor first."""
    for kind in type(error).__mro__:
        declared = kind.__dict__.get("fault")
        if isinstance(declared, Fault):
            return declared
        if kind in _KNOWN:
            return _KNOWN[kind]
    return Fault.BUG
