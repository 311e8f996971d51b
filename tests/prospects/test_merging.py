"""Making two records one and taking it back: who goes on, what is read, and that no fact is touched."""

from __future__ import annotations

import pytest
from django.utils import timezone

from playbooks.models import AuditEntry, PlaybookVersion, Role
from prospects.host.loading import load_facts, new_contexts
from prospects.models import Company, Duplicate, Evidence, Merge, Prospect, Signal
from prospects.reading.why import why_of
from prospects.services.merging import merges
from salesops.errors import NotAllowed
from salesops.runtime.context import Context
from tests import factories as make
from tests.prospects.pairs import pair, settled, twins

pytestmark = pytest.mark.django_db


@pytest.fixture
def under() -> PlaybookVersion:
    return make.version()


def context(who: Prospect, under: PlaybookVersion) -> Context:
    found = new_contexts([who.pk], under.pk)
    load_facts(found, under.pk)
    return found[who.pk]


def reload(*rows: Prospect) -> list[Prospect]:
    return [Prospect.objects.get(pk=row.pk) for row in rows]


def test_the_kept_prospect_reads_the_others_signals_and_is_due(under: PlaybookVersion) -> None:
    one, other = twins(under)
    theirs = set(other.signals.values_list("pk", flat=True))
    actor = make.user(one.client, Role.OPERATOR)
    row = merges.merge(pair(one.company, other.company).pk, actor=actor, client=one.client)
    one, other = reload(one, other)
    assert (row.kept, row.merged) == (one.company, other.company)
    assert other.merged_into == one
    assert other.company.merged_into == one.company
    assert list(Prospect.objects.filter(client=one.client).due()) == [one]
    read = context(one, under)
    assert theirs <= {signal.id for signal in read.signals}
    assert read.newest_no == one.facts_no
    assert set(Signal.objects.filter(prospect=other).values_list("pk", flat=True)) == theirs
    audited = AuditEntry.objects.get(event="duplicate.merged")
    assert audited.detail == {"kind": "company", "kept": one.company_id, "merged": other.company_id, "score": 0.9}


def test_evidence_may_cite_the_merged_prospects_signals_while_they_are_one(under: PlaybookVersion) -> None:
    one, other = twins(under)
    theirs = other.signals.get()
    actor = make.user(one.client, Role.ADMIN)
    row = merges.merge(pair(one.company, other.company).pk, actor=actor, client=one.client)
    mine = make.evidence(one, under, cites=one.signals.filter(kind="profile").get(), value=40)
    borrowed = make.evidence(one, under, cites=theirs, value=80)
    assert context(one, under).evidence["icp", "industry"].id == borrowed.pk
    assert why_of(one).version == under
    merges.undo(row.pk, actor=actor, client=one.client)
    assert context(one, under).evidence["icp", "industry"].id == mine.pk
    assert Evidence.objects.filter(pk=borrowed.pk).exists()
    assert theirs.pk not in {signal.id for signal in context(one, under).signals}


def test_what_was_derived_from_the_others_signals_goes_when_they_part(under: PlaybookVersion) -> None:
    one, other = twins(under)
    theirs = other.signals.get()
    actor = make.user(one.client, Role.ADMIN)
    row = merges.merge(pair(one.company, other.company).pk, actor=actor, client=one.client)
    made = make.signal(one, kind="hiring_started", data={"derived_from": {"signal_id": theirs.pk, "attribute": "x"}})
    assert made.pk in {signal.id for signal in context(one, under).signals}
    merges.undo(row.pk, actor=actor, client=one.client)
    assert made.pk not in {signal.id for signal in context(one, under).signals}


