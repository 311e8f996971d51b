"""Writing one chunk's plan: COPY for what is new, one UPDATE per table for what has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from django.db import connection

from prospects.importing.copytext import NULL, escape
from prospects.importing.records import COMPANY_COLUMNS, CONTACT_COLUMNS
from prospects.services.importing.lookup import next_ids
from prospects.services.importing.plan import Change, Plan, Terms

COMPANY_IDS = "prospects_company_id_seq"
CONTACT_IDS = "prospects_contact_id_seq"
PROSPECT_IDS = "prospects_prospect_id_seq"

_PROSPECT_COLUMNS = (
    "id", "client_id", "playbook_id", "company_id", "contact_id", "external_id", "source", "segment", "facts_no",
    "stage", "stage_seq", "stage_since", "created_at", "coverage", "provisional", "route", "tier", "priority",
    "verdict", "verdict_reason", "verdict_missing", "next_action", "converged_no",
)  # fmt: skip
_SIGNAL_COLUMNS = (
    "client_id", "prospect_id", "kind", "observed_at", "text", "data", "source", "source_ref", "dedup_key", "fact_no",
    "created_at", "trace_id",
)  # fmt: skip
_NUMBERS = {"employees_min": "integer", "employees_max": "integer", "revenue_min": "numeric", "revenue_max": "numeric",
            "founded_year": "smallint"}  # fmt: skip
_EMAIL_STATUS = {True: "syntax_ok", False: "unknown"}


def write(plan: Plan, terms: Terms) -> None:
    """Write the plan inside the caller's transaction. Raises IntegrityError when somebody else was quicker."""
    _companies(plan, terms)
    _contacts(plan, terms)
    _lock_prospects(plan)
    numbers = _fact_numbers(plan)
    _prospects(plan, terms, numbers)
    _signals(plan, terms, numbers)
    _update("prospects_company", COMPANY_COLUMNS, plan.company_changes, terms)
    _update("prospects_contact", CONTACT_COLUMNS, plan.contact_changes, terms)
    _renumber(plan, numbers)
    _other_names(plan, terms)


def _other_names(plan: Plan, terms: Terms) -> None:
    """Few rows bring one; whoever was first to go by a name keeps it."""
    for kind in ("company", "contact"):
        names = [other for other in plan.other_names if other.kind == kind]
        if not names:
            continue
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO prospects_alias (client_id, kind, name, source, value, {kind}_id, at, trace_id)"  # noqa: S608
                " SELECT %s, %s, n.name, n.source, n.value, n.id, %s, %s"
                " FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS n (name, source, value, id)"
                " ON CONFLICT DO NOTHING",
                [
                    terms.client_id, kind, terms.now, terms.trace_id, [n.name for n in names],
                    [n.source for n in names], [n.value for n in names], [n.record_id for n in names],
                ],
            )  # fmt: skip


def copy_lines(table: str, columns: Sequence[str], lines: Iterable[str]) -> None:
    """COPY text lines into a table."""
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        statement = f"COPY {table} ({names}) FROM STDIN (FORMAT text, NULL '{NULL}')"
        with connection.wrap_database_errors, cursor.copy(statement) as copy:
            block: list[str] = []
            for line in lines:
                block.append(line)
                if len(block) >= 500:
                    copy.write(_encoded(block))
                    block = []
            if block:
                copy.write(_encoded(block))


