"""What each kind of source says, in the shapes the world says it in, sound and unsound."""

import itertools
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from playbooks.models import PlaybookVersion
from prospects.models import SourceAnswer
from prospects.sources.config import SourceConfig
from prospects.sources.line import Office
from salesops.runtime.toolbox import Found
from tests import factories
from tests.prospects.sources.looking import NOW, ask, prospect, source, tool
from tests.prospects.sources.stand_in import Reply, Request, StandIn, as_json, html, office

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> PlaybookVersion:
    return factories.version()


# --- JSON interfaces --------------------------------------------------------------------------------------------------


def people(server: StandIn, **params: object) -> SourceConfig:
    fields = {"title": "role", "ref": "id", "text": "bio", "observed_at": "seen"}
    url = f"{server.url}/people?of={{domain}}"
    return source(url=url, delivers=["contact"], params={"items": "data", "fields": fields, **params})


def batch(*numbers: int) -> list[dict[str, object]]:
    return [{"id": f"p{n}", "role": f"Role {n}", "bio": f"Bio {n}", "seen": "2026-05-01"} for n in numbers]


def query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.path).query))


def test_pages_by_number_are_read_to_the_end(server: StandIn, version: PlaybookVersion) -> None:
    pages = {"1": batch(1, 2), "2": batch(3, 4), "3": []}
    server.routes["/people"] = lambda r: as_json({"data": pages[query(r)["page"]]})
    found = ask(version, people(server, paging={"style": "page", "parameter": "page"}), office(server), "contact")
    assert [d.ref for d in found.documents] == ["p1", "p2", "p3", "p4"]
    assert found.documents[0].text == "Bio 1"
    assert found.documents[0].observed_at == datetime(2026, 5, 1, tzinfo=UTC)
    assert len({d.id for d in found.documents}) == 4
    assert {d.id // 1000 for d in found.documents} == {SourceAnswer.objects.get().pk}


def test_pages_by_cursor_are_read_to_the_end(server: StandIn, version: PlaybookVersion) -> None:
    following = {"": "b", "b": "c", "c": ""}

    def page(request: Request) -> Reply:
        cursor = query(request).get("after", "")
        return as_json({"data": batch(len(server.asked)), "meta": {"next": following[cursor]}})

    server.routes["/people"] = page
    config = people(server, paging={"style": "cursor", "parameter": "after", "path": "meta.next"})
    assert len(ask(version, config, office(server), "contact").documents) == 3
    assert [query(r).get("after") for r in server.asked] == [None, "b", "c"]


@pytest.mark.parametrize("where", ["header", "body"])
def test_pages_by_link_are_read_to_the_end(server: StandIn, version: PlaybookVersion, where: str) -> None:
    def page(request: Request) -> Reply:
        n = int(query(request).get("p", "1"))
        link = f"/people?of=acme.example&p={n + 1}" if n < 3 else ""
        links = f'<{server.url}/first>; rel="first"' + (f', <{link}>; rel="next"' if link else "")
        return as_json({"data": batch(n), "next": link or None}, **({"Link": links} if where == "header" else {}))

    server.routes["/people"] = page
    path = {"path": "next"} if where == "body" else {}
    found = ask(version, people(server, paging={"style": "next", **path}), office(server), "contact")
    assert [d.ref for d in found.documents] == ["p1", "p2", "p3"]


def test_a_list_that_never_ends_is_ended(server: StandIn, version: PlaybookVersion) -> None:
    def page(request: Request) -> Reply:
        n = len(server.asked)
        return as_json({"data": batch(n), "next": f"/people?x={n}"})

    server.routes["/people"] = page
    config = people(server, paging={"style": "next", "path": "next", "last": 5})
    assert len(ask(version, config, office(server), "contact").documents) == 5
    assert len(server.asked) == 5


def test_a_cursor_that_stands_still_is_not_followed(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/people"] = lambda r: as_json({"data": batch(1), "next": "same"})
    config = people(server, paging={"style": "cursor", "parameter": "c", "path": "next"})
    ask(version, config, office(server), "contact")
    assert len(server.asked) == 2


def test_a_bad_record_in_the_midst_is_skipped_and_counted(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/people"] = as_json({"data": [*batch(1), "nonsense", None, 7, [], {"other": 1}, *batch(2)]})
    found = ask(version, people(server), office(server), "contact")
    assert [d.ref for d in found.documents] == ["p1", "p2"]
    assert found.problems == ("crunch: 5 of 7 records could not be read and were skipped",)


def test_a_question_can_be_posted_with_the_companys_facts_in_it(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/people"] = as_json({"data": batch(1)})
    config = people(server, method="POST", body={"filter": {"site": "{domain}"}, "words": ["{name}"], "n": 3})
    ask(version, config, office(server), "contact")
    assert server.asked[0].body == b'{"filter": {"site": "acme.example"}, "words": ["Acme Tools"], "n": 3}'


def test_records_of_other_companies_are_left_out(server: StandIn, version: PlaybookVersion) -> None:
    ours, theirs = {"site": "https://www.acme.example/x", "s": "Ours"}, {"site": "notacme.example", "s": "Theirs"}
    server.routes["/all"] = as_json([ours, theirs, {"s": "Whose?"}])
    config = source(url=f"{server.url}/all", params={"fields": {"domain": "site", "industry": "s"}, "match": "domain"})
    found = ask(version, config, office(server), "profile")
    assert [d.data["industry"] for d in found.documents] == ["Ours"]


def test_one_list_for_all_companies_is_fetched_once(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/all"] = as_json([{"site": f"c{n}.example", "s": f"S{n}"} for n in range(5)])
    config = source(url=f"{server.url}/all", params={"fields": {"domain": "site", "industry": "s"}, "match": "domain"})
    companies = [prospect(f"c{n}.example", f"C{n}") for n in range(5)]
    found = tool(version, [config], office(server)).look_up(companies, frozenset({"profile"}))
    assert [found[c.id].documents[0].data["industry"] for c in companies] == [f"S{n}" for n in range(5)]
    assert len(server.asked) == 1


# --- Files ------------------------------------------------------------------------------------------------------------

CSV = """Company;Website;Industry;Employees;Country;Notes
Acme Tools GmbH;https://www.acme.example;Software;51-200;Germany;Makes tools
Other Inc;other.example;Retail;5;US;
Acme Tools;;Fake;1;FR;same name and no address
Acme Tools;acme-tools.test;Impostor;1;FR;
broken;row
"""


def listed(tmp_path: Path, text: str = CSV, **more: object) -> tuple[SourceConfig, Office]:
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    return source(key="list", kind="file", url="list.csv", **more), office(folder=tmp_path)


def test_a_files_row_is_found_by_domain(tmp_path: Path, version: PlaybookVersion) -> None:
    found = ask(version, *listed(tmp_path), "profile")
    (document,) = found.documents
    assert document.data["industry"] == "Software"
    assert (document.data["employees_min"], document.data["employees_max"], document.data["country"]) == (51, 200, "DE")
    assert document.ref.endswith(":row 2")


def test_a_files_row_is_found_by_name_where_it_names_no_other_domain(tmp_path: Path, version: PlaybookVersion) -> None:
    text = CSV.replace("https://www.acme.example", "")
    found = ask(version, *listed(tmp_path, text), "profile")
    assert sorted(d.data["industry"] for d in found.documents) == ["Fake", "Software"]


def test_a_changed_file_is_read_again(tmp_path: Path, version: PlaybookVersion) -> None:
    config, desk = listed(tmp_path)
    ask(version, config, desk, "profile")
    (tmp_path / "list.csv").write_text(CSV.replace("Software", "Machines and more"), encoding="utf-8")
    assert ask(version, config, desk, "profile").documents[0].data["industry"] == "Machines and more"


@pytest.mark.parametrize("name", ["missing.csv", "empty.csv", "binary.csv"])
def test_a_file_that_cannot_be_read_is_a_problem_in_words(tmp_path: Path, version: PlaybookVersion, name: str) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)) * 50)
    found = ask(version, source(key="list", kind="file", url=name), office(folder=tmp_path), "profile")
    assert found.documents == ()
    assert found.problems


def test_a_link_out_of_the_folder_of_sources_is_not_followed(tmp_path: Path, version: PlaybookVersion) -> None:
    outside, home = tmp_path / "secret.csv", tmp_path / "sources"
    home.mkdir()
    outside.write_text(CSV)
    (home / "list.csv").symlink_to(outside)
    found = ask(version, source(key="list", kind="file", url="list.csv"), office(folder=home), "profile")
    assert "outside the folder" in found.problems[0]


# --- Job boards -------------------------------------------------------------------------------------------------------

BOARDS = {
    "one": {"jobs": [{"id": 1, "title": "Data Engineer", "location": {"name": "Berlin"},
                      "updated_at": "2026-05-20T10:00:00Z", "absolute_url": "https://boards.example/1",
                      "content": "&lt;p&gt;We use &lt;b&gt;Kafka.&lt;/b&gt;&lt;/p&gt;",
                      "departments": [{"name": "Data"}]}]},
    "two": [{"text": "Data Engineer", "categories": {"location": "Berlin", "team": "Data"}, "createdAt": 1779271200000,
             "hostedUrl": "https://boards.example/1", "descriptionPlain": "We use Kafka."}],
    "three": {"jobs": [{"title": "Data Engineer", "location": "Berlin", "department": "Data",
                        "descriptionPlain": "We use Kafka.", "publishedAt": "2026-05-20T10:00:00.000+00:00", "jobUrl": "https://boards.example/1"}]},
}  # fmt: skip


@pytest.mark.parametrize("shape", BOARDS)
def test_three_shapes_of_job_board_say_the_same(server: StandIn, version: PlaybookVersion, shape: str) -> None:
    server.routes["/boards/acme"] = as_json(BOARDS[shape])
    config = source(key="jobs", kind="jobs", url=f"{server.url}/boards/{{label}}")
    (posting,) = ask(version, config, office(server), "job_posting").documents
    assert posting.text == "Data Engineer · Data · Berlin\nWe use Kafka."
    assert posting.observed_at == datetime(2026, 5, 20, 10, tzinfo=UTC)
    assert posting.ref == posting.data["url"] == "https://boards.example/1"
    assert posting.kind == "job_posting"


def test_postings_that_cannot_be_read_are_left_out_and_an_unknown_board_is_no_trouble(
    server: StandIn, version: PlaybookVersion
) -> None:
    postings = [{"title": ""}, 5, {"title": "Engineer", "updated_at": "whenever"}]
    server.routes["/boards/acme"] = as_json({"jobs": postings})
    config, desk = source(key="jobs", kind="jobs", url=f"{server.url}/boards/{{label}}"), office(server)
    found = ask(version, config, desk, "job_posting")
    assert [d.data["title"] for d in found.documents] == ["Engineer"]
    assert found.documents[0].observed_at == NOW
    assert "2 of 3 postings" in found.problems[0]
    other = prospect("unknown.example")
    assert tool(version, [config], desk).look_up([other], frozenset({"job_posting"}))[other.id] == Found()


# --- Feeds ------------------------------------------------------------------------------------------------------------

RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>
<item><title>Acme Tools raises $5 million</title><link>https://news.example/1</link>
<description>&lt;p&gt;The round was led by a fund.&lt;/p&gt;</description>
<pubDate>Wed, 20 May 2026 10:00:00 GMT</pubDate></item>
<item><title>Somebody else moves</title><link>https://news.example/2</link>
<pubDate>Thu, 21 May 2026 10:00:00 GMT</pubDate></item>
<item><title>Acme Tools was founded</title><link>https://news.example/3</link>
<pubDate>Fri, 01 May 2015 10:00:00 GMT</pubDate></item>
<item><description>no title</description></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Blog</title><entry>
<title>Acme Tools raises $5 million</title>
<link href="https://news.example/1"/><updated>2026-05-20T10:00:00Z</updated>
<summary>The round was led by a fund.</summary>
</entry></feed>"""


CUT, MIXED = RSS.replace("</channel></rss>", ""), RSS.replace("<item>", "<item>&nbsp;<br>")


@pytest.mark.parametrize("text", [RSS, ATOM, CUT, MIXED], ids=["rss", "atom", "cut off", "mixed with html"])
def test_feeds_well_or_badly_written_become_news(server: StandIn, version: PlaybookVersion, text: str) -> None:
    server.routes["/feed"] = Reply(200, text.encode(), {"Content-Type": "application/rss+xml"})
    config = source(key="news", kind="feed", url=f"{server.url}/feed", params={"match": "name"})
    found = ask(version, config, office(server), "news")
    assert [d.ref for d in found.documents] == ["https://news.example/1"]
    assert found.documents[0].text.startswith("Acme Tools raises $5 million")
    assert found.documents[0].observed_at == datetime(2026, 5, 20, 10, tzinfo=UTC)


def test_a_feed_cannot_make_us_read_files_or_grow_without_bound(server: StandIn, version: PlaybookVersion) -> None:
    doubled = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in itertools.pairwise("abcdefghi"))
    bomb = f'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY a "{"A" * 10_000}">{doubled}]>'
    text = RSS.replace("?>", "?>" + bomb, 1).replace("led by a fund", "&x;&i;")
    server.routes["/feed"] = Reply(200, text.encode(), {"Content-Type": "application/rss+xml"})
    config = source(key="news", kind="feed", url=f"{server.url}/feed")
    found = ask(version, config, office(server), "news")
    assert "root:" not in str(found)
    assert len(str(found)) < 100_000


def test_a_page_that_is_no_feed_says_so(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/feed"] = html("<h1>Hello</h1>")
    config = source(key="news", kind="feed", url=f"{server.url}/feed")
    assert ask(version, config, office(server), "news").problems == ("news: the answer is no feed",)
