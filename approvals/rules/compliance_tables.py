"""The legal gate as data: one versioned table per country. Engineering, not legal advice.

A row names a check and its parameters; `compliance` holds the checks. `fails_as` is the verdict when the check does
not hold. Sources are the laws the row was written from; (P) marks our own default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

Verdict = Literal["PASS", "REVIEW", "BLOCK"]
RULE_VERSION = "compliance-1"

EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: where it holds, what it checks, with which numbers, and what failing means."""

    id: str
    check: str
    channel: str
    source: str
    fails_as: Verdict = "BLOCK"
    version: int = 1
    params: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


def _rule(id_: str, check: str, channel: str, source: str, fails_as: Verdict = "BLOCK", **params: object) -> Rule:
    return Rule(id=id_, check=check, channel=channel, source=source, fails_as=fails_as, params=MappingProxyType(params))


_EMAIL_BASICS = (
    ("sender", "accurate_sender"),
    ("subject", "honest_thread"),
    ("address", "postal_address"),
    ("opt-out", "unsubscribe_offered"),
)


def _email_basics(country: str, source: str) -> tuple[Rule, ...]:
    return tuple(_rule(f"{country}.email.{name}", check, "email", source) for name, check in _EMAIL_BASICS)


def _calls(country: str, source: str, windows: Mapping[str, tuple[float, float]], *, holidays: bool) -> Rule:
    return _rule(f"{country}.call.hours", "call_hours", "call", source, windows=windows, holidays=holidays)


def _week(
    weekdays: tuple[float, float], saturday: tuple[float, float] | None, sunday: tuple[float, float] | None
) -> Mapping[str, tuple[float, float]]:
    days = {"weekdays": weekdays}
    days |= {"saturday": saturday} if saturday else {}
    days |= {"sunday": sunday} if sunday else {}
    return MappingProxyType(days)


OFFICE_HOURS = _week((9, 17.5), None, None)

# Rules that hold wherever the recipient is.
COMMON = (
    _rule("any.suppressed", "not_suppressed", EVERYWHERE, "rule book: any hit blocks"),
    _rule("any.country", "country_allowed", EVERYWHERE, "playbook: countries it sells into"),
    _rule("any.email.address", "plain_recipient", "email", "RFC 5321 4.5.3, RFC 5322 2.1.1"),
    _rule("any.call.do-not-call", "not_on_call_list", "call", "do-not-call lists"),
    _rule("any.linkedin.by-hand", "attested_by_hand", "linkedin", "a manual task, attested by the person (P)"),
    _rule("any.linkedin.limits", "linkedin_limits", "linkedin", "15 a day, 80 in any 7 days (P)", day=15, week=80),
    _rule("any.linkedin.note", "note_length", "linkedin", "note of at most 200 characters (P)", characters=200),
    _rule("any.motive", "no_motive_asserted", EVERYWHERE, "a guess at somebody's motive is never said outward"),
    _rule("any.sms.not-offered", "never", "sms", "text messages need a consent flow of their own (P)"),
)

_US = (*_email_basics("us", "CAN-SPAM 15 USC 7704"), _calls("us", "47 CFR 64.1200(c)", _week((8, 21), (8, 21), (8, 21)),
       holidays=False))  # fmt: skip

_GDPR = "GDPR 13, 14, 21"


def _privacy(country: str) -> tuple[Rule, ...]:
    return (
        _rule(f"{country}.data.source", "details_source", EVERYWHERE, "GDPR 14(2)(f)"),
        _rule(f"{country}.email.notice", "privacy_notice", "email", _GDPR),
        _rule(f"{country}.data.month", "told_within_a_month", EVERYWHERE, "GDPR 14(3)", "REVIEW", days=30),
    )


def _eu(country: str, *, opt_in: bool) -> tuple[Rule, ...]:
    law = "ePrivacy directive art. 13, national law"
    consent = (
        _rule(f"{country}.email.opt-in", "consent", "email", law, types=("express", "purchase"))
        if opt_in
        else _rule(f"{country}.email.entity", "known_company", "email", law, "REVIEW")
    )
    return (
        *_email_basics(country, law),
        *_privacy(country),
        consent,
        _calls(country, "(P)", OFFICE_HOURS, holidays=True),
    )


_GB = (
    *_email_basics("gb", "PECR reg. 22, 23"),
    *_privacy("gb"),
    _rule("gb.email.entity", "known_company", "email", "PECR reg. 22: unknown counts as an individual"),
    _calls("gb", "(P); PECR reg. 21", OFFICE_HOURS, holidays=True),
)

_CA = (
    *_email_basics("ca", "CASL s. 6(2)"),
    _rule("ca.email.consent", "consent", "email", "CASL s. 6(1), 10(9)",
          types=("express", "purchase", "inquiry", "published"),
          max_days=MappingProxyType({"purchase": 730, "inquiry": 182}), relevant=("published",), proof=("published",)),
    _calls("ca", "CRTC Unsolicited Telecommunications Rules", _week((9, 21.5), (10, 18), (10, 18)), holidays=False),
)  # fmt: skip

