"""Opaque, unforgeable tokens for /u/<token>/.

A token must not be guessable, must not show who it is for, and must work for years without a row in a table (the
link outlives every clean-up). So it is a synthetic-IV cipher over (client, contact): the first 16 bytes are a MAC
of the pair, the last 16 are the pair masked with a key stream drawn from that MAC.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Iterable

_PAIR = struct.Struct(">QQ")
_TOKEN_LENGTH = 43


def _mac(key: bytes, purpose: bytes, data: bytes) -> bytes:
    return hmac.new(key, b"salesops.unsubscribe." + purpose + b"\x00" + data, hashlib.sha256).digest()[:16]


def _mask(key: bytes, tag: bytes, data: bytes) -> bytes:
    stream = _mac(key, b"mask", tag)
    return bytes(left ^ right for left, right in zip(data, stream, strict=True))


def token(key: bytes, client_id: int, contact_id: int) -> str:
    """43 URL-safe characters; the same pair and key always give the same token."""
    pair = _PAIR.pack(client_id, contact_id)
    tag = _mac(key, b"tag", pair)
    return base64.urlsafe_b64encode(tag + _mask(key, tag, pair)).rstrip(b"=").decode("ascii")


def read(keys: Iterable[bytes], text: str) -> tuple[int, int] | None:
    """(client id, contact id), or None for anything that no key of ours made. Older keys may follow the current."""
    if len(text) != _TOKEN_LENGTH or not text.isascii():
        return None
    try:
        raw = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    tag, masked = raw[:16], raw[16:]
    for key in keys:
        pair = _mask(key, tag, masked)
        if hmac.compare_digest(_mac(key, b"tag", pair), tag):
            client_id, contact_id = _PAIR.unpack(pair)
            return client_id, contact_id
    return None
