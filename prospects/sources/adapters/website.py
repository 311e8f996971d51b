"""A company's own website: its home page and the few pages that say who it is, whom it hires and what is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urljoin

from playbooks.rules.sources import SourceConfig, WebsiteParams
from prospects.importing.identity import registrable_domain
from prospects.sources.line import Line
from prospects.sources.markup import MAX_HTML, Link, Words, read_page
from prospects.sources.records import Answered, Doc, Question, fill_url, safe_text
from prospects.sources.troubles import NetworkTrouble, NotAsked, Trouble
from prospects.sources.web import Page, target_of

HTML_KINDS = frozenset({"text/html", "application/xhtml+xml", "text/plain"})
CHANGE = "website_change"
_NO_PAGES = (".pdf", ".jpg", ".jpeg", ".png", ".gif", ".svg", ".zip", ".mp4", ".xml", ".json", ".css", ".js", ".ics")
_ROLES = (
    ("careers", ("career", "jobs", "join", "hiring", "karriere", "vacanc", "work-with")),
    ("news", ("news", "press", "blog", "media", "aktuell")),
    ("about", ("about", "company", "team", "who-we", "uber-uns", "ueber-uns", "impressum")),
)


@dataclass(frozen=True, slots=True)
class _Next:
    """Another page of the site worth reading."""

    url: str
    rank: int
    role: str


def ask(config: SourceConfig, question: Question, line: Line, previous: Sequence[Mapping[str, Any]]) -> Answered:
    """The site's pages as documents, and one more that says what is new since ``previous``.

    A page that cannot be had is left out and noted; without the home page there is no answer.
    """
    params = config.params
    if not isinstance(params, WebsiteParams):
        raise TypeError(f"{config.key} is not of kind website")
    home = _home(fill_url(config.url, question.filled), line)
    words = read_page(home.text)
    documents, notes = [_document(config, home, words, "home", params)], []
    seen = {home.url}
    for link in _links(words.links, home.url, params)[: params.pages - 1]:
        try:
            page = line.get(link.url, kinds=HTML_KINDS, robots=True, max_bytes=MAX_HTML)
        except NotAsked:
            raise
        except Trouble as trouble:
            notes.append(f"{target_of(link.url).path[:80]}: {trouble}")
            continue
        if page.url in seen or not _same_site(page.url, home.url):
            continue
        seen.add(page.url)
        documents.append(_document(config, page, read_page(page.text), link.role, params))
    documents = [doc for doc in documents if doc.text]
    if previous and (change := _change(documents, previous)) is not None:
        documents.append(change)
    return Answered(documents, notes)


def _home(url: str, line: Line) -> Page:
    """The home page; small sites exist that speak no TLS."""
    try:
        return line.get(url, kinds=HTML_KINDS, robots=True, max_bytes=MAX_HTML)
    except NetworkTrouble:
        if not url.startswith("https://"):
            raise
        return line.get(f"http://{url.removeprefix('https://')}", kinds=HTML_KINDS, robots=True, max_bytes=MAX_HTML)


def _links(links: Sequence[Link], base: str, params: WebsiteParams) -> list[_Next]:
    """Links to other pages of this site that go by one of the wanted words, one of each role first."""
    found: dict[str, _Next] = {}
    for link in links:
        following = _wanted(link, base, params)
        if following is not None:
            found.setdefault(following.url, following)
    ordered = sorted(found.values(), key=lambda link: (link.rank, len(link.url), link.url))
    firsts: dict[str, _Next] = {}
    for following in ordered:
        firsts.setdefault(following.role, following)
    return [*firsts.values(), *(link for link in ordered if firsts[link.role] is not link)]


def _wanted(link: Link, base: str, params: WebsiteParams) -> _Next | None:
    try:
        url = urldefrag(urljoin(base, link.href))[0]
        target = target_of(url)
    except (ValueError, Trouble):
        return None
    path = target.path.lower()
    if not _same_site(url, base) or path in ("", "/") or path.split("?")[0].endswith(_NO_PAGES):
        return None
    words = f"{path} {link.words.lower()}"
    rank = next((i for i, word in enumerate(params.links) if word.lower() in words), None)
    return None if rank is None else _Next(url, rank, _role(words))


def _role(words: str) -> str:
    return next((role for role, marks in _ROLES if any(mark in words for mark in marks)), "other")


def _same_site(url: str, base: str) -> bool:
    """Whether both belong to one registered domain (or one address, which has none)."""
    here, there = target_of(url), target_of(base)
    return here.place == there.place or (
        bool(registrable_domain(here.host)) and registrable_domain(here.host) == registrable_domain(there.host)
    )


def _document(config: SourceConfig, page: Page, words: Words, role: str, params: WebsiteParams) -> Doc:
    data = {"title": safe_text(words.title, 300), "role": role, "url": page.url}
    return Doc(config.type, page.url, safe_text(words.text, params.max_characters), data=data)


def _change(documents: Sequence[Doc], previous: Sequence[Mapping[str, Any]]) -> Doc | None:
    """What stands on the site now and did not stand there before; None when that is nothing."""
    before = {str(d.get("ref")): str(d.get("text", "")) for d in previous if d.get("kind") != CHANGE}
    known = {line for text in before.values() for line in text.split("\n")}
    pages: list[str] = []
    fresh: list[str] = []
    for doc in documents:
        new = [line for line in doc.text.split("\n") if line not in known]
        if new:
            pages.append(doc.ref)
            fresh.extend(new)
    if not before or not fresh:
        return None
    return Doc(CHANGE, pages[0], safe_text("\n".join(fresh), 4000), value=float(len(fresh)), data={"pages": pages})
