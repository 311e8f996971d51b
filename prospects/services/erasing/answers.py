"""What sources and models said about somebody who is erased: forgotten at once, as it would be in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from prospects.erasure.parts import Person
from prospects.models import ModelAnswer, Prospect, SourceAnswer

#: Answers are read this many at a time: their documents can be long.
PART = 200


def count(person: Person) -> dict[str, int]:
    """How many answers would be forgotten, by table; nothing where it is none."""
    found = {"model answers": len(_of_models(person)), "source answers": len(_of_sources(person))}
    return {table: number for table, number in found.items() if number}


def forget(person: Person, *, at: datetime) -> None:
    """Empty them. Rows keep who was asked, when, at what cost, and the hash of what was said."""
    ModelAnswer.objects.filter(pk__in=_of_models(person)).update(text="", forgotten_at=at)
    SourceAnswer.objects.filter(pk__in=_of_sources(person)).update(
        documents=[], subject="", next_page="", forgotten_at=at
    )


def _of_models(person: Person) -> list[int]:
    """All about prospects whose person they are, and what names them elsewhere."""
    theirs = set(person.own) | set(_worked(person))
    rows = ModelAnswer.objects.filter(prospect__in=person.prospects, forgotten_at__isnull=True)
    return [
        pk
        for pk, prospect, text in rows.values_list("pk", "prospect", "text").iterator(chunk_size=PART)
        if prospect in theirs or person.traces.in_(text)
    ]


def _worked(person: Person) -> Iterator[int]:
    yield from Prospect.objects.filter(pk__in=person.beside, contact__in=person.ids).values_list("pk", flat=True)


def _of_sources(person: Person) -> list[int]:
    """Answers of the client's sources that name them. Read one part after another: nothing else says whom they name."""
    rows: QuerySet[SourceAnswer, Any] = SourceAnswer.objects.for_client(person.client).filter(forgotten_at__isnull=True)
    texts = rows.annotate(said=Cast("documents", TextField())).values_list("pk", "subject", "said")
    return [pk for pk, subject, said in texts.iterator(chunk_size=PART) if person.traces.in_(f"{subject}\n{said}")]
