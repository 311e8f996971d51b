"""Lists of words as a person types them: commas or lines between them, quotes round a word that holds a comma. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

_ON_ONE_LINE = 72


def split_words(text: str) -> list[str]:
    """The words of a text, empty ones left out."""
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"), newline="")
    rows = csv.reader(lines, skipinitialspace=True)
    return [word.strip() for row in rows for word in row if word.strip()]


def join_words(words: Sequence[object]) -> str:
    """The words as a text that :func:`split_words` reads back: on one line while they fit, else one a line."""
    written = [_quoted(str(word)) for word in words]
    line = ", ".join(written)
    return line if len(line) <= _ON_ONE_LINE else "\n".join(written)


def _quoted(word: str) -> str:
    if word != word.strip() or any(mark in word for mark in ',"\r\n'):
        return '"' + word.replace('"', '""') + '"'
    return word