def test_undoing_makes_both_due_and_keeps_them_apart(under: PlaybookVersion) -> None:
    one, other = twins(under)
    actor = make.user(one.client, Role.LEADER)
    found = pair(one.company, other.company)
    row = merges.merge(found.pk, actor=actor, client=one.client)
    settled(reload(one)[0])
    merges.undo(row.pk, actor=actor, client=one.client)
    one, other = reload(one, other)
    assert other.merged_into is None
    assert other.company.merged_into is None
    assert set(Prospect.objects.filter(client=one.client).due()) == {one, other}
    found.refresh_from_db()
    assert (found.status, found.decided_by) == (Duplicate.Status.APART, actor)
    with pytest.raises(merges.NotOpen):
        merges.undo(row.pk, actor=actor, client=one.client)
    with pytest.raises(merges.NotOpen):
        merges.merge(found.pk, actor=actor, client=one.client)
    merges.ask_again(found.pk, actor=actor, client=one.client)
    again = merges.merge(found.pk, actor=actor, client=one.client)
    assert Merge.objects.count() == 2
    assert again.undone_at is None


def test_a_person_may_keep_the_other_one(under: PlaybookVersion) -> None:
    one, other = twins(under)
    actor = make.user(one.client, Role.ADMIN)
    row = merges.merge(pair(one.company, other.company).pk, actor=actor, client=one.client, keep=other.company_id)
    assert row.kept == other.company
    assert reload(one)[0].merged_into == other


def pointers(client: object) -> dict[int, int | None]:
    return dict(Company.objects.for_client(client).values_list("pk", "merged_into"))


def test_chains_are_flat_and_come_apart_in_any_order(under: PlaybookVersion) -> None:
    (one, two), (three, _) = twins(under), twins(under, domains=("third.example", "fourth.example"))
    actor, client = make.user(one.client, Role.ADMIN), one.client
    first = merges.merge(pair(one.company, two.company).pk, actor=actor, client=client)
    second = merges.merge(pair(one.company, three.company).pk, actor=actor, client=client, keep=three.company_id)
    assert pointers(client)[one.company_id] == pointers(client)[two.company_id] == three.company_id
    assert {p.merged_into_id for p in reload(one, two)} == {three.pk}
    merges.undo(first.pk, actor=actor, client=client)
    assert (pointers(client)[two.company_id], pointers(client)[one.company_id]) == (None, three.company_id)
    merges.undo(second.pk, actor=actor, client=client)
    assert not Prospect.objects.filter(merged_into__isnull=False).exists()
    assert set(pointers(client).values()) == {None}


def test_undoing_the_end_of_a_chain_leaves_its_beginning(under: PlaybookVersion) -> None:
    (one, two), (three, _) = twins(under), twins(under, domains=("third.example", "fourth.example"))
    actor, client = make.user(one.client, Role.ADMIN), one.client
    merges.merge(pair(one.company, two.company).pk, actor=actor, client=client)
    last = merges.merge(pair(one.company, three.company).pk, actor=actor, client=client, keep=three.company_id)
    merges.undo(last.pk, actor=actor, client=client)
    assert (pointers(client)[two.company_id], pointers(client)[one.company_id]) == (one.company_id, None)
    assert [p.merged_into_id for p in reload(one, two)] == [None, one.pk]


def test_a_prospect_alone_in_its_playbook_goes_on_for_the_kept_company(under: PlaybookVersion) -> None:
    one, other = twins(under)
    elsewhere = make.version(one.client)
    alone = settled(make.prospect(elsewhere, company=other.company, contact=other.contact))
    actor = make.user(one.client, Role.ADMIN)
    merges.merge(pair(one.company, other.company).pk, actor=actor, client=one.client)
    (alone,) = reload(alone)
    assert alone.merged_into is None
    assert context(alone, elsewhere).company.id == one.company_id  # type: ignore[union-attr]


def test_other_pairs_between_the_two_are_no_questions_any_more(under: PlaybookVersion) -> None:
    (one, two), (three, _) = twins(under), twins(under, domains=("third.example", "fourth.example"))
    actor, client = make.user(one.client, Role.ADMIN), one.client
    pairs = [pair(one.company, two.company), pair(two.company, three.company), pair(one.company, three.company)]
    merges.merge(pairs[0].pk, actor=actor, client=client)
    last = merges.merge(pairs[1].pk, actor=actor, client=client)
    assert set(Duplicate.objects.values_list("status", flat=True)) == {"merged"}
    merges.undo(last.pk, actor=actor, client=client)
    assert [Duplicate.objects.get(pk=p.pk).status for p in pairs] == ["merged", "apart", "apart"]


