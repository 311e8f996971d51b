"""One process of many that spend a budget: fifty threads, each with a connection of its own, all let go at once.

Run as ``python -m tests.budgets.worker``; for each line of JSON it is given it prints what each bucket gave to whom.
The starting gun is an advisory lock that the test holds alone until everybody waits for it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import datetime
from decimal import Decimal
from typing import Any

GUN = 0xB0D6E7


def main(given: dict[str, Any]) -> dict[str, list[int]]:
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = given["database"]
    taken: dict[str, list[int]] = {bucket: [] for bucket in given["buckets"]}
    threads = [threading.Thread(target=spend, args=(given, place, taken)) for place in range(given["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def spend(given: dict[str, Any], place: int, taken: dict[str, list[int]]) -> None:
    """Take from every bucket in turn: odd places one unit, even ones as many as they get of three."""
    from django.db import connection

    from playbooks.models import PlaybookVersion
    from playbooks.services import budgets

    version = PlaybookVersion.objects.select_related("playbook__client").get(pk=given["version"])
    client, at, unit = version.playbook.client, datetime.fromisoformat(given["at"]), Decimal(given["unit"])
    for round_, bucket in enumerate(given["buckets"]):
        wait_for_the_gun(round_)
        if given["act"] == "release":
            budgets.release(version, bucket, unit, client=client, at=at)
        elif place % 2:
            taken[bucket].append(int(budgets.reserve(version, bucket, unit, client=client, at=at)))
        else:
            taken[bucket].append(budgets.reserve_up_to(version, bucket, unit, 3, client=client, at=at))
    connection.close()


def wait_for_the_gun(round_: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", [GUN, round_])


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    for line in sys.stdin:
        print(json.dumps(main(json.loads(line))), flush=True)
