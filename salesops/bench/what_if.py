"""What-if against the real thing: everybody under a draft, then published and re-scored for real, and both compared.

The real re-score is a convergence by two workers, so it judges, scores and gives verdicts; the two must agree to the
last bit on route, tier, verdict, composite, coverage and priority of everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from time import perf_counter

from playbooks.models import Playbook, PlaybookVersion
from playbooks.services import drafts, lifecycle
from prospects.models import Prospect, WhatIf
from prospects.reading.foresight import Foresight, open_ids
from prospects.services import what_if
from prospects.services.converging import convergences
from salesops.bench import Line, Say
from salesops.bench import convergence as converging

SIZE = 100_000
AIM = 1_000
LATER = converging.CLOCK + timedelta(days=3)
STANDING = ("route", "tier", "verdict", "composite", "coverage", "priority")
Standings = dict[int, tuple[object, ...]]


def run(size: int | None, say: Say) -> Iterator[Line]:
    """One draft that changes weights, thresholds and what a criterion asks; one new criterion."""
    count = size or SIZE
    playbook = converging.make_playbook(f"bench-what-if-{count}")
    converging.make_prospects(playbook, count)
    say(f"what-if: {count:,} prospects are judged under the version in force")
    _really(playbook)
    draft = _draft(playbook)
    say("what-if: everybody is looked at under the draft")
    started = perf_counter()
    found = what_if.start(draft, client=playbook.client, actor=None, clock=LATER)
    while what_if.work(found.pk):
        pass
    seconds = perf_counter() - started
    found.refresh_from_db()
    if found.status != WhatIf.Status.DONE or found.done != count:
        raise RuntimeError(f"the what-if did something else: {found.status}, {found.done} of {count}")
    rate = found.done / seconds
    note = f"{seconds:.1f} s by one worker, {found.changed:,} would change"
    yield Line("whatif", f"{count:,} prospects", rate, "prospects/s", f"≥ {AIM:,} prospects/s", rate >= AIM, note)
    expected = _foreseen(playbook, draft)
    say("what-if: the draft is published, and everybody re-scored for real")
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        step(draft, actor=None)
    started = perf_counter()
    _really(playbook)
    real = perf_counter() - started
    after = _standings(playbook)
    differ = sum(after[pk] != expected.get(pk) for pk in after)
    yield Line("whatif", "differences from the real re-score", differ, "prospects", "0", differ == 0)
    yield Line("whatif", "time, to that of the real re-score", 100 * seconds / real, "%", note=f"{real:.0f} s for real")


def _really(playbook: Playbook) -> None:
    clock = LATER if playbook.versions.count() > 1 else converging.CLOCK
    job = convergences.open_convergence(client=playbook.client, playbook=playbook, actor=None, clock=clock)
    workers = [converging.start_worker(job) for _ in range(converging.WORKERS)]
    for worker in workers:
        worker.communicate()
    job.refresh_from_db()
    if job.status != job.Status.DONE:
        raise RuntimeError(f"the convergence did something else: {job.status}, {job.done} of {job.total}")


def _draft(playbook: Playbook) -> PlaybookVersion:
    draft = drafts.new_version(playbook, actor=None)
    draft.hot_threshold, draft.warm_threshold = 64, 37
    draft.weight_firmographic, draft.weight_behavioral = draft.weight_firmographic + 10, draft.weight_behavioral - 10
    draft.save()
    draft.criteria.filter(key="size").update(params={"attribute": "employees", "minimum": 6, "maximum": 60})
    draft.criteria.create(
        key="speaks_english", label="Speaks English", layer="psychologic", category="need", kind="in_set", weight=12,
        params={"attribute": "country", "values": ["US", "GB"]}, position=90,
    )  # fmt: skip
    return draft


def _standings(playbook: Playbook) -> Standings:
    rows = Prospect.objects.filter(playbook=playbook).values_list("pk", *STANDING)
    return {row[0]: row[1:] for row in rows.iterator(chunk_size=10_000)}


def _foreseen(playbook: Playbook, draft: PlaybookVersion) -> Standings:
    """Everybody under the draft, also those whose route, tier and verdict stay: of them a what-if keeps no row."""
    foresight, after = Foresight(draft, now=LATER), 0
    foreseen: Standings = {}
    while ids := open_ids(playbook.pk, after=after, up_to=2**62, size=what_if.CHUNK):
        foreseen.update((context.id, made.standing) for context, made in foresight.look(ids))
        after = ids[-1]
    return foreseen
