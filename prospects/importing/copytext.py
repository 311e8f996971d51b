"""PostgreSQL's COPY text format, written by hand: in Python the driver's own row writer costs several times as much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NULL = "\x01"  # no cleaned value holds a control character
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x01": "", "\x00": ""})


def escape(text: str) -> str:
    """One value, whatever is in it."""
    if "\\" not in text and text.isprintable():
        return text
    return text.translate(_ESCAPES)


def line(cells: Sequence[str | None]) -> str:
    """Cells as one COPY line without its end; None is NULL."""
    joined = "\t".join([NULL if cell is None else cell for cell in cells])
    if joined.count("\t") == len(cells) - 1 and "\\" not in joined and "\n" not in joined and "\r" not in joined:
        return joined
    return "\t".join([NULL if cell is None else cell.translate(_ESCAPES) for cell in cells])


def text_array(items: Iterable[str]) -> str:
    """A text[] literal."""
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"
