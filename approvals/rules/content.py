"""The exact content a person approves, its canonical bytes and its fingerprint.

An approval binds sha256 over netstrings of (channel, recipient, sender, subject, body, attachments, rule version).
PostgreSQL computes the same sum in a trigger, so the two definitions must not drift: netstrings leave no room for
two different contents with the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address

from salesops.errors import Refusal

MAX_LOCAL_PART = 64
MAX_ADDRESS = 254
MAX_LINE = 998
FOOTER_LINE = "-- "

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u0085\u2028\u2029]")
_THREAD = re.compile(r"^\s*(?:re|fwd?|aw|wg|tr|sv|antw)\s*(?:\[\d+\])?\s*:", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]]+@[^\s@<>\"(),:;\\\[\]_]+")


class UnsafeHeader(Refusal):
    """A header value or address that could smuggle in another header, or that no mail server should be given."""


@dataclass(frozen=True, slots=True)
class Content:
    """One exact message: to whom, from whom, by which channel, with which words."""

    channel: str
    recipient: str
    sender: str
    subject: str
    body: str
    rule_version: str
    attachments: tuple[str, ...] = ()


def netstring(text: str) -> bytes:
    """`<length in bytes>:<utf-8 bytes>,`."""
    raw = text.encode("utf-8")
    return str(len(raw)).encode("ascii") + b":" + raw + b","


def canonical(content: Content) -> bytes:
    """The bytes that are fingerprinted, in the fixed order of the seven fields."""
    fields = (
        content.channel,
        content.recipient,
        content.sender,
        content.subject,
        content.body,
        "\n".join(content.attachments),
        content.rule_version,
    )
    return b"".join(netstring(field) for field in fields)


def content_hash(content: Content) -> str:
    """sha256 over `canonical`, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(content)).hexdigest()


def tidy_words(text: str) -> str:
    """One spelling for the same words: NFC, LF line ends, no trailing blanks, exactly one final newline.

    Browsers send CRLF and editors add blanks; without one normaliser an untouched text would look edited.
    The footer mark keeps its trailing blank (RFC 3676, 4.3).
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [FOOTER_LINE if line in (FOOTER_LINE, "--") else line.rstrip() for line in text.split("\n")]
    tidy = "\n".join(lines).strip("\n")
    return f"{tidy}\n" if tidy else ""


def with_footer(
    words: str,
    *,
    sender_name: str,
    postal_address: str,
    unsubscribe_url: str,
    privacy_url: str = "",
    details_source: str = "",
) -> str:
    """The whole body: the words, then who is writing, from where, and how to make it stop.

    The footer belongs to the body, and so to the fingerprint: what was approved is what is sent.
    """
    lines = [sender_name, ", ".join(part.strip() for part in postal_address.splitlines() if part.strip())]
    if details_source:
        lines.append(f"Where I found your details: {details_source}")
    if privacy_url:
        lines.append(f"Privacy notice: {privacy_url}")
    if unsubscribe_url:
        lines.append(f"Rather not hear from me? Unsubscribe: {unsubscribe_url}")
    footer = "\n".join(line for line in lines if line)
    return tidy_words(f"{tidy_words(words)}\n{FOOTER_LINE}\n{footer}")


def split_footer(body: str) -> tuple[str, str]:
    """(words, footer) around the last footer mark; the footer is empty when there is none."""
    head, mark, tail = f"\n{body}".rpartition(f"\n{FOOTER_LINE}\n")
    if not mark:
        return body, ""
    return tidy_words(head), tail


def with_same_footer(words: str, previous_body: str) -> str:
    """Edited words with the footer of the text they replace, unless the edit brought its own."""
    tidy = tidy_words(words)
    footer = split_footer(previous_body)[1]
    if not footer or split_footer(tidy)[1]:
        return tidy
    return tidy_words(f"{tidy}\n{FOOTER_LINE}\n{footer}")


def says(body: str, words: str) -> bool:
    """Whether these words stand in a body, however either is spaced. No words stand nowhere."""
    flat = " ".join(words.split())
    return bool(flat) and flat in " ".join(body.split())


def says_address(body: str, postal_address: str) -> bool:
    """Whether every line of a postal address stands in a body."""
    lines = [line.strip().strip(",") for line in postal_address.splitlines() if line.strip()]
    return bool(lines) and all(says(body, line) for line in lines)


def thread_mark(subject: str) -> str:
    """What makes a subject look like an answer or a forwarded mail, such as "Re:" and "AW:"; empty without one."""
    found = _THREAD.match(subject)
    return found.group().strip() if found else ""


def check_header(name: str, value: str) -> str:
    """`value` unchanged, if it can stand in one header line.

    Raises UnsafeHeader for CR, LF and other control characters, and for values over 998 characters (RFC 5322).
    """
    if "\r" in value or "\n" in value or _CONTROL.search(value):
        raise UnsafeHeader(f"{name} holds a line break or a control character.")
    if len(value) > MAX_LINE:
        raise UnsafeHeader(f"{name} is longer than {MAX_LINE} characters.")
    return value


def check_address(value: str) -> str:
    """One bare e-mail address, without display name, comment or list.

    Raises UnsafeHeader for anything else, a local part over 64 or an address over 254 characters.
    """
    check_header("The address", value)
    if not value.isascii() or not _ADDRESS.fullmatch(value):
        raise UnsafeHeader("This is not one plain e-mail address.")
    local, _, domain = value.rpartition("@")
    if len(local) > MAX_LOCAL_PART or len(value) > MAX_ADDRESS:
        raise UnsafeHeader("The address is longer than mail servers accept.")
    if ".." in value or local.startswith(".") or local.endswith(".") or "." not in domain:
        raise UnsafeHeader("This is not one plain e-mail address.")
    if any(not label or label.startswith("-") or label.endswith("-") for label in domain.split(".")):
        raise UnsafeHeader("The domain of the address is not valid.")
    return value


def sender_header(name: str, address: str) -> str:
    """`Name <address>` as it stands in From and in the fingerprint; the bare address without a name."""
    check_address(address)
    name = check_header("The sender's name", name).strip()
    try:
        return str(Address(display_name=name, addr_spec=address)) if name else address
    except (HeaderParseError, ValueError) as error:
        raise UnsafeHeader("The sender's address cannot be written in a header.") from error


def sender_address(header: str) -> str:
    """The bare address in what `sender_header` wrote."""
    return check_address(header.rpartition("<")[2].removesuffix(">").strip())
