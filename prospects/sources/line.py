"""The line to one source: a request passes the brake, waits its turn, is retried while that helps, and is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playbooks.rules.sources import SourceConfig, placeholders
from prospects.sources.breaker import Brake
from prospects.sources.config import Reach, credential_of
from prospects.sources.fetch import Fetcher
from prospects.sources.limits import Limiter
from prospects.sources.retry import again, announced_end, judge
from prospects.sources.robots import Robots
from prospects.sources.troubles import AuthenticationTrouble, Gone, NotAsked, NotKnown, Trouble
from prospects.sources.web import Page, target_of


@dataclass(frozen=True, slots=True)
class Office:
    """What all lines of a process share."""

    reach: Reach
    fetcher: Fetcher
    limiter: Limiter
    robots: Robots
    sleep: Callable[[float], None] = time.sleep


class Line:
    """One question's way to its source.

    ``answered`` counts the requests that came back with an answer: those cost, and there is money for ``most`` of them.
    ``tried`` says whether the brake let any through.
    """

    def __init__(self, config: SourceConfig, office: Office, brake: Brake, *, until: float, most: int = 1) -> None:
        self.config, self.office, self.brake, self.until, self.most = config, office, brake, until, most
        self.answered = 0
        self.tried = False

    def get(
        self,
        url: str,
        *,
        kinds: frozenset[str] = frozenset(),
        method: str = "GET",
        body: Any = None,
        robots: bool = False,
        max_bytes: int | None = None,
    ) -> Page:
        """The answer to one request. Raises Trouble when there is none."""
        place = f"{target_of(url).place}:{self.config.auth_env}"
        per_minute = float(self.config.rate_per_minute)
        return again(
            lambda: self._once(
                url,
                place,
                per_minute,
                lambda: self._fetch(url, kinds, method, body, max_bytes, robots=robots),
                robots=robots,
            ),
            until=self.until,
            hold=lambda seconds: self.office.limiter.hold(place, per_minute, seconds),
            sleep=self.office.sleep,
        )

    def _once(self, url: str, place: str, per_minute: float, fetch: Callable[[], Page], *, robots: bool) -> Page:
        if self.config.cost and self.answered >= self.most:
            raise NotAsked("no more money was set aside for this question")
        self.brake.enter()
        self.tried = True
        try:
            if robots and (delay := self.office.robots.check(url)):
                per_minute = min(per_minute, 60.0 / delay)
            self.office.limiter.turn(place, per_minute, until=self.until)
            page = fetch()
        except Trouble as trouble:
            self._tell(trouble)
            raise
        except BaseException:
            self.brake.leave()
            raise
        self.answered += 1
        self.brake.succeed()
        if words := announced_end(page):
            self.brake.warn(f"{self.config.key} {words}")
        return page

    def _tell(self, trouble: Trouble) -> None:
        """What the brake makes of it."""
        if isinstance(trouble, AuthenticationTrouble):
            self.brake.halt(str(trouble))
        elif isinstance(trouble, Gone):
            self.brake.retire(str(trouble))
        elif isinstance(trouble, NotKnown):
            self.answered += 1
            self.brake.succeed()
        elif trouble.blames_source:
            self.brake.fail(str(trouble))
        else:
            self.brake.leave()

    def _fetch(
        self, url: str, kinds: frozenset[str], method: str, body: Any, max_bytes: int | None, *, robots: bool
    ) -> Page:
        if time.monotonic() > self.until:
            raise NotAsked("there was no time left for it")
        credential = credential_of(self.config)
        if isinstance(credential, str):
            raise AuthenticationTrouble(credential)
        page = self.office.fetcher.fetch(
            url, kinds=kinds, method=method, body=body, credential=credential, max_bytes=max_bytes,
            follow=self.office.robots.check if robots else None,
        )  # fmt: skip
        return judge(
            page,
            api=not self.config.per_host,
            keyed=credential is not None,
            one_of_many=self.config.kind != "json" and bool(placeholders(self.config.url)),
        )
