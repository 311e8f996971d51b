"""No drift: the scores and the evidence that past decisions were made on are, to the last bit, what they were.

Everything is added up again by the engine of today, from the evidence rows, under the version and at the time of then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prospects.reading.score_checks import Models, wrong_scores
from prospects.rules import scoring
from prospects.rules.erasing import WORD
from prospects.rules.scoring import Judged
from salesops.sql import fetch

CHUNK = 500
#: What a dossier repeats of its evidence: name there → column.
_COPIED = (
    "category", "criterion", "value", "confidence", "strong_negative", "rationale", "quote", "fact_ref", "source",
)  # fmt: skip
_WORDS = ("rationale", "quote", "source")
_ERASED = """
SELECT DISTINCT w.id FROM prospects_erasure e, unnest(e.prospect_ids) AS w (id) WHERE w.id = ANY(%s)
"""
_DECIDED = """
SELECT DISTINCT r.id, r.prospect_id, r.playbook_version_id, r.dossier FROM approvals_approvalrequest r
JOIN approvals_decision d ON d.request_id = r.id WHERE r.id > %s ORDER BY r.id LIMIT %s
"""
_SCORED = "SELECT DISTINCT prospect_id FROM prospects_score WHERE prospect_id > %s ORDER BY 1 LIMIT %s"
_EVIDENCE = f"SELECT id, prospect_id, observed_at, {', '.join(_COPIED)} FROM prospects_evidence WHERE id = ANY(%s)"  # noqa: S608


def wrong() -> Iterator[tuple[str, int, str]]:
    """(table, row, what is wrong): what decisions rest on, request by request, then every other score there is."""
    models, after = Models(), 0
    decided: set[int] = set()
    while requests := fetch(_DECIDED, [after, CHUNK]):
        after = requests[-1][0]
        dossiers = {row[0]: (row[1], row[2], json.loads(row[3])) for row in requests}
        yield from _wrong_dossiers(dossiers, models)
        fresh = {row[1] for row in requests} - decided
        decided |= fresh
        yield from _wrong_scores(sorted(fresh), models)
    last = 0
    while scored := [row[0] for row in fetch(_SCORED, [last, CHUNK])]:
        last = scored[-1]
        yield from _wrong_scores([pk for pk in scored if pk not in decided], models)


def _wrong_scores(prospects: Sequence[int], models: Models) -> Iterator[tuple[str, int, str]]:
    for score_id, words in wrong_scores(prospects, models):
        yield "prospects_score", score_id, words


def _shown(dossier: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for layer in dossier.get("why", ()):
        yield from layer["evidence"]


def _wrong_dossiers(
    dossiers: Mapping[int, tuple[int, int, dict[str, Any]]], models: Models
) -> Iterator[tuple[str, int, str]]:
    """What was shown to the person who decided, against the rows it was taken from."""
    ids = sorted({shown["id"] for _, _, dossier in dossiers.values() for shown in _shown(dossier)})
    stored = {row[0]: row for row in fetch(_EVIDENCE, [ids])}
    gone = {pk for row in fetch(_ERASED, [[pk for pk, _, _ in dossiers.values()]]) for pk in row}
    for request_id, (prospect_id, version_id, dossier) in dossiers.items():
        known: dict[str, Judged] = {}
        for shown in _shown(dossier):
            row = stored.get(shown["id"])
            if row is None or row[1] != prospect_id:
                yield "approvals_approvalrequest", request_id, f"its evidence {shown['id']} is not there"
                continue
            changed = _changed(shown, row, maybe_erased=prospect_id in gone)
            if changed:
                yield "prospects_evidence", row[0], f"its {changed} is not what request {request_id} was decided on"
            columns = dict(zip(_COPIED, row[3:], strict=True))
            known[columns["criterion"]] = Judged(row[0], columns["value"], row[2], columns["strong_negative"])
        if dossier.get("why"):
            words = _wrong_layers(dossier, known, version_id, models)
            if words:
                yield "approvals_approvalrequest", request_id, words


def _changed(shown: Mapping[str, Any], row: tuple[Any, ...], *, maybe_erased: bool) -> str:
    """The first thing that a dossier says of a piece of evidence otherwise than its row.

    ``maybe_erased``: words that named somebody may be gone from either.
    """
    columns = {**dict(zip(_COPIED, row[3:], strict=True)), "observed_at": row[2]}
    for name, value in columns.items():
        said = datetime.fromisoformat(shown[name]) if name == "observed_at" else shown[name]
        if said != value and not (maybe_erased and name in _WORDS and WORD in (said, value)):
            return name.replace("_", " ")
    return ""


def _wrong_layers(dossier: Mapping[str, Any], known: Mapping[str, Judged], version_id: int, models: Models) -> str:
    model = models.of(version_id)
    whole = scoring.composite(model.icp, known, datetime.fromisoformat(dossier["built_at"]))
    for layer in dossier["why"]:
        result = whole.layers.get(layer["layer"])
        value = result.value if result is not None and result.has_evidence else None
        coverage = result.coverage if result is not None else 0.0
        if (value, coverage) != (layer["value"], layer["coverage"]):
            return f"its {layer['layer']} layer adds up to {value!r}, it says {layer['value']!r}"
    return ""
