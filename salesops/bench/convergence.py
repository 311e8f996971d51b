"""How fast rule agents take prospects from imported facts to verdicts and approval requests, end to end.

Two worker processes share one convergence, as in production; the queue is left out, its nudges cost nothing here.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from playbooks.models import Client, Playbook
from prospects.models import Convergence, Prospect
from prospects.services.converging import converge as service
from prospects.services.converging import convergences
from salesops.bench import Line, Say
from salesops.bench.words import NOUNS, TRADES
from salesops.runtime.bulk import copy_rows

SIZES = (10_000, 100_000)
AIM = 300
FLAT = 1.2
WORKERS = 2
CLOCK = datetime(2026, 6, 10, tzinfo=UTC)
IMPORTED = datetime(2026, 4, 7, tzinfo=UTC)
WRITTEN = (
    "prospects_agentrun", "prospects_signal", "prospects_evidence", "prospects_score", "prospects_stagetransition",
    "prospects_diagnostic", "prospects_handoff", "approvals_message", "approvals_evaluation", "approvals_advice",
    "approvals_approvalrequest",
)  # fmt: skip
_WORKER = """
import django; django.setup()
import json
from salesops.bench.convergence import work
from salesops.bench.measure import peak_megabytes
print(json.dumps({"prospects": work(%d), "peak": peak_megabytes()}))
"""


def run(size: int | None, say: Say) -> Iterator[Line]:
    """Each size once, then once more with nothing new; and whether a worker's memory stays as it is."""
    peaks = []
    for count in (size,) if size else SIZES:
        playbook = make_playbook(f"bench-convergence-{count}")
        make_prospects(playbook, count)
        say(f"convergence: {count:,} prospects are due")
        done = _converge(playbook, count)
        peaks.append(done.peak)
        yield from _lines(done, _again(playbook))
    if len(peaks) > 1:
        flat = peaks[-1] / peaks[0]
        yield Line("convergence", "peak memory, large to small", flat, "×", f"≤ {FLAT} ×", flat <= FLAT)


@dataclass(frozen=True, slots=True)
class Done:
    """One convergence by all workers: ``seconds`` on the clock, ``peak`` MB of the larger worker."""

    convergence: Convergence
    count: int
    seconds: float
    written: int
    peak: float


def _converge(playbook: Playbook, count: int) -> Done:
    before = _rows(WRITTEN)
    convergence = _open(playbook)
    start = perf_counter()
    workers = [start_worker(convergence) for _ in range(WORKERS)]
    answers = [json.loads(worker.communicate()[0]) for worker in workers]
    seconds = perf_counter() - start
    convergence.refresh_from_db()
    if convergence.status != Convergence.Status.DONE or convergence.done != count or not convergence.requests:
        raise RuntimeError(f"the convergence did something else: {convergence.status}, {convergence.done} of {count}")
    peak = max(answer["peak"] for answer in answers)
    return Done(convergence, count, seconds, _rows(WRITTEN) - before, peak)


def _lines(done: Done, again: float) -> Iterator[Line]:
    rate, name = done.count / done.seconds, f"{done.count:,} prospects"
    found = f"{done.convergence.qualified:,} qualified, {done.convergence.requests:,} requests"
    note = f"start of {WORKERS} workers included; {found}"
    yield Line("convergence", name, rate, "prospects/s", f"≥ {AIM} prospects/s", rate >= AIM, note)
    each = f"{done.written / done.count:.1f} per prospect"
    yield Line("convergence", f"{name}: rows written", done.written / done.seconds, "rows/s", note=each)
    yield Line("convergence", f"{name}: peak memory of a worker", done.peak, "MB")
    share = 100 * again / done.seconds
    yield Line("convergence", f"{name}: once more with nothing new", share, "%", "≤ 2 %", share <= 2)


def work(convergence_id: int) -> int:
    """One worker's part: batch after batch until nothing is left. Returns how many prospects it converged."""
    from salesops.runtime.outcome import Outcome

    outcome = Outcome()
    after: int | None = 0
    while after is not None:
        after = service.work(convergence_id, after, outcome=outcome)
    return outcome.prospects


def start_worker(convergence: Convergence) -> subprocess.Popen[str]:
    """A process that works on it until nothing is left, and says how much it did."""
    command = [sys.executable, "-c", _WORKER % convergence.pk]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)  # noqa: S603 — our own words


def _open(playbook: Playbook) -> Convergence:
    return convergences.open_convergence(client=playbook.client, playbook=playbook, actor=None, clock=CLOCK)


def _again(playbook: Playbook) -> float:
    """Seconds of a convergence that finds nothing to do."""
    start = perf_counter()
    report = service.converge(client=playbook.client, playbook=playbook, actor=None, clock=CLOCK)
    if report.outcome.prospects:
        raise RuntimeError("prospects were due again although nothing had changed")
    return perf_counter() - start


def _rows(tables: tuple[str, ...]) -> int:
    counts = " + ".join(f"(SELECT count(*) FROM {table})" for table in tables)  # noqa: S608 — our own table names
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}")
        return int(cursor.fetchone()[0])


def make_playbook(slug: str = "bench-convergence", edit: Callable[[str], str] = str) -> Playbook:
    """The shipped demo playbook, ruling for a client of its own; ``edit`` changes the file's text before it is read."""
    client = Client.objects.create(
        slug=slug, name="Bench", sender_name="Robin Fields", sender_email="robin@bench.example",
        postal_address="1 Harbour Street, Springfield, IL 62701, USA",
    )  # fmt: skip
    text = Path(settings.BASE_DIR, "playbooks/shipped/demo.yaml").read_text("utf-8")
    with NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(edit(text))
        file.flush()
        call_command("load_playbook", file.name, client=client.slug, activate=True, stdout=StringIO())
    return Playbook.objects.select_related("client").get(client=client)


