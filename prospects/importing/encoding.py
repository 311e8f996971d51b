"""What kind of bytes is this file? One pass over it, in constant memory, answers for encoding, line ends and digest.

Nobody labels the files they export, so the bytes have to say it themselves: a byte-order mark first, then the rhythm
of NULs (UTF-16), then whether everything is valid UTF-8. What is left are the one-byte encodings, which are told apart
by which of them makes words out of the bytes beyond ASCII.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import charset_normalizer

from salesops.errors import Refusal

BLOCK = 1 << 20
WINDOW = 48  # bytes kept on each side of a byte beyond ASCII
SAMPLE = 60_000  # bytes of such windows: enough to tell, small enough to be quick
BINARY_SHARE = 0.05  # control characters beyond this share: not a text file

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ONE_BYTE = ("cp1252", "mac_roman", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp850")
_MULTI_BYTE = frozenset(
    {"shift_jis", "cp932", "euc_jp", "gb18030", "gbk", "gb2312", "big5", "cp950", "euc_kr", "cp949"}
)
_ASCII = bytes(range(128))
_CONTROL = bytes(set(range(1, 32)) - {9, 10, 12, 13, 26}) + b"\x7f"
_MAGIC = (
    (b"PK\x03\x04", "This is an Excel workbook or a zip archive. Save the sheet as CSV and import that."),
    (b"\xd0\xcf\x11\xe0", "This is an old Excel workbook. Save the sheet as CSV and import that."),
    (b"%PDF", "This is a PDF. Companies can be imported from CSV or JSON."),
    (b"SQLite format 3", "This is a database file. Export the table as CSV and import that."),
    (b"PAR1", "This is a Parquet file. Export it as CSV or JSON lines and import that."),
)


class UnreadableFile(Refusal):
    """The file as a whole cannot be read. Single bad rows never raise this: they are rejected one by one."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over the bytes found. ``sha256`` is of the file as given (compressed, if it was)."""

    sha256: str
    size: int  # bytes on disk
    encoding: str  # a Python codec name
    compressed: bool
    carriage_returns_only: bool
    warnings: tuple[str, ...]


def open_bytes(path: Path) -> IO[bytes]:
    """The file's (decompressed) bytes. Raises OSError as ``open`` does."""
    with path.open("rb") as probe:
        compressed = probe.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if compressed else path.open("rb")