def test_people_known_twice_are_read_as_one(under: PlaybookVersion) -> None:
    one, other = twins(under)
    actor, client = make.user(one.client, Role.ADMIN), one.client
    row = merges.merge(pair(one.contact, other.contact).pk, actor=actor, client=client)
    one, other = reload(one, other)
    assert row.kept == one.contact
    assert context(other, under).contact.id == one.contact_id  # type: ignore[union-attr]
    assert other.merged_into is None  # two companies, one person
    assert set(Prospect.objects.filter(client=client).due()) == {one, other}
    told = Signal.objects.filter(kind="merged")
    assert {s.prospect for s in told} == {one, other}
    assert not any(name in s.text for s in told for name in ("Sam", "Poe"))


def test_people_without_companies_are_one_prospect(under: PlaybookVersion) -> None:
    client = under.playbook.client
    people = [make.contact(client, name="Sam Poe", first_name="Sam", last_name="Poe") for _ in range(2)]
    rows = [
        Prospect.objects.create(client=client, playbook=under.playbook, contact=person, source="people.csv")
        for person in people
    ]
    for who in rows:
        make.signal(who)
        settled(who)
    actor = make.user(client, Role.ADMIN)
    row = merges.merge(pair(*people).pk, actor=actor, client=client)
    assert reload(rows[1])[0].merged_into == rows[0]
    merges.undo(row.pk, actor=actor, client=client)
    assert reload(rows[1])[0].merged_into is None


@pytest.mark.parametrize("role", [Role.REVIEWER])
def test_only_who_may_import_may_decide(under: PlaybookVersion, role: Role) -> None:
    one, other = twins(under)
    found, stranger = pair(one.company, other.company), make.user(make.client(), Role.ADMIN)
    for person in (make.user(one.client, role), stranger):
        for act in (merges.merge, merges.keep_apart):
            with pytest.raises(NotAllowed):
                act(found.pk, actor=person, client=one.client)
    with pytest.raises(merges.NoSuchPair):
        merges.merge(found.pk, actor=stranger, client=stranger.memberships.get().client)


def test_kept_apart_is_remembered_and_can_be_taken_back(under: PlaybookVersion) -> None:
    one, other = twins(under)
    actor, client = make.user(one.client, Role.OPERATOR), one.client
    found = merges.keep_apart(pair(one.company, other.company).pk, actor=actor, client=client)
    assert found.decided_by == actor
    with pytest.raises(merges.NotOpen):
        merges.keep_apart(found.pk, actor=actor, client=client)
    merges.ask_again(found.pk, actor=actor, client=client)
    told = AuditEntry.objects.for_client(client).filter(event__startswith="duplicate.").order_by("seq")
    assert list(told.values_list("event", flat=True)) == ["duplicate.kept_apart", "duplicate.asked_again"]


def test_what_is_sure_is_merged_without_asking_and_names_no_person(under: PlaybookVersion) -> None:
    one, other = twins(under)
    pair(one.company, other.company, score=0.995, automatic=True)
    assert merges.merge_sure(client=one.client, at=timezone.now()) == 1
    assert merges.merge_sure(client=one.client, at=timezone.now()) == 0
    assert Merge.objects.get().by is None
    assert AuditEntry.objects.get(event="duplicate.merged").actor is None


def test_the_same_observation_of_both_counts_once(under: PlaybookVersion) -> None:
    one, other = twins(under)
    for who in (one, other):
        make.signal(who, kind="news", text="Globex expands.", dedup_key="news:1")
    merges.merge(pair(one.company, other.company).pk, actor=make.user(one.client, Role.ADMIN), client=one.client)
    assert [s.text for s in context(one, under).signals].count("Globex expands.") == 1
