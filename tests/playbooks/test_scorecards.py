"""Stock scorecards come into a draft as ordinary criteria; a missing value may count as a stated number."""

from __future__ import annotations

import pytest
from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import PlaybookVersion, Role
from playbooks.queries import document_of
from playbooks.rules.scorecards import stock_cards
from playbooks.rules.validation import problems
from playbooks.rules.yaml_io import dump, parse
from playbooks.services.drafts import Frozen
from playbooks.services.scorecards import NoSuchScorecard, ScorecardThere, add_stock_scorecard
from tests import factories
from tests.refusals import refuses

pytestmark = pytest.mark.django_db


def test_every_stock_scorecard_comes_in_whole_valid_and_with_the_profile_filled_in() -> None:
    draft = factories.version(active=False, icp_related_industries=["Fintech"])
    added = {name: add_stock_scorecard(draft, name, actor=None) for name in stock_cards()}
    assert not any(found.examples for found in added.values())
    document = document_of(PlaybookVersion.objects.select_related("playbook__client").get(pk=draft.pk))
    criteria = document.rows["criteria"]
    assert [problem for problem in problems(document) if problem.section == "criteria"] == []
    for name, card in stock_cards().items():
        assert sum(row["weight"] for row in criteria if row["scorecard"] == name) == 100
        assert added[name].criteria == len(card.criteria)
    fit = {row["key"]: row["params"] for row in criteria if row["scorecard"] == "discovery_fit"}
    assert (fit["employees"]["minimum"], fit["employees"]["maximum"]) == (5, 200)
    assert fit["industry"]["partial"] == [{"values": ["Fintech"], "credit": 0.6}]
    assert parse(dump(document)).rows["criteria"] == criteria


def test_a_scorecard_comes_in_once_by_its_name_and_only_into_a_draft() -> None:
    draft = factories.version(active=False, icp_countries=[])
    assert add_stock_scorecard(draft, "discovery_fit", actor=None).examples == ("countries",)
    with pytest.raises(ScorecardThere):
        add_stock_scorecard(draft, "discovery_fit", actor=None)
    with pytest.raises(NoSuchScorecard):
        add_stock_scorecard(draft, "nobody", actor=None)
    factories.activate(draft)
    with pytest.raises(Frozen):
        add_stock_scorecard(draft, "intent", actor=None)


def test_an_admin_adds_one_from_the_drafts_page() -> None:
    draft = factories.version(active=False)
    browser = Browser()
    browser.force_login(factories.user(draft.playbook.client, Role.ADMIN, is_staff=True))
    page = reverse("admin:playbooks_playbookversion_scorecards", args=[draft.pk])
    assert "Discovery fit" in browser.get(page).content.decode()
    answer = browser.post(page, {"scorecard": "intent"}, follow=True)
    assert "5 criteria were added under intent." in answer.content.decode()
    assert "Already there" in browser.get(page).content.decode()
    again = browser.post(page, {"scorecard": "intent"}, follow=True)
    assert "has a scorecard intent already" in again.content.decode()


@pytest.mark.parametrize(
    ("missing", "points"), [("value", "NULL"), ("value", "101"), ("value", "-1"), ("zero", "5"), ("unknown", "0")]
)
def test_postgresql_refuses_a_missing_value_that_does_not_fit(missing: str, points: str) -> None:
    draft = factories.version(active=False)
    refuses(
        f"UPDATE playbooks_criterion SET missing = '{missing}', missing_value = {points} WHERE version_id = %s",
        [draft.pk],
        because="criterion_missing_value_fits",
    )


def test_postgresql_refuses_a_quality_gate_that_is_no_share() -> None:
    draft = factories.version(active=False)
    refuses(
        "UPDATE playbooks_playbookversion SET enrich_threshold = 75 WHERE id = %s",
        [draft.pk],
        because="playbook_quality_gates_are_shares",
    )
