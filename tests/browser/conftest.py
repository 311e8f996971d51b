"""A real Chromium against the real pages, on a real PostgreSQL, sending through a real SMTP conversation."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Route, expect, sync_playwright

from approvals.channels.sandbox import controller
from approvals.services.capture import store
from tests.browser.desk import Desk, furnish

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 20_000  # milliseconds, for what takes tens of them on a machine that has nothing else to do
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def _start() -> tuple[Playwright, Browser]:
    """Start the installed Chromium; what a machine lacks for that is said in a line, once per test."""
    named = [os.environ.get("CHROMIUM") or "chromium", "chromium-browser", "google-chrome"]
    program = next(filter(None, map(shutil.which, named)), None)
    playwright = None
    try:
        playwright = sync_playwright().start()
        return playwright, playwright.chromium.launch(executable_path=program, args=FLAGS)
    except Exception as error:  # a driver that does not start raises just that
        if playwright is not None:
            playwright.stop()
        why = f"{program} cannot be started ({str(error).splitlines()[0]})" if program else "There is no Chromium"
    pytest.fail(f"{why}. As root: apt-get install chromium libatomic1; or CHROMIUM=/path/to/chromium", pytrace=False)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests. Playwright keeps an event loop in this thread, which Django must be told is fine."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE)
    playwright, browser = _start()
    yield browser
    browser.close()
    playwright.stop()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)


@pytest.fixture(autouse=True)
def _nothing_left_to_answer(transactional_db: None, chromium: Browser, live_server) -> Iterator[None]:
    """Before the database is emptied, let the server finish what closed windows asked of it in their last moment.

    Emptying it under a request that still writes would end one of the two in a deadlock.
    """
    yield
    for window in chromium.contexts:
        window.close()
    # Connections are taken up one after the other: with this one, all that came before it.
    urllib.request.urlopen(f"{live_server.url}/static/favicon.svg").close()
    until = time.monotonic() + PATIENCE / 1000
    while any("process_request_thread" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < until, "a request is still being answered"
        time.sleep(0.01)


class Held:
    """The answers to some addresses, held back until they are let go: what a slow server makes people wait for."""

    def __init__(self, page: Page, address: str | re.Pattern[str]) -> None:
        self.page, self.address, self.routes = page, address, list[Route]()
        page.route(address, lambda route: self.routes.append(route))

    def let_go(self) -> None:
        """Answer what was asked until now, which is something, and hold nothing any more."""
        until = time.monotonic() + PATIENCE / 1000
        while not self.routes and time.monotonic() < until:
            self.page.wait_for_timeout(10)
        for route in self.routes:
            route.continue_()
        self.page.unroute(self.address)


@pytest.fixture
def desk(chromium: Browser, live_server) -> Desk:
    """A client with a founder and a queue of drafted requests. Asked for after the server, so its rows are seen."""
    return furnish(live_server.url)


@pytest.fixture
def context(chromium: Browser, desk: Desk) -> Iterator[BrowserContext]:
    """A browser window of its own, wide, signed in to nothing."""
    with chromium.new_context(viewport=WIDE, base_url=desk.url) as window:
        window.set_default_timeout(PATIENCE)
        yield window


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab that fails its test when a script breaks or the content policy blocks something."""
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield tab
    assert complaints == []


@pytest.fixture
def founder(page: Page, desk: Desk) -> Page:
    """The founder, signed in."""
    desk.sign_in(page)
    return page


@pytest.fixture
def post_office(settings, live_server) -> Iterator[None]:
    """The sandbox's SMTP server on a port of its own."""
    server = controller(store, host="127.0.0.1", port=0)
    settings.SANDBOX_SMTP_HOST, settings.SANDBOX_SMTP_PORT = "127.0.0.1", server.port
    server.ready_timeout = PATIENCE / 1000
    server.start()
    yield
    server.stop()
