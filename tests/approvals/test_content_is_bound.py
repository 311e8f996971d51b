"""The fingerprint of a message: one canonical form, no header smuggled in."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.rules.content import (
    Content,
    UnsafeHeader,
    canonical,
    check_address,
    check_header,
    content_hash,
    sender_address,
    sender_header,
    split_footer,
    tidy_words,
    with_footer,
    with_same_footer,
)

SAMPLE = Content(
    "email", "dana@acme.example", "Sam <sam@us.example>", "Hällo", "Hi Dana,\n", "compliance-1", ("ab", "cd")
)
texts = st.text(max_size=40)
contents = st.builds(Content, texts, texts, texts, texts, texts, texts, st.tuples(texts) | st.just(()))


def test_canonical_bytes_are_netstrings_of_the_seven_fields():
    assert canonical(SAMPLE) == (
        b"5:email,17:dana@acme.example,20:Sam <sam@us.example>,6:H\xc3\xa4llo,9:Hi Dana,\n,5:ab\ncd,12:compliance-1,"
    )
    assert content_hash(SAMPLE) == hashlib.sha256(canonical(SAMPLE)).hexdigest()


@given(contents, contents)
def test_two_contents_share_a_fingerprint_only_when_their_words_are_equal(one, other):
    def words(content):
        return (content.channel, content.recipient, content.sender, content.subject, content.body,
                content.rule_version, "\n".join(content.attachments))  # fmt: skip

    assert (canonical(one) == canonical(other)) == (words(one) == words(other))


@pytest.mark.parametrize("field", ["channel", "recipient", "sender", "subject", "body", "rule_version"])
def test_changing_any_field_changes_the_fingerprint(field):
    changed = replace(SAMPLE, **{field: getattr(SAMPLE, field) + "."})
    assert content_hash(changed) != content_hash(SAMPLE)


def test_a_character_cannot_move_from_subject_to_body():
    left = replace(SAMPLE, subject="ab", body="c")
    right = replace(SAMPLE, subject="a", body="bc")
    assert content_hash(left) != content_hash(right)


@pytest.mark.parametrize(
    "value",
    ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\x00b", "a\x0bb", "a\u2028b", "x" * 999],
)
def test_a_header_value_that_could_start_another_header_is_refused(value):
    with pytest.raises(UnsafeHeader):
        check_header("Subject", value)


@pytest.mark.parametrize(
    "value",
    [
        "", "dana", "dana@", "@acme.example", "dana@acme", "a@b@c.example", "dana@acme.example, eve@acme.example",
        "Dana <dana@acme.example>", "dana@acme.example\r\nBcc: eve@x.example", "d ana@acme.example",
        ".dana@acme.example", "da..na@acme.example", "dana@-acme.example", "dana@acme..example",
        "x" * 65 + "@acme.example", "dana@" + "a." * 125 + "example", "zoë@acme.example",
    ],
)  # fmt: skip
def test_what_is_not_one_plain_address_is_refused(value):
    with pytest.raises(UnsafeHeader):
        check_address(value)


@pytest.mark.parametrize("value", ["dana@acme.example", "d.lee+x@mail.acme.example", "o'neil@acme.example"])
def test_plain_addresses_pass(value):
    assert check_address(value) == value


@given(st.text(max_size=60))
def test_no_sender_name_can_break_out_of_its_header(name):
    try:
        header = sender_header(name, "sam@us.example")
    except UnsafeHeader:
        return
    assert "\n" not in header
    assert "\r" not in header
    assert sender_address(header) == "sam@us.example"


def test_browser_line_ends_and_trailing_blanks_do_not_make_an_edit():
    assert tidy_words("Hi,\r\n\r\nthere  \r\n") == tidy_words("Hi,\n\nthere") == "Hi,\n\nthere\n"


@given(st.text())
def test_tidying_twice_changes_nothing(text):
    assert tidy_words(tidy_words(text)) == tidy_words(text)


def test_the_footer_is_part_of_the_body_and_comes_off_again():
    body = with_footer(
        "Hi Dana,\n\nAll good?",
        sender_name="Sam Doe",
        postal_address="1 Main St\nSpringfield",
        unsubscribe_url="https://us.example/u/t",
        privacy_url="https://us.example/privacy",
        details_source="the public list",
    )
    words, footer = split_footer(body)
    assert words == "Hi Dana,\n\nAll good?\n"
    assert footer.splitlines() == [
        "Sam Doe",
        "1 Main St, Springfield",
        "Where I found your details: the public list",
        "Privacy notice: https://us.example/privacy",
        "Rather not hear from me? Unsubscribe: https://us.example/u/t",
    ]


def test_an_edit_keeps_the_footer_it_does_not_mention():
    body = with_footer("Hi", sender_name="Sam", postal_address="1 Main St", unsubscribe_url="https://us.example/u/t")
    edited = with_same_footer("Hello there\r\n", body)
    assert split_footer(edited) == ("Hello there\n", split_footer(body)[1])
    assert with_same_footer(edited, body) == edited


LABEL = "d" * 61


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        (f"{'a' * 64}@b.example", True),
        (f"{'a' * 65}@b.example", False),
        (f"{'a' * 64}@{LABEL}.{LABEL}.{LABEL}.com", True),  # 254 characters
        (f"{'a' * 64}@{LABEL}.{LABEL}.{LABEL}.info", False),
        ("a.@b.example", False),
        (".a@b.example", False),
        ("a@b-.example", False),
        ("a@-b.example", False),
        ("a@b..example", False),
        ("a@example", False),
        ("a@b.example\r", False),
        ("a@b.example\nBcc: c@d.example", False),
    ],
)
def test_an_address_is_one_plain_address_that_mail_servers_take(address, plain):
    if plain:
        assert check_address(address) == address
    else:
        with pytest.raises(UnsafeHeader):
            check_address(address)
