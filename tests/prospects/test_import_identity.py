"""Who a row is about: domains, addresses, names, and what likeness proves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prospects.importing.identity import (
    email_key,
    employer_domain,
    name_key,
    own_domain,
    person_key,
    registrable_domain,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://www.Acme.co.uk/x?y", "acme.co.uk"), ("acme.com", "acme.com"), ("ACME.COM.", "acme.com"),
        ("HTTP://user:pw@shop.acme.com:8080/", "acme.com"), ("//acme.com", "acme.com"), ("www3.acme.com", "acme.com"),
        ("bücher.de", "xn--bcher-kva.de"), ("foo.github.io", "foo.github.io"), ("acme.example", "acme.example"),
        ("http:// www.acme.com", "acme.com"), ("http://acme.com, other.com", "acme.com"), ("www.acme.com`", "acme.com"),
        ("a.b.kobe.jp", "a.b.kobe.jp"), ("x.city.kobe.jp", "city.kobe.jp"),
        ("http://n/a", ""), ("null", ""), ("co.uk", ""), ("acme", ""), ("127.0.0.1", ""), ("acme..com", ""), ("", ""),
    ],
)  # fmt: skip
def test_domains(text: str, expected: str) -> None:
    assert registrable_domain(text) == expected


@given(st.from_regex(r"[a-z][a-z0-9]{2,12}", fullmatch=True), st.sampled_from(["com", "de", "co.uk", "io", "example"]))
def test_however_a_domain_is_written_it_is_one(label: str, suffix: str) -> None:
    domain = f"{label}.{suffix}"
    found = registrable_domain(domain)
    for text in (f"https://www.{domain}/about", f"WWW.{domain.upper()}", f"http://{domain}:443", f" {domain}. "):
        assert registrable_domain(text) == found


@pytest.mark.parametrize(
    ("domain", "website", "name", "expected"),
    [
        ("", "https://www.producthunt.com/posts/storyline-7", "Storyline", ""),
        ("producthunt.com", "http://producthunt.com", "Product Hunt", "producthunt.com"),
        ("ycombinator.com", "https://www.ycombinator.com/companies/uiflow", "Uiflow", ""),
        ("", "https://linkedin.com/company/acme", "Acme", ""),
        ("apollo.io", "https://apollo.io", "Apollo.io", "apollo.io"),
        ("", "https://acme.com", "Acme", "acme.com"),
    ],
)  # fmt: skip
def test_a_page_on_a_shared_host_is_nobodys_own_domain(domain: str, website: str, name: str, expected: str) -> None:
    found = own_domain(domain, website, name)
    assert found.domain == expected
    assert bool(found.note) == (expected == "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dana <Dana.Lee@Acme.COM>", "dana.lee@acme.com"), ("mailto:x@y.de", "x@y.de"), (" x@y.de. ", "x@y.de"),
        ("x@bücher.de", "x@xn--bcher-kva.de"), ("o'neil@acme.ie", "o'neil@acme.ie"), ("a+b@acme.com", "a+b@acme.com"),
        ("a@b", ""), ("a b@c.de", ""), ("a..b@c.de", ""), ("@c.de", ""), ("a@c.de@d.de", ""), ("", ""),
        (f"{'ΐ' * 64}@{'a' * 60}.com", ""),
    ],
)  # fmt: skip
def test_addresses(text: str, expected: str) -> None:
    assert email_key(text) == expected


def test_free_mail_says_nothing_about_an_employer() -> None:
    assert employer_domain("dana@gmail.com") == ""
    assert employer_domain("dana@eu.acme.com") == "acme.com"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Société Générale S.A.", "societe generale"), ("Acme Robotics GmbH & Co. KG", "acme robotics"),
        ("The Home Depot, Inc.", "home depot"), ("AB Volvo", "volvo"), ("A B SKF", "skf"),
        ("PT Telekomunikasi Indonesia Tbk", "telekomunikasi indonesia"), ("OOO «Ромашка»", "ромашка"),
        ("U.S. Steel Corp.", "us steel"), ("Siemens Aktiengesellschaft", "siemens"), ("AT&T Inc.", "at and t"),
        ("Crown Castle de Mexico S. de R.L. de C.V.", "crown castle de mexico"), ("Nokia Oyj", "nokia"),
        ("Petróleo Brasileiro S/A", "petroleo brasileiro"), ("Kft. Kft.", "kft"), ("Yahoo! Inc", "yahoo"),
        ("Level Up", "level up"), ("SAS Institute", "sas institute"), ("Too Good To Go", "too good to go"),
        ("Limited", "limited"), ("A.O. Smith", "ao smith"), ("株式会社", "株式会社"),
    ],
)  # fmt: skip
def test_names_lose_their_legal_form_and_nothing_else(name: str, expected: str) -> None:
    assert name_key(name) == expected


@given(st.from_regex(r"[A-Z][a-z]{3,9} [A-Z][a-z]{3,9}son", fullmatch=True))
def test_case_accents_and_legal_forms_make_no_other_company(name: str) -> None:
    key = name_key(name)
    for other in (name.upper(), f"{name}, Inc.", f"{name} GmbH", f"{name} S.p.A.", f"  {name}  Ltd. "):
        assert name_key(other) == key


@given(st.text(max_size=60))
def test_no_text_makes_a_key_fall_over(text: str) -> None:
    assert bool(name_key(text)) == any(c.isalnum() for c in name_key(text))
    for read in (registrable_domain, email_key):
        assert read(text) == read(text).strip()


def test_a_name_alone_is_nobody() -> None:
    assert person_key("Dana Lee") == ""
    assert person_key("Dana Lee", "1980-01-01") == person_key("LEE, Dana", "1980 01 01")
