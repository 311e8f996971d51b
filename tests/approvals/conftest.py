from collections.abc import Iterator

import pytest

from tests.approvals.post_office import PostOffice, nobody_home, post_office


@pytest.fixture
def office(settings) -> Iterator[PostOffice]:
    """A real SMTP server in the place of the sandbox's own."""
    with post_office() as found:
        settings.SANDBOX_SMTP_PORT = found.port
        yield found


@pytest.fixture
def nowhere() -> Iterator[int]:
    """A port at which nobody answers."""
    with nobody_home() as port:
        yield port


@pytest.fixture
def in_public(settings, office, nowhere) -> PostOffice:
    """An installation that people can be reached from; the office stands in the place of its mail server."""
    settings.PUBLIC_URL, settings.SANDBOX_SMTP_PORT = "https://sales.example", nowhere
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", office.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    return office
