"""Stored answers and real budgets: paid once, never beyond the limit, whoever asks and whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from playbooks.models import BudgetPeriod, PlaybookVersion
from prospects.models import ModelAnswer
from prospects.services.model_answers import AnswerStore, PlaybookPurse
from salesops import engines
from salesops.bench.standin import Say, StandIn
from salesops.llm.asker import Asker
from salesops.llm.ports import Amount, Answer, Outcome
from tests import factories
from tests.llm.scene import ANTHROPIC, config, question

ROOT = Path(__file__).resolve().parents[2]


def version(tokens: int = 100_000, money: int = 10) -> PlaybookVersion:
    return factories.version(tokens_per_day=tokens, money_per_month=money)


def answer(key: str, prospect: Any, **fields: Any) -> Answer:
    given = {"key": key, "prospect_id": prospect.pk, "model": ANTHROPIC, "prompt": "a/b", "prompt_version": "1",
             "outcome": Outcome.ANSWERED, "text": "{}", "words": "", "tokens_in": 1, "tokens_out": 1,
             "cost": Decimal("0.0000015"), "seconds": 0.1}  # fmt: skip
    return Answer(**{**given, **fields})


@pytest.mark.django_db
def test_the_faster_of_two_workers_decides_and_clients_do_not_share() -> None:
    mine, other = factories.prospect(version()), factories.prospect(version())
    store = AnswerStore(mine.client, agent="fit_evidence", trace_id="t")
    first = store.keep([answer("k", mine, text='{"a": 1}')])["k"]
    second = store.keep([answer("k", mine, text='{"a": 2}')])["k"]
    assert (first.id, second.text) == (second.id, '{"a": 1}')
    assert AnswerStore(other.client, agent="fit_evidence", trace_id="t").find(["k"]) == {}
    assert ModelAnswer.objects.get().cost == Decimal("0.000002"), "never less than it was"


@pytest.mark.django_db
def test_tokens_and_money_are_taken_together_or_not_at_all() -> None:
    ruling = version(tokens=1000, money=1)
    purse = PlaybookPurse(ruling.playbook.client, ruling)
    assert purse.reserve(Amount(500, Decimal("1.5"))) is None
    assert purse.reserve(Amount(1500, Decimal("0.5"))) is None
    assert not BudgetPeriod.objects.filter(used__gt=0).exists()
    at = purse.reserve(Amount(800, Decimal("0.8")))
    assert at is not None
    purse.settle(at, Amount(800, Decimal("0.8")), Amount(300, Decimal("0.30001")))
    assert dict(BudgetPeriod.objects.values_list("bucket", "used")) == {"tokens": 300, "money": Decimal("0.3001")}


@pytest.mark.django_db(transaction=True)
def test_two_hundred_reservations_at_once_never_pass_the_limit() -> None:
    ruling = version(tokens=10_050, money=1000)
    client = ruling.playbook.client
    start = threading.Barrier(20)

    def worker(_: int) -> int:
        start.wait(60)
        purse = PlaybookPurse(client, ruling)
        won = sum(purse.reserve(Amount(100, Decimal("0.01"))) is not None for _ in range(10))
        connection.close()
        return won

    with ThreadPoolExecutor(20) as pool:
        won = sum(pool.map(worker, range(20)))
    assert won == 100
    assert BudgetPeriod.objects.get(bucket="tokens").used == 10_000
    assert BudgetPeriod.objects.get(bucket="money").used == Decimal(1)


@pytest.mark.django_db(transaction=True)
def test_two_askers_share_one_budget_and_neither_spends_what_the_other_holds() -> None:
    ruling = version(tokens=40_000)
    made = factories.prospect(ruling)
    client = ruling.playbook.client

    def ask(offset: int) -> list[str]:
        store = AnswerStore(client, agent="fit_evidence", trace_id="t")
        asker = Asker(config(server), store, PlaybookPurse(client, ruling), wanted="fast")
        asked = [question(made.pk, company=f"Company {offset + n}") for n in range(40)]
        try:
            return [reply.problem for reply in asker.ask(asked)]
        finally:
            connection.close()

    with StandIn(lambda asked: Say(answer={"name": "red"}, after=0.02)) as server, ThreadPoolExecutor(2) as pool:
        problems = [problem for found in pool.map(ask, (0, 1000)) for problem in found]
        calls = len(server.asked)
    spent = BudgetPeriod.objects.get(bucket="tokens").used
    assert spent == 520 * calls <= 40_000
    assert ModelAnswer.objects.count() == calls == problems.count("")
    assert calls < 80


_WORKER = """
import os, django
django.setup()
from decimal import Decimal
from playbooks.models import PlaybookVersion
from prospects.services.model_answers import AnswerStore, PlaybookPurse
from salesops.bench.standin import StandIn
from salesops.llm.asker import Asker
from tests.llm.scene import config, question

