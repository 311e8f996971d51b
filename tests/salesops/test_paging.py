"""Keyset paging."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from playbooks.models import Client
from salesops.paging import Page, keyset_page
from tests import factories

pytestmark = pytest.mark.django_db
KEYS = ("name", "-id")


def page_of(**query: str) -> Page[Client]:
    return keyset_page(Client.objects.all(), keys=KEYS, request=RequestFactory().get("/", query), size=3)


@pytest.fixture
def names() -> list[int]:
    for name in ("b", "a", "c", "a", "b", "d", "a"):
        factories.client(name=name)
    return list(Client.objects.order_by(*KEYS).values_list("pk", flat=True))


def test_forwards_then_backwards_shows_every_row_once(names: list[int]) -> None:
    first = page_of()
    assert first.previous is None
    second = page_of(after=first.next)
    third = page_of(after=second.next)
    assert [row.pk for page in (first, second, third) for row in page.items] == names
    assert third.next is None
    assert [row.pk for row in page_of(before=third.previous).items] == [row.pk for row in second.items]
    assert page_of(before=second.previous).previous is None


@pytest.mark.parametrize("cursor", ["nonsense", "W10", "bnVsbA", "%%%", "eyJhIjoxfQ"])
def test_a_cursor_that_cannot_be_read_gives_the_first_page(names: list[int], cursor: str) -> None:
    assert [row.pk for row in page_of(after=cursor).items] == names[:3]


def test_a_cursor_made_for_another_order_gives_the_first_page(names: list[int]) -> None:
    other = keyset_page(Client.objects.all(), keys=("-id",), request=RequestFactory().get("/"), size=3)
    assert [row.pk for row in page_of(after=other.next).items] == names[:3]


def test_each_page_is_one_query(names: list[int], django_assert_num_queries) -> None:
    with django_assert_num_queries(1):
        page_of()
