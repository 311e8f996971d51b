"""A search of the list against the plainest statement that says the same: who is found, in which order, by the page."""

from __future__ import annotations

from itertools import product

import pytest
from django.db import connection

from prospects.models import Prospect
from prospects.reading.list_page import ids_of_page
from prospects.reading.prospect_list import ProspectFilters, ranked_prospects
from prospects.services.merging import merges
from salesops.paging import Place
from tests import factories
from tests.prospects.pairs import pair

pytestmark = pytest.mark.django_db

#: Everybody who goes by a name that begins so, of the first names of each kind; where there are more of a kind, of the
#: best that pass the filter, too. No index could answer it.
PLAINLY = """
WITH heads AS (
    SELECT p.*, row_number() OVER (ORDER BY priority DESC, id DESC) AS rank FROM prospects_prospect p
    WHERE p.playbook_id = %(playbook)s AND p.merged_into_id IS NULL AND (%(route)s = '' OR p.route = %(route)s)
), names AS (
    SELECT 'company' AS kind, id AS company, NULL::bigint AS contact, lower(name) AS name, client_id
    FROM prospects_company
    UNION ALL SELECT 'domain', id, NULL, domain, client_id FROM prospects_company
    UNION ALL SELECT 'person', NULL, id, lower(name), client_id FROM prospects_contact
    UNION ALL SELECT 'email', NULL, id, email_key, client_id FROM prospects_contact
), begin AS (
    SELECT *, row_number() OVER (PARTITION BY kind ORDER BY name COLLATE "C") AS place FROM names
    WHERE client_id = %(client)s AND name <> '' AND starts_with(name, %(text)s)
), cut AS (SELECT EXISTS (SELECT FROM begin WHERE place > %(most)s) AS names)
SELECT heads.id, (SELECT names FROM cut) AND (SELECT count(*) FROM heads) > %(most)s
FROM heads WHERE EXISTS (
    SELECT FROM prospects_prospect r JOIN begin ON begin.company = r.company_id OR begin.contact = r.contact_id
    WHERE r.playbook_id = %(playbook)s AND heads.id = coalesce(r.merged_into_id, r.id)
    AND (begin.place <= %(most)s + 1 OR (heads.rank <= %(most)s + 1 AND (SELECT names FROM cut)))
) ORDER BY priority DESC, id DESC
"""
NAMES = (
    "Ember", "Embers & Sons", "EMBER Two", "ember three", "Émeraude", "émeu", "Emu", "100% Ember", "1000 Embers",
    "e_b", "exb", "E\\b", "Birch", "Ångström", "ångbåt", "Em'ber",
)  # fmt: skip
TEXTS = ("e", "em", "Ember", "É", "ång", "100%", "%", "_", "e_", "e\\", "em'", "dana", "dana 2", "nobody", "shop", "1")


@pytest.fixture
def version():
    """Prospects whose companies, sites and people are called alike; two merged, some under another playbook too."""
    version = factories.version()
    client, rows = version.playbook.client, []
    for number, name in enumerate(NAMES * 2):
        at = factories.company(client, name=f"{name} {number}", domain=f"shop{number}.example" if number % 3 else "")
        who = factories.contact(client, at, name=f"Dana {number}", email=f"e{number}@dana.example")
        route = ("hot", "cold")[number % 2]
        rows.append(factories.prospect(version, company=at, contact=who, priority=number * 7 % 5, route=route))
    other = factories.version(client)
    for row in rows[::4]:
        factories.prospect(other, company=row.company, contact=row.contact)
    alone = factories.contact(client, name="Ember Alone", email="alone@dana.example")
    Prospect.objects.create(client=client, playbook=version.playbook, contact=alone, source="file", route="hot")
    admin = factories.user(client, "admin")
    for kept, gone in ((rows[12], rows[6]), (rows[3], rows[20])):
        question = pair(kept.company, gone.company)
        merges.merge(question.pk, keep=kept.company_id, actor=admin, client=client)
    assert Prospect.objects.filter(playbook=version.playbook, merged_into__isnull=False).count() == 2
    return version


def test_a_search_finds_who_the_plainest_statement_finds_in_its_order_down_and_up(version):
    client, playbook = version.playbook.client, version.playbook
    cut, found = set(), set()
    for most, text, route in product((2, 5, 1000), TEXTS, ("", "hot")):
        expected, is_cut = plainly(version, text, route, most)
        assert pages(version, text, route, most, size=3) == (expected, is_cut), (most, text, route)
        cut |= {most} if is_cut else set()
        found |= {text} if expected else set()
        if most == 1000:
            everybody = ranked_prospects(client, playbook, ProspectFilters(q=text, route=route))
            assert {row.pk for row in everybody} == set(expected), (text, route)
    assert cut == {2, 5}
    assert found == {*TEXTS} - {"_", "%", "nobody"}


def plainly(version, text, route, most):
    named = {
        "text": text.lower(), "route": route, "most": most,
        "playbook": version.playbook_id, "client": version.playbook.client_id,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(PLAINLY, named)
        rows = cursor.fetchall()
    return [pk for pk, _ in rows], any(is_cut for _, is_cut in rows)


def pages(version, text, route, most, *, size):
    """All ids as the pager walks them down, having come up again the same way; and whether names were left out."""

    def page(place):
        found = ids_of_page(version.playbook.client, version.playbook, filters, place, size=size + 1, at_most=most)
        return found.ids, found.is_cut

    def at(pk):
        return Prospect.objects.values_list("priority", "pk").get(pk=pk)

    filters = ProspectFilters(q=text, route=route)
    found, is_cut = page(Place())
    down = found[:size]
    while len(found) > size:
        last = down[-size:]
        found, _ = page(Place(at(down[-1])))
        assert page(Place(at(found[0]), backwards=True))[0][:size] == last[::-1]
        down += found[:size]
    return down, bool(down) and is_cut
