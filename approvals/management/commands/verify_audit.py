"""`manage.py verify_audit`: is history what it was?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from approvals import verify


class Command(BaseCommand):
    help = "Recompute every audit chain and check words, decisions and dispatches against it. Exit 1 names the row."
    checks = verify.HISTORY

    def handle(self, *_args: Any, **_options: Any) -> None:
        fault = verify.first_fault(self.checks)
        if fault is not None:
            raise CommandError(str(fault), returncode=1)
        self.stdout.write(f"Intact: {', '.join(name for name, _ in self.checks)}.")
