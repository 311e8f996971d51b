"""When two records turn out to be one: what waits is withdrawn, what left counts, nobody is written to twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch, Task
from approvals.services import checks, dispatch, settle, suppress
from approvals.services.checks import Due, Obstacle
from approvals.services.refusals import AlreadyDecided
from playbooks.models import AuditEntry, Role
from prospects.models import Merge, Prospect
from prospects.services.merging import merges
from salesops.runtime import ports
from tests import factories as make
from tests.approvals.scene import Scene, reload, scene, soon
from tests.prospects.pairs import pair
from tests.refusals import refuses


@pytest.fixture
def here() -> Scene:
    return scene()


def one_company(here: Scene, kept: ApprovalRequest, merged: ApprovalRequest) -> Merge:
    """Somebody says that the two prospects' companies are one."""
    found = pair(kept.prospect.company, merged.prospect.company)
    actor = make.user(here.client, Role.ADMIN)
    return merges.merge(found.pk, actor=actor, client=here.client, keep=kept.prospect.company_id)


def one_person(here: Scene, kept: ApprovalRequest, merged: ApprovalRequest) -> Merge:
    found = pair(kept.contact, merged.contact)
    return merges.merge(found.pk, actor=make.user(here.client, Role.ADMIN), client=here.client, keep=kept.contact_id)


pytestmark = pytest.mark.django_db


def test_what_waits_for_the_merged_prospect_is_withdrawn_and_logged(here: Scene) -> None:
    kept, merged = here.request(), here.request()
    task = Task.objects.create(client=here.client, kind=Task.Kind.REVIEW, prospect=merged.prospect, title="Decide soon")
    one_company(here, kept, merged)
    assert (reload(kept).status, reload(merged).status) == ("waiting", "cancelled")
    assert AuditEntry.objects.filter(event="request.cancelled", subject_id=merged.pk).count() == 1
    assert (reload(task).status, reload(task).resolution) == ("done", "merged")
    with pytest.raises(AlreadyDecided):
        here.approve(merged)


def test_an_approved_message_that_has_not_left_is_called_back(here: Scene) -> None:
    kept, held = here.request(), here.approved()
    one_company(here, kept, held.request)
    assert (reload(held).status, reload(held).reason) == ("cancelled", checks.MERGED)
    assert dispatch.claim_next(at=soon()) is None


def test_what_is_on_its_way_is_settled_and_counts_for_the_kept_one(here: Scene) -> None:
    kept, sending = here.request(), here.approved()
    dispatch.queue_due(limit=10)
    claim = dispatch.claim_next(at=soon())
    assert isinstance(claim, dispatch.Claim)
    one_company(here, kept, sending.request)
    one_person(here, kept, sending.request)
    assert reload(sending).status == "sending"
    assert settle.settle(sending.pk, claim.token, settle.given_to_a_person(), at=timezone.now())
    assert reload(sending).status == "accepted"
    obstacle = last_look(here, approved(here, kept))
    assert obstacle is not None
    assert obstacle.reason == "1 of 1 touches in 24 hours"


def approved(here: Scene, request: ApprovalRequest) -> Dispatch:
    made = here.approve(request).dispatch
    assert made is not None
    return made


def last_look(here: Scene, made: Dispatch) -> Obstacle | None:
    row = Dispatch.objects.select_related(*dispatch.RELATED).get(pk=made.pk)
    return checks.first_obstacle(Due(row, here.version, soon() + timedelta(minutes=1)))


def test_the_last_look_holds_back_what_slipped_through(here: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, merged = here.request(), here.request()
    ours = approved(here, merged)
    monkeypatch.setitem(ports.merge_listeners, "approvals", lambda notice: None)
    one_company(here, kept, merged)
    obstacle = last_look(here, ours)
    assert obstacle is not None
    assert (obstacle.reason, obstacle.until) == (checks.MERGED, None)
    dispatch.queue_due(limit=10)
    refuses(
        "UPDATE approvals_dispatch SET status = 'sending', attempts = attempts + 1, token = gen_random_uuid(),"
        " claimed_at = now(), lease_until = now() WHERE id = %s",
        [ours.pk],
        because="merged into another",
    )


def test_no_request_is_made_for_a_merged_prospect(here: Scene) -> None:
    kept, merged = here.request(), here.request()
    one_company(here, kept, merged)
    words = make.message(reload(merged.prospect), here.version, **here.words(merged.contact))
    with pytest.raises(IntegrityError, match="merged into another"), transaction.atomic():
        make.request(words=words)


def test_a_person_who_said_no_under_one_record_said_it_under_all(here: Scene) -> None:
    kept, merged = here.request(), here.request()
    suppress.add(
        [("email", merged.contact.email_key)], client=here.client, actor=None, reason="asked us to stop", source="test"
    )
    assert suppress.suppressed(here.client, [kept.contact]) == set()
    row = one_person(here, kept, merged)
    assert suppress.suppressed(here.client, [reload(kept.contact)]) == {kept.contact_id}
    merges.undo(row.pk, actor=make.user(here.client, Role.ADMIN), client=here.client)
    assert suppress.suppressed(here.client, [reload(kept.contact)]) == set()


def test_undoing_brings_nothing_back_that_was_withdrawn_but_both_are_worked_again(here: Scene) -> None:
    kept, merged = here.request(), here.request()
    row = one_company(here, kept, merged)
    merges.undo(row.pk, actor=make.user(here.client, Role.ADMIN), client=here.client)
    assert reload(merged).status == "cancelled"
    assert {kept.prospect_id, merged.prospect_id} <= set(Prospect.objects.due().values_list("pk", flat=True))
