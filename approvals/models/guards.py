"""What PostgreSQL refuses about outreach: words that are not what was hashed, sends that nobody approved."""

from __future__ import annotations

from collections.abc import Iterable

import pgtrigger

from approvals.rules.sending import EXECUTORS
from playbooks.rules.halts import LOCK
from prospects.models.erasure_guards import OF_CONTACT, OF_EITHER, only_erased
from salesops.guards import Guard, refuse

#: Every legal move of a dispatch. ``sending`` is committed before the network is touched.
DISPATCH_MOVES = (
    ("undo_hold", "queued"),
    ("undo_hold", "cancelled"),
    ("queued", "sending"),
    ("queued", "cancelled"),
    ("queued", "postponed"),
    ("postponed", "queued"),
    ("postponed", "cancelled"),
    ("sending", "queued"),  # provably before acceptance: refused connection, 4xx before DATA
    ("sending", "accepted"),
    ("sending", "refused"),
    ("sending", "unknown"),
    ("unknown", "accepted"),
    ("unknown", "refused"),
)

#: Legal moves of a request: waiting again after a deferral ends or an approval is undone.
REQUEST_MOVES = (
    ("waiting", "approved"),
    ("waiting", "rejected"),
    ("waiting", "deferred"),
    ("waiting", "redraft"),
    ("waiting", "expired"),
    ("waiting", "cancelled"),
    ("deferred", "waiting"),
    ("deferred", "cancelled"),
    ("deferred", "expired"),
    ("approved", "waiting"),
)

#: Rows that speak of a person who is being erased (e) by way of another row.
OF_ITS_REQUEST = (
    "EXISTS (SELECT 1 FROM approvals_approvalrequest r WHERE r.id = OLD.request_id AND r.client_id = e.client_id"
    " AND r.contact_id = ANY(e.contact_ids))"
)
OF_ITS_DISPATCH = (
    "EXISTS (SELECT 1 FROM approvals_dispatch s WHERE s.id = OLD.dispatch_id AND s.client_id = e.client_id"
    " AND s.contact_id = ANY(e.contact_ids))"
)
# Mail that belongs to no dispatch is known by its address alone, as long as the contact still has it.
OF_ITS_MAIL = (
    f"({OF_ITS_DISPATCH} OR OLD.dispatch_id IS NULL AND EXISTS (SELECT 1 FROM prospects_contact k"
    " WHERE k.id = ANY(e.contact_ids) AND lower(OLD.rcpt_to) IN (lower(k.email), k.email_key)))"
)


# What a row says of the sandbox is what its client is in.
_CLIENTS_MODE = "(SELECT CASE WHEN c.sandbox THEN 'sandbox' ELSE 'live' END FROM playbooks_client c WHERE c.id = {})"


def _pairs(moves: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"('{source}','{target}')" for source, target in moves)


def content_is_hashed() -> Guard:
    """A message's content hash is recomputed on the way in."""
    return Guard(
        name="content_is_hashed",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            "IF NEW.content_hash <> salesops_content_hash(NEW.channel, NEW.recipient, NEW.sender,"
            " NEW.subject, NEW.body, NEW.attachments::text[], NEW.rule_version) THEN "
            + refuse("% does not hash to its content hash")
            + " END IF; IF EXISTS (SELECT 1 FROM unnest(NEW.evidence_ids) i WHERE NOT EXISTS (SELECT 1"
            " FROM prospects_evidence e WHERE e.id = i AND e.prospect_id = NEW.prospect_id)) THEN "
            + refuse("% cites evidence that is not its prospect''s")
            + " END IF; RETURN NEW;"
        ),
    )


def not_to_the_erased() -> Guard:
    """Nothing is drafted for somebody who was erased. Waits for an erasure that is being made."""
    return Guard(
        name="not_to_the_erased",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            "PERFORM 1 FROM prospects_contact k WHERE k.id = NEW.contact_id AND k.client_id = NEW.client_id"
            " AND k.erased_at IS NULL FOR KEY SHARE;"
            " IF NOT FOUND THEN "
            + refuse("% is for somebody who was erased, or another client''s")
            + " END IF; RETURN NEW;"
        ),
    )


