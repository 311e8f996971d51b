"""Bring a playbook in from a YAML file, as a draft."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playbooks.models import Client
from playbooks.services import drafts, lifecycle
from playbooks.yaml_io import PlaybookFileError, parse
from salesops.errors import Refusal


class Command(BaseCommand):
    help = "Load a playbook from a YAML file as a new draft. Loading the same file twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--client", help="slug of the client, when it is not the one the file names")
        parser.add_argument("--activate", action="store_true", help="take the version through review and let it rule")

    def handle(self, *_: Any, file: Path, client: str | None, activate: bool, **__: Any) -> None:
        try:
            document = parse(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        except PlaybookFileError as error:
            lines = "\n  ".join(error.problems)
            raise CommandError(f"{file} is not a playbook:\n  {lines}") from error
        owner = Client.objects.filter(slug=client or document.client).first()
        if owner is None:
            raise CommandError(f"There is no client {client or document.client!r}. Create it first, or give --client.")
        try:
            version, created = drafts.load_document(document, client=owner, actor=None)
            if activate and version.status == version.Status.DRAFT:
                for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
                    version = step(version, actor=None)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        state = version.get_status_display().lower()
        self.stdout.write(f"{version}: {state}" + ("" if created else ", unchanged"))
