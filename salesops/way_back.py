"""The way back to where a person came from, never to a place that somebody else wrote into a link."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def if_ours(request: HttpRequest, address: str, *, otherwise: str = "") -> str:
    """The address when it leads to this very installation, else ``otherwise``."""
    ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if ours else otherwise
