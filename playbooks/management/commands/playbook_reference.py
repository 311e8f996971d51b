"""Print what a playbook file may hold, as docs/playbook-yaml.md has it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from playbooks.rules.reference import reference


class Command(BaseCommand):
    help = "Print every name a playbook file may hold, in Markdown; docs/playbook-yaml.md is made with it."

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(reference(), ending="")
