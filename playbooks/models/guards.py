"""What PostgreSQL refuses about playbooks: versions that change what they say, or who let them rule, when and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pgtrigger

from playbooks.rules.criteria import KINDS
from playbooks.rules.stages import MOVES, QUALIFIED, QUALIFYING, SKIPS
from salesops.guards import Guard, refuse

#: What the audit log says when a version comes to a status.
_SAID = {
    "draft": "playbook.sent_back",
    "in_review": "playbook.submitted",
    "approved": "playbook.approved",
    "active": "playbook.activated",
    "retired": "playbook.retired",
}
#: What may change of a version that has left draft: its place in life, who moved it there, and why.
_LIVELY = "{status,activated_at,activated_by_id,submitted_by_id,approved_by_id,change_note}"


def frozen_once_submitted() -> Guard:
    """A version's life goes its legal way; once it has left draft, what it says stays as it is."""
    return Guard(
        name="frozen",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            "IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (('draft','in_review'),"
            " ('in_review','draft'), ('in_review','approved'), ('approved','active'), ('active','retired'),"
            " ('retired','active'), ('approved','retired')) THEN "
            + refuse("% cannot make that status change")
            + " END IF; IF OLD.status <> 'draft' AND"
            f" to_jsonb(OLD) - '{_LIVELY}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{_LIVELY}'::text[] THEN "
            + refuse("% is frozen once it has left draft")
            + " END IF; RETURN NEW;"
        ),
    )


def begins_as_a_draft() -> Guard:
    """Whatever rules went through every step of its life, and stays with the playbook it was drafted for."""
    return Guard(
        name="begins_as_a_draft",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.Update,
        func=(
            "IF TG_OP = 'INSERT' THEN IF NEW.status <> 'draft' THEN "
            + refuse("% begins as a draft")
            + " END IF; RETURN NEW; END IF;"
            " IF OLD.playbook_id <> NEW.playbook_id THEN "
            + refuse("% stays with its playbook")
            + " END IF; RETURN NEW;"
        ),
    )


def keeps_its_history() -> Guard:
    """Why a version was let rule, by whom and since when is said with the step, and not put otherwise later."""
    return Guard(
        name="keeps_its_history",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            "IF OLD.status IN ('approved', 'active', 'retired') AND (OLD.change_note <> NEW.change_note"
            " OR (OLD.activated_at, OLD.activated_by_id) IS DISTINCT FROM (NEW.activated_at, NEW.activated_by_id)"
            " AND (OLD.status = 'active' OR NEW.status <> 'active')) THEN "
            + refuse("% keeps who let it rule, when and why")
            + " END IF; RETURN NEW;"
        ),
    )


def two_people_publish() -> Guard:
    """Who submitted and who approved are said with the step itself; two people where the playbook asks for two."""
    return Guard(
        name="two_people",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            "IF NEW.submitted_by_id IS DISTINCT FROM OLD.submitted_by_id AND OLD.status <> 'draft'"
            " AND NEW.status <> 'draft' OR NEW.approved_by_id IS DISTINCT FROM OLD.approved_by_id AND"
            " (OLD.status, NEW.status) <> ('in_review', 'approved') THEN "
            + refuse("% names who submitted and who approved it with the step itself")
            + " END IF; IF (OLD.status, NEW.status) IN (('in_review', 'approved'), ('approved', 'active'))"
            " AND (NEW.approved_by_id IS NULL OR NEW.approved_by_id = NEW.submitted_by_id)"
            " AND (SELECT two_person_publish FROM playbooks_playbook WHERE id = NEW.playbook_id) THEN "
            + refuse("% needs a second person to approve it")
            + " END IF; RETURN NEW;"
        ),
    )


def activation_is_now() -> Guard:
    """The log of what ruled when grows at its end only, by one row each time a version begins to rule."""
    return Guard(
        name="activation_is_now",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        declare=[("begun", "playbooks_playbookversion%ROWTYPE")],
        func=(
            "SELECT * INTO begun FROM playbooks_playbookversion WHERE id = NEW.version_id;"
            " IF begun.status IS DISTINCT FROM 'active' OR NEW.at < begun.activated_at THEN "
            + refuse("% is of a version that begins to rule")
            + " END IF; IF EXISTS (SELECT 1 FROM playbooks_activation a JOIN playbooks_playbookversion v"
            " ON v.id = a.version_id WHERE v.playbook_id = begun.playbook_id AND (a.at > NEW.at"
            " OR a.version_id = NEW.version_id AND a.at >= begun.activated_at)) THEN "
            + refuse("% follows whatever began to rule before it")
            + " END IF; RETURN NEW;"
        ),
    )


def _moves(table: Mapping[str, Iterable[tuple[str, str]]]) -> str:
    return ", ".join(f"('{line}','{source}','{target}')" for line, pairs in table.items() for source, target in pairs)


