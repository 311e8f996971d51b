"""HTML as words, links and a title, in one pass without a tree.

Strangers write this markup. Parsers that build a tree need minutes of processor time for a megabyte of nested tags (see
docs/decisions/0012); this pass looks at every character a bounded number of times, whatever it is given. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

MAX_HTML = 2_000_000  # characters
MAX_TAGS = 150_000
MAX_LINKS = 2_000
_WINDOW = 4_096  # of a tag, in which its attributes are looked for

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,60})((?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)>")
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_HIDDEN = re.compile(
    r"\s(?:hidden(?=[\s=/]|$)|aria-hidden\s*=\s*[\"']?true|style\s*=\s*[\"'][^\"']*display\s*:\s*none)", re.I
)
_RAW = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "textarea", "title", "noscript")}
# What is there to get around, to be filled in or to be drawn: no words of the page. Its links count.
_ASIDE = frozenset({"nav", "footer", "svg", "template", "iframe", "object", "dialog", "select"})
_MAIN = frozenset({"main", "article"})
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "source", "wbr", "area", "base", "col", "embed", "track"}
)
_INLINE = frozenset(
    {
        "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "em", "font", "i", "ins", "kbd", "label", "mark",
        "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr", "img",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """An address as it was written, and the words it stands under."""

    href: str
    words: str


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    closing: bool
    attributes: str


@dataclass(slots=True)
class Words:
    """What a page says. ``lines`` are those of its main part, where it marks one."""

    title: str = ""
    lines: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class _Reader:
    """Collects words and links while tags and texts go by."""

    def __init__(self) -> None:
        self.words = Words()
        self.whole: list[str] = []
        self.main: list[str] = []
        self._line: list[str] = []
        self._anchor: tuple[str, list[str]] | None = None
        self._aside, self._depth = "", 0  # inside which element nothing counts, and how deep in its like
        self._mains = 0

    def text(self, text: str) -> None:
        if self._anchor is not None:
            self._anchor[1].append(text[:100])
        if not self._aside:
            self._line.append(text)

    def tag(self, tag: _Tag) -> None:
        if tag.name not in _INLINE:
            self.end_line()
        if tag.name == "a":
            self._end_anchor()
            if not tag.closing and (found := _HREF.search(tag.attributes)):
                self._anchor = (unescape(found[1] or found[2] or found[3] or ""), [])
        if self._aside:
            if tag.name == self._aside:
                self._depth += -1 if tag.closing else 1
                self._aside = self._aside if self._depth > 0 else ""
        elif not tag.closing and tag.name not in _VOID and (tag.name in _ASIDE or _HIDDEN.search(tag.attributes)):
            self._aside, self._depth = tag.name, 1
        elif tag.name in _MAIN:
            self._mains = max(0, self._mains + (-1 if tag.closing else 1))

    def end_line(self) -> None:
        line = " ".join(unescape("".join(self._line)).split())
        self._line.clear()
        for lines in (self.whole, self.main) if self._mains else (self.whole,):
            if line and (not lines or lines[-1] != line):
                lines.append(line)

    def _end_anchor(self) -> None:
        if self._anchor is not None and len(self.words.links) < MAX_LINKS:
            href, texts = self._anchor
            self.words.links.append(Link(href.strip(), " ".join(unescape("".join(texts)).split())[:100]))
        self._anchor = None

    def done(self) -> Words:
        self.end_line()
        self._end_anchor()
        # A page that marks a main part and leaves it all but empty has its words elsewhere.
        marked = sum(map(len, self.main)) * 10 > sum(map(len, self.whole))
        self.words.lines = self.main if marked else self.whole
        return self.words


def read_page(html: str) -> Words:
    """Title, lines and links of a page. Never raises: what cannot be read is left out."""
    reader = _Reader()
    for part in _parts(html[:MAX_HTML]):
        if isinstance(part, str):
            reader.text(part)
        elif part.name == "title":
            reader.words.title = reader.words.title or " ".join(unescape(part.attributes).split())
        else:
            reader.tag(part)
    return reader.done()


def plain(text: str) -> str:
    """The words of a piece of markup, on one line."""
    return " ".join(read_page(text).lines) if "<" in text else " ".join(unescape(text).split())


def _parts(html: str) -> Iterator[str | _Tag]:
    """Texts and tags in order; a title comes as a tag that carries its words as attributes."""
    place, tags, end = 0, 0, len(html)
    while place < end and tags < MAX_TAGS:
        start = html.find("<", place)
        if start < 0:
            yield html[place:]
            return
        if start > place:
            yield html[place:start]
        found = _TAG.match(html, start, min(start + _WINDOW, end))
        if found is None:
            place = _past(html, start)
            if place == start + 1:
                yield "<"
            continue
        tags += 1
        name, place = found[2].lower(), found.end()
        if name in _RAW and not found[1]:
            closing = _RAW[name].search(html, place)
            stop = closing.start() if closing else end
            if name == "title":
                yield _Tag(name, False, html[place:stop][:1000])
            place = html.find(">", stop) + 1 or end
        else:
            yield _Tag(name, bool(found[1]), found[3])


def _past(html: str, start: int) -> int:
    """Where to go on after a ``<`` that begins no tag of ordinary length."""
    if html.startswith("<!--", start):
        return _after(html, "-->", start + 4)
    following = html[start + 1 : start + 2]
    if following in ("!", "?", "/"):
        return _after(html, ">", start)
    if following.isalpha():
        return _after(html, ">", min(start + _WINDOW, len(html)))  # a tag with very long attributes, such as an image
    return start + 1


def _after(html: str, mark: str, start: int) -> int:
    found = html.find(mark, start)
    return found + len(mark) if found >= 0 else len(html)
