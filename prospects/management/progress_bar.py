"""How far a command is, for whoever waits for it."""

from __future__ import annotations

import sys
import time
from typing import Any

_WIDTH = 30


class Bar:
    """A progress bar on a terminal, a line every few seconds elsewhere, nothing when quiet."""

    def __init__(self, stream: Any, *, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._started = time.monotonic()
        self._last = 0.0

    def show(self, done: int, total: int) -> None:
        """Where it is now."""
        now = time.monotonic()
        if self._quiet or (not self._terminal and now - self._last < 5):
            return
        self._last = now
        rate = done / max(now - self._started, 0.001)
        share = min(1.0, done / total) if total else 1.0
        filled = int(share * _WIDTH)
        left = f", {(total - done) / rate:.0f} s left" if rate and total > done else ""
        line = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}, {rate:.0f}/s{left}"
        self._stream.write(f"\r{line:<78}" if self._terminal else line, ending="" if self._terminal else "\n")

    def end(self) -> None:
        """Leave the line."""
        if self._terminal and not self._quiet and self._last:
            self._stream.write("")
