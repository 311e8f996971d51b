from hypothesis import given
from hypothesis import strategies as st

from approvals.rules import unsubscribe

KEY, OTHER = b"k" * 32, b"o" * 32
ids = st.integers(min_value=1, max_value=2**63)


@given(ids, ids)
def test_a_token_names_its_client_and_contact_and_shows_neither(client, contact):
    token = unsubscribe.token(KEY, client, contact)
    assert unsubscribe.read([KEY], token) == (client, contact)
    assert unsubscribe.read([OTHER, KEY], token) == (client, contact)
    assert unsubscribe.read([OTHER], token) is None
    assert len(token) == 43


@given(st.text())
def test_nothing_made_up_is_read_as_a_token(text):
    assert unsubscribe.read([KEY], text) is None


@given(ids, ids, st.integers(0, 41), st.sampled_from("ABab01-_"))
def test_a_changed_character_voids_a_token(client, contact, place, character):
    token = unsubscribe.token(KEY, client, contact)
    forged = token[:place] + character + token[place + 1 :]
    assert unsubscribe.read([KEY], forged) == ((client, contact) if forged == token else None)


def test_neighbours_get_unlike_tokens():
    one, two = unsubscribe.token(KEY, 1, 1), unsubscribe.token(KEY, 1, 2)
    assert sum(a == b for a, b in zip(one, two, strict=True)) < 12
