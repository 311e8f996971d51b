"""People of the FEBRL test data as the rules see them, with who is who."""

from __future__ import annotations

import csv
from pathlib import Path

from prospects.rules.identities import PersonFacts

DATA = Path(__file__).parents[1] / "data"
Pairs = set[tuple[int, int]]


def febrl_people(*, with_national_id: bool = True) -> tuple[list[PersonFacts], Pairs]:
    """1,000 people, and the 500 pairs of positions that are one person."""
    with (DATA / "febrl_dataset1.csv").open() as file:
        rows = [{name.strip(): value.strip() for name, value in row.items()} for row in csv.DictReader(file)]
    people, seen, pairs = [], {}, set()
    for i, row in enumerate(rows):
        people.append(
            PersonFacts(
                i, row["given_name"], row["surname"], birth_date=row["date_of_birth"],
                street_number=row["street_number"], street=row["address_1"], postcode=row["postcode"],
                city=row["suburb"], national_id=row["soc_sec_id"] if with_national_id else "",
            )
        )  # fmt: skip
        number = row["rec_id"].split("-")[1]
        if number in seen:
            pairs.add((seen[number], i))
        seen[number] = i
    return people, pairs
