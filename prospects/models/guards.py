"""What PostgreSQL refuses about prospects: stages without a log row, moves without evidence, borrowed facts."""

from __future__ import annotations

import pgtrigger

from playbooks.rules.stages import BY_REASON, FIRST, MOVES, SKIPS
from salesops.guards import Guard, refuse

#: Pipeline → the table whose rows move through it, and the column by which the log names one.
_MOVED = {
    "prospect": ("prospects_prospect", "prospect_id"),
    "deal": ("prospects_deal", "deal_id"),
    "customer": ("prospects_customer", "customer_id"),
}


def starts_as_sourced() -> Guard:
    """A prospect is sourced at birth. Looked at afterwards: a guard before each row would stop COPY from batching."""
    return Guard(
        name="starts_as_sourced",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        condition=pgtrigger.Condition("NEW.stage <> 'sourced' OR NEW.stage_seq <> 0"),
        func=refuse("% starts as sourced"),
    )


def stage_follows_its_log(pipeline: str = "prospect") -> Guard:
    """Once born, the stage is what this very transaction wrote into the transition log."""
    column = _MOVED[pipeline][1]
    # The log is indexed by prospect: naming it as well keeps this one index probe in every pipeline.
    own = (
        "t.prospect_id = NEW.id"
        if pipeline == "prospect"
        else f"t.prospect_id = NEW.prospect_id AND t.{column} = NEW.id"
    )
    return Guard(
        name="stage_follows_its_log",
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf("stage", "stage_seq", "stage_since"),
        func=(
            "IF (OLD.stage, OLD.stage_seq, OLD.stage_since) IS NOT DISTINCT FROM"
            " (NEW.stage, NEW.stage_seq, NEW.stage_since) THEN RETURN NEW; END IF;"
            f" IF NOT EXISTS (SELECT 1 FROM prospects_stagetransition t WHERE {own}"
            f" AND t.pipeline = '{pipeline}' AND t.seq = NEW.stage_seq AND t.to_stage = NEW.stage"
            " AND t.at = NEW.stage_since AND t.transaction = pg_current_xact_id()::text::bigint) THEN "
            + refuse("% cannot change stage without a transition written in the same transaction")
            + " END IF; RETURN NEW;"
        ),
    )


def prospect_keeps_its_origin() -> Guard:
    """Whose it is, what it is about, under which playbook and since when (which says what version rules it) stay."""
    return Guard(
        name="keeps_its_origin",
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf("id", "client_id", "playbook_id", "company_id", "created_at"),
        func=(
            "IF (OLD.id, OLD.client_id, OLD.playbook_id, OLD.company_id, OLD.created_at) IS DISTINCT FROM"
            " (NEW.id, NEW.client_id, NEW.playbook_id, NEW.company_id, NEW.created_at) THEN "
            + refuse("% keeps what it was made with")
            + " END IF; RETURN NEW;"
        ),
    )


def person_is_its_clients() -> Guard:
    """A prospect's person is one that its own client knows."""
    return _comes_to_its_clients(
        "person_is_its_clients", "contact_id", "prospects_contact k", "% is about somebody of its own client"
    )


def employer_is_its_clients() -> Guard:
    """A person moves to a company that their own client knows."""
    return _comes_to_its_clients(
        "employer_is_its_clients", "company_id", "prospects_company c", "% works at a company of its own client"
    )


def _comes_to_its_clients(name: str, column: str, table: str, words: str) -> Guard:
    """``column`` changes to a row of its own client. Births are looked at by ``born_among_its_own``."""
    _, row = table.split()
    return Guard(
        name=name,
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf(column),
        condition=pgtrigger.Condition(f"NEW.{column} IS NOT NULL AND NEW.{column} IS DISTINCT FROM OLD.{column}"),
        func=(
            f"IF NOT EXISTS (SELECT 1 FROM {table} WHERE {row}.id = NEW.{column}"
            f" AND {row}.client_id = NEW.client_id) THEN " + refuse(words) + " END IF; RETURN NEW;"
        ),
    )