def request_is_frozen() -> Guard:
    """The dossier never changes; the status moves only along its legal moves; the version only grows.

    A request becomes approved, rejected, deferred or handed back only together with the decision that says so.
    """
    return Guard(
        name="request_is_frozen",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            "IF (OLD.id, OLD.client_id, OLD.prospect_id, OLD.contact_id, OLD.playbook_version_id, OLD.message_id,"
            " OLD.channel, OLD.content_hash, OLD.facts_no, OLD.dossier, OLD.grade, OLD.composite, OLD.created_by_id,"
            " OLD.created_at, OLD.trace_id) IS DISTINCT FROM (NEW.id, NEW.client_id,"
            " NEW.prospect_id, NEW.contact_id, NEW.playbook_version_id, NEW.message_id, NEW.channel, NEW.content_hash,"
            " NEW.facts_no, NEW.dossier, NEW.grade, NEW.composite, NEW.created_by_id, NEW.created_at,"
            f" NEW.trace_id) AND NOT {only_erased('dossier', of=OF_EITHER)} OR NEW.version < OLD.version THEN "
            + refuse("% keeps its dossier")
            + " END IF; IF NEW.expires_at > OLD.expires_at AND NEW.version = OLD.version THEN "
            + refuse("% gets more time only by being asked anew")
            + " END IF; IF OLD.status <> NEW.status THEN"
            f" IF (OLD.status, NEW.status) NOT IN ({_pairs(REQUEST_MOVES)}) THEN "
            + refuse("% cannot make that status change")
            + " END IF; IF OLD.status = 'waiting' AND NEW.status IN ('approved','rejected','deferred','redraft')"
            " AND NOT EXISTS (SELECT 1 FROM approvals_decision d WHERE d.request_id = NEW.id"
            " AND d.request_version = OLD.version AND d.kind = ANY(CASE NEW.status"
            " WHEN 'approved' THEN ARRAY['approve','approve_edits'] WHEN 'rejected' THEN ARRAY['reject']"
            " WHEN 'deferred' THEN ARRAY['defer'] ELSE ARRAY['redraft'] END)) THEN "
            + refuse("% changes status only by a decision")
            + " END IF; IF OLD.status = 'approved' AND EXISTS (SELECT 1 FROM approvals_dispatch d"
            " WHERE d.request_id = NEW.id AND d.status <> 'cancelled') THEN "
            + refuse("% is asked again only once what was approved has been called off")
            + " END IF; END IF; RETURN NEW;"
        ),
    )


def request_matches_its_message() -> Guard:
    """A request asks for exactly one message: same prospect, contact, channel and content. It begins by waiting.

    The message passed compliance. The limits are those of a version that rules, or has ruled, this prospect.
    """
    return Guard(
        name="request_matches",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            "IF NEW.status <> 'waiting' THEN " + refuse("% begins by waiting") + " END IF;"
            " IF NOT EXISTS (SELECT 1 FROM approvals_message m WHERE m.id = NEW.message_id"
            " AND m.client_id = NEW.client_id AND m.prospect_id = NEW.prospect_id AND m.contact_id = NEW.contact_id"
            " AND m.channel = NEW.channel AND m.content_hash = NEW.content_hash AND m.compliance <> 'BLOCK') THEN "
            + refuse("% does not match its message")
            + " END IF; IF NOT EXISTS (SELECT 1 FROM prospects_prospect p JOIN playbooks_playbookversion v"
            " ON v.playbook_id = p.playbook_id WHERE p.id = NEW.prospect_id AND v.id = NEW.playbook_version_id"
            " AND v.status IN ('active', 'retired')) THEN "
            + refuse("% is under a version that does not rule its prospect")
            # Waits for a merge that is being made, which waits for nothing that is held here.
            + " END IF; PERFORM 1 FROM prospects_prospect p WHERE p.id = NEW.prospect_id AND p.merged_into_id IS NULL"
            " FOR SHARE; IF NOT FOUND THEN "
            + refuse("% is about a prospect that was merged into another")
            + " END IF; RETURN NEW;"
        ),
    )


