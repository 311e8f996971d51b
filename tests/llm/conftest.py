"""Every test leaves its process without a loop and without a memory of failing services."""

from collections.abc import Iterator

import pytest

from salesops.llm import asker, loop


@pytest.fixture(autouse=True)
def _fresh_loop() -> Iterator[None]:
    asker._paces.clear()
    yield
    loop.close()
    for pace in asker._paces.values():
        pace.close()
    asker._paces.clear()
