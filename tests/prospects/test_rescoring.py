"""One engine: bounded, monotone, and the same one by one or in batch; evidence and trust carry over rightly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as some

from approvals.models import ApprovalRequest
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import PlaybookVersion, User
from playbooks.rules.criteria import Criterion
from playbooks.services import drafts, lifecycle
from prospects.models import Evidence, Prospect, Score
from prospects.rules import scoring, written
from prospects.rules.priority import priority_model
from prospects.rules.rescoring import ICP, Rescored, VersionModel, rescore
from prospects.rules.scoring import IcpModel, Judged, Scorecard
from prospects.services import rescoring, what_if
from tests import factories
from tests.prospects.rule_facts import NOW, ago, patient
from tests.runtime import scene

LAYERS = ("firmographic", "behavioral", "psychologic", "investment")


def asked(card: str, key: str, layer: str, weight: float, **fields: Any) -> Criterion:
    params = {"attribute": "a", "values": ["x"]}
    return Criterion.build(
        key=key, kind="in_set", params=params, category="fit", layer=layer, scorecard=card, weight=weight, **fields
    )


CRITERIA = [
    *(
        asked(ICP, f"{layer}_{n}", layer, 7 + 3 * n, half_life_days=40.0 * n or None)
        for layer in LAYERS
        for n in (0, 1)
    ),
    asked(ICP, "quiet", "behavioral", 5, missing="zero"),
    asked("intent", "ads", "behavioral", 20, missing="value", missing_value=30.0),
    asked("intent", "news", "behavioral", 30, missing="zero", half_life_days=20.0),
    asked("discovery_fit", "size", "firmographic", 40, missing="zero"),
]
WEIGHTS = dict(zip(LAYERS, (20, 25, 30, 25), strict=True))


def model() -> VersionModel:
    icp = IcpModel([c for c in CRITERIA if c.scorecard == ICP], WEIGHTS)
    names = sorted({c.scorecard for c in CRITERIA} - {ICP})
    cards = {name: Scorecard(name, [c for c in CRITERIA if c.scorecard == name]) for name in names}
    ranks = priority_model(CRITERIA, (0.8, 0.6, 0.4), ["TIER_1"], prepared={**icp.cards, **cards})
    return VersionModel(icp, cards, ranks, {(c.scorecard, c.key): c for c in CRITERIA})


MODEL = model()
one_prospect = some.dictionaries(
    some.sampled_from([(c.scorecard, c.key) for c in CRITERIA]),
    some.tuples(some.floats(0, 100), some.floats(-3, 400)),
)
many = some.lists(one_prospect, max_size=8)


def in_force(known: dict[tuple[str, str], tuple[float, float]]) -> dict[str, dict[str, Judged]]:
    cards: dict[str, dict[str, Judged]] = {}
    for number, ((card, key), (value, days)) in enumerate(known.items(), 1):
        cards.setdefault(card, {})[key] = Judged(number, value, ago(days))
    return cards


def said(found: Rescored) -> list[Any]:
    """Everything a prospect's scores say, as it would be written."""
    rows = [written.composed(MODEL.icp, found.composite), *written.plain(found.cards)]
    rows += [written.ranked(found.priority)] if found.priority is not None else []
    texts = [(row.card, row.value, row.coverage, row.text()) for row in rows if row is not None]
    return [*texts, found.route, found.tier, found.composite.coverage]


@patient
@given(many)
def test_ten_thousand_are_scored_as_one_is(prospects: list[dict[Any, Any]]) -> None:
    chunk = [(number, in_force(known)) for number, known in enumerate(prospects)]
    together = list(rescore(MODEL, chunk, NOW))
    alone = [next(rescore(MODEL, [one], NOW)) for one in chunk]
    assert [said(found) for found in together] == [said(found) for found in alone]
    for (_, evidence), found in zip(chunk, together, strict=True):
        whole = scoring.composite(MODEL.icp, evidence.get(ICP, {}), NOW)
        assert (whole.value, whole.coverage, whole.route) == (
            found.composite.value,
            found.composite.coverage,
            found.route,
        )


@patient
@given(one_prospect)
def test_every_score_is_bounded_and_its_breakdown_adds_up(known: dict[Any, Any]) -> None:
    (found,) = rescore(MODEL, [(1, in_force(known))], NOW)
    results = [*found.cards.values(), *found.composite.layers.values()]
    for result in results:
        assert 0 <= result.coverage <= 1 + 1e-9
        assert result.value is None or 0 <= result.value <= 100
        said = result.columns()
        assert result.value is None or sum(said["contribution"]) == pytest.approx(result.value)
        assert [number for number in said.get("evidence_id", ()) if number] == result.evidence_ids
    assert found.composite.value is None or 0 <= found.composite.value <= 100


