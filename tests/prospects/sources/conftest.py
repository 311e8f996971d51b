from collections.abc import Iterator

import pytest

from tests.prospects.sources.stand_in import StandIn, stand_in


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as made:
        yield made
