"""The bands and word lists that message quality is measured against: data, versioned.

The published studies disagree on the ideal message, so nothing here is law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

POINTS: Mapping[str, int] = MappingProxyType(
    {
        "words": 15,
        "reading": 12,
        "subject": 10,
        "personalization": 20,
        "call_to_action": 15,
        "questions": 5,
        "links": 8,
        "hype": 5,
        "you_ratio": 5,
        "proof": 5,
    }
)

HYPE = (
    "act now", "amazing", "best in class", "best-in-class", "blazing", "bleeding edge", "boost your", "buy now",
    "cheap", "click here", "cutting edge", "cutting-edge", "deal of", "don't miss", "double your", "dramatically",
    "earn money", "exclusive", "exploding", "explosive", "extra income", "fantastic", "free trial", "game changer",
    "game-changer", "game-changing", "guarantee", "guaranteed", "hurry", "incredible", "industry-leading",
    "instantly", "insane", "last chance", "leverage", "limited time", "limited-time", "lowest price", "mind-blowing",
    "no brainer", "no-brainer", "no obligation", "no risk", "once in a lifetime", "one-stop", "order now",
    "paradigm", "quick question", "revolutionary", "revolutionise", "revolutionize", "risk-free", "rockstar",
    "save big", "seamless", "skyrocket", "special offer", "state of the art", "state-of-the-art", "supercharge",
    "synergy", "this isn't spam", "turbocharge", "turnkey", "ultimate", "unbeatable", "unleash", "unlock",
    "unparalleled", "urgent", "win-win", "winner", "world class", "world-class", "100%",
)  # fmt: skip

SHORTENERS = (
    "adf.ly", "bit.ly", "bl.ink", "buff.ly", "cutt.ly", "goo.gl", "is.gd", "lnkd.in", "ow.ly", "rb.gy", "rebrand.ly",
    "s.id", "shorturl.at", "shrtco.de", "soo.gd", "t.co", "t.ly", "tiny.cc", "tinyurl.com", "trib.al", "v.gd",
)  # fmt: skip

_ASK = (
    r"(?:open to|up for|worth|free for|free to|time for|room for|can we|could we|shall we|should we|are you free"
    r"|are you around|do you have|would you|can i|could i|how about|what about|how does|does|mind)"
)
MEETING_ASKS = (
    rf"\b{_ASK}\b.*\b(?:call|meeting|meet|chat|demo|coffee|zoom|calendar|slot|minutes|mins?|conversation|speak|talk)\b.*\?",
    r"^(?:please )?(?:book|schedule|grab|pick|choose) (?:a|some|any|your|the)\b",
    r"\b(?:let'?s|let us) (?:talk|meet|chat|speak|jump|hop)\b",
    r"\b(?:click|sign up|register|download|subscribe|call me|call us|visit our|try it)\b(?!.*\?)",
)
INTEREST_ASKS = (
    r"\bworth (?:a |an |another |your )?(?:quick )?(?:look|read|try|minute|thought|exploring|seeing|testing)\b.*\?",
    r"\b(?:open to|up for) (?:hearing|seeing|learning|trying|a look|a short|an example|taking|it)\b.*\?",
    r"\b(?:interested|curious)\b.*\?",
    r"\bwould (?:it|that|this|a|an|one)\b.*\b(?:help|useful|helpful|worth|of use|of interest|interest you)\b.*\?",
    r"\b(?:shall|should|can|may|could) i (?:send|share|show|put|write|forward)\b.*\?",
    r"\b(?:want|like|prefer) me to\b.*\?",
    r"\b(?:does|do|is|would) (?:this|that|it|any of (?:this|that))\b.*\b(?:sound|resonate|fit|matter|ring|relevant"
    r"|on your|a priority|familiar|make sense|of interest|something you)\b.*\?",
    r"\bwould you like (?:to see|a|an|the|me)\b.*\?",
    r"\bmind if i (?:send|share)\b.*\?",
    r"\b(?:let me know|reply|just reply|hit reply)\b(?!.*\?)",
)

# Words that say something about our results or customers: they need evidence, however they are dressed.
CLAIM_PATTERNS = (
    r"\b(?:we|i)(?:'ve|’ve| have)? (?:helped|saved|cut|grew|grown|doubled|tripled|halved|increased|reduced)\b",
    r"\b(?:trusted|used|loved|chosen) by\b",
    r"\bour (?:customers?|clients?|users?)\b",
    r"\b(?:customers?|clients?|companies|teams|firms|founders) (?:like|such as) (?!yours?\b|you\b)",
    r"\bcase stud(?:y|ies)\b",
    r"\b(?:doubled|tripled|quadrupled|halved)\b",
    r"\b(?:guaranteed?|proven|award-winning|market[- ]leading|number one)\b",
)
VAGUE_PROOF = (
    r"\b(?:teams|companies|founders|firms|others|people) (?:like|in) you(?:r|rs)?\b",
    r"\b(?:many|most|several|other) (?:teams|companies|founders|firms)\b",
)


@dataclass(frozen=True, slots=True)
class Bands:
    """Limits of the quality table. Every pair is (from, to), both ends included."""

    version: str = "quality-1"
    first_full: tuple[int, int] = (40, 90)
    first_half: tuple[int, int] = (25, 125)
    follow_up_full: tuple[int, int] = (40, 150)
    reading_full: float = 6.0
    reading_half: float = 9.0
    subject_full: tuple[int, int] = (2, 5)
    subject_half: tuple[int, int] = (6, 8)
    subject_characters: int = 45
    recent_days: int = 90
    questions_full: tuple[int, int] = (1, 2)
    questions_half: int = 3
    links_full: int = 1
    links_half: int = 2
    you_full: float = 1.0
    you_half: float = 0.5
    hype: tuple[str, ...] = HYPE
    shorteners: tuple[str, ...] = SHORTENERS
    meeting_asks: tuple[str, ...] = MEETING_ASKS
    interest_asks: tuple[str, ...] = INTEREST_ASKS
    claim_patterns: tuple[str, ...] = CLAIM_PATTERNS
    vague_proof: tuple[str, ...] = VAGUE_PROOF
    grades: tuple[tuple[float, str], ...] = ((90, "A"), (85, "B+"), (75, "B"), (65, "C"), (50, "D"))
    points: Mapping[str, int] = field(default_factory=lambda: POINTS)


DEFAULT_BANDS = Bands()