def born_among_its_own(**parents: str) -> Guard:
    """New rows hang on rows of their own client: each of these columns names one of its table, or nothing.

    One look a statement, afterwards: a look before each row would stop COPY from batching.
    """
    joins = "".join(
        f" LEFT JOIN {table} {column}_row ON {column}_row.id = n.{column}" for column, table in parents.items()
    )
    strange = " OR ".join(
        f"n.{column} IS NOT NULL AND {column}_row.client_id IS DISTINCT FROM n.client_id" for column in parents
    )
    return Guard(
        name="born_among_its_own",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="new_rows"),
        func=(
            f"IF EXISTS (SELECT 1 FROM new_rows n{joins} WHERE {strange}) THEN "
            + refuse("% is born among records of its own client")
            + " END IF; RETURN NULL;"
        ),
    )


def keeps_its_client() -> Guard:
    """A record stays with the client that knows it. Asked only where a statement names the column."""
    return Guard(
        name="keeps_its_client",
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf("client_id"),
        condition=pgtrigger.Condition("NEW.client_id <> OLD.client_id"),
        func=refuse("% stays with its client"),
    )


def transition_is_earned() -> Guard:
    """A transition row continues the log, is a legal move, and satisfies its stage rule with its own evidence."""
    return Guard(
        name="transition_is_earned",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        declare=[
            ("previous_stage", "text"),
            ("rule", "playbooks_stagerule%ROWTYPE"),
            ("held", "prospects_score%ROWTYPE"),
            ("cited", "integer"),
            ("categories", "text[]"),
            ("layers", "text[]"),
            ("worth", "numeric"),
            ("judged", "bigint"),
        ],
        func=(
            "NEW.transaction := pg_current_xact_id()::text::bigint; judged := NEW.prospect_id;"
            + _is_about_its_own()
            + _continues_the_log()
            + _is_legal()
            + _is_under_a_ruling_version()
            + _cites_its_own_evidence()
            + _gives_a_reason_or_has_a_rule()
            + _is_for_this_route()
            + _has_the_evidence()
            + _has_the_score()
            + " RETURN NEW;"
        ),
    )


def _is_about_its_own() -> str:
    """A deal or customer that a row names belongs to its prospect.

    ``judged`` is on whose evidence and scores it moves: a deal of somebody who was merged, on those of the one they are
    read as, who alone is judged from then on.
    """
    return (
        " IF NEW.deal_id IS NOT NULL THEN SELECT d.amount INTO worth FROM prospects_deal d WHERE d.id = NEW.deal_id"
        " AND d.prospect_id = NEW.prospect_id; IF NOT FOUND THEN "
        + refuse("% names a deal that is not its prospect''s")
        + " END IF; END IF;"
        " IF NEW.customer_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM prospects_customer c"
        " WHERE c.id = NEW.customer_id AND c.prospect_id = NEW.prospect_id) THEN "
        + refuse("% names a customer that is not its prospect''s")
        + " END IF;"
        " IF NEW.pipeline <> 'prospect' THEN SELECT coalesce(p.merged_into_id, p.id) INTO judged"
        " FROM prospects_prospect p WHERE p.id = NEW.prospect_id; END IF;"
    )


def _continues_the_log() -> str:
    births = " ".join(f"WHEN '{pipeline}' THEN '{stage}'" for pipeline, stage in FIRST.items())
    return (
        f" IF NEW.seq = 1 THEN previous_stage := CASE NEW.pipeline {births} END; ELSE"
        " SELECT to_stage INTO previous_stage FROM prospects_stagetransition WHERE prospect_id = NEW.prospect_id"
        " AND pipeline = NEW.pipeline AND seq = NEW.seq - 1 AND deal_id IS NOT DISTINCT FROM NEW.deal_id"
        " AND customer_id IS NOT DISTINCT FROM NEW.customer_id; END IF;"
        " IF previous_stage IS DISTINCT FROM NEW.from_stage THEN "
        + refuse("% does not continue the log of its prospect")
        + " END IF;"
    )


