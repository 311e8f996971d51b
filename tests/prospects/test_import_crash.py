"""Imports that are killed, and imports that meet: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection

from playbooks.models import AuditEntry, Playbook
from prospects.models import Company, Contact, ImportBatch, Prospect, Signal
from prospects.services.importing import prospects, runs
from salesops import engines
from tests.prospects.import_files import counts, imported, playbook, write_csv

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1_500
_IMPORT = """
import sys, django
django.setup()
from prospects.services.importing import prospects, runs
from django.core.management import call_command
runs.CHUNK, runs.APART = 50, 0
if len(sys.argv) > 4:  # it is to be killed: however late that comes, it is not done
    import signal
    from prospects.models import ImportBatch
    real = prospects.write
    def write(plan, terms):
        if ImportBatch.objects.latest("id").processed >= int(sys.argv[4]):
            signal.pause()
        real(plan, terms)
    prospects.write = write
call_command("import_prospects", sys.argv[1], "--client", sys.argv[2], "--playbook", sys.argv[3], "--json")
"""


def people_file(path: Path, rows: int = ROWS) -> Path:
    lines = [f"{i}|Company {i}|co{i % (rows - 10)}.com|Person {i}|p{i}@co{i}.example" for i in range(rows)]
    return write_csv(path, "Company id|Company|Domain|Name|Email", *lines)


def start_import(path: Path, into: Playbook, *until: int) -> subprocess.Popen[bytes]:
    """The command in a process of its own, on this test's database."""
    database = connection.settings_dict
    place = (
        f"/{database['HOST']}" if str(database["HOST"]).startswith("/") else f"{database['HOST']}:{database['PORT']}"
    )
    user = database["USER"] + (f":{database['PASSWORD']}" if database["PASSWORD"] else "")
    environment = os.environ | {
        "DATABASE_URL": f"postgres://{user}@{place}/{database['NAME']}",
        "REDIS_URL": os.environ.get("REDIS_URL") or engines.urls().cache_url,
        "SECRET_KEY": "only for this test, and long enough to be accepted",
        "DJANGO_SETTINGS_MODULE": "salesops.settings",
        "DEBUG": "true",
    }
    command = [sys.executable, "-c", _IMPORT, str(path), into.client.slug, into.slug, *map(str, until)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_until_processed(rows: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        batch = ImportBatch.objects.order_by("-id").first()
        if batch is not None and batch.processed >= rows:
            return
        if process.poll() is not None:
            assert process.stderr is not None
            raise AssertionError(process.stderr.read().decode()[-2000:])
        time.sleep(0.01)
    raise AssertionError("the import did not get there")


@pytest.mark.chaos
def test_an_import_killed_anywhere_is_finished_by_running_it_again(tmp_path: Path) -> None:
    into = playbook()
    path = people_file(tmp_path / "people.csv")
    chance = random.Random(11)
    at = 0
    for _ in range(int(os.environ.get("CHAOS_ROUNDS", "2"))):
        at = min(at + chance.randint(50, 400), ROWS - 200)
        process = start_import(path, into, ROWS - 150)
        wait_until_processed(at, process)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    process = start_import(path, into)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err.decode()[-2000:]
    assert b'"status": "done"' in out
    batch = ImportBatch.objects.get()
    assert (batch.processed, batch.created, batch.rejected) == (ROWS, ROWS, 0)
    assert (Company.objects.count(), Contact.objects.count(), Prospect.objects.count()) == (ROWS - 10, ROWS, ROWS - 10)
    assert Signal.objects.count() == ROWS
    assert AuditEntry.objects.filter(event="import.finished").count() == 1
    assert counts(imported(path, into, source_name="people")) == {"unchanged": ROWS}


def test_two_imports_of_one_client_at_once_double_nobody(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(runs, "CHUNK", 40)
    into = playbook()
    path = people_file(tmp_path / "people.csv", 400)
    reports, failures = [], []

    def run() -> None:
        try:
            reports.append(imported(path, into))
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(failure) for failure in failures] in (
        [],
        [runs.AlreadyRunning],
        [runs.AlreadyRunning] * 2,
    )
    assert sum(report.counts["created"] for report in reports) == 400
    assert (Company.objects.count(), Contact.objects.count(), Signal.objects.count()) == (390, 400, 400)


def test_somebody_quicker_with_the_same_company_costs_only_another_try(tmp_path: Path, monkeypatch) -> None:
    into = playbook()
    real, tries = prospects.write, []

    def add_acme() -> None:
        Company.objects.create(client=into.client, name="Acme", name_key="acme", domain="acme.com", source="crm")
        connection.close()

    def too_late(plan, terms) -> None:
        tries.append(len(plan.companies))
        if len(tries) == 1:
            other = threading.Thread(target=add_acme)
            other.start()
            other.join()
        real(plan, terms)

    monkeypatch.setattr(prospects, "write", too_late)
    report = imported(
        write_csv(tmp_path / "a.csv", "Company|Domain|City", "Acme|acme.com|Oslo", "Acme|acme.com|"), into
    )
    assert tries == [1, 0]
    assert counts(report) == {"created": 1, "merged": 1}
    assert Company.objects.get().source == "crm"
    assert Company.objects.get().city == "Oslo"
