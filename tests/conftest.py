"""Every test session runs on real engines: those the environment names, else embedded ones with their own data."""

import pytest

from salesops import engines


def pytest_configure(config: pytest.Config) -> None:
    """Hold the engines for the session. With xdist the first process starts them and the workers join in."""
    if not config.option.collectonly:
        engines.ensure()
