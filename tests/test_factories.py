"""The factories themselves pass every guard."""

import pytest

from tests import factories

pytestmark = pytest.mark.django_db


def test_an_approved_request_with_its_dispatch_can_be_made() -> None:
    request = factories.request()
    reviewer = factories.user(request.client)
    dispatch = factories.dispatch(factories.decision(request, reviewer))
    assert dispatch.status == "undo_hold"
    assert request.prospect.stage == "qualified"
