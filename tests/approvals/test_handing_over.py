"""What is sent hands the prospect over, with what was said, under the dispatch's own trace id."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from approvals.services import dispatch
from prospects.models import Handoff
from tests import factories
from tests.approvals.scene import Scene, soon

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_message_hands_over_to_whoever_has_the_next_move(office: Any) -> None:
    version = factories.version(active=False, undo_seconds=0)
    version.stage_rules.filter(from_stage="contacted").update(team="conversion")
    factories.activate(version)
    client = version.playbook.client
    sent = Scene(client, version, factories.user(client)).approved()
    dispatch.sweep(at=soon())
    sent.refresh_from_db()
    assert sent.status == "accepted"
    handed = Handoff.objects.get(prospect=sent.prospect_id)
    assert (handed.to_team, handed.stage, handed.trace_id) == ("conversion", "contacted", sent.trace_id)
    (touch,) = handed.summary["touches"]
    assert (touch["channel"], touch["subject"]) == ("email", sent.message.subject)
    assert handed.at <= timezone.now()