def _encoded(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _companies(plan: Plan, terms: Terms) -> None:
    if not plan.companies:
        return
    now, source = terms.now.isoformat(), escape(terms.source)
    head = f"{terms.client_id}\t{source}\t{now}\t{now}"
    copy_lines(
        "prospects_company",
        ("id", "client_id", "source", "created_at", "updated_at", *COMPANY_COLUMNS),
        (f"{pk}\t{head}\t{side.line(without_key=bare)}" for pk, side, bare in plan.companies),
    )


def _contacts(plan: Plan, terms: Terms) -> None:
    if not plan.contacts:
        return
    now, source = terms.now.isoformat(), escape(terms.source)
    copy_lines(
        "prospects_contact",
        (
            "id",
            "company_id",
            "email_status",
            "entity_type",
            "client_id",
            "source",
            "created_at",
            "updated_at",
            *CONTACT_COLUMNS,
        ),
        (
            f"{pk}\t{NULL if company_id is None else company_id}\t{_EMAIL_STATUS[bool(side.key)]}\t\t"
            f"{terms.client_id}\t{source}\t{now}\t{now}\t{side.line()}"
            for pk, company_id, side in plan.contacts
        ),
    )


def _lock_prospects(plan: Plan) -> None:
    born = {made.id for made in plan.prospects}
    hold_prospects({signal.prospect_id for signal in plan.signals} - born)


def hold_prospects(prospect_ids: set[int]) -> None:
    """Lock the prospects that get new facts, in one order, before the facts are numbered.

    A convergence that is running over them then either has seen a fact or finds its number above its watermark.
    """
    if prospect_ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM prospects_prospect WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
                [sorted(prospect_ids)],
            )


def _fact_numbers(plan: Plan) -> dict[int, int]:
    """Signal position in the plan → its number in the order of all facts."""
    return dict(enumerate(next_ids("fact_no", len(plan.signals))))


def _newest(plan: Plan, numbers: dict[int, int]) -> dict[int, int]:
    return {signal.prospect_id: numbers[position] for position, signal in enumerate(plan.signals)}


def _prospects(plan: Plan, terms: Terms, numbers: dict[int, int]) -> None:
    if not plan.prospects:
        return
    newest = _newest(plan, numbers)
    now, source = terms.now.isoformat(), escape(terms.source)
    head = f"{terms.client_id}\t{terms.playbook_id}"
    tail = f"sourced\t0\t{now}\t{now}\t0\tt\t\t\t0\t\t\t[]\t\t0"

    def lines() -> Iterable[str]:
        for made in plan.prospects:
            company, contact = made.record.company, made.record.contact
            external_id = (company.external_id if company else "") or (contact.external_id if contact else "")
            segment = company.industry if company else ""
            yield "\t".join((
                str(made.id), head, _number(made.company_id), _number(made.contact_id), escape(external_id), source,
                escape(segment), str(newest.get(made.id, 1)), tail,
            ))  # fmt: skip

    copy_lines("prospects_prospect", _PROSPECT_COLUMNS, lines())


def _number(value: int | None) -> str:
    return NULL if value is None else str(value)


def _signals(plan: Plan, terms: Terms, numbers: dict[int, int]) -> None:
    if not plan.signals:
        return
    now, default = terms.now.isoformat(), terms.observed_at.isoformat()
    source = escape(terms.file_name[:255])

    def lines() -> Iterable[str]:
        for position, signal in enumerate(plan.signals):
            record = signal.record
            observed_at = default if record.observed_at is None else record.observed_at.isoformat()
            yield (
                f"{terms.client_id}\t{signal.prospect_id}\tprofile\t{observed_at}\t{escape(record.text)}\t"
                f"{escape(signal.facts_json)}\t{source}\t{escape(terms.place(record.row))}\t{signal.key}\t{numbers[position]}\t"
                f"{now}\t{terms.trace_id}"
            )

    copy_lines("prospects_signal", _SIGNAL_COLUMNS, lines())


def _renumber(plan: Plan, numbers: dict[int, int]) -> None:
    """Tell prospects that were there before about their new facts, their id in the source and their first contact."""
    born = {made.id for made in plan.prospects}
    note_newest_facts({pk: number for pk, number in _newest(plan, numbers).items() if pk not in born})
    named = {
        signal.prospect_id: signal.record.company.external_id
        for signal in plan.signals
        if signal.prospect_id not in born and signal.record.company and signal.record.company.external_id
    }
    with connection.cursor() as cursor:
        if named:
            cursor.execute(
                "UPDATE prospects_prospect p SET external_id = n.external_id"
                " FROM unnest(%s::bigint[], %s::text[]) AS n (id, external_id)"
                " WHERE p.id = n.id AND p.external_id = ''",
                [list(named), list(named.values())],
            )
        if plan.main_contacts:
            cursor.execute(
                "UPDATE prospects_prospect p SET contact_id = n.contact_id"
                " FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, contact_id)"
                " WHERE p.id = n.id AND p.contact_id IS NULL",
                [list(plan.main_contacts), list(plan.main_contacts.values())],
            )


