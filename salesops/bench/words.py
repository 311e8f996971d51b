"""The words a made-up population is made of."""

from __future__ import annotations

from typing import Any, Final

TRADES: Final = (
    "Acorn", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Garnet", "Harbour", "Indigo", "Juniper", "Kestrel", "Lark",
    "Meridian", "Nimbus", "Opal", "Prairie", "Quarry", "Rowan", "Sable", "Tundra", "Umber", "Vale", "Willow", "Zephyr",
)  # fmt: skip
NOUNS: Final = ("Analytics", "Health", "Labs", "Logistics", "Networks", "Payments", "Robotics", "Security", "Software")
INDUSTRIES: Final = (
    "B2B", "B2B", "B2B", "Consumer", "Consumer", "Education", "Fintech", "Fintech", "Government", "Healthcare",
    "Healthcare", "Industrials", "Real Estate and Construction",
)  # fmt: skip
CITIES: Final = ("Austin", "Berlin", "Boston", "Denver", "London", "New York", "San Francisco", "Toronto", "Wellington")
FIRST: Final = ("Alex", "Ben", "Chris", "Dana", "Eli", "Fran", "Gus", "Hana", "Ira", "Jo", "Kim", "Lou", "Mika", "Noa")
LAST: Final = ("Adler", "Brandt", "Cole", "Diaz", "Evans", "Fox", "Garcia", "Hall", "Ito", "Jones", "Khan", "Lee")
TITLES: Final = ("CEO", "CTO", "Co-founder", "VP Sales", "Head of Growth", "Director of Operations")
SUBJECT: Final = "Your sales hiring"
BODY: Final = (
    "Hi there,\n\nyou have been hiring for sales since May, and the team has grown by four people. Teams at that point"
    " often lose track of who was promised what.\n\nWorth ten minutes next week?\n\nRobin Fields\n"
)

_SIGNAL: Final = {
    "id": 1, "kind": "profile", "text": "", "source": "companies.csv", "source_ref": "0123456789ab:row 7",
    "observed_at": "2026-05-04T09:00:00+00:00",
}  # fmt: skip


def _evidence(number: int, category: str, label: str) -> dict[str, Any]:
    return {
        "id": number, "category": category, "criterion": label.lower().replace(" ", "_"), "label": label,
        "value": 90.0, "confidence": 0.9, "strong_negative": False, "rationale": f"{label}: it says so in the file.",
        "quote": "14", "fact_ref": "employees", "source": "companies.csv",
        "observed_at": "2026-05-04T09:00:00+00:00", "signals": [_SIGNAL],
    }  # fmt: skip


#: A dossier of usual length, so that pages carry what they carry in earnest.
DOSSIER: Final[dict[str, Any]] = {
    "schema": 1,
    "built_at": "2026-05-04T09:00:00+00:00",
    "facts_no": 1,
    "prospect": {
        "id": 1, "name": "Acorn Robotics", "domain": "acorn.example", "industry": "B2B", "employees": "14",
        "location": "Berlin", "contact": {"name": "Dana Lee", "title": "VP Sales", "synthetic": True},
        "stage": "qualified", "route": "hot", "tier": "TIER_1", "composite": 78.2, "coverage": 0.82,
        "provisional": True, "segment": "B2B", "verdict": "qualified",
    },
    "why": [
        {"layer": "firmographic", "value": 82.0, "coverage": 0.9, "weight": 20,
         "evidence": [_evidence(1, "fit", "Team of 5 to 50"), _evidence(2, "fit", "Right industry")]},
        {"layer": "behavioral", "value": 90.0, "coverage": 0.8, "weight": 25,
         "evidence": [_evidence(3, "timing", "Hiring now"), _evidence(4, "need", "Team grew")]},
        {"layer": "psychologic", "value": None, "coverage": 0.0, "weight": 30, "evidence": []},
        {"layer": "investment", "value": None, "coverage": 0.0, "weight": 25, "evidence": []},
    ],
    "categories": ["fit", "timing", "need"],
    "why_now": {"text": "Started hiring in May", "at": "2026-05-04T09:00:00+00:00", "evidence_ids": [3]},
    "message": {
        "id": 1, "channel": "email", "angle": "direct", "sender": "robin@bench.example", "recipient": "x@acorn.example",
        "subject": SUBJECT, "body": BODY, "content_hash": "", "rationale": "Rests on three facts.", "confidence": 0.7,
        "confidence_low": 0.6, "confidence_high": 0.8, "grade": "A", "template_key": "direct", "sentences": [],
        "quality": [{"key": "words", "label": "Words", "points": 15, "max": 15, "saw": "48 words"}],
        "compliance": {"verdict": "PASS", "rules": []},
    },
    "value": {
        "currency": "USD", "deal_value": "5000.00", "probability": 0.07, "probability_low": 0.03,
        "probability_high": 0.12, "cost": "0.40", "expected_value": "349.60", "rationale": "",
    },
    "alternatives": [{"kind": "nothing", "label": "Do nothing", "expected_value": "0.00", "reason": "Nothing gained."}],
    "risks": [{"level": "caution", "text": "The person is synthetic.", "evidence_ids": []}],
    "gates": [{"key": "categories", "label": "Independent categories", "passed": True, "have": "3", "need": "3"}],
    "said_before": [],
}  # fmt: skip

#: What a handoff says when judging passes on to drafting.
SUMMARY: dict[str, Any] = {
    "known": {
        "firmographic": [["team_size", 82.0], ["industry", 90.0], ["country", 75.0]],
        "behavioral": [["hiring_started", 90.0], ["team_growth", 70.0]],
    },
    "open": ["Nobody has said what they use today.", "The budget is not known."],
    "touches": [],
    "next": "Draft a message and choose the channel.",
}