def _is_legal() -> str:
    """A move of the table, or a declared shortcut: then the row says which stages it passed over."""
    moves = ", ".join(f"('{line}','{source}','{target}')" for line, pairs in MOVES.items() for source, target in pairs)
    skips = " ".join(
        f"WHEN (NEW.pipeline, NEW.from_stage, NEW.to_stage) = ('{line}','{source}','{target}')"
        f" THEN '{{{','.join(passed)}}}'::varchar[]"
        for line, pairs in SKIPS.items()
        for (source, target), passed in pairs.items()
    )
    return (
        f" NEW.skipped := CASE {skips} ELSE '{{}}'::varchar[] END;"
        f" IF NEW.skipped = '{{}}' AND (NEW.pipeline, NEW.from_stage, NEW.to_stage) NOT IN ({moves}) THEN "
        + refuse("% is not a legal move")
        + " END IF;"
    )


def _is_under_a_ruling_version() -> str:
    """Rules count that rule this prospect: of its own playbook, and activated at some time (a draft's do not)."""
    return (
        " IF NOT EXISTS (SELECT 1 FROM prospects_prospect p JOIN playbooks_playbookversion v"
        " ON v.playbook_id = p.playbook_id WHERE p.id = NEW.prospect_id AND p.client_id = NEW.client_id"
        " AND v.id = NEW.playbook_version_id AND v.status IN ('active', 'retired')) THEN "
        + refuse("% is under a version that does not rule its prospect")
        + " END IF;"
    )


def _cites_its_own_evidence() -> str:
    return (
        " SELECT count(*), array_agg(DISTINCT e.category) FILTER (WHERE e.value >= 50 AND NOT e.strong_negative"
        " AND e.confidence >= v.min_confidence), array_agg(DISTINCT e.layer)"
        " INTO cited, categories, layers FROM prospects_evidence e, playbooks_playbookversion v"
        " WHERE e.id = ANY(NEW.evidence_ids) AND e.prospect_id = judged AND v.id = NEW.playbook_version_id;"
        " IF cited <> cardinality(NEW.evidence_ids) THEN "
        + refuse("% cites evidence that is not its prospect''s")
        + " END IF;"
        # After a merge was undone, what rests on the other's signals says nothing about this one any more.
        " IF EXISTS (SELECT 1 FROM prospects_evidence e JOIN prospects_signal s ON s.id = ANY(e.signal_ids)"
        " JOIN prospects_prospect p ON p.id = s.prospect_id WHERE e.id = ANY(NEW.evidence_ids)"
        " AND s.prospect_id <> judged AND p.merged_into_id IS DISTINCT FROM judged) THEN "
        + refuse("% rests on signals that its prospect can no longer read")
        + " END IF;"
    )


def _gives_a_reason_or_has_a_rule() -> str:
    """Exits and side tracks need words and are done; every other move needs a stage rule, and perhaps a person."""
    by_reason = ", ".join(f"('{line}','{stage}')" for line, stages in BY_REASON.items() for stage in stages)
    return (
        f" IF (NEW.pipeline, NEW.to_stage) IN ({by_reason}) THEN IF NEW.reason = '' THEN "
        + refuse("% needs a reason")
        + " END IF; RETURN NEW; END IF;"
        " SELECT * INTO rule FROM playbooks_stagerule WHERE version_id = NEW.playbook_version_id"
        " AND pipeline = NEW.pipeline AND from_stage = NEW.from_stage AND to_stage = NEW.to_stage;"
        " IF NOT FOUND THEN " + refuse("% has no stage rule in its playbook version") + " END IF;"
        " IF (rule.needs_person OR worth >= rule.confirm_from_value) AND NEW.actor_id IS NULL THEN "
        + refuse("% needs a person to confirm it")
        + " END IF;"
    )