def note_newest_facts(newest: dict[int, int]) -> None:
    """Prospect id → number of its newest fact; prospects that have newer ones keep theirs."""
    if newest:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE prospects_prospect p SET facts_no = n.no"
                " FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, no) WHERE p.id = n.id AND p.facts_no < n.no",
                [list(newest), list(newest.values())],
            )


def _update(table: str, columns: Sequence[str], changes: Sequence[Change], terms: Terms) -> None:
    """Apply changes in rounds: in each, every row is changed at most once, as UPDATE … FROM asks for."""
    if not changes:
        return
    staging = f"{table}_changes"
    times: Counter[int] = Counter()
    lines = []
    for change in changes:
        lines.append(
            f"{change.id}\t{times[change.id]}\t{'t' if change.fill else 'f'}\t{_number(change.company_id)}\t"
            f"{change.side.line(without_key=change.without_key, without_external_id=change.without_external_id)}"
        )
        times[change.id] += 1
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {staging} (target_id bigint, round integer, fill boolean,"
            f" new_company_id bigint, {', '.join(f'{name} {_type(name)}' for name in columns)})"
        )
        cursor.execute(f"TRUNCATE {staging}")
    copy_lines(staging, ("target_id", "round", "fill", "new_company_id", *columns), lines)
    settings = _assignments(columns)
    if table == "prospects_contact":
        settings += ", company_id = coalesce(t.company_id, s.new_company_id)"
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {staging} (target_id, round)")
        for number in range(max(times.values())):
            cursor.execute(
                f"UPDATE {table} t SET {settings}, updated_at = %s FROM {staging} s"  # noqa: S608 — names are constants
                " WHERE t.id = s.target_id AND s.round = %s",
                [*([terms.source] * settings.count("%s")), terms.now, number],
            )


def _type(column: str) -> str:
    if column in _NUMBERS:
        return _NUMBERS[column]
    return {"tags": "text[]", "hiring": "boolean", "synthetic": "boolean", "attributes": "jsonb"}.get(column, "text")


def _assignments(columns: Sequence[str]) -> str:
    return ", ".join(f"{name} = {_new_value(name)}" for name in columns)


def _new_value(column: str) -> str:
    """The column's new value: what the row says, unless it only fills gaps; what it does not say stays."""
    old, new = f"t.{column}", f"s.{column}"
    if column == "external_id":  # an id belongs to the source that gave it
        return f"CASE WHEN {old} = '' AND t.source = %s THEN {new} ELSE {old} END"
    if column == "attributes":
        return f"CASE WHEN s.fill THEN {new} || {old} ELSE {old} || {new} END"
    if column == "synthetic":
        return old
    if column == "tags":
        return f"CASE WHEN {new} = '{{}}' OR (s.fill AND {old} <> '{{}}') THEN {old} ELSE {new}::varchar[] END"
    if column in _NUMBERS and column != "founded_year":  # the two ends of a range belong together
        low = column.rsplit("_", 1)[0]
        given = f"coalesce(s.{low}_min, s.{low}_max)"
        held = f"coalesce(t.{low}_min, t.{low}_max)"
        return f"CASE WHEN {given} IS NULL OR (s.fill AND {held} IS NOT NULL) THEN {old} ELSE {new} END"
    if column in ("founded_year", "hiring"):
        return f"CASE WHEN s.fill THEN coalesce({old}, {new}) ELSE coalesce({new}, {old}) END"
    return f"CASE WHEN {new} = '' OR (s.fill AND {old} <> '') THEN {old} ELSE {new} END"
