"""Chunks of a file, understood ahead of the database: large files in a process of their own.

Two threads of one Python share one core, and whoever waits for the database then waits again for its turn: a parser
thread made importing as slow as doing one after the other. A separate program has a core of its own. It is started as a
plain program and not by ``multiprocessing``, because task workers may not have children of that kind, and it ends when
nobody reads what it writes, so a killed import leaves nothing behind.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, Generic, Protocol, TypeVar

from prospects.importing.reading import SourceFile
from prospects.importing.rows import Refused, Row

_LENGTH = struct.Struct("<Q")

ParsedT = TypeVar("ParsedT")
ParsedT_co = TypeVar("ParsedT_co", covariant=True)


class ReaderDied(Exception):  # noqa: N818 — what happened, in the words of the log
    """The reading process ended before the file did (killed, or out of memory)."""


class Reader(Protocol[ParsedT_co]):
    """Understands rows. It must survive pickling and must not touch the database."""

    def read(self, row: Row) -> ParsedT_co | Refused: ...


@dataclass(slots=True)
class Chunk(Generic[ParsedT]):
    """Some rows in file order: the sound ones understood, the numbers of all, and their cells, packed."""

    parsed: list[ParsedT]
    refused: list[Refused]
    numbers: list[int]
    packed: bytes

    def cells(self) -> dict[int, Sequence[str]]:
        """Row number → cells as they were. Few chunks are ever asked, so they travel packed."""
        return dict(zip(self.numbers, pickle.loads(self.packed), strict=True))  # noqa: S301 — packed below


def chunks(
    source: SourceFile, reader: Reader[ParsedT], *, size: int, limit: int | None = None
) -> Generator[Chunk[ParsedT], None, None]:
    """The file's chunks of ``size`` rows, at most ``limit`` rows, read in this very thread."""
    rows: Iterator[Row] = islice(source.rows(), limit)
    while block := list(islice(rows, size)):
        parsed: list[ParsedT] = []
        refused: list[Refused] = []
        for row in block:
            found = reader.read(row)
            if isinstance(found, Refused):
                refused.append(found)
            else:
                parsed.append(found)
        packed = pickle.dumps([row.cells for row in block], pickle.HIGHEST_PROTOCOL)
        yield Chunk(parsed, refused, [row.number for row in block], packed)


def chunks_apart(source: SourceFile, reader: Reader[ParsedT], *, size: int) -> Generator[Chunk[ParsedT], None, None]:
    """The same chunks from another process. Raises what reading raises there, and :class:`ReaderDied`.

    Where no process can be started, they are read here.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    command = [sys.executable, "-m", __name__]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe)  # noqa: S603 — our own module
    except OSError:  # no more processes here: slower is better than not at all
        yield from chunks(source, reader, size=size)
        return
    with process as child:
        assert child.stdin is not None  # noqa: S101 — asked for above
        assert child.stdout is not None  # noqa: S101
        try:
            with suppress(BrokenPipeError):  # it died already: then nothing comes out either
                child.stdin.write(pickle.dumps((source, reader, size), pickle.HIGHEST_PROTOCOL))
                child.stdin.close()
            while (item := _receive(child.stdout)) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            child.kill()


def _receive(stream: IO[bytes]) -> Any:
    """The next chunk, an exception to raise, or None at the end."""
    head = stream.read(_LENGTH.size)
    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
    body = stream.read(length)
    if not body or len(body) < length:
        raise ReaderDied("the reading process ended before the file did")
    return pickle.loads(body)  # noqa: S301 — our own child wrote it


def _send(stream: IO[bytes], item: object) -> None:
    body = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(body)))
    stream.write(body)
    stream.flush()


def _main() -> None:
    """The reading process: the job comes in by standard input, chunks go out by what was standard output."""
    import gc

    gc.disable()  # rows make many objects and no cycles
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the importer decides when to stop; this end then breaks
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the chunks
    source, reader, size = pickle.load(sys.stdin.buffer)  # noqa: S301 — our own parent wrote it
    try:
        for chunk in chunks(source, reader, size=size):
            _send(out, chunk)
        _send(out, None)
    except BrokenPipeError:
        os._exit(0)  # nobody listens any more; closing the pipe again would only complain
    except Exception as error:  # handed to the importer, which raises it
        _send(out, _portable(error))


def _portable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 — only a trial
    except Exception:  # an exception may refuse to be copied
        return ReaderDied(type(error).__name__)
    return error


if __name__ == "__main__":
    # Under its own name, or the importer could not unpack what comes from ``__main__``.
    from prospects.importing import ahead

    ahead._main()
