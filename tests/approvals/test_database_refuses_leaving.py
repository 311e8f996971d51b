"""Raw SQL about what is due and must stay all the same: stopped, expired, not to be contacted, or seen long ago."""

from datetime import timedelta

import psycopg
import pytest
from django.db import transaction
from django.utils import timezone

from approvals.models import Dispatch
from approvals.services import dispatch, suppress
from playbooks.models import Stop
from tests import factories as make
from tests.approvals.cheats import draft_decision, draft_dispatch, execute, refused
from tests.approvals.scene import reload, scene
from tests.refusals import elsewhere

pytestmark = pytest.mark.django_db

CLAIM = "UPDATE approvals_dispatch SET status = 'sending', token = gen_random_uuid(), attempts = attempts + 1"
DUE = "UPDATE approvals_dispatch SET status = 'queued'"


@pytest.fixture
def at_work():
    return scene()


@pytest.fixture
def due(at_work):
    made = at_work.approved()
    execute(DUE)
    return made


def stopped(at_work, due, level, **fields):
    target = {"playbook": at_work.version.playbook_id, "prospect": due.prospect_id, "request": due.request_id}
    return Stop.objects.create(
        client=None if level == "everything" else at_work.client, level=level, target_id=target.get(level),
        agent="email_execution" if level == "agent" else "", reason="Look first.", created_by=at_work.reviewer,
        **fields,
    )  # fmt: skip


@pytest.mark.parametrize("level", Stop.Level.values)
@pytest.mark.parametrize("kind", Stop.Kind.values)
def test_sending_under_a_stop(at_work, due, level, kind):
    stop = stopped(at_work, due, level, kind=kind)
    refused(CLAIM, says="is stopped")
    execute(
        "UPDATE playbooks_stop SET lifted_at = now(), lifted_by_id = created_by_id, lift_reason = 'x' WHERE id = %s",
        [stop.pk],
    )
    execute(CLAIM)


def test_a_stop_of_something_else_or_that_is_over_stops_nothing(at_work, due):
    other = scene()
    for level in ("client", "playbook", "prospect", "request"):
        stopped(other, other.approved(), level)
    stopped(at_work, due, "client", until=timezone.now() - timedelta(seconds=1))
    Stop.objects.create(
        client=at_work.client, level="agent", agent="call_execution", reason="x", created_by=at_work.reviewer
    )
    execute(f"{CLAIM} WHERE id = %s", [due.pk])


def test_sending_what_has_outlived_its_approval(due):
    execute("UPDATE approvals_dispatch SET expires_at = clock_timestamp()")
    refused(CLAIM, says="outlived its approval")


@pytest.mark.parametrize("everywhere", [False, True])
def test_sending_to_somebody_who_has_asked_not_to_be_contacted(at_work, due, everywhere):
    suppress.suppress_contact(due.contact, client=make.client(), actor=None, reason="asked", source="test")
    suppress.suppress_contact(at_work.request().contact, client=at_work.client, actor=None, reason="x", source="test")
    with transaction.atomic():
        execute(CLAIM)
        transaction.set_rollback(True)
    keys = suppress.keys_of(due.contact)
    key = suppress.key_hash("domain", keys["domain"])
    execute(
        "INSERT INTO approvals_suppression (client_id, scope, key_hash, reason, source, created_at, trace_id)"
        " VALUES (%s, 'domain', %s, 'asked', '', now(), '')", [None if everywhere else at_work.client.pk, key],
    )  # fmt: skip
    refused(CLAIM, says="asked not to be contacted")


def test_forgetting_by_what_somebody_is_suppressed(due):
    assert due.person_keys
    refused("UPDATE approvals_dispatch SET person_keys = '{}'", says="keeps what was approved")


def test_the_number_of_a_request_or_a_sending_changed_to_slip_from_under_its_stop(at_work, due):
    refused("UPDATE approvals_approvalrequest SET id = id + 1000", says="keeps its dossier")
    refused("UPDATE approvals_dispatch SET id = id + 1000", says="keeps what was approved")
    stop = stopped(at_work, due, "request")
    refused("UPDATE playbooks_stop SET id = id + 1000 WHERE id = %s", [stop.pk], says="made with")


def test_a_guard_that_knows_better_puts_off_its_own_dispatch_alone(at_work, due):
    """PostgreSQL's clock says that the pause is on; ours, that it has ended."""
    stopped(at_work, due, "prospect", until=timezone.now() + timedelta(seconds=30))
    free = at_work.approved()
    later = timezone.now() + timedelta(seconds=60)
    dispatch.queue_due(limit=9)
    first, second = dispatch.claim_next(at=later), dispatch.claim_next(at=later)
    assert isinstance(first, dispatch.HeldBack)
    assert "could not be made" in reload(due).reason
    assert (reload(due).status, reload(due).token) == ("postponed", None)
    assert isinstance(second, dispatch.Claim)
    assert second.dispatch.pk == free.pk


# --- Out of order -----------------------------------------------------------------------------------------------------


def test_deciding_before_there_is_anything_to_decide(at_work):
    """A foreign key is content with what comes later in the transaction; a guard is not."""
    request_ = at_work.request()
    refused(*draft_decision(at_work, request_, request_id=request_.pk + 1000), says="as it stands")
    refused(*draft_decision(at_work, request_, message_id=request_.message_id + 1000), says="other words")


def test_a_decision_that_says_it_was_made_long_ago_opens_no_window_that_is_over():
    at_work = scene(undo_seconds=3600)
    request_ = at_work.request(created_at=timezone.now() - timedelta(hours=5))
    execute(*draft_decision(at_work, request_, at=timezone.now() - timedelta(hours=4)))
    decision = request_.decisions.get()
    refused(*draft_dispatch(decision), says="after its undo window")


# --- At once ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_sending_on_an_old_snapshot_that_does_not_show_the_stop(at_work, due):
    with elsewhere() as old, old.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM playbooks_stop")
        stopped(at_work, due, "client")
        with pytest.raises(psycopg.errors.IntegrityError, match="not on an old snapshot"):
            cursor.execute(CLAIM)
    assert Dispatch.objects.get().status == "queued"


@pytest.mark.django_db(transaction=True)
def test_deciding_on_an_old_snapshot_that_still_shows_the_role(at_work):
    request_ = at_work.request()
    with elsewhere() as old, old.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM playbooks_membership")
        at_work.reviewer.memberships.all().delete()
        with pytest.raises(psycopg.errors.IntegrityError, match="not on an old snapshot"):
            cursor.execute(*draft_decision(at_work, request_))
    assert not request_.decisions.exists()
