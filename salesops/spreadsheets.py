"""CSV for spreadsheets: streamed, readable by Excel, and unable to run anything there.

A cell that begins like a formula is data somebody typed or imported; a leading apostrophe keeps it text (OWASP, "CSV
injection"). Numbers stay numbers, negative ones too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "|")
_BYTE_ORDER_MARK = "\ufeff"


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, value: str) -> str:
        return value


def safe_cell(value: Any) -> Any:
    """The value as a cell: None is empty, text that looks like a formula gets a leading apostrophe."""
    if value is None:
        return ""
    if isinstance(value, str) and value.lstrip(" ").startswith(_DANGEROUS):
        return f"'{value}"
    return value


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of a CSV file, one at a time, after a byte order mark that tells Excel it is UTF-8."""
    writer = csv.writer(_Echo())
    yield _BYTE_ORDER_MARK + writer.writerow(header)
    for row in rows:
        yield writer.writerow([safe_cell(value) for value in row])


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A CSV download named ``name`` (without the ending)."""
    response = StreamingHttpResponse(csv_lines(header, rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
