"""JSON documents as rows: an array of objects, an object holding such an array, or one object per line.

Objects are read one at a time, so a file of any size needs the memory of its largest object (bounded). Nested objects
become dotted columns (``location.city``), lists become values joined by `` | ``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from prospects.importing.delimited import open_text
from prospects.importing.encoding import Survey, UnreadableFile
from prospects.importing.rows import MAX_COLUMNS, Row

MAX_ITEM = 1_000_000  # characters of one object
MAX_DEPTH = 4
_BLOCK = 1 << 16
_SPACE = " \t\r\n\ufeff\x00"
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
NOT_AN_OBJECT = "this is not an object with named values"


@dataclass(frozen=True, slots=True)
class Layout:
    """``lines``: one object per line. Otherwise an array, reached by skipping ``prefix`` characters."""

    lines: bool
    prefix: int
    header: tuple[str, ...]
    header_row: int = 0


def looks_like_json(head: str) -> bool:
    """Whether text starts as JSON does. A CSV cannot: its header would begin with a brace or a bracket."""
    start = head.lstrip(_SPACE)
    if start[:1] == "[":
        return start[1:].lstrip(_SPACE)[:1] in ("{", "]", "[", '"')
    return start[:1] == "{" and start[1:].lstrip(_SPACE)[:1] in ('"', "}")


def inspect(path: Path, survey: Survey) -> Layout:
    """Find the rows and gather every column name, in order of first appearance.

    Raises :class:`UnreadableFile` when the text is not JSON or holds no list of objects.
    """
    with open_text(path, survey) as stream:
        head = stream.read(_BLOCK)
    lines, prefix = _place(head)
    names: dict[str, None] = {}
    found = False
    for _, item, problem in _items(path, survey, lines=lines, prefix=prefix):
        found = found or not problem
        for name in flatten(item) if not problem else ():
            if len(names) < MAX_COLUMNS:
                names.setdefault(name)
    if not found:
        raise UnreadableFile("The JSON file holds no objects with named values.")
    return Layout(lines, prefix, tuple(names))


def _place(head: str) -> tuple[bool, int]:
    """(one object per line?, characters before the array)."""
    start = len(head) - len(head.lstrip(_SPACE))
    if head[start : start + 1] == "[":
        return False, start + 1
    decoder = json.JSONDecoder()
    try:
        _, end = decoder.raw_decode(head, start)
    except (ValueError, RecursionError):
        return _place_of_inner_array(head, start)
    rest = head[end:].lstrip(_SPACE)
    if rest:
        return True, 0
    inner = _place_of_inner_array(head, start)
    return (True, 0) if inner[1] == 0 else inner


def _place_of_inner_array(head: str, start: int) -> tuple[bool, int]:
    """Inside ``{"data": [{…}, …]}``: the position after the first bracket that holds objects."""
    for position in range(start, len(head)):
        if head[position] == "[" and head[position + 1 :].lstrip(_SPACE)[:1] == "{":
            before = head[start + 1 : position]
            if before.count("{") == before.count("}"):
                return False, position + 1
            return True, 0
    return True, 0


def read_rows(path: Path, survey: Survey, layout: Layout) -> Iterator[Row]:
    """Every object as a row of text cells in the order of ``layout.header``; numbered from 1."""
    header = layout.header
    for number, item, problem in _items(path, survey, lines=layout.lines, prefix=layout.prefix):
        if problem:
            yield Row(number, [json.dumps(item)[:200] if item else ""], problem)
            continue
        cells = flatten(item)
        yield Row(number, [cells.get(name, "") for name in header], "")


def flatten(item: dict[str, object], depth: int = 0, prefix: str = "") -> dict[str, str]:
    """One object as name → text. Deeper than ``MAX_DEPTH`` it stays JSON text."""
    out: dict[str, str] = {}
    for key, value in item.items():
        name = _sound(f"{prefix}{key}")[:120]
        if isinstance(value, dict) and depth < MAX_DEPTH:
            out.update(flatten(value, depth + 1, f"{name}."))
        else:
            out[name] = _text(value)
    return out


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _sound(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) or math.isinf(value) else repr(value)
    if isinstance(value, list) and not any(isinstance(part, (dict, list)) for part in value):
        return " | ".join(text for text in (_text(part) for part in value) if text)
    return _sound(json.dumps(value, ensure_ascii=False).replace("\\u0000", ""))


def _sound(text: str) -> str:
    """Text without what JSON can say and no database takes: NULs, and halves of a character."""
    return text if text.isascii() and "\x00" not in text else _NO_TEXT.sub("", text)


def _items(path: Path, survey: Survey, *, lines: bool, prefix: int) -> Iterator[tuple[int, dict[str, object], str]]:
    with open_text(path, survey) as stream:
        yield from _line_items(stream) if lines else _array_items(stream, prefix)


def _line_items(stream: IO[str]) -> Iterator[tuple[int, dict[str, object], str]]:
    number = 0
    while line := stream.readline(MAX_ITEM):
        number += 1
        whole = len(line) < MAX_ITEM or line[-1] in "\r\n"
        while not whole:
            rest = stream.readline(MAX_ITEM)
            whole = not rest or rest[-1] in "\r\n"
            line = line[:200]
        text = line.strip(_SPACE)
        if text:
            yield (number, *_parse_line(text))


def _parse_line(text: str) -> tuple[dict[str, object], str]:
    try:
        item = json.loads(text)
    except (ValueError, RecursionError):
        return {"line": text[:200]}, "the line is not valid JSON"
    return (item, "") if isinstance(item, dict) else ({}, NOT_AN_OBJECT)


def _array_items(stream: IO[str], prefix: int) -> Iterator[tuple[int, dict[str, object], str]]:
    stream.read(prefix)
    decoder = json.JSONDecoder()
    buffer, number = "", 0
    while True:
        buffer = buffer.lstrip(_SPACE + ",")
        if buffer[:1] == "]":
            return
        end = 0
        if buffer:
            try:
                item, end = decoder.raw_decode(buffer)
            except RecursionError as error:
                raise UnreadableFile(f"Object {number + 1} of the JSON file is nested too deeply.") from error
            except ValueError:
                end = 0
        if not end or (end == len(buffer) and buffer[-1] not in "}]"):
            block = stream.read(_BLOCK)
            if not block:
                raise UnreadableFile(f"The JSON file is cut off or broken after object {number}.")
            buffer += block
            if len(buffer) > MAX_ITEM + _BLOCK:
                raise UnreadableFile(f"The JSON file is broken near object {number + 1}, or the object is too large.")
            continue
        buffer, number = buffer[end:], number + 1
        yield (number, item, "") if isinstance(item, dict) else (number, {}, NOT_AN_OBJECT)
