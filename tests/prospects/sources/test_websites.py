"""A company's own website: what is read of it, what is left alone, and what is noticed when it changes."""

from datetime import timedelta

import pytest

from playbooks.models import PlaybookVersion
from prospects.sources.config import SourceConfig
from prospects.sources.fetch import Fetcher
from prospects.sources.line import Office
from prospects.sources.robots import Robots
from salesops.runtime.toolbox import Document
from tests import factories
from tests.prospects.sources.looking import NOW, ask, source
from tests.prospects.sources.stand_in import Reply, Request, StandIn, Wires, html, office, reach

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> PlaybookVersion:
    return factories.version()


HOME = """<html><head><title> Acme  Tools </title><style>p{}</style></head><body><nav><a href="/">Home</a>
<a href="/about-us">About</a><a href="/careers#top">Work here</a><a href="/news.pdf">News as PDF</a></nav>
<main><h1>Tools for makers</h1><p>We serve <b>400</b> workshops.</p><script>steal()</script><div hidden>Ignore me</div>
<a href="https://other.example/about">About our friends</a><a href="/press">Press</a>
<a href="mailto:x@acme.example">Mail</a>
<a href="javascript:alert(1)">About</a><a href="/shop">Shop</a><a href="http://[bad/about">About</a></main>
<footer>Imprint</footer></body></html>"""


class Web:
    """Public names that lead to one stand-in: http://acme.example/ is its root."""

    def __init__(self, server: StandIn) -> None:
        self.wires = Wires(_93_184_216_34=server)
        within = reach()
        names = {"acme.example": ["93.184.216.34"], "www.acme.example": ["93.184.216.34"], "evil.example": ["10.0.0.1"]}
        fetcher = Fetcher(within, resolver=lambda host, port: names[host], network=self.wires)
        plain = office()
        self.office = Office(within, fetcher, plain.limiter, Robots(fetcher), plain.sleep)


def site(**more: object) -> SourceConfig:
    return source(key="site", kind="website", url="http://{domain}/", **more)


def served(server: StandIn, **pages: str) -> None:
    for path, text in {"": HOME, **pages}.items():
        server.routes[f"/{path.replace('_', '-')}"] = html(text)


def test_a_site_is_read_at_home_and_where_it_speaks_of_itself(server: StandIn, version: PlaybookVersion) -> None:
    served(server, about_us="<p>Founded in 2019.</p>", careers="<p>Hiring.</p>", press="<p>We won.</p>", shop="Buy")
    found = ask(version, site(), Web(server).office, "page")
    assert found.problems == ()
    assert [(d.data["role"], d.ref) for d in found.documents] == [
        ("home", "http://acme.example/"), ("about", "http://acme.example/about-us"),
        ("careers", "http://acme.example/careers"), ("news", "http://acme.example/press"),
    ]  # fmt: skip
    home = found.documents[0]
    assert home.data["title"] == "Acme Tools"
    assert "Tools for makers\nWe serve 400 workshops." in home.text
    for unwanted in ("steal", "Ignore me", "Imprint", "p{}"):
        assert unwanted not in home.text


def test_a_page_that_fails_costs_only_itself(server: StandIn, version: PlaybookVersion) -> None:
    served(server, careers="<p>We are hiring.</p>")
    server.routes["/press"] = Reply(200, b"%PDF", {"Content-Type": "application/pdf"})
    found = ask(version, site(), Web(server).office, "page")
    assert [d.data["role"] for d in found.documents] == ["home", "careers"]
    assert found.problems == (
        "site: /about-us: it has nothing under this",
        "site: /press: an answer of the kind application/pdf is not read here",
    )


def test_robots_rules_are_kept(server: StandIn, version: PlaybookVersion) -> None:
    served(server, about_us="<p>About.</p>", careers="<p>Jobs.</p>")
    robots = "User-agent: *\nDisallow: /\n\nUser-agent: SalesOps\nDisallow: /about*us\nAllow: /\n"
    server.routes["/robots.txt"] = Reply(200, robots.encode(), {"Content-Type": "text/plain"})
    found = ask(version, site(), Web(server).office, "page")
    assert [d.data["role"] for d in found.documents] == ["home", "careers"]
    assert "robots.txt asks not to read" in found.problems[0]
    assert "/about-us" not in server.paths()
    assert server.paths().count("/robots.txt") == 1


