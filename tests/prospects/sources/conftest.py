from collections.abc import Iterator

import pytest
import time_machine

from tests.prospects.sources.looking import NOW
from tests.prospects.sources.stand_in import StandIn, stand_in


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as made:
        yield made


@pytest.fixture(autouse=True)
def _on_that_day() -> Iterator[None]:
    """Budgets, rests and the age of news run by the wall's clock: it runs on, from where these tests' answers are."""
    with time_machine.travel(NOW, tick=True):
        yield
