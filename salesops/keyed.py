"""Keyed hashes: what must be recognised again without being kept. One key per purpose, made from SECRET_KEY."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from django.conf import settings
from django.utils.encoding import force_bytes


def secrets_for(purpose: str) -> Iterator[bytes]:
    """The key for this purpose from the present secret, then from each earlier one."""
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield hashlib.sha256(f"salesops.{purpose}:".encode() + force_bytes(secret)).digest()


def keyed_hash(secret: bytes, text: str) -> str:
    """HMAC-SHA256 as 64 hexadecimal characters."""
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