# Other words than the request's are an edit of them, by somebody, from and to the same, and the decision says so; a
# later decision may take up the words of an earlier first approval.
_NEITHER_ASKED_NOR_EDITED = (
    "NEW.message_id <> asked.message_id AND NOT EXISTS (SELECT 1 FROM approvals_decision d"
    " WHERE d.request_id = NEW.request_id AND d.kind = 'first_approve' AND d.message_id = NEW.message_id)"
    " AND (NEW.kind NOT IN ('approve_edits', 'first_approve') OR words.edited_by_id IS NULL"
    " OR NOT (words.parent_id = asked.message_id OR EXISTS (SELECT 1 FROM approvals_decision d"
    " WHERE d.request_id = NEW.request_id AND d.message_id = words.parent_id))"
    " OR NOT EXISTS (SELECT 1 FROM approvals_message m WHERE m.id = asked.message_id"
    " AND (m.sender, m.recipient, m.attachments) = (words.sender, words.recipient, words.attachments)))"
)


def decision_is_current() -> Guard:
    """A person decides a waiting request, at its present version, on the very content they saw or edited."""
    return Guard(
        name="decision_is_current",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        declare=[("asked", "approvals_approvalrequest%ROWTYPE"), ("words", "approvals_message%ROWTYPE")],
        func=(
            # An old snapshot would show a role that was taken away since.
            "IF current_setting('transaction_isolation') <> 'read committed' THEN "
            + refuse("% is made on what is true now, not on an old snapshot")
            + " END IF; SELECT * INTO asked FROM approvals_approvalrequest WHERE id = NEW.request_id FOR UPDATE;"
            # Rows that come later in this transaction would satisfy a foreign key: what is judged is there already.
            " IF NOT FOUND OR asked.client_id <> NEW.client_id OR asked.status <> 'waiting'"
            " OR asked.version <> NEW.request_version THEN "
            + refuse("% is not about a waiting request as it stands")
            + " END IF;"
            " IF NEW.at < asked.created_at OR NEW.at >= asked.expires_at THEN "
            + refuse("% was not made while its request was open")
            + " END IF;"
            " IF NOT EXISTS (SELECT 1 FROM playbooks_membership b JOIN playbooks_user u ON u.id = b.user_id"
            " WHERE b.user_id = NEW.user_id AND b.client_id = NEW.client_id AND u.is_active"
            " AND b.role IN ('reviewer', 'leader', 'admin')) THEN "
            + refuse("% is by somebody who may not decide here")
            + " END IF;"
            " IF asked.created_by_id = NEW.user_id AND NEW.kind LIKE '%approve%' THEN "
            + refuse("% is by the maker of its request")
            + " END IF;"
            " SELECT * INTO words FROM approvals_message WHERE id = NEW.message_id;"
            " IF NOT FOUND OR words.content_hash <> NEW.content_hash OR words.prospect_id <> asked.prospect_id"
            " OR words.contact_id <> asked.contact_id OR words.channel <> asked.channel"
            " OR words.compliance = 'BLOCK' AND NEW.kind LIKE '%approve%' THEN "
            + refuse("% is about other words than its message")
            + " END IF;"
            f" IF {_NEITHER_ASKED_NOR_EDITED} THEN "
            + refuse("% is about other words than its request")
            + " END IF; RETURN NEW;"
        ),
    )