class Server:
    url = os.environ["MODEL_URL"]

ruling = PlaybookVersion.objects.select_related("playbook__client").get(pk=int(os.environ["VERSION"]))
client = ruling.playbook.client
store = AnswerStore(client, agent="x", trace_id="t")
asker = Asker(config(Server), store, PlaybookPurse(client, ruling), wanted="fast")
made = int(os.environ["PROSPECT"])
print("asking", flush=True)
asker.ask([question(made, company=f"Company {n}") for n in range(30)])
print("done", flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_pays_nothing_twice() -> None:
    """Ten answers come at once and twenty are slow; the worker is killed in between, and a second one goes on."""
    ruling = version(tokens=1_000_000)
    made = factories.prospect(ruling)
    with StandIn(lambda asked: Say(answer={"name": "red"}, after=0 if asked.nth <= 10 else 600)) as server:
        worker = _start(ruling, made, server)
        deadline = time.monotonic() + 150
        while ModelAnswer.objects.count() < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
        worker.send_signal(signal.SIGKILL)
        said = worker.communicate(timeout=60)
    assert ModelAnswer.objects.count() == 10, said
    with StandIn(lambda asked: Say(answer={"name": "red"})) as server:
        worker = _start(ruling, made, server)
        assert worker.communicate(timeout=150)[0].endswith("done\n")
        assert len(server.asked) == 20
    assert ModelAnswer.objects.count() == 30
    reserved = BudgetPeriod.objects.get(bucket="tokens").used
    assert 30 * 520 <= reserved <= 1_000_000, (
        "what the dead one held stays charged: too much is safe, too little is not"
    )


def _start(ruling: PlaybookVersion, made: Any, server: StandIn) -> subprocess.Popen[str]:
    """A worker in a process of its own, on this test's database."""
    given = connection.settings_dict
    host = str(given["HOST"])
    place = f"/{host}" if host.startswith("/") else f"{host}:{given['PORT']}"
    user = given["USER"] + (f":{given['PASSWORD']}" if given["PASSWORD"] else "")
    environment = os.environ | {
        "DATABASE_URL": f"postgres://{user}@{place}/{given['NAME']}",
        "REDIS_URL": os.environ.get("REDIS_URL") or engines.urls().cache_url,
        "SECRET_KEY": "only for this test, and long enough to be accepted",
        "DJANGO_SETTINGS_MODULE": "salesops.settings",
        "MODEL_URL": server.url,
        "VERSION": str(ruling.pk),
        "PROSPECT": str(made.pk),
    }
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", _WORKER], cwd=ROOT, env=environment, **pipes)


def test_the_web_process_starts_without_the_client_library() -> None:
    code = (
        "import sys, django; django.setup();"
        "import salesops.urls, salesops.wsgi, prospects.tasks, prospects.host.toolbox;"
        "from salesops.runtime import registry; registry.discover(['prospects', 'approvals']);"
        "print([m for m in ('pydantic_ai', 'anthropic', 'openai', 'google.genai') if m in sys.modules])"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
