"""People in a buying team: how high they stand, whether theirs is a role we look for, how they are best reached. Pure.

Levels and points are those of the stock contact scorecard: title match 40 (no match 10), seniority 30, verified e-mail
20, LinkedIn profile 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from prospects.importing.identity import email_key, fold
from salesops.runtime.playbook_views import PlaybookView

#: The kind of document in which sources hand over people.
PERSON = "person"
UNKNOWN, SYNTAX_OK, VERIFIED, INVALID = "unknown", "syntax_ok", "verified", "invalid"
#: How much better somebody has to be before a contact who was never written to is replaced. Points of 100.
CLEARLY = 15.0

# Level → (standing 1 to 10, share of the scorecard's points for seniority).
LEVELS: dict[str, tuple[int, float]] = {
    "c_level": (10, 1.0),
    "svp": (9, 0.9),
    "vp": (8, 0.9),
    "senior_director": (7, 0.8),
    "director": (6, 0.8),
    "senior_manager": (5, 0.6),
    "manager": (4, 0.6),
    "senior": (3, 0.4),
    "other": (2, 0.4),
}
_SPELLED = (
    (r"\bv\.?\s?p\b\.?", "vice president"),
    (r"\bsvp\b", "senior vice president"),
    (r"\bevp\b", "executive vice president"),
    (r"\bceo\b", "chief executive officer"),
    (r"\bcfo\b", "chief financial officer"),
    (r"\bcoo\b", "chief operating officer"),
    (r"\bcto\b", "chief technology officer"),
    (r"\bcio\b", "chief information officer"),
    (r"\bcmo\b", "chief marketing officer"),
    (r"\bcro\b", "chief revenue officer"),
    (r"\bcpo\b", "chief product officer"),
    (r"\bciso\b", "chief information security officer"),
    (r"\bco-?\s?founder\b|\bcofounder\b", "founder"),
    (r"\bsr\b\.?", "senior"),
    (r"\bmgr\b\.?", "manager"),
    (r"\bdir\b\.?", "director"),
)
_RANKS = (
    # Whoever assists, or holds the title only in part, does not stand where the title's other words point.
    ("other", r"\b(?:assistant|intern|trainee|student|secretary)\b"),
    ("svp", r"\b(?:senior|executive) vice president\b"),
    ("vp", r"\bvice president\b"),
    (
        "c_level",
        r"\bchief\b.*\bofficer\b|\bchief\b|\bfounder\b|\bowner\b|\bpresident\b|\bmanaging (?:director|partner)\b",
    ),
    ("senior_director", r"\bsenior director\b"),
    ("director", r"\bdirector\b|\bhead of\b|\bhead\b"),
    ("senior_manager", r"\bsenior\b.*\bmanager\b"),
    ("manager", r"\bmanager\b|\bteam lead\b|\blead\b|\bsupervisor\b"),
    ("senior", r"\bsenior\b|\bprincipal\b|\bstaff\b"),
)
MOST_WORDS = 6
_NAME = re.compile(r"[^\W\d_][^\d_@<>{}\[\]()/\\|:;!?#$%^*=+~\"\n\r\t]{1,79}")
_ADDRESS = re.compile(r"\bwww\.|\.\w{2,}\b", re.IGNORECASE)
_SMALL = frozenset({"of", "the", "and", "for", "in", "at", "to", "a"})
_HELPERS = frozenset({"assistant", "intern", "trainee", "student", "secretary"})
_RANK_WORDS = frozenset(
    {"chief", "officer", "vice", "president", "senior", "executive", "director", "head", "manager", "lead", "junior"}
)


def wanted(playbook: PlaybookView) -> bool:
    """Whether a playbook asks for people: it names their roles, or has a source that knows some."""
    return bool(playbook.icp_roles) or PERSON in playbook.delivers


@dataclass(frozen=True, slots=True)
class Standing:
    """One person judged. ``role`` is the wanted role that fits best, ``match`` how well (0 to 1)."""

    level: str
    seniority: int
    authority: int
    role: str
    match: float


def is_name(text: str) -> bool:
    """Whether this could be what somebody is called: it will stand in a greeting, so nothing else may."""
    return bool(_NAME.fullmatch(text)) and len(text.split()) <= MOST_WORDS and not _ADDRESS.search(text)


@lru_cache(maxsize=4096)
def spelled_out(title: str) -> str:
    """A job title in lower case with its usual abbreviations written out."""
    text = fold(title)
    for pattern, words in _SPELLED:
        text = re.sub(pattern, words, text)
    return text


@lru_cache(maxsize=4096)
def level_of(title: str, seniority: str = "") -> str:
    """The level a title speaks of; of the stated seniority when the title says nothing."""
    for text in (title, seniority.replace("_", " ").replace("-level", " level")):
        said = spelled_out(text)
        if re.search(r"\bc (?:level|suite)\b|\bc_?xo\b", said):
            return "c_level"
        found = next((level for level, pattern in _RANKS if re.search(pattern, said)), "")
        if found:
            return found
    return "other"


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W_]+", spelled_out(text))) - _SMALL


def role_match(title: str, roles: Iterable[str]) -> tuple[str, float]:
    """(the wanted role that fits best, how well: 1 all of its words, 0 none of what the role is about)."""
    own = _words(title)
    best: tuple[str, float] = ("", 0.0)
    for role in roles:
        wanted = _words(role)
        about = wanted - _RANK_WORDS
        helps = (own - wanted) & _HELPERS  # the assistant of a CEO is no CEO
        if not wanted or helps or not (about & own if about else wanted <= own):
            continue
        share = len(wanted & own) / len(wanted)
        if share > best[1]:
            best = (role, share)
    return best


def judge(title: str, seniority: str, roles: Sequence[str]) -> Standing:
    """Where somebody stands. Whoever has no part in what we ask about has half the say."""
    level = level_of(title, seniority)
    points = LEVELS[level][0]
    role, match = role_match(title, roles)
    return Standing(level, points, points if match > 0 or not roles else max(1, points // 2), role, round(match, 4))


def scorecard(standing: Standing, *, status: str, linkedin: bool) -> float:
    """Points of 100, by the stock contact scorecard."""
    title = 10 + 30 * standing.match
    return round(title + 30 * LEVELS[standing.level][1] + 20 * (status == VERIFIED) + 10 * linkedin, 4)


def checked_offline(address: str) -> tuple[str, str]:
    """(the address as compared, syntax_ok, invalid, or unknown when there is none). Asks nobody."""
    if not address.strip():
        return "", UNKNOWN
    key = email_key(address)
    if not key:
        return "", INVALID
    try:
        validate_email(key, check_deliverability=False)
    except EmailNotValidError:
        return key, INVALID
    return key, SYNTAX_OK


def best_channel(*, status: str, phone: bool, linkedin: bool, enabled: Iterable[str]) -> str:
    """How to reach them: by an address that may work, else a profile, else a phone; of what the playbook uses."""
    open_ = set(enabled)
    if "email" in open_ and status in (SYNTAX_OK, VERIFIED):
        return "email"
    if "linkedin" in open_ and linkedin:
        return "linkedin"
    return "call" if "call" in open_ and phone else "none"
