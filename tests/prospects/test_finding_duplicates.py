"""Duplicates in a convergence: found by keys, sure ones merged when everybody is at rest, others left to a person."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from playbooks.models import PlaybookVersion
from playbooks.services import drafts, lifecycle
from prospects.duplicates.loading import candidates, records, refresh_keys
from prospects.models import AgentRun, BlockingKey, Company, Convergence, Duplicate, Merge, Prospect
from tests import factories as make
from tests.prospects.pairs import pair
from tests.runtime.scene import CLOCK, GOOD, demo, run

pytestmark = pytest.mark.django_db


def known_twice(
    under: PlaybookVersion, *, city: str = "Austin", first: str = "globex.example"
) -> tuple[Prospect, Prospect]:
    """Two imported prospects whose companies carry one name."""
    found = []
    for own in (first, ""):
        facts = {**GOOD, "name": "Globex Industries", "name_key": "globex industries", "city": city, "domain": own}
        found.append(imported(under, facts))
    return found[0], found[1]


def imported(under: PlaybookVersion, facts: dict[str, object]) -> Prospect:
    account = make.company(under.playbook.client, **facts)
    name = name_in(under)
    person = make.contact(under.playbook.client, account, email=f"{name}@mail.example")
    made = make.prospect(under, company=account, contact=person, external_id=name)
    make.signal(made, data=facts, dedup_key=f"profile:{made.external_id}", observed_at=CLOCK.replace(day=1, hour=1))
    return made


def name_in(under: PlaybookVersion) -> str:
    """The same in every database."""
    return f"c{Prospect.objects.filter(playbook=under.playbook).count()}"


def test_a_sure_twin_is_merged_and_the_kept_one_converges_again_with_its_facts() -> None:
    under = demo()
    one, other = known_twice(under)
    convergence = run(under).convergence
    one.refresh_from_db()
    other.refresh_from_db()
    merge = Merge.objects.get()
    assert (merge.kept, merge.merged, merge.by, merge.trace_id) == (
        one.company, other.company, None, convergence.trace_id,
    )  # fmt: skip
    assert other.merged_into == one
    assert other.verdict == "rejected"
    assert "same as another" in other.verdict_reason
    assert convergence.status == Convergence.Status.DONE
    assert not Prospect.objects.for_client(one.client).due().exists()
    assert one.converged_no >= one.signals.get(kind="merged").fact_no
    assert AgentRun.objects.filter(prospect=other).exclude(agent__in=EARLIER).count() == 0


EARLIER = ("market_scan", "deduplication")


def test_what_is_not_sure_becomes_a_question_once() -> None:
    under = demo()
    one, other = known_twice(under, city="")
    run(under)
    found = Duplicate.objects.get()
    assert (found.status, found.automatic, found.one, found.other) == ("open", False, one.company, other.company)
    assert found.reasons[0]["what"] == "name"
    assert found.run.prospect == other
    make.signal(other, kind="news", text="Globex expands.")
    Prospect.objects.filter(pk=other.pk).update(facts_no=other.signals.latest("fact_no").fact_no)
    run(under)
    assert Duplicate.objects.count() == 1


@pytest.mark.parametrize(
    ("thresholds", "merged", "asked"),
    [({}, 1, 0), ({"merge": 1.0}, 0, 1), ({"merge": 1.0, "ask_about_twins": 1.0}, 0, 0)],
)
def test_the_playbook_says_from_where_on_twins_are_merged_and_asked_about(
    thresholds: dict[str, float], merged: int, asked: int
) -> None:
    words = "".join(f"\n  {name}: {value}" for name, value in thresholds.items())
    under = demo(edit={r"(?m)^thresholds:$": f"thresholds:{words}"})
    known_twice(under)
    run(under)
    assert Merge.objects.count() == merged
    assert Duplicate.objects.filter(kind="company", status="open", automatic=False).count() == asked


def test_who_was_judged_under_a_later_version_is_at_rest_so_the_earlier_one_speaks() -> None:
    """Two versions rule. The newcomer had nobody to compare with; what makes the two alike is learnt of the other."""
    under = demo()
    facts = {**GOOD, "name": "Globex Industries", "name_key": "globex industries", "city": "Austin"}
    old = imported(under, {**facts, "name": "Initech", "name_key": "initech", "domain": "globex.example"})
    run(under)
    draft = drafts.new_version(under.playbook, actor=None)
    lifecycle.publish(draft, actor=None, note="For those to come.", applies_to="new")
    new = imported(draft, {**facts, "domain": ""})
    run(draft)
    assert not Merge.objects.exists()
    Company.objects.filter(pk=old.company_id).update(name="Globex Industries", name_key="globex industries")
    make.signal(old, kind="news", text="Initech is Globex now.")
    Prospect.objects.filter(pk=old.pk).update(facts_no=old.signals.latest("fact_no").fact_no)
    run(draft)
    merge = Merge.objects.get()
    assert {merge.kept, merge.merged} == {old.company, new.company}


def test_who_was_kept_apart_is_not_asked_about_again() -> None:
    under = demo()
    one, other = known_twice(under)
    actor = make.user(one.client, "admin")
    pair(one.company, other.company, status="apart", decided_by=actor, decided_at=CLOCK)
    run(under)
    assert not Merge.objects.exists()
    assert Duplicate.objects.get().status == "apart"


def test_the_same_companies_give_the_same_proposals_twice_and_whatever_the_batches() -> None:
    digests = set()
    for size in (500, 500, 1, 2):
        under = demo(make.client(name="Seller", sender_email="robin@seller.example"))
        known_twice(under)
        known_twice(under, city="Boston", first="globex.test")
        known_twice(under, city="", first="globex-industries.example")
        digests.add(run(under, batch_size=size).digest)
        assert Merge.objects.filter(client=under.playbook.client).exists()
    assert len(digests) == 1


def test_people_at_one_company_are_recognised() -> None:
    under = demo()
    first = imported(under, {**GOOD, "name": "Hooli", "name_key": "hooli", "domain": "hooli.example"})
    again = make.contact(
        first.client, first.company, name="Dana Lee", first_name="Dana", last_name="Lee", phone="+1 512 555 0199"
    )
    type(again).objects.filter(pk=first.contact_id).update(phone="(512) 555-0199")
    run(under)
    merge = Merge.objects.get()
    assert (merge.kind, merge.kept.pk, merge.merged.pk) == ("contact", first.contact_id, again.pk)


def test_keys_follow_the_facts_and_cost_a_fixed_number_of_queries() -> None:
    client = make.client()
    rows = [make.company(client, name=f"Globex {word}") for word in ("North", "South", "Industries")]
    counts = set()
    for some in (rows[:1], rows):
        known = records("company", [row.pk for row in some])
        refresh_keys("company", client.pk, known.values())
        with CaptureQueriesContext(connection) as queries:
            assert refresh_keys("company", client.pk, known.values()) == 0
            candidates("company", client.pk, [row.pk for row in some])
        counts.add(len(queries))
    assert counts == {2}
    Company.objects.filter(pk=rows[0].pk).update(name="Initech Labs", domain="")
    refresh_keys("company", client.pk, records("company", [rows[0].pk]).values())
    keys = set(BlockingKey.objects.filter(kind="company", record_id=rows[0].pk).values_list("key", flat=True))
    assert keys
    assert not any("globex" in key for key in keys)


def test_other_clients_are_never_candidates() -> None:
    one, other = (make.company(make.client(), name="Globex Industries", domain="") for _ in range(2))
    for row in (one, other):
        refresh_keys("company", row.client_id, records("company", [row.pk]).values())
    assert candidates("company", one.client_id, [one.pk]) == {}
