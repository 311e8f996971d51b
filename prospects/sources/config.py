"""What a source is (the playbook says) and what this installation lets sources do (the environment says)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from django.conf import settings

from playbooks.rules.sources import SourceConfig, read_source

__all__ = ["Reach", "SourceConfig", "read_source"]


@dataclass(frozen=True, slots=True)
class Reach:
    """Bounds that no playbook can widen.

    ``allow_hosts`` are ``host:port`` pairs that may be private and on any port (local stand-ins). Times in seconds,
    sizes in bytes; ``threads`` requests are under way at once, and a batch's look-up takes ``batch_seconds`` at most.
    """

    user_agent: str = "SalesOps"
    allow_hosts: frozenset[str] = frozenset()
    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    request_seconds: float = 30.0
    max_bytes: int = 5_000_000
    threads: int = 16
    batch_seconds: float = 240.0
    folder: Path = field(default_factory=Path)

    @classmethod
    def of_settings(cls) -> Reach:
        return cls(
            user_agent=settings.SOURCES_USER_AGENT,
            allow_hosts=frozenset(host.lower() for host in settings.SOURCES_ALLOW_HOSTS),
            request_seconds=settings.SOURCES_REQUEST_SECONDS,
            max_bytes=settings.SOURCES_MAX_BYTES,
            threads=settings.SOURCES_THREADS,
            batch_seconds=settings.SOURCES_BATCH_SECONDS,
            folder=Path(settings.SOURCES_FOLDER),
        )


@dataclass(frozen=True, slots=True)
class Credential:
    """One header, and the only host it may ever be sent to."""

    header: str
    value: str = field(repr=False)
    host: str


class Keyed(Protocol):
    """What a key is found by; a source's configuration and its row both say it."""

    @property
    def auth_env(self) -> str: ...
    @property
    def auth_header(self) -> str: ...


def credential_of(config: Keyed) -> Credential | str | None:
    """The source's credential; None when it needs none; words when the environment lacks it."""
    if not config.auth_env:
        return None
    value, host = os.environ.get(config.auth_env, ""), os.environ.get(f"{config.auth_env}_HOST", "")
    if not value:
        return f"{config.auth_env} is not set"
    if not host:
        return f"{config.auth_env}_HOST is not set: it names the one host the key may be sent to"
    if not value.isascii() or not value.isprintable():
        return f"{config.auth_env} holds characters that no header can carry"
    return Credential(config.auth_header, value, host.lower())
