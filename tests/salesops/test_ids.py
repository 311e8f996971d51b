"""Whatever stands where an id should, pages answer without falling over."""

from __future__ import annotations

import pytest
from django.test import Client as Browser
from django.urls import reverse

from salesops.ids import id_in
from tests import factories

ENORMOUS = "9" * 25


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), (" 7 ", 7), ("0", 0), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5000, None), ("", None),
     (None, None), ("-7", None), ("7.0", None), ("٣", None), ("²", None), ("x", None)],
)  # fmt: skip
def test_an_id_is_a_number_that_a_row_can_have(text: str | None, number: int | None) -> None:
    assert id_in(text) == number


@pytest.mark.django_db
def test_an_enormous_number_is_nobody(client: Browser) -> None:
    version = factories.version()
    client.force_login(factories.user(version.playbook.client, "admin", "reviewer", "operator"))
    prospect = factories.prospect(version)
    asked = {
        reverse("trace", args=[prospect.pk]): {"prospect": ENORMOUS},
        reverse("stops"): {"prospect": ENORMOUS, "request": ENORMOUS, "playbook": ENORMOUS},
        reverse("prospects:list"): {"owner": ENORMOUS},
        reverse("prospects:funnel"): {"version": ENORMOUS},
        reverse("approvals:outbox"): {"after": ENORMOUS},
        reverse("approvals:tasks"): {"after": ENORMOUS},
        reverse("approvals:audit"): {"subject": f"Prospect:{ENORMOUS}", "actor": ENORMOUS},
        reverse("approvals:changes"): {"at": ENORMOUS},
    }
    assert [client.get(url, given).status_code for url, given in asked.items()] == [404, *[200] * (len(asked) - 1)]
    said = {
        reverse("retry"): {"prospect": ENORMOUS},
        reverse("run_agents"): {"playbook": ENORMOUS},
        reverse("approvals:bulk"): {"pick": f"{ENORMOUS}:x"},
        reverse("prospects:columns"): {"column": "stage", "place-stage": ENORMOUS},
    }
    assert [client.post(url, given).status_code for url, given in said.items()] == [409, 404, 302, 302]
