"""The people in the chaos test, in a process of their own: they prepare requests, approve them, and count.

Run as `python -m tests.approvals.chaos_people prepare|approve|report N [seconds]`; answers are JSON on stdout.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.settings")

STAFF = "chaos"


def prepare(number: int) -> dict[str, Any]:
    """A client with N waiting requests, and nothing between approval and sending; names differ from round to round."""
    from django.core.management import call_command
    from django.db import transaction

    from playbooks.models import User
    from tests.approvals.scene import scene

    call_command("migrate", verbosity=0, interactive=False)
    with transaction.atomic():
        at_work = scene(emails_per_day=100_000, money_per_month=100_000)
        type(at_work.client).objects.filter(pk=at_work.client.pk).update(slug=f"{STAFF}-{at_work.client.pk}")
        for person in User.objects.filter(memberships__client=at_work.client):
            User.objects.filter(pk=person.pk).update(email=f"{STAFF}-{person.pk}@salesops.example")
        for _ in range(number):
            at_work.request()
    return {"client": at_work.client.pk, "requests": number}


def approve(client_id: int, seconds: float) -> dict[str, Any]:
    """Approve everything that waits, spread over so many seconds, trying again whenever the database is away."""
    from approvals.models import ApprovalRequest
    from approvals.services import decide
    from approvals.services.refusals import AlreadyDecided
    from approvals.services.seen import present
    from playbooks.models import Client, User

    client = patiently(lambda: Client.objects.get(pk=client_id))
    person = patiently(lambda: User.objects.get(memberships__client=client))
    waiting = patiently(lambda: list(ApprovalRequest.objects.for_client(client).waiting().values_list("pk", flat=True)))

    def one(pk: int) -> bool:
        row = ApprovalRequest.objects.select_related("prospect", "message", "client").get(pk=pk)
        try:
            decide.approve(pk, seen=present(row).seen, actor=person, client=client)
        except AlreadyDecided:
            return False  # the answer to an earlier try was lost, not the decision
        return True

    for pk in waiting:
        patiently(lambda pk=pk: one(pk))
        time.sleep(seconds / max(len(waiting), 1))
    return {"approved": len(waiting)}


def patiently(act: Callable[[], Any], most: float = 120) -> Any:
    """Do it as soon as the database lets us."""
    from django.db import Error, connection

    until = time.monotonic() + most
    while True:
        try:
            return act()
        except Error:
            if time.monotonic() > until:
                raise
            connection.close()
            time.sleep(0.2)


def report(client_id: int, seconds: float) -> dict[str, Any]:
    """What became of every dispatch and what really arrived, as soon as all is settled or after so many seconds."""
    from approvals.models import ApprovalRequest, CapturedMail, Decision, Dispatch, Task
    from approvals.verify import history
    from playbooks.models import Client

    def look() -> dict[str, Any]:
        client = Client.objects.get(pk=client_id)
        mine = Dispatch.objects.for_client(client)
        receipts = Counter(CapturedMail.objects.filter(dispatch__in=mine).values_list("dispatch_id", flat=True))
        status = dict(mine.values_list("pk", "status"))
        open_tasks = set(Task.objects.for_client(client).filter(status="open").values_list("dispatch_id", flat=True))
        return {
            "requests": ApprovalRequest.objects.for_client(client).count(),
            "decisions": Decision.objects.for_client(client).count(),
            "statuses": Counter(status.values()),
            "receipts": sum(receipts.values()),
            "twice": [pk for pk, count in receipts.items() if count > 1],
            "accepted_without_receipt": [pk for pk, at in status.items() if at == "accepted" and not receipts[pk]],
            "receipt_without_acceptance": [pk for pk in receipts if status[pk] not in ("accepted", "unknown")],
            "doubt_without_task": [pk for pk, at in status.items() if at == "unknown" and pk not in open_tasks],
            "strangers": CapturedMail.objects.filter(dispatch__isnull=True).count(),
            "unsettled": sum(at in ("undo_hold", "queued", "postponed", "sending") for at in status.values()),
            "fault": str(history.first_fault(history.HISTORY) or ""),
        }

    until = time.monotonic() + seconds
    while (found := patiently(look))["unsettled"] and time.monotonic() < until:
        time.sleep(2)
    return found


def main(words: list[str]) -> None:
    django.setup()
    from salesops import engines

    engines.ensure()
    if words[0] == "prepare":
        answer = prepare(int(words[1]))
    elif words[0] == "approve":
        answer = approve(int(words[1]), float(words[2]))
    else:
        answer = report(int(words[1]), float(words[2]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