@patient
@given(one_prospect, some.sampled_from(CRITERIA), some.floats(0, 100))
def test_better_evidence_never_lowers_a_score(known: dict[Any, Any], c: Criterion, better: float) -> None:
    key = (c.scorecard, c.key)
    if key not in known:
        return
    raised = {**known, key: (max(better, known[key][0]), known[key][1])}
    (low,), (high,) = (rescore(MODEL, [(1, in_force(rows))], NOW) for rows in (known, raised))
    for name, result in low.cards.items():
        assert (high.cards[name].value or 0) >= (result.value or 0) - 1e-9
    assert (high.composite.value or 0) >= (low.composite.value or 0) - 1e-9
    assert low.priority is not None
    assert high.priority is not None
    assert high.priority.value >= low.priority.value - 1e-9


@pytest.mark.django_db
def test_a_new_version_keeps_the_evidence_of_questions_it_asks_alike() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    before = Evidence.objects.count()
    score = Score.objects.filter(prospect=good, scorecard=ICP).latest("id")
    draft = drafts.new_version(under.playbook, actor=None)
    draft.criteria.filter(key="size").update(params={"attribute": "employees", "minimum": 500, "maximum": 900})
    draft.criteria.filter(key="industry").update(weight=99, label="Another word for it")
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        draft = step(draft, actor=None)
    rescoring.rescore(client=draft.playbook.client, playbook=draft.playbook, actor=None, clock=scene.CLOCK)
    newest = Score.objects.filter(prospect=good, scorecard=ICP).latest("id")
    assert newest.playbook_version == draft
    lines = {line.criterion: line for line in written.lines_of(newest.breakdown)}
    assert "size" not in lines
    assert lines["industry"].weight == 99
    assert lines["industry"].evidence_id in written.evidence_of(score.breakdown)
    scene.run(draft)
    made = Evidence.objects.filter(pk__gt=Evidence.objects.order_by("pk")[before - 1].pk)
    assert set(made.values_list("criterion", flat=True)) == {"size"}


def decisions(client: Any, person: User, kind: str, count: int) -> None:
    entries = [
        audit.Entry(event=AuditEvent.DECISION_MADE, subject=person, trace_id="0" * 32, detail={"kind": kind, "n": n})
        for n in range(count)
    ]
    audit.record_many(client=client, entries=entries, actor=person)


@pytest.mark.django_db
def test_a_composite_is_provisional_until_fifty_people_have_decided_whom_to_take() -> None:
    under = scene.demo()
    client = under.playbook.client
    good = scene.company(under, scene.GOOD)
    scene.run(under)

    def provisional() -> tuple[bool, bool]:
        later = timezone.now() + timedelta(days=Score.objects.count())
        rescoring.rescore(client=client, playbook=under.playbook, actor=None, clock=later)
        newest = Score.objects.filter(prospect=good, scorecard=ICP).latest("id")
        return Prospect.objects.get(pk=good.pk).provisional, newest.provisional

    person = factories.user(client)
    assert provisional() == (True, True)
    decisions(client, person, "defer", 30)
    decisions(client, person, "approve", 25)
    decisions(client, person, "reject", 24)
    assert provisional() == (True, True)
    decisions(client, person, "approve_edits", 1)
    assert provisional() == (False, False)


@pytest.mark.django_db
def test_the_fiftieth_decision_takes_the_mark_off_wherever_it_stood_and_writes_nothing(client: Browser) -> None:
    under = scene.demo()
    owner = under.playbook.client
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    person = factories.user(owner, "reviewer")
    client.force_login(person)
    waiting = ApprovalRequest.objects.get(prospect=good)
    draft = drafts.new_version(under.playbook, actor=None)
    PlaybookVersion.objects.filter(pk=draft.pk).update(hot_threshold=99)
    ahead = what_if.start(draft, client=owner, actor=None, clock=scene.CLOCK)
    assert not what_if.work(ahead.pk)
    pages = {
        reverse("prospects:list"): "provisional", good.get_absolute_url(): "provisional",
        reverse("prospects:what_if", args=[draft.pk]): "(provisional)",
        # Both files end their lines with the mark.
        reverse("prospects:export"): ",yes\r\n", reverse("prospects:what_if_csv", args=[draft.pk]): ",yes\r\n",
        # What the dossier said of its risks when it was made stays; the mark beside the number is today's.
        reverse("approvals:queue"): "ewer than 50 decisions", waiting.get_absolute_url(): "ewer than 50 decisions",
    }  # fmt: skip

    def marked() -> list[bool]:
        return [words in b"".join(client.get(page)).decode() for page, words in pages.items()]

    decisions(owner, person, "approve", 49)
    assert marked() == [True] * len(pages)
    scores = Score.objects.count()
    decisions(owner, person, "reject", 1)
    assert marked() == [False] * len(pages)
    assert (Score.objects.count(), Prospect.objects.get(pk=good.pk).provisional) == (scores, True)
