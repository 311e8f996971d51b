"""Answers of sources and models are facts, but their bodies are kept for a stated time only."""

from __future__ import annotations

import pgtrigger

from prospects.models.erasure_guards import being_erased
from salesops.guards import Guard, no_truncate, refuse

#: No setting brings it below: until then answers are used again, and stand in for those that cannot be had.
LEAST_DAYS = 30


def kept_for_a_time(came: str, *, erased_with: str, **emptied: str) -> list[Guard]:
    """Append-only, but once: from ``LEAST_DAYS`` after ``came`` on a row may be forgotten.

    ``erased_with``: whose erasure does not wait for that, as SQL about the row (OLD) and a tombstone (e).
    ``emptied`` are the columns that hold the body, each with what it then holds (as SQL). Everything else stays: who
    was asked, when, at what cost, and the hash of what was said.
    """
    loose = " ".join(f"- '{column}'" for column in (*emptied, "forgotten_at"))
    full = " OR ".join(f"NEW.{column} IS DISTINCT FROM {empty}" for column, empty in emptied.items())
    return [
        Guard(
            name="kept_for_a_time",
            when=pgtrigger.Before,
            operation=pgtrigger.Update | pgtrigger.Delete,
            func=(
                "IF TG_OP = 'DELETE' THEN " + refuse("% is append-only") + " END IF;"
                f" IF to_jsonb(OLD) {loose} IS DISTINCT FROM to_jsonb(NEW) {loose} OR OLD.forgotten_at IS NOT NULL"
                f" OR NEW.forgotten_at IS NULL OR {full} THEN "
                + refuse("% is append-only")
                + f" END IF; IF OLD.{came} > clock_timestamp() - interval '{LEAST_DAYS} days'"
                f" AND NOT {being_erased(erased_with)} THEN "
                + refuse("% is too young to be forgotten")
                + " END IF; RETURN NEW;"
            ),
        ),
        no_truncate(),
    ]
