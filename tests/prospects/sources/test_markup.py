"""Words out of whatever markup strangers write, at a cost that grows with its length alone."""

import time

import pytest

from prospects.sources.markup import Link, plain, read_page

PAGE = """<!doctype html><html><head><title> Acme &amp;  Co </title><style>p {}</style></head><body>
<nav><a href="/about">About <b>us</b></a><ul><li>Menu</ul></nav>
<main><h1>Tools</h1><p>For <em>make</em>rs&nbsp;&lt;3<br>and others.</p><!-- secret -->
<script>if (a < b) steal("<p>x</p>")</script><div hidden>hidden <div>deeper</div></div>
<p style="display: none">none</p><p>Last &copy; 2026</main><footer>Imprint</footer>"""


def test_a_page_is_title_lines_and_links() -> None:
    words = read_page(PAGE)
    assert words.title == "Acme & Co"
    assert words.lines == ["Tools", "For makers <3", "and others.", "Last © 2026"]
    assert words.links == [Link("/about", "About us")]


def test_a_main_part_that_is_all_but_empty_is_not_taken_for_the_page() -> None:
    assert read_page("<main></main><div>All the words are here.</div>").lines == ["All the words are here."]


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("no markup &amp; so on", "no markup & so on"),
        ("a < b and c > d", "a < b and c > d"),
        ("<b>bold</b>er", "bolder"),
        ('<p title="a > b">x</p>', "x"),
        ("<p>one<p>two", "one two"),
        ("<!-- never closed", ""),
        ("<script>never closed", ""),
        ("a<img src='" + "x" * 9000 + "'>b", "ab"),
        ("<", "<"),
        ("", ""),
        ("<p", ""),
        ("x</", "x"),
    ],
)
def test_words_are_read_out_of_odd_markup(markup: str, words: str) -> None:
    assert plain(markup) == words


HOSTILE = [
    "<div>", "<ul><li>", "<b><i>", "<table><tr><td>", "<", "< ", "<a ", '<a "', "<a \"' ", "<a href=", "<!--",
    "<!-- -->", "</", "<script>", "<title>", "<nav>", "&amp;", "&#x", "<div style='display", "<p hidden ",
    "<main><article>", "\x00<p>", "<![CDATA[",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_twice_the_hostile_markup_costs_no_more_than_about_twice_the_time(piece: str) -> None:
    costs = []
    for size in (250_000, 1_000_000):
        text = (piece * (size // len(piece) + 1))[:size]
        started = time.process_time()
        read_page(text)
        costs.append(time.process_time() - started)
    assert costs[1] < 5
    assert costs[1] < 12 * max(costs[0], 0.02), "four times the text, quadratic would be sixteen times the work"
