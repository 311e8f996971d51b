"""Delimited text (CSV and its relatives) as numbered rows, whatever the delimiter and however broken the quoting.

Three things that stop other readers are survived here, each at the cost of only the row that has it: a quote that is
opened and never closed, a line without an end, and a row longer than its header.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from prospects.importing.encoding import Survey, UnreadableFile, open_bytes
from prospects.importing.rows import MAX_COLUMNS, Row, unique_names

MAX_LINE = 1_000_000  # characters of one physical line
MAX_FIELD = 200_000  # characters of one cell while it is being parsed: also how far an unclosed quote can reach
SAMPLE_LINES = 200
DELIMITERS = (",", ";", "\t", "|", "^", "~")
_UNANIMOUS = 5.0  # as much as the widest table scores

OPEN_QUOTE = "a quote is opened in this row and never closed"
TOO_LONG = f"the row is longer than {MAX_LINE:,} characters"

csv.field_size_limit(MAX_FIELD)  # one limit per process: kept above every cell this product stores


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited file is written. ``header_row`` is the 1-based row that names the columns."""

    delimiter: str
    space_after_delimiter: bool
    header: tuple[str, ...]
    header_row: int


class _Lines:
    """Physical lines with bounded length, which can be pushed back: what a reader consumed in vain is read again."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._again: deque[str] = deque()
        self.record: list[str] = []
        self.too_long = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.record.append(line)
        return line

    def push_back(self, lines: list[str]) -> None:
        self._again.extendleft(reversed(lines))

    def _read(self) -> str:
        line = self._stream.readline(MAX_LINE)
        if len(line) >= MAX_LINE and line[-1] not in "\r\n":
            self.too_long = True
            start = line[:200].replace('"', "").replace("\x00", "")
            while line and line[-1] not in "\r\n":
                line = self._stream.readline(MAX_LINE)
            return start + "\n"
        return line.replace("\x00", "") or "\n" if "\x00" in line else line


def open_text(path: Path, survey: Survey) -> IO[str]:
    """The file as text with its own line ends (so that quoted ones survive); undecodable bytes become U+FFFD."""
    raw = cast(io.RawIOBase, open_bytes(path))
    return io.TextIOWrapper(io.BufferedReader(raw, 1 << 18), survey.encoding, "replace", newline="")


def sniff(path: Path, survey: Survey) -> Dialect:
    """Delimiter and header, judged from the first rows. Raises :class:`UnreadableFile` when there is no header."""
    with open_text(path, survey) as stream:
        lines = _Lines(stream)
        sample = [line for line, _ in zip(lines, range(SAMPLE_LINES), strict=False)]
    declared = _declared_delimiter(sample[0] if sample else "")
    delimiter = declared or _best_delimiter(sample)
    space = _space_after(sample, delimiter)
    rows = _parse(sample, delimiter, space=space)
    if declared:
        rows[0] = []
    header_row = _header_index(rows)
    if header_row is None:
        raise UnreadableFile("The file has no header row: the first row has to name the columns.")
    header = rows[header_row]
    if len(header) > MAX_COLUMNS:
        raise UnreadableFile(f"The file has {len(header):,} columns; at most {MAX_COLUMNS} can be imported.")
    following = [len(row) for row in rows[header_row + 1 :] if any(row)]
    widest = Counter(following).most_common(1)[0][0] if following else len(header)
    if widest > len(header):  # the header is short for most rows: those columns exist, they just have no name
        header = header + [""] * (min(widest, MAX_COLUMNS) - len(header))
    return Dialect(delimiter, space, unique_names(header), header_row + 1)


def _declared_delimiter(first_line: str) -> str:
    """Spreadsheets may say ``sep=;`` in the first line."""
    text = first_line.strip().strip('"').lower()
    return text[4] if text.startswith("sep=") and len(text) == 5 else ""


def _parse(lines: list[str], delimiter: str, *, space: bool) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(iter(lines), delimiter=delimiter, skipinitialspace=space)
    try:
        rows.extend(reader)
    except csv.Error:
        return rows or [[]]
    return rows


def _best_delimiter(sample: list[str]) -> str:
    """The delimiter under which most rows have the same number of cells, and more than one."""
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        counts = [len(row) for row in _parse(sample, delimiter, space=False) if row]
        if not counts:
            continue
        width, rows = max(Counter(counts).items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
        score = (rows / len(counts)) * min(width - 1, 5) * min(1.0, len(counts) / max(1, len(sample) / 3))
        if rows == len(counts) >= len(sample) / 3:  # all agree, the header too: no wider guess beats that
            score += _UNANIMOUS
        if width > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _space_after(sample: list[str], delimiter: str) -> bool:
    """True when cells are written ``a, "b"``: the blank then is not part of the cell and the quote counts."""
    first = next((line for line in sample if delimiter in line), "")
    cells = first.rstrip("\r\n").split(delimiter)[1:]
    return delimiter != "\t" and bool(cells) and all(cell.startswith(" ") or not cell for cell in cells)


def _header_index(rows: list[list[str]]) -> int | None:
    """The first row with as many named cells as the table has columns; titles above it are stepped over."""
    widths = Counter(len(row) for row in rows if sum(1 for cell in row if cell.strip()) > 1)
    usual = widths.most_common(1)[0][0] if widths else 1
    for index, row in enumerate(rows[:30]):
        named = sum(1 for cell in row if cell.strip())
        if named and (named >= 2 or usual == 1 or len(row) >= usual):
            return index
    return None


def read_rows(path: Path, survey: Survey, dialect: Dialect) -> Iterator[Row]:
    """Every row after the header; ``Row.number`` counts as a spreadsheet does (the header's own row is counted)."""
    width = len(dialect.header)
    with open_text(path, survey) as stream:
        lines = _Lines(stream)
        number = 0
        while True:
            restart = False
            reader = csv.reader(lines, delimiter=dialect.delimiter, skipinitialspace=dialect.space_after_delimiter)
            for found, cells, problem in _records(reader, lines, number):
                number = found
                restart = problem == OPEN_QUOTE
                if number > dialect.header_row and (cells or problem):
                    yield _fit(number, cells, problem, width)
            if not restart:
                return


def _records(reader: Iterator[list[str]], lines: _Lines, number: int) -> Iterator[tuple[int, list[str], str]]:
    """Records as (row number, cells, problem). After ``OPEN_QUOTE`` it ends, and has to be started anew."""
    record = lines.record
    while True:
        record.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
            if len(record) == 1:  # one line alone is too big for a cell: nothing was swallowed
                yield number + 1, [record[0][:200]], f"a cell is longer than {MAX_FIELD:,} characters"
                number += 1
                continue
            yield number + 1, _give_back(lines), OPEN_QUOTE
            return
        number += 1
        if len(record) > 1 and _ends_inside_quotes(lines):
            yield number, _give_back(lines), OPEN_QUOTE
            return
        problem = ""
        if lines.too_long:
            lines.too_long, problem = False, TOO_LONG
        yield number, cells, problem


def _ends_inside_quotes(lines: _Lines) -> bool:
    """Whether the record just read was closed by the end of the file and not by its quote."""
    if sum(line.count('"') for line in lines.record) % 2 == 0:
        return False
    consumed = len(lines.record)
    more = next(lines, None)
    if more is None:
        return True
    del lines.record[consumed:]
    lines.push_back([more])
    return False


def _give_back(lines: _Lines) -> list[str]:
    """Keep only the first line of the record that went wrong; the reader gets the others again."""
    first, *rest = lines.record
    lines.push_back(rest)
    return [first.rstrip("\r\n")[:200]]


def _fit(number: int, cells: list[str], problem: str, width: int) -> Row:
    count = len(cells)
    if count == width or problem:
        return Row(number, cells, problem)
    if count < width:
        return Row(number, cells + [""] * (width - count), "")
    if any(cell.strip() for cell in cells[width:]):
        return Row(number, cells, f"the row has {count} cells and the header {width}: a value may need quotes")
    return Row(number, cells[:width], "")
