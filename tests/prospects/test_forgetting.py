"""What sources and models said word for word is kept for a stated time; that they said it is kept for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from prospects.models import ModelAnswer, Prospect, SourceAnswer
from prospects.services.erasing.forgetting import Forgotten, forget
from prospects.services.model_answers import AnswerStore
from prospects.sources import cache
from tests import factories
from tests.refusals import refuses

pytestmark = pytest.mark.django_db
SAID = [{"kind": "page", "ref": "https://x.example", "text": "Dana Lee leads sales.", "data": {}}]


@pytest.fixture
def who() -> Prospect:
    return factories.prospect()


def source_answer(who: Prospect, days: float, **fields: Any) -> SourceAnswer:
    defaults = {"source": "site", "type": "page", "lookup_key": "k", "subject": "dana@x.example", "status": "ok",
                "fetched_at": ago(days), "content_hash": "h", "documents": SAID, "cost": "0.02"}  # fmt: skip
    return SourceAnswer.objects.create(client=who.client, **{**defaults, **fields})


def model_answer(who: Prospect, days: float) -> ModelAnswer:
    return ModelAnswer.objects.create(
        client=who.client, key="k", prospect=who, agent="fit_evidence", model="m", prompt="p", prompt_version="1",
        outcome="answered", text="Dana is keen.", cost="0.01", at=ago(days),
    )  # fmt: skip


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def test_old_bodies_go_and_what_proves_the_work_stays(who: Prospect) -> None:
    old, young = source_answer(who, 91), source_answer(who, 89)
    said = model_answer(who, 181)
    done = forget(at=timezone.now())
    assert (done.sources, done.models) == (1, 1)
    old.refresh_from_db()
    assert (old.documents, old.subject, old.content_hash, str(old.cost)) == ([], "", "h", "0.020000")
    assert old.forgotten_at is not None
    young.refresh_from_db()
    assert (young.documents, young.forgotten_at) == (SAID, None)
    said.refresh_from_db()
    assert (said.text, said.key, said.outcome) == ("", "k", "answered")
    assert forget(at=timezone.now()) == Forgotten(0, 0)


def test_a_forgotten_answer_answers_nobody_and_the_question_may_be_put_again(who: Prospect) -> None:
    source_answer(who, 91)
    model_answer(who, 181)
    forget(at=timezone.now())
    held = cache.find(who.client, [("site", "k")])
    assert held.get(("site", "k"), cache.Held()).answer is None
    store = AnswerStore(who.client, agent="fit_evidence", trace_id="")
    assert store.find(["k"]) == {}
    again = model_answer(who, 0)
    assert store.find(["k"])["k"].id == again.pk


def test_no_setting_forgets_what_is_still_used(who: Prospect, settings: LazySettings) -> None:
    settings.SOURCE_ANSWERS_KEPT_DAYS = settings.MODEL_ANSWERS_KEPT_DAYS = 0
    source_answer(who, 29)
    model_answer(who, 29)
    assert forget(at=timezone.now()) == Forgotten(0, 0)


@pytest.mark.parametrize("table", ["prospects_sourceanswer", "prospects_modelanswer"])
def test_postgresql_lets_bodies_go_only_once_whole_and_old(who: Prospect, table: str) -> None:
    is_source = table.endswith("sourceanswer")
    body, make = ("documents = '[]', subject = '', next_page = ''", source_answer) if is_source else (
        "text = ''", model_answer,
    )  # fmt: skip
    old = make(who, 40)
    change = f"UPDATE {table} SET {{}} WHERE id = %s"
    refuses(change.format(body), [old.pk], because="append-only")  # does not say when
    refuses(change.format("forgotten_at = now()"), [old.pk], because="append-only")  # and keeps the body
    refuses(change.format(f"{body}, forgotten_at = now(), cost = 0"), [old.pk], because="append-only")
    refuses(f"DELETE FROM {table} WHERE id = %s", [old.pk], because="append-only")
    refuses(f"TRUNCATE {table} CASCADE", because="truncated")
    type(old).objects.filter(pk=old.pk).update(
        forgotten_at=timezone.now(),
        **({"documents": [], "subject": "", "next_page": ""} if is_source else {"text": ""}),
    )
    refuses(change.format("forgotten_at = NULL"), [old.pk], because="append-only")
    young = make(who, 20, lookup_key="other") if is_source else make(who, 20)
    refuses(change.format(f"{body}, forgotten_at = now()"), [young.pk], because="too young")
