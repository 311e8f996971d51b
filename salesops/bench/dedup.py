"""How well duplicates are recognised, and what finding them costs in a large table."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection
from django.utils import timezone

from playbooks.models import Client
from prospects.duplicates.loading import candidates, records
from prospects.rules.blocking import company_keys, person_keys
from prospects.rules.dedup import Match, candidate_pairs, duplicate_companies, duplicate_people, match_people
from prospects.rules.identities import CompanyFacts, PersonFacts
from prospects.services.merging.duplicates import sweep_keys
from salesops.bench import Line, Say
from salesops.bench.words import CITIES, NOUNS, TRADES
from salesops.runtime.bulk import copy_rows
from salesops.sql import fetch

SIZE = 50_000
ASKED = 500  # companies looked up at once: a convergence's batch
PEOPLE = Path(settings.BASE_DIR, "tests", "data", "febrl_dataset1.csv")
FORMS = ("", " Inc.", " Ltd", " GmbH", " S.A.", " LLC", " B.V.", " Oy", " sp. z o.o.", " Pty Ltd")
Pairs = set[tuple[int, int]]
T = TypeVar("T", CompanyFacts, PersonFacts)


def run(size: int | None, say: Say) -> Iterator[Line]:
    """Precision and recall on people with slips of the pen and on companies written differently; then speed."""
    if PEOPLE.exists():
        people, pairs = _people()
        yield from _quality("people", people, pairs, duplicate_people, person_keys)
        yield from _comparing(people)
    companies, pairs = made_up_companies(2_000)
    yield from _quality("companies", companies, pairs, duplicate_companies, company_keys)
    yield from _in_the_database(size or SIZE, say)


def _people() -> tuple[list[PersonFacts], Pairs]:
    with PEOPLE.open() as file:
        rows = [{name.strip(): value.strip() for name, value in row.items()} for row in csv.DictReader(file)]
    people: list[PersonFacts] = []
    seen: dict[str, int] = {}
    pairs: Pairs = set()
    for i, row in enumerate(rows):
        people.append(
            PersonFacts(
                i, row["given_name"], row["surname"], birth_date=row["date_of_birth"],
                street_number=row["street_number"], street=row["address_1"], postcode=row["postcode"],
                city=row["suburb"], national_id=row["soc_sec_id"],
            )
        )  # fmt: skip
        number = row["rec_id"].split("-")[1]
        if number in seen:
            pairs.add((seen[number], i))
        seen[number] = i
    return people, pairs


def made_up_companies(size: int, seed: int = 7) -> tuple[list[CompanyFacts], Pairs]:
    """``size`` companies with names of their own, every second one also as somebody else wrote it down."""
    rng = random.Random(seed)  # noqa: S311 — the same companies every time
    companies: list[CompanyFacts] = []
    pairs: Pairs = set()
    for number in range(size):
        name = f"{rng.choice(TRADES)}{_syllables(rng)} {rng.choice(NOUNS)}"
        domain = f"{name.lower().replace(' ', '')}.example"
        one = CompanyFacts(len(companies), name + rng.choice(FORMS), domain, "DE", rng.choice(CITIES))
        companies.append(one)
        if number % 2 == 0:
            other = _slip(rng, name) if rng.random() < 0.5 else name.upper()
            city = one.city if rng.random() < 0.8 else ""
            companies.append(CompanyFacts(len(companies), other + rng.choice(FORMS), "", "DE", city))
            pairs.add((one.id, one.id + 1))
    return companies, pairs


def _syllables(rng: random.Random, count: int = 3) -> str:
    return "".join(rng.choice("bdfgklmnprstv") + rng.choice("aeiou") for _ in range(count))


def _slip(rng: random.Random, text: str) -> str:
    """One letter left out, doubled, changed or two swapped."""
    at = rng.randrange(1, len(text) - 2)
    return rng.choice((
        text[:at] + text[at + 1 :], text[:at] + text[at] + text[at:], text[:at] + "e" + text[at + 1 :],
        text[:at] + text[at + 1] + text[at] + text[at + 2 :],
    ))  # fmt: skip


def _quality(
    what: str,
    items: Sequence[T],
    truth: Pairs,
    match: Callable[[Sequence[T]], list[Match]],
    keys: Callable[[T], frozenset[str]],
) -> Iterator[Line]:
    met = candidate_pairs(items, keys)
    found = {(m.one, m.other): m for m in match(items)}
    sure = {pair for pair, m in found.items() if m.is_certain}
    note = f"{len(items):,} records, {len(truth):,} pairs"
    precision, recall = _share(sure & truth, sure), _share(found.keys() & truth, truth)
    yield Line("dedup", f"{what}: precision of automatic merges", precision, "%", "≥ 99", precision >= 99, note)
    yield Line("dedup", f"{what}: recall of automatic merges", _share(sure & truth, truth), "%")
    yield Line("dedup", f"{what}: precision with review", _share(found.keys() & truth, found.keys()), "%")
    yield Line("dedup", f"{what}: recall with review", recall, "%", "≥ 95", recall >= 95)
    yield Line("dedup", f"{what}: pairs that meet", _share(met & truth, truth), "%", note=f"{len(met):,} compared")


def _share(some: Collection[object], of: Collection[object]) -> float:
    return 100 * len(some) / max(len(of), 1)


def _comparing(people: Sequence[PersonFacts]) -> Iterator[Line]:
    pairs = sorted(candidate_pairs(people, person_keys))
    start, rounds = process_time(), 0
    while process_time() - start < 1:
        rounds += 1
        for one, other in pairs:
            match_people(people[one], people[other])
    rate = rounds * len(pairs) / (process_time() - start)
    yield Line("dedup", "people compared", rate, "pairs/s of CPU")


def _in_the_database(size: int, say: Say) -> Iterator[Line]:
    """Looking up costs the same whatever the table's size: measured at a tenth and at the whole."""
    client = Client.objects.create(slug="bench-dedup", name="Bench")
    milliseconds: list[float] = []
    for part in (size // 10, size):
        _companies(client, part)
        start = perf_counter()
        made = sweep_keys(seconds=3600)
        seconds = perf_counter() - start
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE prospects_blockingkey")
        say(f"dedup: {part:,} companies have keys")
        found, elapsed = _look_up(client)
        milliseconds.append(elapsed / found[0] * 1000)
        if part == size:
            yield Line("dedup", "records given keys", made / seconds, "records/s")
            yield Line("dedup", "candidates found", found[1] / elapsed, "candidates/s", note=f"{size:,} companies")
            yield Line("dedup", f"look-up of {ASKED} companies", elapsed / (found[0] / ASKED) * 1000, "ms")
    growth = milliseconds[1] / milliseconds[0]
    yield Line("dedup", "look-up in ten times the table", growth, "times as long", "≤ 2", growth <= 2)


def _companies(client: Client, up_to: int) -> None:
    rng = random.Random(up_to)  # noqa: S311
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM prospects_company WHERE client_id = %s", [client.pk])
        (there,) = cursor.fetchone()
    now = timezone.now()
    columns = (
        "client_id", "name", "name_key", "domain", "external_id", "source", "website", "industry", "subindustry",
        "country", "region", "city", "location", "tags", "status", "attributes", "created_at", "updated_at",
    )  # fmt: skip

    names = [""]

    def row(number: int) -> tuple[Any, ...]:
        if number % 4:  # every fourth is known under the name of the one before
            names[0] = f"{_syllables(rng, 4).title()} {rng.choice(NOUNS)}"
        name = names[0] or "Bench"
        return (
            client.pk, name, name.lower(), f"c{number}.example", "", "bench", "", "B2B", "", "DE", "",
            rng.choice(CITIES), "", [], "", "{}", now, now,
        )  # fmt: skip

    copy_rows("prospects_company", columns, (row(number) for number in range(there, up_to)))


def _look_up(client: Client) -> tuple[tuple[int, int], float]:
    """((companies asked about, candidates found), seconds), over twenty batches from all over the table."""
    ids = [pk for (pk,) in fetch("SELECT id FROM prospects_company WHERE client_id = %s ORDER BY id", [client.pk])]
    step = max(len(ids) // 20, 1)
    batches = [ids[at : at + ASKED] for at in range(0, len(ids), step)][:20]
    asked = found = 0
    start = perf_counter()
    for batch in batches:
        near = candidates("company", client.pk, batch)
        others = {other for some in near.values() for other in some}
        records("company", others)
        asked += len(batch)
        found += sum(map(len, near.values()))
    return (asked, found), perf_counter() - start
