"""What no keyboard types and no database takes ends as a bad request, not as a broken page."""

import pytest
from django.test import Client
from django.urls import reverse

from playbooks.models import Stop
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(factories.user(factories.version().playbook.client, "operator"))
    return client


@pytest.mark.parametrize("asked", ["prospects:list", "approvals:audit"])
def test_a_nul_in_an_address_is_a_bad_request(browser: Client, asked: str) -> None:
    assert browser.get(reverse(asked), {"q": "acme"}).status_code == 200
    assert browser.get(reverse(asked), {"q": "ac\0me"}).status_code == 400
    assert browser.get(reverse(asked), {"q\0": "acme"}).status_code == 400


def test_a_nul_in_a_path_is_a_bad_request(browser: Client) -> None:
    assert browser.get("/trace/ab%00cd/").status_code == 400
    assert Client().get("/u/ab%00cd/").status_code == 400


def test_a_nul_in_a_form_is_a_bad_request_and_changes_nothing(browser: Client) -> None:
    given = {"level": "client", "kind": "pause", "reason": "Wrong\0 list"}
    assert browser.post(reverse("stops"), given).status_code == 400
    assert not Stop.objects.exists()
