"""The class of a failure is declared, by the exception or by whoever knows it; names say nothing."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from prospects.sources import troubles
from salesops.runtime import faults
from salesops.runtime.faults import Fault, fault_of


class TimeoutOfOurPatienceError(Exception):
    """Named like a network failure, and none."""


class SlowError(TimeoutError):
    """Whatever its name, a time-out."""


class ThrottledError(SlowError):
    fault = Fault.RATE_LIMIT


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ZeroDivisionError(), Fault.BUG),
        (TimeoutOfOurPatienceError(), Fault.BUG),
        (SlowError(), Fault.NETWORK),
        (ThrottledError(), Fault.RATE_LIMIT),
        (ConnectionResetError(), Fault.NETWORK),
        (OperationalError(), Fault.NETWORK),
        (troubles.AuthenticationTrouble("key refused"), Fault.AUTHENTICATION),
        (troubles.RateLimited("too fast", 3), Fault.RATE_LIMIT),
        (troubles.Gone("over"), Fault.DEPRECATED),
        (troubles.BadAnswer("no JSON"), Fault.BAD_RECORD),
        (troubles.NoSuchHost("x"), Fault.NETWORK),
        (troubles.Refused("private"), Fault.BUG),
    ],
)
def test_the_class_comes_from_what_was_declared_nearest(error: Exception, fault: Fault) -> None:
    assert fault_of(error) is fault


def test_a_registered_class_counts_for_its_subclasses_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_KNOWN", dict(faults._KNOWN))
    faults.register(TimeoutOfOurPatienceError, Fault.DEPRECATED)

    class NearerError(TimeoutOfOurPatienceError):
        pass

    assert fault_of(NearerError()) is Fault.DEPRECATED
