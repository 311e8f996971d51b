"""Numbers, money and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import timezone

from prospects.rules.statistics import WaitingTime
from prospects.views.funnel_marks import waiting
from salesops.templatetags import figures, ui

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "words"), [(1234.5, "1,234"), (None, "–"), ("", "–"), ("nonsense", "–"), (float("nan"), "–"), (0, "0")]
)
def test_a_number_is_grouped_and_nothing_is_a_dash(value: object, words: str) -> None:
    assert figures.num(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [("310.00", "310 €"), ("0.40", "0.40 €"), ("1250.5", "1,250.50 €"), (None, "–")]
)
def test_money_drops_cents_only_when_there_are_none(value: object, words: str) -> None:
    assert figures.money(value).replace("\u202f", " ") == words


def test_a_place_is_told_without_the_hash_of_its_file() -> None:
    assert figures.place("companies.csv, 55294407462c:row 4152") == "companies.csv, row 4152"
    assert figures.place("https://acme.example/about:row") == "https://acme.example/about:row"


def test_a_share_becomes_per_cent() -> None:
    assert figures.pct(0.0712, 1).replace("\u202f", " ") == "7.1 %"


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=23, minutes=50), "1 d ago"),
        (timedelta(days=9), "9 d ago"),
        (timedelta(days=200), "5 May"),
        (timedelta(days=400), "17 Oct 2025"),
        (-timedelta(hours=2), "in 2 h"),
    ],
)
def test_times_are_relative_until_they_are_old(ago: timedelta, words: str) -> None:
    assert figures.relative(NOW - ago, NOW).replace("\u202f", " ") == words


@pytest.mark.parametrize(
    ("zone", "now", "words"),
    [
        ("Pacific/Auckland", datetime(2026, 12, 31, 20, tzinfo=UTC), "31 May 2026"),  # it is 2027 there
        ("America/New_York", datetime(2027, 1, 1, 2, tzinfo=UTC), "31 May"),  # it is still 2026 there
    ],
)
def test_around_new_year_a_date_names_its_year_where_the_reader_is_in_another(
    zone: str, now: datetime, words: str
) -> None:
    at = datetime(2026, 5, 31, 9, tzinfo=UTC)
    assert figures.relative(at, now, ZoneInfo(zone)) == words


def test_a_time_carries_its_exact_form() -> None:
    html = figures.when("2026-11-12T09:14:00+00:00")
    assert 'datetime="2026-11-12T09:14:00+00:00"' in html
    assert "Thu 12 Nov 2026, 09:14:00 UTC" in html


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland"])
def test_a_date_from_a_file_stays_that_day_in_every_zone(zone: str) -> None:
    with timezone.override(zone):
        told = figures.when(datetime(2020, 5, 29, tzinfo=UTC))
        moment = figures.when(datetime(2020, 5, 29, 1, tzinfo=UTC))
    assert 'title="Fri 29 May 2020">29 May 2020</time>' in told
    assert ('title="Thu 28 May 2020, 21:00:00 EDT">28 May' in moment) == (zone == "America/New_York")


def test_a_duration_names_its_two_largest_units() -> None:
    assert figures.duration(2 * 86_400 + 4 * 3600 + 61).replace("\u202f", " ") == "2 d 4 h"


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "< 1 s"), (0, "0 s"), (1, "1 s"), (0.999, "< 1 s")])
def test_part_of_a_second_is_not_none(seconds: float, words: str) -> None:
    assert figures.duration(seconds).replace("\u202f", " ") == words


def test_a_time_nobody_waited_for_long_enough_is_told_in_whole_seconds() -> None:
    assert "&gt;&thinsp;0\u202fs" in waiting(WaitingTime(None, 0.4))


def test_words_in_chips_are_escaped_and_never_stand_by_colour_alone() -> None:
    html = ui.chip("<b>Hot</b>", "hot")
    assert "<b>" not in html
    assert "#flame" in html


def test_a_score_bar_hatches_what_rests_on_no_evidence() -> None:
    html = Template('{% load ui %}{% score_bar 80 0.75 label="Fit" %}').render(Context())
    assert 'width="60.0%"' in html
    assert 'x="60.0%" width="20.0%"' in html


def test_an_unknown_score_is_called_unknown_not_zero() -> None:
    html = Template('{% load ui %}{% score_bar None 0 label="Fit" %}').render(Context())
    assert "unknown" in html
    assert ">0<" not in html


def test_a_meter_is_marked_when_its_limit_is_reached() -> None:
    assert 'bar-fill" width="40.0%"' in ui.meter(12, 30, "E-mails")
    assert 'bar-fill over" width="100.0%"' in ui.meter(31, 30, "E-mails")
    assert "over" in ui.meter(0, 0, "E-mails")


def test_a_gate_says_in_words_whether_it_is_met_and_escapes_what_it_measured() -> None:
    assert "Met: " in ui.gate(True, "Three categories", "3 of 3")
    html = ui.gate(False, "<b>Score</b>", "<i>1</i>")
    assert "Not met: " in html
    assert "<b>" not in html
    assert "<i>" not in html