def says_enough() -> Guard:
    """Nothing leaves draft that says no customer, no scorecard, no way to qualify, or a move that does not exist.

    ``playbooks.rules.validation`` says the same, and more, field by field.
    """
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    return Guard(
        name="says_enough",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition("OLD.status = 'draft' AND NEW.status = 'in_review'"),
        func=(
            "IF NEW.root_intent = '' OR cardinality(NEW.countries) = 0"
            " OR NEW.icp_employees_min > NEW.icp_employees_max OR (CASE (SELECT p.kind FROM playbooks_playbook p"
            " WHERE p.id = NEW.playbook_id) WHEN 'household' THEN NOT EXISTS (SELECT 1 FROM playbooks_criterion c"
            " WHERE c.version_id = NEW.id AND c.layer IN ('behavioral', 'investment'))"
            " ELSE cardinality(NEW.icp_industries) = 0"
            " AND coalesce(NEW.icp_employees_min, NEW.icp_employees_max) IS NULL END) THEN "
            + refuse("% says what it is for, for whom and where before it leaves draft")
            + " END IF; IF EXISTS (SELECT 1 FROM playbooks_criterion c WHERE c.version_id = NEW.id"
            f" AND (c.kind NOT IN ({kinds}) OR c.weight >= 'infinity' OR c.kind = 'flag' AND c.weight > 0"
            " OR jsonb_typeof(c.params) <> 'object')) OR NOT EXISTS (SELECT 1 FROM playbooks_criterion c"
            " WHERE c.version_id = NEW.id AND c.scorecard = 'icp' AND c.weight > 0) THEN "
            + refuse("% has criteria that add up to a score before it leaves draft")
            + " END IF; IF EXISTS (SELECT 1 FROM playbooks_stagerule r WHERE r.version_id = NEW.id"
            f" AND (r.pipeline, r.from_stage, r.to_stage) NOT IN ({_moves(MOVES)})"
            f" AND NOT (r.route <> 'any' AND (r.pipeline, r.from_stage, r.to_stage) IN ({_moves(SKIPS)})))"
            " OR NOT EXISTS (SELECT 1 FROM playbooks_stagerule r WHERE r.version_id = NEW.id"
            f" AND (r.pipeline, r.from_stage, r.to_stage) = ('prospect', '{QUALIFYING}', '{QUALIFIED}')) THEN "
            + refuse("% rules moves that exist, to qualified too, before it leaves draft")
            + " END IF; RETURN NEW;"
        ),
    )


def stands_on_record() -> Guard:
    """At commit the audit log says how a version came to where it stands, and the log of what ruled when that it rules.

    Nobody lets another version rule, or none, and leaves no trace.
    """
    says = " ".join(f"WHEN '{status}' THEN '{event}'" for status, event in _SAID.items())
    events = ", ".join(f"'{event}'" for event in _SAID.values())
    return Guard(
        name="stands_on_record",
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        timing=pgtrigger.Deferred,
        condition=pgtrigger.Condition("OLD.status <> NEW.status"),
        declare=[("stands", "playbooks_playbookversion%ROWTYPE")],
        func=(
            "SELECT * INTO stands FROM playbooks_playbookversion WHERE id = NEW.id;"
            " IF (SELECT a.event FROM playbooks_auditentry a JOIN playbooks_playbook p ON p.client_id = a.client_id"
            " WHERE p.id = stands.playbook_id AND a.subject_type = 'playbooks.playbookversion'"
            f" AND a.subject_id = NEW.id AND a.event IN ({events}) ORDER BY a.seq DESC LIMIT 1)"
            f" IS DISTINCT FROM (CASE stands.status {says} END) THEN "
            + refuse("% changes its status on record, or not at all")
            + " END IF; IF stands.status = 'active' AND NOT EXISTS (SELECT 1 FROM playbooks_activation a"
            " WHERE a.version_id = NEW.id AND a.at >= stands.activated_at) THEN "
            + refuse("% rules by a row in the log of what ruled when")
            + " END IF; RETURN NULL;"
        ),
    )


def two_people_on_record() -> Guard:
    """Whether it takes two people to publish is changed on record: at commit the audit log says what holds now."""
    return Guard(
        name="two_people_on_record",
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        timing=pgtrigger.Deferred,
        condition=pgtrigger.Condition("OLD.two_person_publish <> NEW.two_person_publish"),
        func=(
            "IF (SELECT a.detail -> 'two_people' FROM playbooks_auditentry a WHERE a.client_id = NEW.client_id"
            " AND a.subject_type = 'playbooks.playbook' AND a.subject_id = NEW.id AND a.event = 'playbook.publishing'"
            " ORDER BY a.seq DESC LIMIT 1) IS DISTINCT FROM (SELECT to_jsonb(p.two_person_publish)"
            " FROM playbooks_playbook p WHERE p.id = NEW.id) THEN "
            + refuse("% asks for two people, or no more, on record alone")
            + " END IF; RETURN NULL;"
        ),
    )
