"""The lists of deals and customers, and the page on which a person moves them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.models import Client
from prospects.models import Customer, Deal, Prospect
from tests import factories
from tests.prospects.test_deals import playbook

pytestmark = pytest.mark.django_db


def signed_in(browser: Browser, owner: Client, *roles: str) -> Browser:
    browser.force_login(factories.user(owner, *roles))
    return browser


def at(prospect: Prospect) -> str:
    return reverse("prospects:pipelines", args=[prospect.pk])


def test_a_person_takes_a_prospect_from_answer_to_customer_on_one_page(client: Browser) -> None:
    version = factories.version()
    who = factories.move(factories.qualified(version), version, "contacted", "engaged")
    browser = signed_in(client, who.client)
    browser.post(reverse("prospects:move", args=[who.pk]), {"to": "converted"})
    deal = Deal.objects.get(prospect=who)
    for to in ("proposal", "negotiation"):
        browser.post(reverse("prospects:move_deal", args=[deal.pk]), {"to": to})
    browser.post(
        reverse("prospects:move_deal", args=[deal.pk]), {"to": "won", "amount": "7200.50", "reason": "Signed."}
    )
    customer = Customer.objects.get(deal=deal)
    answer = browser.post(
        reverse("prospects:move_customer", args=[customer.pk]), {"to": "healthy", "reason": ""}, follow=True
    )
    page = answer.content.decode()
    assert answer.redirect_chain[-1][0] == at(who)
    assert "7,200.50" in page
    assert "Negotiation → Won" in page
    assert "Signed." in page
    assert "Onboarding → Healthy" in page


def test_gates_show_the_numbers_and_an_unmet_move_has_no_button(client: Browser) -> None:
    version = playbook()
    who = factories.move(factories.qualified(version), version, "contacted", "engaged", "converted")
    deal = Deal.objects.create(
        client=who.client, playbook=who.playbook, prospect=who, amount=1, currency="USD", trace_id="x"
    )
    browser = signed_in(client, who.client)
    page = browser.get(at(who)).content.decode()
    assert "BANT is not known yet; 70 is needed." in page
    assert "Passes over proposal and negotiation." in page
    assert 'value="proposal"' not in page
    answer = browser.post(reverse("prospects:move_deal", args=[deal.pk]), {"to": "proposal"}, follow=True)
    assert "Not yet proposal: BANT is not known yet; 70 is needed." in answer.content.decode()


def test_an_exit_without_a_reason_is_refused_in_words(client: Browser) -> None:
    who = factories.prospect()
    browser = signed_in(client, who.client)
    answer = browser.post(reverse("prospects:move", args=[who.pk]), {"to": "closed"}, follow=True)
    assert "Give the reason" in answer.content.decode()
    browser.post(reverse("prospects:move", args=[who.pk]), {"to": "closed", "reason": "Moved abroad."})
    who.refresh_from_db()
    assert who.stage == "closed"


def test_who_may_only_read_sees_no_forms_and_moves_nothing(client: Browser) -> None:
    deal = factories.deal()
    browser = signed_in(client, deal.client, "operator")
    assert 'name="to"' not in browser.get(at(deal.prospect)).content.decode()
    assert browser.post(reverse("prospects:move_deal", args=[deal.pk]), {"to": "proposal"}).status_code == 403


def test_another_deal_is_opened_named_and_valued(client: Browser) -> None:
    deal = factories.deal()
    browser = signed_in(client, deal.client)
    opening = reverse("prospects:open_deal", args=[deal.prospect_id])
    browser.post(opening, {"name": "Second roof", "amount": "1200"})
    second = Deal.objects.latest("pk")
    browser.post(reverse("prospects:change_deal", args=[second.pk]), {"name": "Third roof", "amount": "900"})
    second.refresh_from_db()
    assert (second.name, second.amount, second.prospect_id) == ("Third roof", 900, deal.prospect_id)
    refused = browser.post(opening, {"name": "x", "amount": "-1"}, follow=True)
    assert "Amount:" in refused.content.decode()
    assert Deal.objects.count() == 2


def test_the_lists_narrow_by_stage_and_say_what_would_fill_them(client: Browser) -> None:
    version = factories.version()
    browser = signed_in(client, version.playbook.client)
    assert "No deals yet" in browser.get(reverse("prospects:deals")).content.decode()
    assert "No customers yet" in browser.get(reverse("prospects:customers")).content.decode()
    deal = factories.deal(version, name="First roof")
    customer = factories.customer(version)
    shown = browser.get(reverse("prospects:deals"), {"stage": "won"}).content.decode()
    assert "First roof" not in shown
    assert f"#deal-{customer.deal_id}" in shown
    assert deal.name in browser.get(reverse("prospects:deals"), {"stage": "nonsense"}).content.decode()
    part = browser.get(reverse("prospects:customers"), headers={"HX-Request": "true", "HX-Target": "rows"})
    assert part.content.decode().lstrip().startswith('<div id="rows"')


@pytest.mark.parametrize("name", ["deals", "customers", "pipelines"])
def test_pages_ask_as_many_questions_of_many_as_of_few(client: Browser, name: str) -> None:
    version = factories.version()
    browser = signed_in(client, version.playbook.client)
    customer = factories.customer(version)
    url = at(customer.prospect) if name == "pipelines" else reverse(f"prospects:{name}")
    counts = []
    for more in (0, 3):
        for number in range(more):
            factories.customer(version)
            Deal.objects.create(
                client=customer.client, playbook=customer.playbook, prospect=customer.prospect, amount=number,
                currency="USD", trace_id="x",
            )  # fmt: skip
        browser.get(url)
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(url).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 26


def test_the_prospects_page_brings_both_in_and_links_to_them_without_scripts(client: Browser) -> None:
    deal = factories.deal(name="First roof")
    browser = signed_in(client, deal.client)
    page = browser.get(deal.prospect.get_absolute_url()).content.decode()
    for name, words in (("pipelines", "First roof"), ("buying", "Nothing heard.")):
        url = reverse(f"prospects:{name}", args=[deal.prospect_id])
        assert f'hx-get="{url}"' in page
        assert f'href="{url}"' in page
        part = browser.get(url, headers={"HX-Request": "true", "HX-Target": name}).content.decode()
        assert part.lstrip().startswith(f'<div id="{name}"')
        assert words in part
