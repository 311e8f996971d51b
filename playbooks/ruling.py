"""Which version rules whom.

Usually one version rules everybody. A version that was let loose on newcomers only leaves those who came before under
what ruled them then; so the ruling versions follow each other by the time a prospect came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from playbooks.models import Activation, PlaybookVersion


@dataclass(frozen=True, slots=True)
class Ruling:
    """``version_id`` rules whoever came in at ``since`` or later (None: whoever came first), until the next one."""

    version_id: int
    since: datetime | None


def rulings(playbook_id: int, version_id: int) -> list[Ruling]:
    """The rulings that hold while ``version_id`` is the newest of them, the earliest first. One query."""
    log = Activation.objects.filter(version__playbook=playbook_id).order_by("-at", "-id")
    return _held(version_id, list(log.values_list("version_id", "at", "applies_to")))


def rulings_of(playbook_ids: Iterable[int]) -> dict[int, list[Ruling]]:
    """By playbook, for those in which a version is active. Two queries, however many."""
    active = PlaybookVersion.objects.active().filter(playbook__in=list(playbook_ids))
    newest = dict(active.values_list("playbook_id", "pk"))
    logs: dict[int, list[tuple[int, datetime, str]]] = {}
    log = Activation.objects.filter(version__playbook__in=newest).order_by("-at", "-id")
    for playbook_id, version_id, at, whom in log.values_list("version__playbook_id", "version_id", "at", "applies_to"):
        logs.setdefault(playbook_id, []).append((version_id, at, whom))
    return {playbook_id: _held(pk, logs.get(playbook_id, [])) for playbook_id, pk in newest.items()}


def _held(version_id: int, log: Sequence[tuple[int, datetime, str]]) -> list[Ruling]:
    """``log`` is what was activated when, and for whom, the newest first."""
    if not log or log[0][0] != version_id:
        return [Ruling(version_id, None)]  # it rules no more, or was let loose without a word
    found: list[Ruling] = []
    for version, at, applies_to in log:
        whole = applies_to == Activation.AppliesTo.ALL
        found.append(Ruling(version, None if whole else at))
        if whole:
            break
    found.reverse()
    return [Ruling(found[0].version_id, None), *found[1:]]


def version_for(held: Sequence[Ruling], created_at: datetime) -> int:
    """The version that rules a prospect who came in then."""
    ruling = held[0].version_id
    for one in held[1:]:
        if one.since is not None and created_at >= one.since:
            ruling = one.version_id
    return ruling


def sql_case(held: Sequence[Ruling], column: str) -> tuple[str, dict[str, object]]:
    """The same as an SQL expression over the column of arrival, with its parameters."""
    given: dict[str, object] = {f"ruling_{n}": one.version_id for n, one in enumerate(held)}
    if len(held) == 1:
        return "%(ruling_0)s", given
    given |= {f"since_{n}": one.since for n, one in enumerate(held) if n}
    whens = " ".join(f"WHEN {column} < %(since_{n + 1})s THEN %(ruling_{n})s" for n in range(len(held) - 1))
    return f"(CASE {whens} ELSE %(ruling_{len(held) - 1})s END)", given
