"""What PostgreSQL refuses about playbooks: versions that change what they say, or who let them rule, when and why."""

from __future__ import annotations

import pgtrigger

from salesops.guards import Guard, refuse

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
            " IF begun.status <> 'active' OR NEW.at < begun.activated_at THEN "
            + refuse("% is of a version that begins to rule")
            + " END IF; IF EXISTS (SELECT 1 FROM playbooks_activation a JOIN playbooks_playbookversion v"
            " ON v.id = a.version_id WHERE v.playbook_id = begun.playbook_id AND (a.at > NEW.at"
            " OR a.version_id = NEW.version_id AND a.at >= begun.activated_at)) THEN "
            + refuse("% follows whatever began to rule before it")
            + " END IF; RETURN NEW;"
        ),
    )
