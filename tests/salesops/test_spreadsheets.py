"""A downloaded CSV cannot run anything in a spreadsheet."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from salesops.spreadsheets import csv_lines, csv_response, safe_cell


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-2", "@SUM(A1)", "\tx", "\r=1", "  =1", "|calc"])
def test_what_begins_like_a_formula_becomes_text(cell):
    assert safe_cell(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["Acme", "a=b", "", -2, 3.5])
def test_everything_else_stays_as_it_is(cell):
    assert safe_cell(cell) == cell


def test_nothing_is_an_empty_cell():
    assert safe_cell(None) == ""


def test_lines_are_read_back_whole():
    text = "".join(csv_lines(["name", "note"], [['Ann "A"', "two\nlines, one comma"], ["Bo", None]]))
    assert text.startswith("\ufeff")
    assert list(csv.reader(StringIO(text[1:]))) == [
        ["name", "note"],
        ['Ann "A"', "two\nlines, one comma"],
        ["Bo", ""],
    ]


def test_the_response_is_a_download():
    response = csv_response("funnel", ["a"], [])
    assert response["Content-Disposition"] == 'attachment; filename="funnel.csv"'
    assert response["Content-Type"] == "text/csv; charset=utf-8"
