"""Reading ahead in another process: the same rows, the same refusals, and nothing left behind."""

from __future__ import annotations

import gzip
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prospects.importing import ahead
from prospects.importing.columns import decide, propose
from prospects.importing.reading import SourceFile, UnreadableFile, open_source
from prospects.importing.records import RowReader
from prospects.models import Company
from prospects.services.importing import runs
from tests.prospects.import_files import counts, imported, playbook, write_csv

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def companies(path: Path, rows: int) -> SourceFile:
    lines = [f"{i}|Größe\\\\ {i}|co{i}.com|{i % 7}|2026-10-01" for i in range(rows)]
    return open_source(write_csv(path, "Id|Company|Domain|Employees|As of", *lines, "||||", "x|Too|wide|1|1|1"))


def reader_of(source: SourceFile) -> RowReader:
    mapping = decide(propose(source.header, [row.cells for row in source.sample(50)]))
    return RowReader(source.header, mapping, now=NOW, day_first=None, people_only=False)


def test_rows_read_in_another_process_are_the_rows_read_here(tmp_path: Path) -> None:
    source = companies(tmp_path / "a.csv", 95)
    reader = reader_of(source)
    here = list(ahead.chunks(source, reader, size=40))
    apart = list(ahead.chunks_apart(source, reader, size=40))
    assert [len(chunk.numbers) for chunk in here] == [40, 40, 17]
    assert apart == here
    assert here[2].refused
    assert apart[2].cells()[98] == ["x", "Too", "wide", "1", "1", "1"]


def test_an_unreadable_file_is_refused_in_the_same_words_from_the_other_process(tmp_path: Path) -> None:
    source = companies(tmp_path / "whole.csv", 20_000)
    reader = reader_of(source)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(source.path.read_bytes()))
    cut = open_source(packed)
    packed.write_bytes(packed.read_bytes()[:-2_000])
    with pytest.raises(UnreadableFile, match="damaged or cut off"):
        list(ahead.chunks_apart(cut, reader, size=1_000))


def test_a_reading_process_that_is_killed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = companies(tmp_path / "a.csv", 20_000)
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]  # only to learn which process it was
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    chunks = ahead.chunks_apart(source, reader_of(source), size=1_000)
    next(chunks)
    started[0].kill()
    with pytest.raises(ahead.ReaderDied):
        list(chunks)


def test_stopping_early_ends_the_reading_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = companies(tmp_path / "a.csv", 20_000)
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    chunks = ahead.chunks_apart(source, reader_of(source), size=1_000)
    next(chunks)
    chunks.close()
    assert started[0].returncode is not None


@pytest.mark.django_db(transaction=True)
def test_a_large_file_is_imported_through_the_other_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "APART", 0)
    monkeypatch.setattr(runs, "CHUNK", 40)
    into = playbook()
    source = companies(tmp_path / "a.csv", 95)
    assert counts(imported(source.path, into)) == {"created": 95, "rejected": 2}
    assert counts(imported(source.path, into)) == {"unchanged": 95, "rejected": 2}
    assert Company.objects.filter(name="Größe\\\\ 7").count() == 1
