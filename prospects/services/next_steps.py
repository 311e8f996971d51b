"""What should happen next with prospects, said anew from what is stored: whoever moved a request asks for it.

Only what is said under the prospect's lock after looking at the requests counts, so of two at once the later is right.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from django.db import transaction

from playbooks.models import Playbook
from prospects.models import Prospect, Verdict
from prospects.models.prospect import ProspectQuerySet
from prospects.rules.next_step import next_action

Asked = Callable[[Collection[int]], Mapping[int, Sequence[str]]]
_PAGE = 2_000
_FIELDS = ("verdict", "verdict_missing", "next_action", "contact_id")
_readers: list[Asked] = []


def register_asked(reader: Asked) -> None:
    """Called once by the app that asks people: prospect id → what became of the requests, as ``next_step`` reads it."""
    if reader not in _readers:
        _readers.append(reader)


def asked_about(prospects: Collection[int]) -> dict[int, Sequence[str]]:
    """What became of the requests about each that there were any about, the latest last."""
    return {pk: said for reader in _readers for pk, said in reader(prospects).items()} if prospects else {}


@transaction.atomic
def say(prospects: Collection[int]) -> int:
    """Bring the next action of those who are qualified level with their requests; how many were wrong."""
    return _say(Prospect.objects.filter(pk__in=prospects, verdict=Verdict.QUALIFIED))


def rebuild(playbook: Playbook) -> int:
    """Say everybody's next action anew, from the verdict, what is missing and the requests; how many were wrong."""
    judged = Prospect.objects.filter(playbook=playbook).exclude(verdict="")
    return sum(_rebuild(judged.filter(pk__in=page)) for page in _pages(judged))


@transaction.atomic
def _rebuild(page: ProspectQuerySet) -> int:
    return _say(page)


def _pages(judged: ProspectQuerySet) -> Iterator[list[int]]:
    last = 0
    while page := list(judged.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_PAGE]):
        yield page
        last = page[-1]


def _say(prospects: ProspectQuerySet) -> int:
    held = list(prospects.order_by("pk").select_for_update(of=("self",), no_key=True).only(*_FIELDS))
    asked = asked_about([row.pk for row in held if row.verdict == Verdict.QUALIFIED])
    people = _of_the_merged([row.pk for row in held if row.contact_id is None])
    changed = []
    for row in held:
        has_person = row.contact_id is not None or row.pk in people
        words = next_action(row.verdict, row.verdict_missing, asked.get(row.pk, ()), has_person=has_person)
        if row.next_action != words:
            row.next_action = words
            changed.append(row)
    Prospect.objects.bulk_update(changed, ["next_action"])
    return len(changed)


def _of_the_merged(prospects: Sequence[int]) -> set[int]:
    """Those of them that have a person by what was merged into them."""
    theirs = Prospect.objects.filter(merged_into__in=prospects, contact__isnull=False)
    return {pk for pk in theirs.values_list("merged_into", flat=True) if pk is not None} if prospects else set()
