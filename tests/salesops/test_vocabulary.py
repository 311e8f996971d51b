"""Rules and runtime know no Django, so closed word lists stand there and in the models: they say the same."""

from __future__ import annotations

import pytest

from playbooks.models import AgentAssignment, AgentPermission, Category, Criterion, Layer, Source, Team, Trigger
from playbooks.rules import criteria, sources, triggers
from prospects.models import Convergence, Diagnostic
from salesops.runtime import words


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        (criteria.LAYERS, Layer),
        (criteria.CATEGORIES, Category),
        (criteria.KINDS, Criterion.Kind),
        (criteria.MISSING, Criterion.Missing),
        (sources.KINDS, Source.Kind),
        (triggers.KINDS, Trigger.Kind),
        (words.Team, Team),
        (words.Depth, Trigger.Depth),
        (words.Depth, Convergence.Depth),
        (words.ImplementationKind, AgentAssignment.Implementation),
        (words.Resource, AgentPermission.Resource),
        (words.Refused, Diagnostic.Kind),
    ],
)
def test_a_word_list_is_the_same_on_either_side(said, stored) -> None:
    assert {str(word) for word in said} == set(stored.values)
