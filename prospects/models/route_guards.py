"""Guards on routes by hand: whether a prospect has one stands on the prospect itself, for lists, and is never false."""

from __future__ import annotations

import pgtrigger

from salesops.guards import Guard, refuse

_NOTE = "UPDATE prospects_prospect p SET routed_by_hand = {} FROM {} WHERE p.id = n.prospect_id; RETURN NULL;"


def hand_is_an_override() -> Guard:
    """A prospect is routed by hand exactly as long as an override is in force."""
    return Guard(
        name="hand_is_an_override",
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf("routed_by_hand"),
        condition=pgtrigger.Condition("NEW.routed_by_hand IS DISTINCT FROM OLD.routed_by_hand"),
        func=(
            "IF NEW.routed_by_hand IS DISTINCT FROM EXISTS (SELECT 1 FROM prospects_routeoverride o"
            " WHERE o.prospect_id = NEW.id AND o.lifted_at IS NULL) THEN "
            + refuse("% is routed by hand as long as an override is in force")
            + " END IF; RETURN NEW;"
        ),
    )


def born_by_score() -> Guard:
    """Nobody is routed by hand before there is a row to point at."""
    return Guard(
        name="born_by_score",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        condition=pgtrigger.Condition("NEW.routed_by_hand"),
        func=refuse("% is routed by an override, and has none yet"),
    )


def prospect_says_so() -> list[Guard]:
    """What overrides do to their prospects: one statement for each that sets or lifts them."""
    return [
        Guard(
            name="prospect_says_it_is_set",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Insert,
            referencing=pgtrigger.Referencing(new="new_rows"),
            func=_NOTE.format("true", "new_rows n"),
        ),
        Guard(
            name="prospect_says_it_is_lifted",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=pgtrigger.Update,
            referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
            func=_NOTE.format(
                "false",
                "new_rows n JOIN old_rows o ON o.id = n.id AND o.lifted_at IS NULL AND n.lifted_at IS NOT NULL",
            ),
        ),
    ]