def _is_for_this_route() -> str:
    """A rule for hot prospects is for those whose newest composite under the version says hot."""
    return (
        " IF rule.route <> 'any' AND rule.route IS DISTINCT FROM (SELECT s.breakdown ->> 'route' FROM prospects_score s"
        " WHERE s.prospect_id = judged AND s.scorecard = 'icp'"
        " AND s.playbook_version_id = NEW.playbook_version_id ORDER BY s.id DESC LIMIT 1) THEN "
        + refuse("% is not on the route that its stage rule is for")
        + " END IF;"
    )


def _has_the_evidence() -> str:
    return (
        " IF coalesce(cardinality(categories), 0) < rule.min_categories"
        " OR NOT coalesce(categories, '{}') @> ARRAY(SELECT jsonb_array_elements_text(rule.required_categories))"
        " OR NOT coalesce(layers, '{}') @> ARRAY(SELECT jsonb_array_elements_text(rule.required_layers)) THEN "
        + refuse("% lacks the evidence its stage rule asks for")
        + " END IF;"
    )


def _has_the_score() -> str:
    return (
        " IF rule.min_score IS NOT NULL OR rule.min_coverage IS NOT NULL THEN"
        " SELECT * INTO held FROM prospects_score WHERE id = NEW.score_id AND prospect_id = judged"
        " AND playbook_version_id = NEW.playbook_version_id AND scorecard = rule.scorecard;"
        " IF NOT FOUND OR held.value < coalesce(rule.min_score, 0)"
        " OR held.coverage < coalesce(rule.min_coverage, 0) THEN "
        + refuse("% lacks the score its stage rule asks for")
        + " END IF; END IF;"
    )


def prospect_follows_transition() -> Guard:
    """At commit, a transition that what it moves did not follow is refused: the log and the stage cannot part."""
    parted = " OR ".join(
        f"NEW.pipeline = '{pipeline}' AND NOT EXISTS (SELECT 1 FROM {table} p"
        f" WHERE p.id = NEW.{column} AND p.stage_seq >= NEW.seq)"
        for pipeline, (table, column) in _MOVED.items()
    )
    return Guard(
        name="prospect_follows",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        timing=pgtrigger.Deferred,
        func=(f"IF {parted} THEN " + refuse("% was not followed by its prospect") + " END IF; RETURN NULL;"),
    )


def under_its_playbook() -> Guard:
    """A judgement is its prospect's client's, under a version of its prospect's playbook that rules or has ruled.

    Stands in for the foreign keys to both, and costs less: neither can be deleted, change hands, or be edited again.
    """
    return Guard(
        name="under_its_playbook",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="new_rows"),
        func=(
            "IF EXISTS (SELECT 1 FROM new_rows n LEFT JOIN prospects_prospect p ON p.id = n.prospect_id"
            " LEFT JOIN playbooks_playbookversion v ON v.id = n.playbook_version_id"
            " WHERE (p.client_id = n.client_id AND v.playbook_id = p.playbook_id"
            " AND v.status IN ('active', 'retired')) IS NOT TRUE) THEN "
            + refuse("% stands under a version of its own prospect''s playbook that rules or has ruled")
            + " END IF; RETURN NULL;"
        ),
    )


def evidence_cites_its_signals() -> Guard:
    """Evidence without a signal, or with somebody else's, does not exist.

    Signals of prospects merged into this one are its own; that is asked only when the plain answer is no.
    """
    return Guard(
        name="cites_its_signals",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            "IF cardinality(NEW.signal_ids) = 0 OR (SELECT count(*) FROM prospects_signal s"
            " WHERE s.id = ANY(NEW.signal_ids) AND s.prospect_id = NEW.prospect_id) <> cardinality(NEW.signal_ids)"
            " AND (SELECT count(*) FROM prospects_signal s JOIN prospects_prospect p ON p.id = s.prospect_id"
            " WHERE s.id = ANY(NEW.signal_ids) AND NEW.prospect_id IN (p.id, p.merged_into_id))"
            " <> cardinality(NEW.signal_ids)"
            " THEN " + refuse("% must cite signals of its own prospect") + " END IF; RETURN NEW;"
        ),
    )
