"""Files as people send them: every row comes out, and a broken one costs only itself."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prospects.importing import encoding
from prospects.importing.delimited import OPEN_QUOTE, TOO_LONG
from prospects.importing.encoding import blocks
from prospects.importing.reading import SourceFile, UnreadableFile, open_source

ROWS = [
    ["Société Générale", "Zürich", "a,b"],
    ["Björk & Söhne GmbH", "Köln", 'says "hi"'],
    ["Piñata", "Bogotá", "x\ny"],
]
HEADER = ["Name", "City", "Note"]


def as_csv(rows: list[list[str]], delimiter: str = ",", end: str = "\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    return text.getvalue()


def opened(folder: Path, content: bytes | str, name: str = "file.csv") -> SourceFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source(path)


def cells(source: SourceFile) -> list[list[str]]:
    return [row.cells for row in source.rows() if not row.problem]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "mac_roman", "cp850"]
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    source = opened(tmp_path, as_csv([HEADER, *ROWS]).encode(encoding))
    assert source.header == tuple(HEADER)
    assert cells(source) == ROWS


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1250", "Škoda Žďár|Česká spořitelna|Łódź|Kraków"),
        ("cp1251", "ООО Ромашка|Газпром нефть|Санкт-Петербург"),
        ("koi8_r", "ООО Ромашка|Газпром нефть|Санкт-Петербург"),
        ("cp1253", "Αθήνα|Ελλάδα|Εταιρεία"),
    ],
)
def test_other_alphabets_are_told_apart(tmp_path: Path, encoding: str, words: str) -> None:
    rows = [["name"], *([word] for word in words.split("|"))]
    assert cells(opened(tmp_path, as_csv(rows).encode(encoding))) == rows[1:]


def test_an_old_mac_export_with_bare_carriage_returns(tmp_path: Path) -> None:
    rows = [["permalink", "name", "city"], ["/c/agmi", "agëmi Systems", "Sunnyvale"], ["/c/x", "#NAME?", "Bogotá"]]
    source = opened(tmp_path, as_csv(rows, end="\r").encode("mac_roman"))
    assert source.survey.encoding == "mac_roman"
    assert cells(source) == rows[1:]


def test_utf8_with_a_few_broken_bytes_stays_utf8_and_says_so(tmp_path: Path) -> None:
    text = as_csv([HEADER, *ROWS * 20]).encode() + b"caf\xe9,x,y\n"
    source = opened(tmp_path, text)
    assert source.survey.encoding == "utf-8"
    assert source.survey.warnings
    assert cells(source)[-1][0] == "caf\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    rows = [[cell.replace("\n", end) for cell in row] for row in ROWS]
    source = opened(tmp_path, as_csv([HEADER, *rows], delimiter, end))
    assert cells(source) == rows


def test_a_spreadsheet_may_declare_its_delimiter(tmp_path: Path) -> None:
    source = opened(tmp_path, "sep=;\nname;city\nAcme, Inc.;Oslo\n")
    assert source.header == ("name", "city")
    assert [(row.number, row.cells) for row in source.rows()] == [(3, ["Acme, Inc.", "Oslo"])]


def test_blanks_after_the_delimiter_do_not_hide_quotes(tmp_path: Path) -> None:
    source = opened(tmp_path, 'name, city\nAcme, "Oslo, Norway"\n')
    assert source.header == ("name", "city")
    assert cells(source) == [["Acme", "Oslo, Norway"]]


def test_gzip_is_read_through(tmp_path: Path) -> None:
    assert cells(opened(tmp_path, gzip.compress(as_csv([HEADER, *ROWS]).encode()), "file.csv.gz")) == ROWS


def test_what_unpacks_to_too_much_is_left_as_soon_as_that_shows(tmp_path: Path, monkeypatch) -> None:
    looked_at = []

    def counted(path: Path, size: int = encoding.BLOCK) -> Iterator[bytes]:
        for block in blocks(path, size):
            looked_at.append(len(block))
            yield block

    monkeypatch.setattr(encoding, "blocks", counted)
    bomb = tmp_path / "file.csv.gz"
    bomb.write_bytes(gzip.compress(b"name,domain\n" + b"Acme,acme.com\n" * 2_000_000))
    with pytest.raises(UnreadableFile, match="Unpacked, the file is larger than 3 MB"):
        open_source(bomb, most=3_000_000)
    assert sum(looked_at) <= 3_000_000 + encoding.BLOCK


def test_header_cells_become_distinct_names(tmp_path: Path) -> None:
    source = opened(tmp_path, "name,name,,\ufeffCity\na,b,c,d\n")
    assert source.header == ("name", "name (2)", "column 3", "City")


def test_titles_above_the_header_are_stepped_over(tmp_path: Path) -> None:
    source = opened(tmp_path, "Export of 3 May\n\nname,city,size\nAcme,Oslo,3\n")
    assert source.header == ("name", "city", "size")
    assert cells(source) == [["Acme", "Oslo", "3"]]


def test_ragged_rows(tmp_path: Path) -> None:
    source = opened(tmp_path, "a,b,c\n1,2\n1,2,3,,\n1,2,3,4\n1,2,3\n")
    rows = list(source.rows())
    assert [row.cells for row in rows if not row.problem] == [["1", "2", ""], ["1", "2", "3"], ["1", "2", "3"]]
    assert [(row.number, "4 cells" in row.problem) for row in rows if row.problem] == [(4, True)]


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    lines = [f"company {n},Oslo\n" for n in range(30_000)]
    text = "name,city\n" + '"broken,Oslo\n' + "".join(lines)
    rows = list(opened(tmp_path, text).rows())
    assert [row.number for row in rows if row.problem == OPEN_QUOTE] == [2]
    assert len([row for row in rows if not row.problem]) == len(lines)


def test_a_quote_left_open_in_the_last_lines_costs_one_row(tmp_path: Path) -> None:
    rows = list(opened(tmp_path, 'name,city\nA,Oslo\n"B,Rome\nC,Bern\n').rows())
    assert [row.problem for row in rows] == ["", OPEN_QUOTE, ""]
    assert rows[-1].cells == ["C", "Bern"]


def test_a_line_without_an_end_costs_one_row_and_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("w") as file:
        file.write("name,city\nA,Oslo\n")
        for _ in range(60):
            file.write("x" * 1_000_000)
        file.write("\nB,Rome\n")
    tracemalloc.start()
    rows = list(open_source(path).rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.problem for row in rows] == ["", TOO_LONG, ""]
    assert peak < 40_000_000


def test_memory_stays_flat_with_the_number_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("name,city\n")
        file.writelines(f"company {n},Oslo\n" for n in range(200_000))
    source = open_source(path)
    tracemalloc.start()
    count = sum(1 for _ in source.rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 4_000_000


def test_nul_bytes_are_dropped(tmp_path: Path) -> None:
    assert cells(opened(tmp_path, "name,city\nAc\x00me,Os\x00lo\n")) == [["Acme", "Oslo"]]


@pytest.mark.parametrize(
    "shape",
    [
        lambda items: json.dumps(items),
        lambda items: json.dumps(items, indent=2),
        lambda items: "\n".join(json.dumps(item) for item in items),
        lambda items: json.dumps({"count": 2, "data": items}),
    ],
    ids=["array", "indented", "lines", "inside an object"],
)
def test_json_in_its_usual_shapes(tmp_path: Path, shape) -> None:
    items = [{"name": "A", "place": {"city": "Oslo"}, "tags": ["x", "y"], "size": 3, "ok": True}, {"name": "B"}]
    source = opened(tmp_path, shape(items), "file.json")
    assert source.header == ("name", "place.city", "tags", "size", "ok")
    assert cells(source) == [["A", "Oslo", "x | y", "3", "true"], ["B", "", "", "", ""]]


def test_a_bad_json_line_costs_one_row(tmp_path: Path) -> None:
    rows = list(opened(tmp_path, '{"name": "A"}\n{"name": \n[1]\n{"name": "B"}\n', "x.jsonl").rows())
    assert [bool(row.problem) for row in rows] == [False, True, True, False]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"   \n\n", "empty"),
        (b"PK\x03\x04rest", "Excel"),
        (b"%PDF-1.7 rest", "PDF"),
        (bytes(range(1, 32)) * 50, "not a text file"),
        (b"\x1f\x8b\x08\x00cut off", "damaged"),
        (b'[{"name": "A"}, {"name": ', "cut off"),
        (b"[]", "no objects"),
    ],
)
def test_what_is_no_table_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        list(opened(tmp_path, content).rows())


def test_a_missing_file_and_a_folder_are_refused_in_words(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.csv", tmp_path):
        with pytest.raises(UnreadableFile):
            open_source(path)


TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n", exclude_characters="\ufeff\u2028\u2029"),
    max_size=20,
)


def test_marks_inside_cells_are_no_delimiter_when_every_row_agrees_on_another(tmp_path: Path) -> None:
    assert opened(tmp_path, b'"column a","column b"\n"","^"\n"","^^"\n').header == ("column a", "column b")


@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(TEXT, min_size=n, max_size=n), min_size=1, max_size=8)),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_whatever_a_csv_writer_writes_is_read_back(
    tmp_path_factory, rows: list[list[str]], delimiter: str, encoding: str
) -> None:
    header = [f"column {chr(97 + i)}" for i in range(len(rows[0]))]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([header, *rows])
    source = opened(tmp_path_factory.mktemp("csv"), text.getvalue().encode(encoding))
    assert source.header == tuple(header)
    assert [row.cells for row in source.rows()] == rows


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fall_over(tmp_path_factory, content: bytes) -> None:
    with contextlib.suppress(UnreadableFile):
        source = opened(tmp_path_factory.mktemp("any"), content)
        for row in source.rows():
            assert row.problem or len(row.cells) == len(source.header)
