"""How a frozen dossier is laid out: sentences joined to the evidence under them."""

from __future__ import annotations

from approvals.reading.shown_dossier import show

WHY = [
    {"layer": "firmographic", "value": 80, "evidence": [{"id": 41}, {"id": 7}]},
    {"layer": "behavioral", "value": None, "evidence": []},
    {"layer": "psychologic", "value": 50, "evidence": [{"id": 7}, {"id": 99}]},
]


def dossier(*sentences: tuple[str, list[int]], **more: object) -> dict[str, object]:
    told = [{"text": text, "evidence_ids": ids} for text, ids in sentences]
    return {"why": WHY, "message": {"sentences": told}, **more}


def test_evidence_is_numbered_once_in_reading_order() -> None:
    shown = show(dossier(), subject="", words="")
    assert [[row["no"] for row in layer["evidence"]] for layer in shown.layers] == [[1, 2], [], [2, 3]]


def test_sentences_are_found_in_the_text_and_nothing_of_it_is_lost() -> None:
    text = "Hi Dana,\n\nYou are hiring. Worth a look? You are 14 people.\n"
    shown = show(dossier(("You are 14 people.", [99]), ("You are hiring.", [41, 7])), subject="", words=text)
    assert "".join(piece.text for piece in shown.words) == text
    assert [(piece.text, piece.refs) for piece in shown.words if piece.refs] == [
        ("You are hiring.", (1, 2)),
        ("You are 14 people.", (3,)),
    ]


def test_a_sentence_in_the_subject_is_marked_there() -> None:
    shown = show(dossier(("Hiring in Berlin", [41])), subject="Hiring in Berlin", words="Hi.")
    assert shown.subject[0].refs == (1,)
    assert shown.unplaced == []


def test_a_sentence_that_stands_nowhere_is_shown_apart() -> None:
    shown = show(dossier(("Gone with the edit.", [41])), subject="", words="Hi.")
    assert [piece.text for piece in shown.unplaced] == ["Gone with the edit."]


def test_evidence_that_is_not_in_the_dossier_is_not_cited() -> None:
    shown = show(dossier(("You are hiring.", [12345])), subject="", words="You are hiring.")
    assert shown.words[0].refs == ()


def test_an_empty_dossier_still_draws() -> None:
    shown = show({}, subject="", words="")
    assert (shown.layers, shown.words, shown.gates, shown.why_now) == ([], [], [], None)


def test_what_makes_the_case_comes_before_checks_that_merely_passed() -> None:
    rows = [
        {"id": 1, "category": "risk"},
        {"id": 2, "category": "fit"},
        {"id": 3, "category": "timing"},
        {"id": 4, "category": "risk", "strong_negative": True},
    ]
    shown = show({"why": [{"layer": "firmographic", "evidence": rows}]}, subject="", words="")
    assert [row["id"] for row in shown.layers[0]["evidence"]] == [4, 3, 2, 1]


def test_words_approved_in_the_playbook_are_told_from_evidence() -> None:
    shown = show(dossier(("Two founders sent 180 notes.", [])), subject="", words="Two founders sent 180 notes.")
    assert shown.words[0].approved


def test_a_gate_says_what_it_measured_against_what_it_asks() -> None:
    gates = [
        {"label": "Composite", "passed": True, "have": "81", "need": "50"},
        {"label": "Coverage", "passed": False, "have": "32%", "need": "40%"},
        {"label": "Need", "passed": False, "have": "", "need": "evidenced"},
        {"label": "Compliance", "passed": True, "have": "PASS", "need": "PASS"},
    ]
    shown = show({"gates": gates}, subject="", words="")
    assert [gate["numbers"] for gate in shown.gates] == ["81 ≥ 50", "32% < 40%", "nothing, needs evidenced", "PASS"]
