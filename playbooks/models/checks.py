"""The rules of ``playbooks.rules.validation``, asked by models when they clean themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from playbooks.rules.document import ROWS
from playbooks.rules.row_checks import Seen
from playbooks.rules.spelling import sentence
from playbooks.rules.validation import Problem, row_problems


def refuse_problems(problems: Iterable[Problem]) -> None:
    """Raise ValidationError with each problem at its field."""
    errors: dict[str, list[str]] = {}
    for problem in problems:
        words = f"{problem.detail}: {problem.words}" if problem.detail else problem.words
        errors.setdefault(problem.field, []).append(sentence(words))
    if errors:
        raise ValidationError(errors)


class VersionRow(models.Model):
    """A child row of a playbook version. ``section`` is its list in ``playbooks.rules.document.ROWS``."""

    section: ClassVar[str]
    #: What a form knows that the database does not yet: the criteria being saved along with this row.
    seen: Seen | None = None

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Raises ValidationError naming every field that breaks a rule."""
        super().clean()
        row: dict[str, Any] = {slot.at: getattr(self, slot.at) for slot in ROWS[self.section].slots}
        refuse_problems(row_problems(self.section, row, self.seen if self.seen is not None else self._seen()))

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Asked of PostgreSQL row by row, except on a page that holds all rows: there the rules above say the same."""
        if self.seen is None:
            super().validate_constraints(exclude=exclude)

    def _seen(self) -> Seen:
        version = getattr(self, "version", None)
        if version is None or version.pk is None:
            return Seen()
        rows = list(version.criteria.values_list("key", "layer"))
        sources = frozenset(version.sources.values_list("key", flat=True)) if self.section == "sources" else frozenset()
        return Seen(frozenset(key for key, _ in rows), frozenset(layer for _, layer in rows), sources)
