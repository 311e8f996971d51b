from collections.abc import Iterator

import pytest

from prospects.sources import tool
from tests.prospects.sources.stand_in import StandIn, office, stand_in


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as made:
        yield made


@pytest.fixture(autouse=True)
def _this_machine_may_be_asked(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installation's own reach, which the environment sets: here it includes the stand-in."""
    here = office(server)
    monkeypatch.setattr(tool, "shared_office", lambda: here)
