"""robots.txt, as RFC 9309 says: no file means go ahead, a failing server keep out, and of a long file the
beginning counts.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urljoin

from protego import Protego

from prospects.sources.fetch import Fetcher
from prospects.sources.troubles import BadAnswer, Refused
from prospects.sources.web import target_of

MAX_BYTES = 512_000
KEPT_SECONDS = 24 * 3600.0
KEPT_SECONDS_CLOSED = 3600.0
KEPT_SITES = 5_000
MAX_DELAY = 10.0


@dataclass(frozen=True, slots=True)
class _Rules:
    """One site's rules until a time; None of them: everything is closed."""

    rules: Protego | None
    until: float


class Robots:
    """Asks each site for its rules once a day. Safe to use from many threads."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._agent = fetcher.reach.user_agent.split("/", 1)[0].strip() or "*"
        self._known: OrderedDict[str, _Rules] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, url: str) -> float:
        """Seconds the site wants between two requests (0: it does not say; at most 10).

        Raises Refused when it does not want this page read, NetworkTrouble when it does not answer.
        """
        rules = self._rules(url)
        if rules is None:
            raise Refused("the site's robots.txt cannot be had, so nothing is read there now")
        if not rules.can_fetch(url, self._agent):
            raise Refused("the site's robots.txt asks not to read this page")
        return min(float(rules.crawl_delay(self._agent) or 0.0), MAX_DELAY)

    def _rules(self, url: str) -> Protego | None:
        target = target_of(url)
        site = f"{target.scheme}://{target.place}"
        with self._lock:
            known = self._known.get(site)
            if known is not None and known.until > time.monotonic():
                self._known.move_to_end(site)
                return known.rules
        rules = self._ask(urljoin(url, "/robots.txt"))
        kept = KEPT_SECONDS if rules is not None else KEPT_SECONDS_CLOSED
        with self._lock:
            self._known[site] = _Rules(rules, time.monotonic() + kept)
            while len(self._known) > KEPT_SITES:
                self._known.popitem(last=False)
        return rules

    def _ask(self, url: str) -> Protego | None:
        try:
            page = self._fetcher.fetch(url, max_bytes=MAX_BYTES, beginning=True)
        except BadAnswer:
            return Protego.parse("")  # no text: as good as none
        if page.status >= 500 or page.status == 429:
            return None
        return Protego.parse(page.text if page.status < 300 else "")
