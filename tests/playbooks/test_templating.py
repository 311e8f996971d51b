from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.rules.templating import fill, placeholders, template_problems


def test_values_and_fallbacks_are_put_in_place() -> None:
    filled = fill(
        "Hi {{ first_name | there }}, {{company}} in {{ month.grew }}.", {"company": "Acme", "month.grew": "May"}
    )
    assert filled.text == "Hi there, Acme in May."
    assert filled.missing == ()
    assert [filled.text[span.start : span.end] for span in filled.spans] == ["Acme", "May"]


def test_a_placeholder_without_value_or_fallback_is_missing() -> None:
    assert fill("Hi {{ first_name }}", {"first_name": ""}).missing == ("first_name",)
    assert fill("Hi {{ first_name | }}!", {}).text == "Hi !"


def test_a_value_is_text_and_never_a_template() -> None:
    assert fill("{{ company }}", {"company": "{{ proof }}", "proof": "secret"}).text == "{{ proof }}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hi {{ firstname }}", "is no placeholder"),
        ("{{ fact.size }}", "no criterion 'size'"),
        ("{{ first_name", "not closed"),
        ("{% if x %}", "not closed"),
        ("{{ a.b() }}", "not closed"),
        ("{{ first_name }} {{ month.grew | lately }}", ""),
    ],
)
def test_problems_are_named(text: str, words: str) -> None:
    found = template_problems(text, {"grew"})
    assert (words in found[0]) if words else not found


@given(st.text("{}| ab.%"), st.dictionaries(st.text("ab.", min_size=1), st.text("{}ab ")))
def test_filling_any_text_keeps_what_is_no_placeholder(text: str, values: dict[str, str]) -> None:
    filled = fill(text, values)
    assert all(filled.text[span.start : span.end] == values[span.name] for span in filled.spans)
    if not list(placeholders(text)):
        assert filled.text == text
