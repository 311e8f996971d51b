"""Bring a playbook in from a YAML file, as a draft."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from playbooks.models import Client
from playbooks.rules.document import Document
from playbooks.rules.yaml_io import PlaybookFileError, parse
from playbooks.services import clients, drafts, lifecycle
from salesops.errors import Refusal


class Command(BaseCommand):
    help = (
        "Load a playbook from a YAML file as a new draft. Loading the same file twice changes nothing. "
        "docs/playbook-yaml.md lists every name a file may hold."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--client", help="slug of the client, when it is not the one the file names")
        parser.add_argument("--activate", action="store_true", help="take the version through review and let it rule")
        parser.add_argument("--check", action="store_true", help="only say what is wrong with the file")
        parser.add_argument("--create-client", action="store_true", help="set the client up when there is none yet")
        parser.add_argument("--client-name", default="", help="what the new client is called; else made of its slug")

    def handle(self, *_: Any, file: Path, client: str | None, **options: Any) -> None:
        document = self._read(file)
        if options["check"]:
            self.stdout.write(f"{file} is a playbook: {document.name}, {self._counted(document)}.")
            return
        try:
            with transaction.atomic():
                owner = self._owner(client or document.client, options)
                version, created = drafts.load_document(document, client=owner, actor=None)
                if options["activate"] and version.status == version.Status.DRAFT:
                    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
                        version = step(version, actor=None)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        state = version.get_status_display().lower()
        self.stdout.write(f"{version}: {state}" + ("" if created else ", unchanged"))

    def _read(self, file: Path) -> Document:
        try:
            return parse(file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        except PlaybookFileError as error:
            lines = "\n  ".join(error.problems)
            raise CommandError(f"{file} is not a playbook:\n  {lines}") from error

    def _counted(self, document: Document) -> str:
        criteria, templates = len(document.rows["criteria"]), len(document.rows["templates"])
        return f"{criteria} criteria, {templates} templates"

    def _owner(self, slug: str, options: dict[str, Any]) -> Client:
        owner = Client.objects.filter(slug=slug).first()
        if owner is not None:
            return owner
        if not options["create_client"]:
            raise CommandError(f"There is no client {slug!r}. Give --create-client to set it up, or --client.")
        name = options["client_name"] or slug.replace("-", " ").replace("_", " ").title()
        made = clients.set_up(slug=slug, name=name, actor=None)
        self.stdout.write(
            f"{made} is a new client, in the sandbox. Before it can write to anybody, give it a sender's name and "
            "e-mail address and a postal address in the admin."
        )
        return made
