"""Values as people write them; what could mean two things means nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prospects.importing.places import Place, country_code, country_of_region, place_of
from prospects.importing.values import (
    MAX_INT,
    day_order,
    headcount,
    is_missing,
    moment,
    money,
    number,
    signed_number,
    truth,
    year,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11-50", (11, 50)), ("11–50", (11, 50)), ("51 - 200 employees", (51, 200)), ("2 to 10 people", (2, 10)),
        ("1,200", (1200, 1200)), ("1.200", (1200, 1200)), ("1 200", (1200, 1200)), ("58.0", (58, 58)),
        ("10,001+", (10001, None)), ("500+", (500, None)), ("> 500", (501, None)), (">= 500", (500, None)),
        ("<10", (1, 9)), ("up to 10", (1, 10)), ("~50", (50, 50)), ("1.2k", (1200, 1200)),
        ("self-employed", (1, 1)), ("5001-10,000", (5001, 10000)), ("ca. 30 Mitarbeiter", (30, 30)),
        ("Nov-50", (11, 50)), ("10-Jan", (1, 10)), ("2-Oct", (2, 10)), ("0", (0, 0)),
        ("> 2,147,483,647", (MAX_INT, None)),
    ],
)  # fmt: skip
def test_headcounts(text: str, expected: tuple[int, int | None]) -> None:
    found = headcount(text)
    assert found is not None
    assert (found.low, found.high) == expected


@pytest.mark.parametrize("text", ["abc", "58.5", "-3", "50-11", "lots", "1-2-3", "9" * 40])
def test_what_is_no_headcount(text: str) -> None:
    assert headcount(text) is None


def test_a_range_that_a_spreadsheet_made_a_date_says_so() -> None:
    found = headcount("Nov-50")
    assert found is not None
    assert "spreadsheet" in found.note


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$15.6 million", (15_600_000, 15_600_000, "USD")), ("$10M–$50M", (10e6, 50e6, "USD")),
        ("$10-50M", (10e6, 50e6, "USD")), ("€1,2 Mrd.", (1.2e9, 1.2e9, "EUR")),
        ("1.234.567,89 EUR", (1234567.89, 1234567.89, "EUR")), ("USD 5m", (5e6, 5e6, "USD")),
        ("$90,169", (90169, 90169, "USD")), ("£1m+", (1e6, None, "GBP")), ("<$1M", (None, 1e6, "USD")),
        ("₹ 2 crore", (2e7, 2e7, "INR")), ("1750000", (1750000, 1750000, "")), ("12,5 Mio. €", (12.5e6, 12.5e6, "EUR")),
        ("$1M to $5M", (1e6, 5e6, "USD")), ("500K-1M", (5e5, 1e6, "")), ("$3.5 million / year", (3.5e6, 3.5e6, "USD")),
        ("$1.125 million", (1.125e6, 1.125e6, "USD")), ("0.125", (0.125, 0.125, "")), ("1.20 €", (1.2, 1.2, "EUR")),
    ],
)  # fmt: skip
def test_amounts_of_money(text: str, expected: tuple[float | None, float | None, str]) -> None:
    assert money(text) == expected


@pytest.mark.parametrize("text", ["$", "priceless", "$5 or €4", "-", "1,2,3,4", "9" * 40, "€1.200", "1.200-5.000 EUR"])
def test_what_is_no_money(text: str) -> None:
    assert money(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("-3", -3), ("12%", 12), ("1.2k", 1200), ("+7", 7), ("1e3", 1000), ("3,5", 3.5), ("−4", -4), ("x", None)],
)
def test_signed_numbers(text: str, expected: float | None) -> None:
    assert signed_number(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("True", True), ("yes", True), ("x", True), ("Ja", True), ("3", True), ("1.0", True),
     ("False", False), ("no", False),

     ("0", False), ("nein", False), ("", None), ("maybe", None)],
)  # fmt: skip
def test_yes_and_no(text: str, expected: bool | None) -> None:
    assert truth(text) is expected


@pytest.mark.parametrize("text", ["", "-", "n/a", "N/A", "null", "#NAME?", "#N/A", "NaN", "unknown", "http://na"])
def test_spellings_of_nothing(text: str) -> None:
    assert is_missing(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-04-08", "2026-04-08T00:00:00"), ("31.12.2025", "2025-12-31T00:00:00"),
        ("12/31/2025", "2025-12-31T00:00:00"), ("31/12/25", "2025-12-31T00:00:00"), ("5/5/2025", "2025-05-05T00:00:00"),
        ("12 Nov 2025", "2025-11-12T00:00:00"), ("Nov 12, 2025 3:04 pm", "2025-11-12T15:04:00"),
        ("12. November 2025", "2025-11-12T00:00:00"), ("1322045523", "2011-11-23T10:52:03"),
        ("1322045523000", "2011-11-23T10:52:03"), ("20251231", "2025-12-31T00:00:00"),
        ("2025-11-12T10:00:00+02:00", "2025-11-12T08:00:00"), ("2025-11-12 10:00:00 UTC", "2025-11-12T10:00:00"),
        ("2025-11-12T10:00:00Z", "2025-11-12T10:00:00"), ("2025/11/12 07:30", "2025-11-12T07:30:00"),
    ],
)  # fmt: skip
def test_dates(text: str, expected: str) -> None:
    assert moment(text) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["3/4/2025", "yesterday", "2026-13-45", "31/31/2025", "2025", "", "12/2025/3"])
def test_what_means_no_single_day(text: str) -> None:
    assert moment(text) is None


def test_the_order_of_day_and_month_is_seen_from_the_column() -> None:
    assert day_order(["3/4/2025", "25/4/2025"]) is True
    assert day_order(["3/4/2025", "4/25/2025"]) is False
    assert day_order(["3/4/2025"]) is None
    assert day_order(["25/4/2025", "4/25/2025"]) is None
    assert moment("3/4/2025", day_first=True) == datetime(2025, 4, 3, tzinfo=UTC)
    assert moment("3/4/2025", day_first=False) == datetime(2025, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(("text", "expected"), [("2006", 2006), ("2006.0", 2006), ("2006-05-01", 2006), ("1", None)])
def test_years(text: str, expected: int | None) -> None:
    assert year(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("London, England, United Kingdom", Place("London", "England", "GB")),
        ("San Francisco, CA, USA; Remote", Place("San Francisco", "CA", "US")),
        ("Remote; Oslo, Norway", Place("Oslo", "", "NO")),
        ("San Francisco, CA", Place("San Francisco", "CA", "US")), ("Berlin, DE", Place("Berlin", "", "DE")),
        ("Wilmington, DE", Place("Wilmington", "DE", "US")), ("Tel Aviv, IL", Place("Tel Aviv", "", "IL")),
        ("Toronto, ON, Canada", Place("Toronto", "ON", "CA")), ("Germany", Place("", "", "DE")),
        ("Tbilisi, Georgia", Place("Tbilisi", "", "GE")), ("Atlanta, Georgia", Place("Atlanta", "Georgia", "US")),
        ("München, Deutschland", Place("München", "", "DE")), ("Remote", Place()), ("", Place()),
    ],
)  # fmt: skip
def test_places(text: str, expected: Place) -> None:
    assert place_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("USA", "US"), ("UK", "GB"), ("Deutschland", "DE"), ("u.s.a.", "US"), ("KOR", "KR"), ("the Netherlands", "NL"),
     ("us", "US"), ("Côte d’Ivoire", "CI"), ("Atlantis", ""), ("", "")],
)  # fmt: skip
def test_countries(text: str, expected: str) -> None:
    assert country_code(text) == expected


def test_a_state_names_its_country_only_when_no_other_country_has_it() -> None:
    assert (country_of_region("TX"), country_of_region("nsw"), country_of_region("Ontario")) == ("US", "AU", "CA")
    assert country_of_region("wa") == ""


@given(st.integers(0, 10**9))
def test_every_way_to_write_a_whole_number_reads_the_same(n: int) -> None:
    for text in (str(n), f"{n:,}", f"{n:,}".replace(",", " "), f"{n}.0"):
        assert number(text) == n


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 — hypothesis asks for naive ends
def test_a_moment_survives_being_written(at: datetime) -> None:
    at = at.replace(microsecond=0, tzinfo=UTC)
    assert moment(at.isoformat()) == at
    assert moment(at.strftime("%d.%m.%Y")) == at.replace(hour=0, minute=0, second=0)
    assert moment(str(int(at.timestamp()))) == at or at.timestamp() < 10**8


@given(st.text(max_size=40))
def test_no_text_makes_a_reader_fall_over(text: str) -> None:
    for read in (headcount, money, moment, year, truth, signed_number, place_of, country_code):
        read(text)


def test_the_future_begins_after_a_day_of_grace() -> None:
    from prospects.importing.values import is_future

    now = datetime(2026, 5, 4, tzinfo=UTC)
    assert not is_future(now + timedelta(hours=20), now)
    assert is_future(now + timedelta(hours=30), now)
