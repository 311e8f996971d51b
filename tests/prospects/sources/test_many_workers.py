"""Workers side by side, and workers that are killed: nothing is stored twice and little is asked twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection

from playbooks.models import BudgetPeriod
from prospects.models import SourceAnswer, SourceState
from prospects.services import source_answers, source_states
from prospects.sources.breaker import Learnt
from prospects.sources.cache import Fetched
from tests import factories
from tests.prospects.sources.looking import NOW, TRACE, prospect, source, tool
from tests.prospects.sources.stand_in import Reply, Request, StandIn, as_json, office

FIELDS = {"industry": "sector"}
PROFILE = frozenset({"profile"})


def config_of(server: StandIn, **more: object) -> dict[str, object]:
    raw = {"key": "crunch", "kind": "json", "url": f"{server.url}/c?d={{domain}}", "params": {"fields": FIELDS}}
    return {**raw, "rate_per_minute": 60_000, **more}


@pytest.mark.django_db
def test_the_same_answer_brought_by_two_workers_is_one_row() -> None:
    client = factories.client()
    answer = Fetched("crunch", "profile", "k", "acme.example", "ok", documents=[{"kind": "profile", "ref": "a"}])
    first = source_answers.keep(client, [answer], at=NOW, trace_id=TRACE)
    second = source_answers.keep(client, [answer], at=NOW, trace_id=TRACE)
    assert first == second
    assert SourceAnswer.objects.count() == 1


@pytest.mark.django_db
def test_what_workers_learn_adds_up_and_a_persons_word_is_newer_than_an_old_failure() -> None:
    client = factories.client()
    source_states.save(client, {"crunch": Learnt(failures=2, error="a", error_at=NOW)})
    source_states.save(client, {"crunch": Learnt(failures=2, error="b", error_at=NOW)})
    assert SourceState.objects.get().failures == 4
    source_states.save(client, {"crunch": Learnt(succeeded=True, failures=1, ok_at=NOW, error="c", error_at=NOW)})
    state = SourceState.objects.get()
    assert (state.failures, state.last_error, state.last_ok_at) == (1, "c", NOW)
    source_states.save(client, {"crunch": Learnt(halted=True, error="401", error_at=NOW)})
    state.refresh_from_db()
    source_states.resume(state.pk, client=client, actor=factories.user(client, "leader"))
    source_states.save(client, {"crunch": Learnt(halted=True, error="401", error_at=NOW)})
    state.refresh_from_db()
    assert state.halted_at is None, "that refusal was seen before the person resumed it"


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_never_spend_beyond_the_limit(server: StandIn) -> None:
    server.routes["/c"] = as_json({"sector": "Software"})
    version = factories.version(money_per_month=10)
    config, desk = source(**config_of(server, cost="1")), office(server)
    found: list[int] = []

    def work(worker: int) -> None:
        companies = [prospect(f"w{worker}c{n}.example") for n in range(6)]
        try:
            got = tool(version, [config], desk).look_up(companies, PROFILE)
            found.append(sum(len(one.documents) for one in got.values()))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert sum(found) == len(server.asked) == 10
    assert BudgetPeriod.objects.get(bucket="money").used == 10


WORKER = """
import json, os, sys
given = json.loads(sys.argv[1])
import django
django.setup()
from django.db import connections
from django.conf import settings
settings.DATABASES["default"]["NAME"] = connections["default"].settings_dict["NAME"] = given["database"]
from playbooks.models import PlaybookVersion
from playbooks.rules.sources import read_source
from tests.prospects.sources.looking import prospect, tool
from tests.prospects.sources.stand_in import office
desk = office(allow_hosts=frozenset([given["place"]]), threads=4)
version = PlaybookVersion.objects.get(pk=given["version"])
companies = [prospect(f"c{n}.example") for n in range(given["count"])]
found = tool(version, [read_source(given["config"])], desk).look_up(companies, frozenset({"profile"}))
print(sum(len(one.documents) for one in found.values()))
"""


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_leaves_its_answers_to_the_next_one(server: StandIn) -> None:
    killed = threading.Event()

    def slow(request: Request) -> Reply:
        if len(server.asked) > 150:
            killed.wait(150)  # however late this test gets to see how far it is, it is not done
        time.sleep(0.02)
        return as_json({"sector": "Software"})

    server.routes["/c"] = slow
    version = factories.version(money_per_month=1000)
    given = {"database": connection.settings_dict["NAME"], "place": server.place, "version": version.pk, "count": 200,
             "config": config_of(server, cost="1")}  # fmt: skip
    command = [sys.executable, "-c", WORKER, json.dumps(given)]
    where = {"cwd": Path(__file__).parents[3], "env": {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}}
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, **where)
    until = time.monotonic() + 150
    while SourceAnswer.objects.count() < 50 and time.monotonic() < until:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    killed.set()
    kept, asked = SourceAnswer.objects.count(), len(server.asked)
    assert 50 <= kept <= asked < 200
    second = subprocess.run(command, capture_output=True, text=True, timeout=120, **where)
    assert second.stdout.strip() == "200", second.stderr[-2000:]
    assert SourceAnswer.objects.count() == 200
    assert len(server.asked) - 200 <= asked - kept + 4, "only what was on its way is asked again"
    assert BudgetPeriod.objects.get(bucket="money").used >= 200
