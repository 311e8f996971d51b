"""Keys for records that no convergence has looked at, and sure pairs that one left behind."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from playbooks.models import PlaybookVersion
from prospects.duplicates.loading import candidates
from prospects.models import BlockingKey, BlockingMark, Convergence, Merge
from prospects.rules.blocking import KEYS_VERSION
from prospects.services.merging import merges
from prospects.services.merging.duplicates import merge_left_over, sweep, sweep_keys
from tests import factories as make
from tests.prospects.pairs import pair, twins

pytestmark = pytest.mark.django_db


@pytest.fixture
def under() -> PlaybookVersion:
    return make.version()


def test_every_record_gets_its_keys_once(under: PlaybookVersion) -> None:
    one, other = twins(under)
    assert sweep_keys() == 4
    assert sweep_keys() == 0
    assert candidates("company", one.client_id, [one.company_id]) == {one.company_id: {other.company_id}}
    later = make.company(one.client, name="Globex Industries", domain="")
    assert sweep_keys() == 1
    assert later.pk in candidates("company", one.client_id, [one.company_id])[one.company_id]


def test_other_rules_make_all_keys_anew(under: PlaybookVersion) -> None:
    one, _ = twins(under)
    sweep_keys()
    before = set(BlockingKey.objects.values_list("kind", "record_id", "key"))
    BlockingMark.objects.update(keys_version=KEYS_VERSION + 1)
    BlockingKey.objects.filter(kind="company", key__startswith="n:").delete()
    BlockingKey.objects.create(client_id=one.client_id, kind="company", key="n:stale", record_id=one.company_id)
    assert sweep_keys() == 4
    assert set(BlockingKey.objects.values_list("kind", "record_id", "key")) == before


def test_sure_pairs_wait_for_the_convergence_that_found_them(under: PlaybookVersion) -> None:
    one, other = twins(under)
    pair(one.company, other.company, automatic=True, score=1.0)
    at = timezone.now()
    run = Convergence.objects.create(client=one.client, playbook=one.playbook, version=under, clock=at)
    assert merge_left_over(at=at) == 0
    Convergence.objects.filter(pk=run.pk).update(status="cancelled")
    assert sweep(at=at) == (4, 1)
    assert Merge.objects.get().kept == one.company


def test_a_pair_that_postgresql_refuses_keeps_no_other_waiting(under: PlaybookVersion) -> None:
    one, other = twins(under)
    refused = pair(one.company, other.company, automatic=True)
    accounts = [make.company(one.client, name="Initech", domain=domain) for domain in ("initech.example", "")]
    pair(*accounts, automatic=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.no() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF NEW.duplicate_id = TG_ARGV[0]::bigint THEN RAISE 'not these'; END IF; RETURN NEW; END $$;"
            f" CREATE TRIGGER refuse BEFORE INSERT ON prospects_merge FOR EACH ROW"
            f" EXECUTE FUNCTION pg_temp.no({refused.pk})"
        )
    assert merges.merge_sure(client=one.client, at=timezone.now()) == 1
    assert Merge.objects.get().kept in accounts