def dispatch_is_approved() -> Guard:
    """No dispatch without its approving decision, for the same person, channel and content, where its client is now.

    It starts in undo_hold.
    """
    return Guard(
        name="dispatch_is_approved",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            "IF NEW.status <> 'undo_hold' THEN " + refuse("% starts in undo_hold") + " END IF;"
            f" IF NEW.mode IS DISTINCT FROM {_CLIENTS_MODE.format('NEW.client_id')} THEN "
            + refuse("% goes where its client is when it is approved")
            + " END IF;"
            " IF NOT EXISTS (SELECT 1 FROM approvals_decision d"
            " JOIN approvals_approvalrequest r ON r.id = d.request_id JOIN approvals_message m ON m.id = d.message_id"
            " WHERE d.id = NEW.decision_id AND d.kind IN ('approve','approve_edits') AND d.request_id = NEW.request_id"
            " AND d.client_id = NEW.client_id AND d.message_id = NEW.message_id AND d.content_hash = NEW.content_hash"
            " AND r.prospect_id = NEW.prospect_id AND r.contact_id = NEW.contact_id AND r.channel = NEW.channel"
            " AND m.prospect_id = NEW.prospect_id AND m.contact_id = NEW.contact_id AND m.channel = NEW.channel"
            " AND m.recipient = NEW.recipient AND m.content_hash = NEW.content_hash) THEN "
            + refuse("% has no approving decision for exactly this")
            + " END IF; IF NOT EXISTS (SELECT 1 FROM approvals_decision d JOIN approvals_approvalrequest r"
            " ON r.id = d.request_id JOIN playbooks_playbookversion v ON v.id = r.playbook_version_id"
            " WHERE d.id = NEW.decision_id AND NEW.not_before >= d.at + v.undo_seconds * interval '1 second'"
            # A decision that says it was made long ago opens no window that is over; clocks may differ a bit.
            " AND NEW.not_before >= now() + v.undo_seconds * interval '1 second' - interval '10 seconds'"
            " AND NEW.expires_at <= d.at + v.request_hours * interval '1 hour') THEN "
            + refuse("% leaves after its undo window and before its approval is too old")
            + " END IF; IF EXISTS (SELECT 1 FROM approvals_approvalrequest r JOIN playbooks_playbookversion v"
            " ON v.id = r.playbook_version_id JOIN approvals_decision d ON d.id = NEW.decision_id"
            " WHERE r.id = NEW.request_id AND v.two_approvers AND NOT EXISTS (SELECT 1 FROM approvals_decision f"
            " WHERE f.request_id = r.id AND f.kind = 'first_approve' AND f.content_hash = NEW.content_hash"
            " AND f.user_id <> d.user_id)) THEN " + refuse("% needs a second approver") + " END IF; RETURN NEW;"
        ),
    )


WHAT_WAS_APPROVED = (
    "id", "client_id", "decision_id", "request_id", "prospect_id", "contact_id", "channel", "message_id",
    "content_hash", "recipient", "idempotency_key", "created_at", "trace_id", "mode", "person_keys",
)  # fmt: skip


def _of(row: str, columns: Iterable[str]) -> str:
    return f"({', '.join(f'{row}.{column}' for column in columns)})"


