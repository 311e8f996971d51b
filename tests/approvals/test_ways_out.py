"""Every channel leaves its own way: what has none is refused in words, and nothing ever leaves by another's."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch, Task
from approvals.rules.sending import EXECUTORS, WAYS, no_way_out
from approvals.services import decide, dispatch
from approvals.services.dispatch import Claim
from approvals.services.refusals import CannotSend
from playbooks.models import Channel
from tests import factories as make
from tests.approvals.cheats import draft_dispatch, execute, refused
from tests.approvals.scene import Scene, reload, scene, soon

pytestmark = pytest.mark.django_db
OTHERS = ["sms", "linkedin", "call"]


@pytest.fixture
def at_work() -> Scene:
    return scene()


def asked(at_work: Scene, channel: str) -> ApprovalRequest:
    """A request on another channel than e-mail, to somebody who has an e-mail address all the same."""
    company = make.company(at_work.client)
    person = make.contact(at_work.client, company, phone="+1 217 555 0142")
    prospect = make.qualified(at_work.version, company=company, contact=person)
    words = {**at_work.words(person), "channel": channel, "recipient": person.phone}
    return make.request(words=make.message(prospect, at_work.version, **words))


def approved(at_work: Scene, request: ApprovalRequest) -> Dispatch:
    """As if compliance and the decision had let it pass."""
    made = make.dispatch(make.decision(request, at_work.reviewer))
    execute("UPDATE approvals_approvalrequest SET status = 'approved' WHERE id = %s", [request.pk])
    return made


def test_every_channel_has_an_executor_and_all_but_text_messages_a_way_out() -> None:
    assert set(EXECUTORS) == set(Channel.values)
    assert {channel for channel in Channel.values if no_way_out(channel)} == {"sms"} == set(Channel.values) - set(WAYS)


def test_nobody_can_approve_what_has_no_way_out(at_work: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(at_work, "sms")
    monkeypatch.setattr(decide, "_check_words", lambda case, message: None)  # compliance lets it pass
    with pytest.raises(CannotSend, match="nothing here sends text messages"):
        at_work.approve(request)
    assert (reload(request).status, Dispatch.objects.count()) == ("waiting", 0)


def test_the_outbox_cancels_it_with_the_reason(at_work: Scene, office: Any) -> None:
    held = approved(at_work, asked(at_work, "sms"))
    dispatch.sweep(at=soon())
    after = reload(held)
    assert (after.status, after.reason) == (
        "cancelled", "nothing here sends text messages: the channel has no hand-off",
    )  # fmt: skip
    assert office.received == []


def test_even_a_claimed_one_reaches_no_mail_server(at_work: Scene, office: Any) -> None:
    claimed = approved(at_work, asked(at_work, "sms"))
    token = uuid.uuid4()
    execute("UPDATE approvals_dispatch SET status = 'queued' WHERE id = %s", [claimed.pk])
    execute(
        "UPDATE approvals_dispatch SET status = 'sending', token = %s, claimed_at = now(), lease_until = %s,"
        " attempts = 1, mode = 'sandbox', budget_reserved = false WHERE id = %s",
        [token, timezone.now() + timedelta(minutes=5), claimed.pk],
    )
    dispatch.act(Claim(reload(claimed), token))
    after = reload(claimed)
    assert after.status == "refused"
    assert Task.objects.get(dispatch=claimed).detail.count("nothing here sends text messages") == 1
    assert office.received == []


@pytest.mark.parametrize("channel", OTHERS)
def test_postgresql_lets_no_other_channels_approval_become_an_email(at_work: Scene, channel: str) -> None:
    request = asked(at_work, channel)
    decision = make.decision(request, at_work.reviewer)
    refused(*draft_dispatch(decision, channel="email"), says="no approving")
    refused(*draft_dispatch(decision, channel="email", recipient=request.contact.email), says="no approving")
    made = make.dispatch(decision)
    refused("UPDATE approvals_dispatch SET channel = 'email' WHERE id = %s", [made.pk], says="keeps what was approved")
    refused(
        "UPDATE approvals_approvalrequest SET channel = 'email' WHERE id = %s", [request.pk], says="keeps its dossier"
    )
    refused("UPDATE approvals_message SET channel = 'email' WHERE id = %s", [request.message_id], says="append-only")
