"""The bytes of an e-mail and the SMTP conversation, against real servers that fail at every place they can."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.channels.email import Outgoing, Server, build, hand_off, message_id
from approvals.rules.content import UnsafeHeader, tidy_words
from tests.approvals.post_office import HOST, bad_line, nobody_home, post_office

MAIL = Outgoing(
    message_id="<d1.abc@us.example>",
    sender="Zoë Müller <zoe@us.example>",
    recipient="dana@acme.example",
    subject="Grüße from us",
    body="Hi Dana,\n\n.a line that starts with a dot\n\nGrüße\n-- \nZoë\n",
    sent_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
    unsubscribe_url="https://us.example/u/" + "t" * 43 + "/",
)


def parsed(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def words(message):
    return message.get_content().replace("\r\n", "\n")


def send(port, raw=None):
    server = Server(HOST, port, timeout=2)
    return hand_off(raw or build(MAIL), sender=MAIL.sender, recipient=MAIL.recipient, server=server)


def test_the_message_says_exactly_what_was_approved():
    message = parsed(build(MAIL))
    assert words(message) == MAIL.body
    assert message.get_content_type() == "text/plain"
    assert not message.is_multipart()
    assert (message["From"], message["To"], message["Subject"]) == (MAIL.sender, MAIL.recipient, MAIL.subject)
    assert message["Message-ID"] == MAIL.message_id
    assert message["Date"] == "Sat, 21 Nov 2026 12:00:00 +0000"


def test_it_carries_the_one_click_headers_unfolded():
    raw = build(MAIL)
    assert f"List-Unsubscribe: <{MAIL.unsubscribe_url}>\r\n".encode() in raw
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


def test_a_follow_up_names_what_it_answers():
    message = parsed(build(replace(MAIL, references=("<d1@us.example>", "<d2@us.example>"))))
    assert message["In-Reply-To"] == "<d2@us.example>"
    assert message["References"] == "<d1@us.example> <d2@us.example>"


def test_no_line_is_longer_than_servers_accept():
    raw = build(replace(MAIL, body="x" * 5000 + "\n", subject="word " * 50))
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert words(parsed(raw)) == "x" * 5000 + "\n"


@pytest.mark.parametrize("field", ["sender", "recipient", "subject", "message_id", "unsubscribe_url"])
def test_no_field_can_smuggle_in_a_header(field):
    evil = getattr(MAIL, field) + "\r\nBcc: eve@x.example"
    with pytest.raises(UnsafeHeader):
        build(replace(MAIL, **{field: evil}))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=300))
def test_any_approved_body_arrives_as_it_is(text):
    body = tidy_words(text)
    assert tidy_words(words(parsed(build(replace(MAIL, body=body))))) == tidy_words(body)


def test_the_message_id_of_a_decision_never_changes():
    assert (
        message_id(7, "ab" * 32, MAIL.sender) == message_id(7, "ab" * 32, MAIL.sender) == f"<d7.{'ab' * 16}@us.example>"
    )
    assert message_id(8, "ab" * 32, MAIL.sender) != message_id(7, "ab" * 32, MAIL.sender)


def test_a_healthy_server_gets_it_once():
    with post_office() as office:
        handed = send(office.port)
    assert (handed.outcome, handed.stage, handed.code) == ("accepted", "done", 250)
    [(mail_from, recipient, raw)] = office.received
    assert (mail_from, recipient) == ("zoe@us.example", MAIL.recipient)
    assert words(parsed(raw)) == MAIL.body


def test_nobody_at_home_may_be_tried_again():
    with nobody_home() as port:
        handed = send(port)
    assert (handed.outcome, handed.stage) == ("retry", "connect")


@pytest.mark.parametrize(
    ("at", "reply", "outcome"),
    [
        ("greeting", "", "retry"),
        ("greeting", "421 busy", "retry"),
        ("greeting", "554 go away", "refused"),
        ("ehlo", "", "retry"),
        ("ehlo", "421 busy", "retry"),
        ("ehlo", "550 not with you", "retry"),
        ("mail", "", "retry"),
        ("mail", "451 later", "retry"),
        ("mail", "550 not you", "refused"),
        ("rcpt", "", "retry"),
        ("rcpt", "450 greylisted", "retry"),
        ("rcpt", "550 nobody here", "refused"),
        ("data", "", "retry"),
        ("data", "451 later", "retry"),
        ("data", "554 no", "refused"),
        ("end", "451 later", "retry"),
        ("end", "552 too big", "refused"),
        ("end", "", "unknown"),
        ("end", "nonsense", "unknown"),
    ],
)
def test_where_the_line_breaks_decides_whether_it_may_be_tried_again(at, reply, outcome):
    with bad_line(at, reply) as line:
        handed = send(line.port)
    assert handed.outcome == outcome, handed
    assert len(line.bodies) == (1 if at == "end" else 0)


def test_a_line_lost_in_the_middle_of_a_long_text_was_never_accepted():
    raw = build(replace(MAIL, body="word " * 2_000_000 + "\n"))
    with bad_line("body") as line:
        handed = send(line.port, raw)
    assert handed.outcome == "retry"
    assert line.bodies == []


def test_silence_after_the_text_is_not_taken_for_a_no():
    with bad_line("end", " ") as line:
        handed = send(line.port)
    assert handed.outcome == "unknown"


def test_an_answer_too_long_to_read_is_not_taken_for_a_no():
    with bad_line("end", "250 taken " + "x" * 10_000) as line:
        handed = send(line.port)
    assert (handed.outcome, len(line.bodies)) == ("unknown", 1)


def test_a_password_that_no_server_can_be_told_leaves_nothing_in_doubt():
    with bad_line("ehlo", "250-fine\r\n250 AUTH PLAIN") as line:
        server = Server(HOST, line.port, username="zoe", password="geheim-ü", timeout=2)
        handed = hand_off(build(MAIL), sender=MAIL.sender, recipient=MAIL.recipient, server=server)
    assert (handed.outcome, line.bodies) == ("retry", [])
    assert "ü" not in handed.detail
