"""How fast a file of companies comes in, against the same rows copied into tables without indexes, keys or triggers."""

from __future__ import annotations

import csv
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from django.db import connection

from playbooks.models import Client, Playbook
from prospects.importing.reading import open_source
from prospects.services.importing.prospects import import_prospects, mapping_for
from salesops.bench import Line, Say
from salesops.bench.words import INDUSTRIES, NOUNS, TRADES

SIZE = 100_000
AIM = 10_000
TABLES = ("prospects_company", "prospects_prospect", "prospects_signal")
_HEADER = (
    "Company id", "Company", "Website", "Industry", "Sub-industry", "Team size", "Revenue", "Location", "Tags",
    "Status", "Hiring", "Founded",
)  # fmt: skip
_PLACES = (
    "Austin, TX, USA",
    "Berlin, Germany",
    "London, England, United Kingdom",
    "Toronto, ON, Canada",
    "Oslo, Norway",
)


def run(size: int | None, say: Say) -> Iterator[Line]:
    """The first import, the same file again, and bare COPY of what was written."""
    rows = size or SIZE
    client = Client.objects.create(slug="bench-import", name="Bench import")
    playbook = Playbook.objects.create(client=client, slug="companies", name="Companies")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "companies.csv"
        _make_file(path, rows)
        say(f"import: wrote a file of {rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
        first, counts = _import(path, client, playbook)
        again, unchanged = _import(path, client, playbook)
        bare = _bare_copy(Path(folder))
    if counts["created"] != rows or unchanged["unchanged"] != rows:
        raise RuntimeError(f"the import did something else: {counts}, then {unchanged}")
    rate = rows / first
    note = "file to committed company, prospect and profile signal"
    yield Line("import", f"{rows:,} companies", rate, "rows/s", f"≥ {AIM:,} rows/s", rate >= AIM, note)
    yield Line("import", "same file again (all unchanged)", rows / again, "rows/s")
    yield Line("import", "bare COPY of the rows it wrote", rows / bare, "rows/s", note="no indexes, keys or triggers")
    yield Line(
        "import", "import over bare COPY", first / bare, "×", note="parsing, matching, keys and triggers included"
    )


def _make_file(path: Path, rows: int) -> None:
    chance = random.Random(7)  # noqa: S311 — the same file every time
    sizes = ("11-50", "51–200", "1,200", "2-10")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for number in range(rows):
            name = f"{chance.choice(TRADES)} {chance.choice(NOUNS)} {number}"
            writer.writerow((
                number, name + chance.choice((" Inc.", " GmbH", " Ltd", "")),
                f"https://www.{name.lower().replace(' ', '-')}.com", chance.choice(INDUSTRIES), "Operations",
                chance.choice((*sizes, str(chance.randint(1, 900)))),
                chance.choice(("$1.5 million", "$10M–$50M", "")), chance.choice(_PLACES),
                f"SaaS|{chance.choice(INDUSTRIES)}", "Active", chance.choice(("yes", "no")), chance.randint(1990, 2025),
            ))  # fmt: skip


def _import(path: Path, client: Client, playbook: Playbook) -> tuple[float, dict[str, int]]:
    """Seconds from opening the file to the last commit, and the counts."""
    start = perf_counter()
    source = open_source(path)
    mapping = mapping_for(source, None)
    report = import_prospects(source, client=client, playbook=playbook, actor=None, mapping=mapping)
    return perf_counter() - start, report.counts


def _bare_copy(folder: Path) -> float:
    """Seconds to COPY the rows of every table the import wrote into bare copies of those tables."""
    seconds = 0.0
    with connection.cursor() as cursor:
        for table in TABLES:
            path = folder / f"{table}.copy"
            with path.open("wb") as out, cursor.copy(f"COPY {table} TO STDOUT") as copy:
                for block in copy:
                    out.write(block)
            cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table})")
            start = perf_counter()
            with path.open("rb") as file, cursor.copy(f"COPY bare_{table} FROM STDIN") as copy:
                while block := file.read(1 << 18):
                    copy.write(block)
            seconds += perf_counter() - start
            cursor.execute(f"DROP TABLE bare_{table}")
    return seconds