def test_robots_rules_are_kept_where_a_page_redirects_to(server: StandIn, version: PlaybookVersion) -> None:
    """Elsewhere on the site, and on the host the site moved to, which has rules of its own."""
    served(server, careers="<p>Jobs.</p>")
    server.routes["/about-us"] = Reply(302, headers={"Location": "/internal/about"})
    server.routes["/press"] = Reply(302, headers={"Location": "http://www.acme.example/press"})
    server.routes["/internal/about"] = html("<p>Not for machines.</p>")

    def rules(request: Request) -> Reply:
        closed = "/" if request.headers["Host"].startswith("www.") else "/internal"
        return Reply(200, f"User-agent: *\nDisallow: {closed}\n".encode(), {"Content-Type": "text/plain"})

    server.routes["/robots.txt"] = rules
    found = ask(version, site(), Web(server).office, "page")
    assert [d.data["role"] for d in found.documents] == ["home", "careers"]
    assert [problem.partition(": the site's robots.txt")[0] for problem in found.problems] == [
        "site: /about-us", "site: /press"
    ]  # fmt: skip
    assert "/internal/about" not in server.paths()
    assert server.paths().count("/press") == 1


def test_of_a_robots_txt_without_end_the_beginning_counts(server: StandIn, version: PlaybookVersion) -> None:
    served(server, about_us="<p>About.</p>", careers="<p>Jobs.</p>")
    endless = b"User-agent: *\nDisallow: /about-us\n" + b"# and so on\n" * 60_000
    server.routes["/robots.txt"] = Reply(200, endless, {"Content-Type": "text/plain"})
    found = ask(version, site(), Web(server).office, "page")
    assert [d.data["role"] for d in found.documents] == ["home", "careers"]
    assert "/about-us" not in server.paths()


@pytest.mark.parametrize(
    ("reply", "read"),
    [(Reply(200, b"User-agent: *\nDisallow: /"), False), (Reply(404), True), (Reply(403), True),
     (Reply(500), False), (Reply(500, b"\x8b", {"Content-Encoding": "br"}), False),
     (Reply(200, b"\x00\xff" * 400_000, {}), True)],
    ids=["disallowed", "none", "forbidden", "failing", "failing in riddles", "too large"],
)  # fmt: skip
def test_what_robots_txt_says_about_the_whole_site(
    server: StandIn, version: PlaybookVersion, reply: Reply, read: bool
) -> None:
    served(server)
    server.routes["/robots.txt"] = reply
    found = ask(version, site(params={"pages": 1}), Web(server).office, "page")
    assert bool(found.documents) is read
    assert ("/" in server.paths()) is read


def test_a_site_that_changed_says_what_is_new(server: StandIn, version: PlaybookVersion) -> None:
    served(server, about_us="<p>Founded in 2019.</p>")
    desk = Web(server).office
    first = ask(version, site(), desk, "page")
    assert all(d.kind == "page" for d in first.documents)
    served(server, about_us="<p>Founded in 2019.</p><p>We opened an office in Lyon.</p>")
    later = ask(version, site(), desk, "page", now=NOW + timedelta(days=31))
    (change,) = [d for d in later.documents if d.kind == "website_change"]
    assert change.text == "We opened an office in Lyon."
    assert change.data["pages"] == ["http://acme.example/about-us"]
    same = ask(version, site(), desk, "page", now=NOW + timedelta(days=62))
    assert all(d.kind == "page" for d in same.documents)


def test_a_site_that_leads_inside_is_not_followed(server: StandIn, version: PlaybookVersion) -> None:
    web = Web(server)
    server.routes["/"] = Reply(302, headers={"Location": "http://evil.example/admin"})
    found = ask(version, site(), web.office, "page")
    assert "private or reserved" in found.problems[0]
    assert {address for address, _ in web.wires.called} == {"93.184.216.34"}


def test_hostile_markup_ends_as_words(server: StandIn, version: PlaybookVersion) -> None:
    link = "<a href=" + "x" * 90_000 + ">about</a>"
    for text in ("", "<" * 50_000, "<div>" * 20_000 + "deep", "\x00<p>a\x00b", link):
        server.routes["/"] = html(text)
        fresh = factories.version()
        found = ask(fresh, site(params={"pages": 1}), Web(server).office, "page")
        assert all(isinstance(d, Document) and "\x00" not in d.text for d in found.documents)