def make_prospects(playbook: Playbook, count: int) -> None:
    """Companies with one person each: half of the wrong kind or gone, the rest fit, one in eight with news."""
    chance = random.Random(11)  # noqa: S311 — the same prospects every time
    client, now = playbook.client_id, timezone.now()
    companies, people, prospects, signals = [], [], [], []
    first = _highest_id() + 1
    for n in range(first, first + count):
        facts = _facts(chance, n)
        companies.append(
            (n, client, facts["name"], facts["name"].casefold(), facts["domain"], f"bench-{n}", "bench.csv",
             facts["industry"], facts["employees_min"], facts["employees_max"], facts["country"], facts["tags"],
             facts["status"], facts["hiring"], now, now)
        )  # fmt: skip
        email = f"dana@{facts['domain']}"
        people.append((n, client, n, "synthetic", "Dana Lee", "Dana", "Lee", "Founder", email, email, "US", now, now))
        prospects.append((n, client, playbook.pk, n, n, f"bench-{n}", "bench.csv", facts["industry"], now))
        signals.append(_signal(client, n, "profile", IMPORTED, facts, now))
        if chance.random() < 0.125:
            at = IMPORTED + timedelta(days=chance.randint(1, 50))
            signals.append(_signal(client, n, *_news(chance, facts, at), now))
    with transaction.atomic():
        _copy("prospects_company", "id client_id name name_key domain external_id source industry employees_min"
              " employees_max country tags status hiring created_at updated_at", companies)  # fmt: skip
        _copy("prospects_contact", "id client_id company_id source name first_name last_name title email email_key"
              " country created_at updated_at", people)  # fmt: skip
        _copy("prospects_prospect", "id client_id playbook_id company_id contact_id external_id source segment"
              " created_at", prospects)  # fmt: skip
        _copy("prospects_signal", "client_id prospect_id kind observed_at data source source_ref dedup_key created_at"
              " trace_id text", signals)  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE prospects_prospect p SET facts_no = s.newest FROM (SELECT prospect_id, max(fact_no) AS newest"
                " FROM prospects_signal GROUP BY 1) s WHERE s.prospect_id = p.id"
            )
            for table in ("company", "contact", "prospect"):
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('prospects_{table}', 'id'), %s)",
                    [first + count - 1],
                )
            cursor.execute("ANALYZE")


def _highest_id() -> int:
    """Another benchmark may have rows here already."""
    tables = ("prospects_company", "prospects_contact", "prospects_prospect")
    found = " UNION ALL ".join(f"SELECT max(id) AS id FROM {table}" for table in tables)  # noqa: S608 — our own names
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM ({found}) ids")  # noqa: S608
        return int(cursor.fetchone()[0])


def _facts(chance: random.Random, n: int) -> dict[str, Any]:
    people = chance.choice((4, 7, 12, 25, 38, 60, 140, 900))
    return {
        "name": f"{chance.choice(TRADES)} {chance.choice(NOUNS)} {n}",
        "domain": f"company-{n}.example",
        "industry": chance.choice(("B2B", "B2B", "Fintech", "Healthcare", "Consumer")),
        "country": chance.choice(("US", "US", "US", "GB", "IN")),
        "tags": chance.choice((["SaaS", "B2B"], ["Developer Tools", "AI"], ["Games"], ["Marketplace"])),
        "status": chance.choice(("Active", "Active", "Active", "Inactive", "Acquired")),
        "hiring": chance.random() < 0.3,
        "employees_min": people,
        "employees_max": people,
    }


def _news(chance: random.Random, facts: dict[str, Any], at: datetime) -> tuple[str, datetime, dict[str, Any]]:
    if chance.random() < 0.5:
        return "change", at, {"field": "hiring", "old": "False", "new": "True"}
    people = facts["employees_min"]
    return "change", at, {"field": "team_size", "old": people, "new": people + 3}


def _signal(client: int, n: int, kind: str, at: datetime, data: dict[str, Any], now: datetime) -> tuple[Any, ...]:
    return (client, n, kind, at, json.dumps(data), "bench.csv", f"row {n}", f"{kind}-{n}", now, "0" * 32, "")


def _copy(table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    """COPY with this table's other columns at their model defaults."""
    names = columns.split()
    rest = {c: v for c, v in _DEFAULTS[table].items() if c not in names}
    copy_rows(table, [*names, *rest], ((*row, *rest.values()) for row in rows))


_DEFAULTS: dict[str, dict[str, Any]] = {
    "prospects_company": {
        "website": "", "subindustry": "", "region": "", "city": "", "location": "", "attributes": "{}",
    },
    "prospects_contact": {
        "external_id": "", "seniority": "", "email_status": "unknown", "phone": "", "linkedin_url": "",
        "time_zone": "", "entity_type": "company", "synthetic": True, "attributes": "{}",
    },
    "prospects_prospect": {
        "stage": Prospect._meta.get_field("stage").default, "stage_seq": 0, "stage_since": IMPORTED, "coverage": 0,
        "provisional": True, "route": "", "tier": "", "priority": 0, "verdict": "", "verdict_reason": "",
        "verdict_missing": "[]", "next_action": "", "facts_no": 1, "converged_no": 0,
    },
    "prospects_signal": {},
}  # fmt: skip