_NZ = (
    *_email_basics("nz", "UEM Act 2007 s. 9–11"),
    _rule("nz.email.consent", "consent", "email", "UEM Act 2007 s. 4, 9(3)",
          types=("express", "inferred", "published"), relevant=("published", "inferred"), proof=("published",
          "inferred", "express")),
    _rule("nz.email.no-guess", "address_not_guessed", "email", "UEM Act 2007 s. 13"),
    _rule("nz.data.source", "details_source", EVERYWHERE, "Privacy Act 2020, IPP 3A"),
    replace(
        _rule("nz.claims", "sensitive_claims", EVERYWHERE, "Fair Trading Act s. 12A",
              topics="health, energy, damp or savings", words=(
                  ("health", "healthy", "healthier", "unhealthy", "asthma"),
                  ("energy",),
                  ("damp", "dampness", "mould", "mouldy", "mold", "moldy"),
                  ("savings", "saving", "save", "saves"),
              )),
        version=2,
    ),
    _calls("nz", "Marketing Association code", _week((8, 21), (8, 21), None), holidays=True),
)  # fmt: skip

_AU = (
    *_email_basics("au", "Spam Act 2003 s. 17, 18"),
    _rule("au.email.consent", "consent", "email", "Spam Act 2003 s. 16, sch. 2",
          types=("express", "inferred", "published"), relevant=("published", "inferred"), proof=("published",)),
    _rule("au.email.no-ask", "asks_no_consent", "email", "Spam Act 2003 s. 16: asking for consent is itself marketing"),
    _calls("au", "Telemarketing Industry Standard 2017", _week((9, 20), (9, 17), None), holidays=True),
)  # fmt: skip

# Where e-mail between businesses is allowed until it is refused; every other EU/EEA country is held to opt-in.
EU_OPT_OUT = ("EE", "FI", "FR", "IE", "LU", "PT", "SE")
EU_OPT_IN = (
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "ES", "GR", "HR", "HU", "IS", "IT", "LI", "LT", "LV", "MT", "NL", "NO",
    "PL", "RO", "SI", "SK",
)  # fmt: skip

TABLES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "US": _US,
        "GB": _GB,
        "CA": _CA,
        "NZ": _NZ,
        "AU": _AU,
        **{code: _eu(code.lower(), opt_in=False) for code in EU_OPT_OUT},
        **{code: _eu(code.lower(), opt_in=True) for code in EU_OPT_IN},
    }
)

COUNTRY_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "united states": "US", "united states of america": "US", "usa": "US", "u.s.": "US", "u.s.a.": "US",
        "america": "US", "united kingdom": "GB", "uk": "GB", "great britain": "GB", "england": "GB", "scotland": "GB",
        "wales": "GB", "northern ireland": "GB", "canada": "CA", "new zealand": "NZ", "aotearoa": "NZ",
        "australia": "AU", "germany": "DE", "deutschland": "DE", "france": "FR", "ireland": "IE", "spain": "ES",
        "italy": "IT", "netherlands": "NL", "the netherlands": "NL", "belgium": "BE", "austria": "AT", "sweden": "SE",
        "norway": "NO", "denmark": "DK", "finland": "FI", "portugal": "PT", "poland": "PL", "czechia": "CZ",
        "czech republic": "CZ", "estonia": "EE", "latvia": "LV", "lithuania": "LT", "greece": "GR", "hungary": "HU",
        "romania": "RO", "bulgaria": "BG", "croatia": "HR", "slovenia": "SI", "slovakia": "SK", "luxembourg": "LU",
        "malta": "MT", "cyprus": "CY", "iceland": "IS", "liechtenstein": "LI", "switzerland": "CH", "india": "IN",
        "singapore": "SG", "israel": "IL", "brazil": "BR", "mexico": "MX", "japan": "JP", "south korea": "KR",
        "china": "CN", "hong kong": "HK", "nigeria": "NG", "kenya": "KE", "south africa": "ZA", "indonesia": "ID",
        "pakistan": "PK", "bangladesh": "BD", "colombia": "CO", "argentina": "AR", "chile": "CL", "peru": "PE",
        "egypt": "EG", "united arab emirates": "AE", "uae": "AE", "saudi arabia": "SA", "turkey": "TR",
        "philippines": "PH", "vietnam": "VN", "thailand": "TH", "malaysia": "MY", "ukraine": "UA", "ghana": "GH",
    }
)  # fmt: skip


def country_code(text: str) -> str:
    """ISO 3166 alpha-2 for a code or usual English name; "" when it is not known (and unknown blocks)."""
    plain = " ".join(text.split()).strip()
    if len(plain) == 2 and plain.isascii() and plain.isalpha():
        return {"UK": "GB", "EL": "GR"}.get(plain.upper(), plain.upper())
    return COUNTRY_NAMES.get(plain.casefold(), "")
