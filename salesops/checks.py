"""What ``manage.py check --deploy`` asks of an installation beyond Django's own questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from salesops.reach import why_unreachable


@register(Tags.security, deploy=True)
def reaches_people(**_: Any) -> list[CheckMessage]:
    """Links in messages lead here, and mail really leaves."""
    return list(_what_is_missing())


def _what_is_missing() -> Iterator[CheckMessage]:
    problem = why_unreachable(settings.PUBLIC_URL)
    if problem:
        yield Warning(
            f"PUBLIC_URL is no address that others can open: {problem}.",
            hint="Unsubscribe links begin with it; mail programs follow them over TLS only (RFC 8058).",
            id="salesops.W001",
        )
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        yield Warning(
            "No mail server is set.",
            hint="Set EMAIL_URL. Until then live clients send nothing, and links to reset a password go to stdout.",
            id="salesops.W002",
        )
