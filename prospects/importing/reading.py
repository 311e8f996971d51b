"""Any company or signal file as a header and a stream of rows. Memory stays flat however large the file is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prospects.importing import delimited, documents
from prospects.importing.encoding import Survey, UnreadableFile, blocks, survey
from prospects.importing.rows import Row

__all__ = ["Row", "SourceFile", "UnreadableFile", "open_source"]

_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that has been looked at: how it is written, its columns, and the way to its rows."""

    path: Path
    survey: Survey
    layout: delimited.Dialect | documents.Layout

    @property
    def header(self) -> tuple[str, ...]:
        return self.layout.header

    @property
    def sha256(self) -> str:
        return self.survey.sha256

    @property
    def description(self) -> str:
        """For people: ``CSV, semicolon, mac_roman``."""
        if isinstance(self.layout, documents.Layout):
            kind = "JSON lines" if self.layout.lines else "JSON"
            return f"{kind}, {self.survey.encoding}"
        return f"CSV, {_WORDS.get(self.layout.delimiter, self.layout.delimiter)}, {self.survey.encoding}"

    def rows(self) -> Iterator[Row]:
        """Rows in file order, sound and unsound ones. Raises :class:`UnreadableFile` where the file breaks off."""
        try:
            if isinstance(self.layout, documents.Layout):
                yield from documents.read_rows(self.path, self.survey, self.layout)
            else:
                yield from delimited.read_rows(self.path, self.survey, self.layout)
        except (EOFError, OSError) as error:
            raise UnreadableFile("The file is damaged or cut off.") from error

    def sample(self, count: int) -> list[Row]:
        """The first ``count`` sound rows."""
        found: list[Row] = []
        for row in self.rows():
            if not row.problem:
                found.append(row)
            if len(found) >= count:
                break
        return found


def open_source(path: Path, *, most: int | None = None) -> SourceFile:
    """Look at a file: one pass for its bytes, ``most`` when unpacked, a glance for its layout.

    Raises :class:`UnreadableFile`.
    """
    found = survey(path, most=most)
    head = next(blocks(path, 4096), b"").decode(found.encoding, "replace")
    if documents.looks_like_json(head):
        return SourceFile(path, found, documents.inspect(path, found))
    return SourceFile(path, found, delimited.sniff(path, found))
