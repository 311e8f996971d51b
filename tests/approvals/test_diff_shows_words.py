from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from approvals.rules import diff


@given(st.text(), st.text())
def test_the_pieces_spell_both_texts(before, after):
    pieces = diff.words(before, after)
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == after
    assert diff.changed(pieces) == (before != after)
    assert all(one.kind != next_one.kind for one, next_one in pairwise(pieces))


def test_a_changed_word_shows_as_one_word_out_and_one_in():
    pieces = diff.words("Would a list help?", "Would a sample help?")
    assert diff.as_json(pieces) == [
        {"kind": "same", "text": "Would a "},
        {"kind": "removed", "text": "list"},
        {"kind": "added", "text": "sample"},
        {"kind": "same", "text": " help?"},
    ]
