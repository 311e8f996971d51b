"""What PostgreSQL refuses about prospects and the facts about them, whoever asks."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from playbooks.models import PlaybookVersion
from prospects.models import Contact, Diagnostic, Prospect, Score, StageTransition
from tests import factories
from tests.refusals import refuses

pytestmark = pytest.mark.django_db

TRANSITION = (
    "INSERT INTO prospects_stagetransition (client_id, prospect_id, playbook_version_id, pipeline, seq, from_stage,"
    " to_stage, at, seconds, agent, reason, evidence_ids, transaction, trace_id)"
    " SELECT client_id, id, %s, 'prospect', stage_seq + 1, stage, %s, now(), 0, '', %s, %s, 0, 'x'"
    " FROM prospects_prospect WHERE id = %s"
)


def test_a_stage_change_by_raw_sql() -> None:
    who = factories.prospect()
    refuses("UPDATE prospects_prospect SET stage = 'qualified' WHERE id = %s", [who.pk], because="cannot change stage")


def test_a_stage_change_by_queryset_update() -> None:
    who = factories.prospect()
    with pytest.raises(DatabaseError, match="cannot change stage"), transaction.atomic():
        Prospect.objects.filter(pk=who.pk).update(stage="researched", stage_seq=1)


def test_a_prospect_born_qualified() -> None:
    version = factories.version()
    company = factories.company(version.playbook.client)
    with pytest.raises(DatabaseError, match="starts as sourced"), transaction.atomic():
        Prospect.objects.bulk_create(
            [Prospect(client=company.client, playbook=version.playbook, company=company, source="x", stage="qualified")]
        )


def test_reusing_the_transition_of_an_earlier_transaction() -> None:
    version = factories.version()
    who = factories.move(factories.prospect(version), version, "researched")
    refuses(
        "UPDATE prospects_prospect SET stage_since = stage_since - interval '1 day' WHERE id = %s",
        [who.pk],
        because="cannot change stage",
    )


def test_backdating_a_stage() -> None:
    who = factories.prospect()
    refuses("UPDATE prospects_prospect SET stage_since = now() WHERE id = %s", [who.pk], because="cannot change stage")


def test_a_transition_its_prospect_does_not_follow() -> None:
    version = factories.version()
    who = factories.prospect(version)
    refuses(TRANSITION, [version.pk, "researched", "", [], who.pk], because="was not followed by its prospect")


def test_an_illegal_jump() -> None:
    version = factories.version()
    who = factories.prospect(version)
    refuses(TRANSITION, [version.pk, "contacted", "because", [], who.pk], because="not a legal move")


def test_a_move_without_its_stage_rule() -> None:
    version = factories.version(active=False)
    version.stage_rules.filter(to_stage="researched").delete()
    factories.activate(version)
    who = factories.prospect(version)
    refuses(TRANSITION, [version.pk, "researched", "", [], who.pk], because="has no stage rule")


def test_borrowing_the_laxer_rules_of_another_playbook() -> None:
    who = factories.prospect(factories.version())
    lax = factories.version(who.client)
    refuses(TRANSITION, [lax.pk, "researched", "", [], who.pk], because="does not rule its prospect")


def test_moving_by_the_rules_of_a_draft() -> None:
    draft = factories.version(active=False)
    who = factories.prospect(draft)
    refuses(TRANSITION, [draft.pk, "researched", "", [], who.pk], because="does not rule its prospect")


def test_qualifying_on_too_few_categories() -> None:
    version = factories.version()
    who = factories.move(factories.prospect(version), version, "researched", "qualifying")
    one = factories.evidence(who, version)
    refuses(TRANSITION, [version.pk, "qualified", "", [one.pk], who.pk], because="lacks the evidence")


def test_qualifying_on_weak_evidence() -> None:
    version = factories.version()
    who = factories.move(factories.prospect(version), version, "researched", "qualifying")
    weak = [
        factories.evidence(who, version, category=category, criterion=category, confidence=0.2)
        for category in ("fit", "timing", "need")
    ]
    refuses(TRANSITION, [version.pk, "qualified", "", [row.pk for row in weak], who.pk], because="lacks the evidence")


def test_qualifying_on_somebody_elses_evidence() -> None:
    version = factories.version()
    who = factories.move(factories.prospect(version), version, "researched", "qualifying")
    borrowed = [row.pk for row in factories.three_categories(factories.prospect(version), version)]
    refuses(TRANSITION, [version.pk, "qualified", "", borrowed, who.pk], because="not its prospect")


def test_rejecting_without_a_reason() -> None:
    version = factories.version()
    who = factories.move(factories.prospect(version), version, "researched", "qualifying")
    refuses(TRANSITION, [version.pk, "rejected", "", [], who.pk], because="needs a reason")


def test_a_log_with_a_hole() -> None:
    version = factories.version()
    who = factories.prospect(version)
    sql = TRANSITION.replace("stage_seq + 1", "stage_seq + 2")
    refuses(sql, [version.pk, "researched", "", [], who.pk], because="does not continue the log")


def test_a_step_that_needs_a_person_taken_by_nobody() -> None:
    version = factories.version(active=False)
    version.stage_rules.filter(to_stage="researched").update(needs_person=True)
    factories.activate(version)
    who = factories.prospect(version)
    refuses(TRANSITION, [version.pk, "researched", "", [], who.pk], because="needs a person")


def test_a_step_whose_score_is_missing() -> None:
    version = factories.version(active=False)
    version.stage_rules.filter(to_stage="researched").update(min_score=50)
    factories.activate(version)
    who = factories.prospect(version)
    refuses(TRANSITION, [version.pk, "researched", "", [], who.pk], because="lacks the score")


def test_evidence_that_cites_nothing() -> None:
    version = factories.version()
    row = factories.evidence(factories.prospect(version), version)
    row.pk, row.signal_ids = None, []
    with pytest.raises(DatabaseError, match="must cite signals"), transaction.atomic():
        row.save(force_insert=True)


def test_evidence_that_cites_another_prospects_signal() -> None:
    version = factories.version()
    who, other = factories.prospect(version), factories.prospect(version)
    with pytest.raises(DatabaseError, match="must cite signals"), transaction.atomic():
        factories.evidence(who, version, cites=factories.signal(other))


JUDGEMENTS = {
    "evidence": "INSERT INTO prospects_evidence (client_id, prospect_id, playbook_version_id, scorecard, layer,"
    " category, criterion, value, confidence, strong_negative, rationale, quote, signal_ids, fact_ref, source,"
    " observed_at, created_at) SELECT %s, %s, %s, scorecard, layer, category, criterion, value, confidence,"
    " strong_negative, rationale, quote, signal_ids, fact_ref, source, observed_at, created_at"
    " FROM prospects_evidence WHERE id = %s",
    "score": "INSERT INTO prospects_score (client_id, prospect_id, playbook_version_id, scorecard, value, coverage,"
    " provisional, breakdown, computed_at) SELECT %s, %s, %s, scorecard, value, confidence, true, '{}', created_at"
    " FROM prospects_evidence WHERE id = %s",
}


@pytest.mark.parametrize("table", JUDGEMENTS)
def test_a_judgement_stands_under_a_ruling_version_of_its_own_prospects_playbook(table: str) -> None:
    version = factories.version()
    who = factories.prospect(version)
    one = factories.evidence(who, version)
    told = JUDGEMENTS[table]
    sister = factories.version(version.playbook.client)
    draft = PlaybookVersion.objects.create(playbook=version.playbook, number=2)
    for client, prospect, under in (
        (who.client_id, who.pk, sister.pk),  # another playbook of the same client
        (sister.playbook.client_id, who.pk, factories.version().pk),
        (factories.client().pk, who.pk, version.pk),
        (who.client_id, who.pk, draft.pk),
        (who.client_id, who.pk, 10**9),
    ):
        refuses(told, [client, prospect, under, one.pk], because="its own prospect's playbook")
    refuses(JUDGEMENTS["score"], [who.client_id, 10**9, version.pk, one.pk], because="its own prospect's playbook")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(told, [who.client_id, who.pk, version.pk, one.pk])
        assert cursor.rowcount == 1


@pytest.mark.parametrize(("field", "value"), [("value", 101), ("value", -1), ("confidence", 1.2), ("rationale", "")])
def test_evidence_out_of_range(field: str, value: object) -> None:
    version = factories.version()
    who = factories.prospect(version)
    with pytest.raises(DatabaseError, match="evidence_"), transaction.atomic():
        factories.evidence(who, version, **{field: value})


def test_the_same_signal_twice() -> None:
    who = factories.prospect()
    factories.signal(who, dedup_key="once")
    with pytest.raises(DatabaseError, match="signal_once"), transaction.atomic():
        factories.signal(who, dedup_key="once")


@pytest.fixture
def facts() -> dict[str, int]:
    """One row in every table of facts about a prospect: table → id."""
    version = factories.version()
    who = factories.qualified(version)
    row = factories.evidence(who, version)
    score = Score.objects.create(
        client=who.client, prospect=who, playbook_version=version, scorecard="icp", value=70, coverage=0.5,
        breakdown={}, computed_at=timezone.now(),
    )  # fmt: skip
    diagnostic = Diagnostic.objects.create(
        client=who.client,
        prospect=who,
        agent="fit_evidence",
        kind="stalled",
        message="x",
        at=timezone.now(),
        trace_id="x",
    )
    moved = StageTransition.objects.filter(prospect=who).latest("seq")
    return {
        "prospects_signal": row.signal_ids[0],
        "prospects_evidence": row.pk,
        "prospects_score": score.pk,
        "prospects_stagetransition": moved.pk,
        "prospects_diagnostic": diagnostic.pk,
    }


FACTS = [
    "prospects_signal",
    "prospects_evidence",
    "prospects_score",
    "prospects_stagetransition",
    "prospects_diagnostic",
]


@pytest.mark.parametrize("table", FACTS)
def test_changing_deleting_or_emptying_facts(facts: dict[str, int], table: str) -> None:
    refuses(f"UPDATE {table} SET client_id = client_id WHERE id = %s", [facts[table]], because="append-only")
    refuses(f"DELETE FROM {table} WHERE id = %s", [facts[table]], because="append-only")
    refuses(f"TRUNCATE {table} CASCADE", because="cannot be truncated")


def test_deleting_a_prospect() -> None:
    who = factories.prospect()
    refuses("DELETE FROM prospects_prospect WHERE id = %s", [who.pk], because="cannot be deleted")


@pytest.mark.parametrize("column", ["client", "playbook", "company"])
def test_making_a_prospect_somebody_elses(column: str) -> None:
    """Other rules would hold for it, or its facts speak of another company."""
    who, other = factories.prospect(), factories.prospect()
    sql = f"UPDATE prospects_prospect SET {column}_id = %s WHERE id = %s"
    refuses(sql, [getattr(other, f"{column}_id"), who.pk], because="keeps what it was made with")


def test_giving_records_to_another_client() -> None:
    who, other = factories.prospect(), factories.client()
    for table, row in (("prospects_company", who.company_id), ("prospects_contact", who.contact_id)):
        refuses(f"UPDATE {table} SET client_id = %s WHERE id = %s", [other.pk, row], because="stays with its client")


def test_working_on_somebody_that_another_client_knows() -> None:
    who, theirs = factories.prospect(), factories.contact(factories.client())
    sql = "UPDATE prospects_prospect SET contact_id = %s WHERE id = %s"
    refuses(sql, [theirs.pk, who.pk], because="somebody of its own client")


def test_letting_somebody_work_at_a_company_that_another_client_knows() -> None:
    who, theirs = factories.prospect(), factories.company(factories.client())
    sql = "UPDATE prospects_contact SET company_id = %s WHERE id = %s"
    refuses(sql, [theirs.pk, who.contact_id], because="company of its own client")


def test_the_number_of_a_prospect_changed_to_slip_from_under_its_stop() -> None:
    who = factories.prospect()
    refuses("UPDATE prospects_prospect SET id = id + 1000 WHERE id = %s", [who.pk], because="keeps what it was made")


def test_making_a_prospect_older_than_the_version_that_rules_it() -> None:
    who = factories.prospect()
    sql = "UPDATE prospects_prospect SET created_at = created_at - interval '1 year' WHERE id = %s"
    refuses(sql, [who.pk], because="keeps what it was made with")


def test_two_prospects_for_one_company_under_one_playbook() -> None:
    version = factories.version()
    who = factories.prospect(version)
    with pytest.raises(DatabaseError, match="prospect_company_once"), transaction.atomic():
        factories.prospect(version, company=who.company)


def test_a_person_born_at_a_company_that_another_client_knows() -> None:
    who, theirs = factories.prospect(), factories.company(factories.client())
    columns = ", ".join(
        f.column for f in Contact._meta.local_fields if f.column not in ("id", "company_id", "email_key")
    )
    sql = f"INSERT INTO prospects_contact ({columns}, email_key, company_id) SELECT {columns}, %s, %s"
    sql += " FROM prospects_contact WHERE id = %s"
    refuses(sql, ["new@acme.example", theirs.pk, who.contact_id], because="born among records of its own client")
    with connection.cursor() as cursor:
        cursor.execute(sql, ["new@acme.example", who.company_id, who.contact_id])
        cursor.execute(sql, ["none@acme.example", None, who.contact_id])


@pytest.mark.parametrize("column", ["company", "contact"])
def test_a_prospect_born_of_what_another_client_knows(column: str) -> None:
    version = factories.version()
    owner, stranger = version.playbook.client, factories.client()
    company, contact = factories.company(owner), factories.contact(owner)
    theirs = {"company": factories.company(stranger), "contact": factories.contact(stranger)}[column]
    row = {"client": owner, "playbook": version.playbook, "source": "x", "company": company, "contact": contact}
    sound = Prospect(**{**row, "company": factories.company(owner)})
    with pytest.raises(DatabaseError, match="born among records of its own client"), transaction.atomic():
        Prospect.objects.bulk_create([sound, Prospect(**{**row, column: theirs})])
    assert Prospect.objects.create(**row).pk
