from collections.abc import Iterator

import pytest

from tests.approvals.post_office import PostOffice, post_office


@pytest.fixture
def office(settings) -> Iterator[PostOffice]:
    """A real SMTP server in the place of the sandbox's own."""
    with post_office() as found:
        settings.SANDBOX_SMTP_PORT = found.port
        yield found
