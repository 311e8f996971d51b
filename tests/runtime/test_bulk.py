"""COPY takes lists as PostgreSQL arrays, whatever is in them."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesops.runtime.bulk import array_text, copy_rows

WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20), max_size=5)
NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS, numbers=NUMBERS)
def test_lists_come_back_as_they_went_in(words: list[str], numbers: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE IF NOT EXISTS lists (words text[], numbers bigint[], bare text)")
        cursor.execute("TRUNCATE lists")
        assert copy_rows("lists", ["words", "numbers", "bare"], [(words, tuple(numbers), None)]) == 1
        cursor.execute("SELECT words, numbers, bare FROM lists")
        assert cursor.fetchall() == [(words, numbers, None)]


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.none() | st.floats(allow_nan=False), max_size=5),
    flags=st.lists(st.booleans(), max_size=5),
    words=st.lists(st.none() | st.sampled_from(["", "null", "NULL", "{", ",", '"', "\\"]), max_size=5),
)
def test_an_array_as_text_is_read_as_the_same_values(
    values: list[float | None], flags: list[bool], words: list[str | None]
) -> None:
    with connection.cursor() as cursor:
        texts = [array_text(values), array_text(flags), array_text(words)]
        cursor.execute("SELECT %s::float8[], %s::boolean[], %s::text[]", texts)
        assert cursor.fetchall() == [(values, flags, words)]