def blocks(path: Path, size: int = BLOCK) -> Iterator[bytes]:
    """Decompressed blocks; raises :class:`UnreadableFile` where the disk or the compression gives up."""
    try:
        with open_bytes(path) as file:
            while block := file.read(size):
                yield block
    except FileNotFoundError as error:
        raise UnreadableFile(f"There is no file {path.name}.") from error
    except IsADirectoryError as error:
        raise UnreadableFile(f"{path.name} is a folder, not a file.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFile("The compressed file is damaged or cut off. Download or compress it again.") from error
    except OSError as error:
        raise UnreadableFile(f"The file cannot be read: {error.strerror or error}.") from error


class _Tally:
    """What is counted block by block."""

    def __init__(self) -> None:
        self.bytes = self.high = self.control = self.carriage_returns = self.newlines = 0
        self.valid_utf8 = True
        self.sample = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def add(self, block: bytes) -> None:
        self.bytes += len(block)
        self.carriage_returns += block.count(b"\r")
        self.newlines += block.count(b"\n")
        self.control += len(block) - len(block.translate(None, _CONTROL))
        high = len(block.translate(None, _ASCII))
        self.high += high
        if self.valid_utf8:
            self._check(block, final=False)
        if high and len(self.sample) < SAMPLE:
            self._collect(block)

    def finish(self) -> None:
        if self.valid_utf8:
            self._check(b"", final=True)

    def _check(self, block: bytes, *, final: bool) -> None:
        try:
            self._decoder.decode(block, final)
        except UnicodeDecodeError:
            self.valid_utf8 = False

    def _collect(self, block: bytes) -> None:
        for line in block.splitlines(keepends=True):
            if not line.isascii():
                start = next(i for i, byte in enumerate(line) if byte > 127)
                self.sample += line[max(0, start - WINDOW) : start + 4 * WINDOW] + b"\n"
                if len(self.sample) >= SAMPLE:
                    return


def survey(path: Path, *, most: int | None = None) -> Survey:
    """Read the file once and say how to read it.

    Raises :class:`UnreadableFile` when it is no text at all, and once it has unpacked to more than ``most`` bytes.
    """
    sha256 = _digest(path)
    stream = blocks(path)
    head = next(stream, b"")
    if not head.strip():
        raise UnreadableFile("The file is empty.")
    _refuse_known_formats(head)
    tally = _Tally()
    tally.add(head)
    for block in stream:
        tally.add(block)
        if most is not None and tally.bytes > most:
            raise UnreadableFile(f"Unpacked, the file is larger than {most / 1e6:,.0f} MB: divide it.")
    tally.finish()
    encoding, warnings = _encoding(head, tally)
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return Survey(
        sha256=sha256,
        size=path.stat().st_size,
        encoding=encoding,
        compressed=compressed,
        carriage_returns_only=tally.carriage_returns > 0 and tally.newlines == 0,
        warnings=tuple(warnings),
    )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise UnreadableFile(f"The file {path.name} cannot be read: {error.strerror or error}.") from error
    return digest.hexdigest()


def _refuse_known_formats(head: bytes) -> None:
    for magic, message in _MAGIC:
        if head.startswith(magic):
            raise UnreadableFile(message)


def _encoding(head: bytes, tally: _Tally) -> tuple[str, list[str]]:
    for bom, name in _BOMS:
        if head.startswith(bom):
            if name == "utf-8-sig" and not tally.valid_utf8:
                return name, ["Some characters are not valid UTF-8 and were replaced by \N{REPLACEMENT CHARACTER}."]
            return name, []
    wide = _utf16_without_mark(head)
    if wide:
        return wide, []
    if tally.control / max(1, tally.bytes) > BINARY_SHARE:
        raise UnreadableFile("This is not a text file. Companies can be imported from CSV or JSON.")
    if tally.valid_utf8:
        return "utf-8", []
    sample = bytes(tally.sample)
    if _mostly_utf8(sample):
        return "utf-8", ["Some characters are not valid UTF-8 and were replaced by \N{REPLACEMENT CHARACTER}."]
    wide = _multi_byte(sample)
    if wide:
        return wide, []
    old_mac = tally.carriage_returns > 0 and tally.newlines == 0
    return best_one_byte(sample, old_mac=old_mac), []


def _utf16_without_mark(head: bytes) -> str:
    sample = head[:4096]
    half = max(1, len(sample) // 2)
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    if even > 0.4 and odd < 0.1:
        return "utf-16-be"
    return ""


def _mostly_utf8(sample: bytes) -> bool:
    """True for a UTF-8 file with a few broken characters: at least nine in ten sequences beyond ASCII are whole."""
    text = sample.decode("utf-8", "replace")
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    whole = sum(1 for character in text if character > "\x7f") - broken
    return whole >= 9 * broken


def _multi_byte(sample: bytes) -> str:
    """An East Asian encoding, only where the bytes beyond ASCII come in long runs, as they do in those scripts."""
    if len(sample.translate(None, _ASCII)) < 0.25 * len(sample):
        return ""
    best = charset_normalizer.from_bytes(sample[:20_000]).best()
    return best.encoding if best is not None and best.encoding in _MULTI_BYTE else ""


def best_one_byte(sample: bytes, *, old_mac: bool = False) -> str:
    """The one-byte encoding in which the sample reads most like words.

    ``old_mac`` is the hint of a file with bare carriage returns. Ties go to the commoner encoding (the order above).
    """
    scores = {name: _plausibility(sample.decode(name, "replace")) for name in _ONE_BYTE}
    if old_mac:
        bonus = 0.25 * len(sample.translate(None, _ASCII))
        scores["mac_roman"] += bonus
    return max(_ONE_BYTE, key=lambda name: scores[name])


_SIGNS_IN_TEXT = frozenset("’‘“”–—…™®©°€£«»•·§ªº\N{NO-BREAK SPACE}¿¡¥")


_BEFORE_NUMBERS = frozenset("£€¥§")


def _plausibility(text: str) -> float:
    """How much the characters beyond ASCII look like words: the higher, the likelier the decoding."""
    total = 0.0
    padded = f" {text} "
    for index, character in enumerate(text, start=1):
        if character > "\x7f":
            total += _judge(padded[index - 1], character, padded[index + 1])
    return total


def _judge(before: str, character: str, after: str) -> float:
    category = unicodedata.category(character)
    if character == "\N{REPLACEMENT CHARACTER}" or category[0] == "C":
        return -3.0
    if category[0] != "L" or character in "ªº":
        inside_word = before.isalpha() and after.isalpha() and character != "’"
        if character in _BEFORE_NUMBERS and after.isalpha():
            return -1.0
        return 0.4 if character in _SIGNS_IN_TEXT and not inside_word else -1.0
    return _judge_letter(before, character, after)


def _judge_letter(before: str, character: str, after: str) -> float:
    latin = "LATIN" in unicodedata.name(character, "")
    neighbours = [near for near in (before, after) if near.isalpha()]
    if not neighbours:
        return -0.3
    if character.isupper() and before.islower():
        return -1.0
    if latin:
        foreign = sum(1 for near in neighbours if near > "\x7f")
        return 0.7 if not foreign else -0.4
    same = [_script(near) == _script(character) for near in neighbours]
    return 1.0 if all(same) else -1.0


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ", 1)[0]