def dispatch_moves() -> Guard:
    """What is sent, and to whom, never changes; the status moves legally and is claimed before it sends."""
    return Guard(
        name="dispatch_moves",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            f"IF {_of('OLD', WHAT_WAS_APPROVED)} IS DISTINCT FROM {_of('NEW', WHAT_WAS_APPROVED)}"
            f" AND NOT {only_erased('recipient', 'reason', 'person_keys', of=OF_CONTACT)}"
            " OR NEW.expires_at > OLD.expires_at OR NEW.attempts < OLD.attempts"
            " OR (OLD.status = 'undo_hold' AND NEW.not_before < OLD.not_before) THEN "
            + refuse("% keeps what was approved")
            + " END IF; IF OLD.status <> NEW.status"
            f" AND (OLD.status, NEW.status) NOT IN ({_pairs(DISPATCH_MOVES)}) THEN "
            + refuse("% cannot make that status change")
            + " END IF; IF OLD.status <> NEW.status AND NEW.status = 'sending' AND (NEW.token IS NULL"
            " OR NEW.attempts <> OLD.attempts + 1 OR clock_timestamp() < OLD.not_before) THEN "
            + refuse("% must be claimed, and due, before it sends")
            + " END IF; IF OLD.status <> NEW.status AND NEW.status = 'sending'"
            f" AND NEW.mode <> {_CLIENTS_MODE.format('NEW.client_id')} THEN "
            + refuse("% goes out as it was approved, or not at all")
            + " END IF; IF OLD.status <> NEW.status AND NEW.status = 'sending' AND NOT EXISTS (SELECT 1"
            " FROM approvals_approvalrequest r WHERE r.id = NEW.request_id AND r.status = 'approved') THEN "
            + refuse("% is of a request that is not approved any more")
            + " END IF; IF OLD.status <> NEW.status AND NEW.status = 'sending' AND EXISTS (SELECT 1"
            " FROM prospects_prospect p, prospects_contact k WHERE p.id = NEW.prospect_id AND k.id = NEW.contact_id"
            " AND (p.merged_into_id IS NOT NULL OR k.merged_into_id IS NOT NULL)) THEN "
            + refuse("% is for somebody who was merged into another")
            + " END IF; IF OLD.status <> NEW.status AND NEW.status = 'sending' AND EXISTS (SELECT 1"
            " FROM prospects_contact k WHERE k.id = NEW.contact_id AND k.erased_at IS NOT NULL) THEN "
            + refuse("% is for somebody who was erased")
            + " END IF; IF OLD.status = 'undo_hold' AND NEW.status = 'queued'"
            " AND clock_timestamp() < OLD.not_before THEN "
            + refuse("% is still in its undo window")
            + " END IF; RETURN NEW;"
        ),
    )


def nothing_holds_it() -> Guard:
    """What leaves has not expired, nothing that covers it is stopped, and the person has not asked to be left alone.

    All as of this very moment: an old snapshot would not show it, so there is none; and it waits for a stop that is
    being set, as ``playbooks.services.stops.hold_steady`` does.
    """
    agents = " ".join(f"WHEN '{channel}' THEN '{agent}'" for channel, agent in EXECUTORS.items())
    return Guard(
        name="nothing_holds_it",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition("NEW.status = 'sending' AND OLD.status <> 'sending'"),
        func=(
            "IF current_setting('transaction_isolation') <> 'read committed' THEN "
            + refuse("% leaves on what is true now, not on an old snapshot")
            + f" END IF; PERFORM pg_advisory_xact_lock_shared({LOCK[0]}, {LOCK[1]});"
            " IF clock_timestamp() >= OLD.expires_at THEN "
            + refuse("% has outlived its approval")
            + " END IF; IF EXISTS (SELECT 1 FROM playbooks_stop s WHERE s.lifted_at IS NULL"
            " AND (s.until IS NULL OR s.until > clock_timestamp()) AND (s.level = 'everything'"
            " OR s.client_id = NEW.client_id AND (s.level = 'client'"
            f" OR s.level = 'agent' AND s.agent = CASE NEW.channel {agents} END"
            " OR s.level = 'playbook' AND s.target_id = (SELECT p.playbook_id FROM prospects_prospect p"
            " WHERE p.id = NEW.prospect_id) OR s.level = 'prospect' AND s.target_id = NEW.prospect_id"
            " OR s.level = 'request' AND s.target_id = NEW.request_id))) THEN "
            + refuse("% is stopped")
            + " END IF; IF EXISTS (SELECT 1 FROM approvals_suppression u WHERE u.key_hash = ANY(NEW.person_keys)"
            " AND (u.client_id IS NULL OR u.client_id = NEW.client_id)) THEN "
            + refuse("% is for somebody who asked not to be contacted")
            + " END IF; RETURN NEW;"
        ),
    )
