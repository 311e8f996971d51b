"""Fill an empty installation with the demo: a client, its people, a playbook, real companies, and drafted requests."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from playbooks.models import Client, Membership, Playbook, PlaybookVersion, Role, User
from playbooks.services import drafts, lifecycle
from playbooks.yaml_io import parse
from prospects.importing.reading import open_source
from prospects.models import Convergence, ImportBatch
from prospects.services import funnel_cells
from prospects.services.converge import converge
from prospects.services.import_prospects import import_prospects, mapping_for
from prospects.services.import_signals import import_signals, signal_mapping_for

SHIPPED = Path(__file__).resolve().parents[3] / "playbooks" / "shipped"
SOURCE = "start-up directory"
CLIENT = {
    "name": "Quillmoor (demo)",
    "sender_name": "Mara Ellison",
    "sender_email": "mara@quillmoor.example",
    "postal_address": "Quillmoor, 200 Sample Street, Suite 4, Springfield, IL 62701, USA",
    "privacy_url": "https://quillmoor.example/privacy",
    "time_zone": "America/New_York",
}
#: local part of the address → name, roles, may enter the admin site, password of a demo on this machine
PEOPLE: dict[str, tuple[str, tuple[Role, ...], bool, str]] = {
    "founder": ("Mara Ellison", (Role.REVIEWER, Role.LEADER), False, "founder-reads-first"),
    "leader": ("Theo Marlowe", (Role.LEADER,), False, "leader-counts-stages"),
    "admin": ("Uma Selwyn", (Role.ADMIN,), True, "admin-writes-playbooks"),
    "operator": ("Kai Orchard", (Role.OPERATOR,), False, "operator-runs-agents"),
}
#: shipped file → whether it holds signals; in the order in which they build on each other
FILES = {"companies.csv.gz": False, "contacts.csv.gz": False, "signals.csv": True}


class Command(BaseCommand):
    help = "Load the demo: companies as a public directory listed them, made-up people, and drafts for the founder."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="load it into an installation that is not a demo, too")

    def handle(self, *_: Any, yes: bool, **__: Any) -> None:
        if not (settings.DEBUG or settings.EMBEDDED or yes):
            raise CommandError("This is a real installation. Give --yes to put the demo client into it all the same.")
        client, playbook = self._playbook()
        log_ins = self._people(client)
        for name, is_signals in FILES.items():
            self._import(client, playbook, name, is_signals=is_signals)
        self._run_agents(client, playbook)
        self.stdout.write("Demo log-ins:\n" + "\n".join(f"  {line}" for line in log_ins))

    def _playbook(self) -> tuple[Client, Playbook]:
        """The client and its active playbook; anything a person has changed since stays as it is."""
        ruling = PlaybookVersion.objects.active().filter(playbook__client__slug="demo", playbook__slug="founders")
        version = ruling.select_related("playbook__client").first()
        if version is None:
            with transaction.atomic():
                client, _ = Client.objects.get_or_create(slug="demo", defaults=CLIENT)
                document = parse((SHIPPED / "demo.yaml").read_text(encoding="utf-8"))
                version, _ = drafts.load_document(document, client=client, actor=None)
                for step in _remaining_steps(version):
                    version = step(version, actor=None)
        return version.playbook.client, version.playbook

    def _people(self, client: Client) -> list[str]:
        known = {user.email for user in User.objects.filter(email__endswith="@demo.example")}
        lines = []
        for local, (name, roles, staff, password) in PEOPLE.items():
            email = f"{local}@demo.example"
            if not (settings.DEBUG or settings.EMBEDDED):
                # Anybody can read the passwords above; on a machine that others reach they would be an open door.
                password = "unchanged" if email in known else secrets.token_urlsafe(12)
            if email not in known:
                with transaction.atomic():
                    user = User.objects.create_user(email, password, name=name, is_staff=staff)
                    Membership.objects.bulk_create(Membership(user=user, client=client, role=role) for role in roles)
            lines.append(f"{email:<24} {password:<24} {', '.join(role.label.lower() for role in roles)}")
        return lines

    def _import(self, client: Client, playbook: Playbook, name: str, *, is_signals: bool) -> None:
        source = open_source(SHIPPED / name)
        done = ImportBatch.objects.for_client(client).filter(
            playbook=playbook, sha256=source.sha256, status=ImportBatch.Status.DONE
        )
        if done.exists():
            return
        self.stderr.write(f"Importing {name} …")
        if is_signals:
            report = import_signals(
                source, client=client, playbook=playbook, actor=None, mapping=signal_mapping_for(source, None)
            )
        else:
            mapping = mapping_for(source, None)
            report = import_prospects(
                source, client=client, playbook=playbook, actor=None, mapping=mapping, source_name=SOURCE
            )
        self.stderr.write("  " + ", ".join(f"{count:,} {what}" for what, count in report.counts.items() if count))

    def _run_agents(self, client: Client, playbook: Playbook) -> None:
        finished = Convergence.objects.filter(playbook=playbook, status=Convergence.Status.DONE)
        if finished.exists():
            return

        def show(done: int, total: int) -> None:
            self.stderr.write(f"  {done:,} of {total:,} prospects", ending="\r")

        self.stderr.write("Running the agents …")
        report = converge(client=client, playbook=playbook, actor=None, progress=show)
        funnel_cells.sweep_funnel()
        verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in report.outcome.verdicts.items())
        self.stderr.write(f"  {verdicts}; {report.convergence.requests:,} requests wait in the queue")


def _remaining_steps(version: PlaybookVersion) -> list[Callable[..., PlaybookVersion]]:
    """What is left between this version and ruling."""
    steps: list[Callable[..., PlaybookVersion]] = [lifecycle.submit, lifecycle.approve, lifecycle.activate]
    return steps[{"draft": 0, "in_review": 1}.get(version.status, 2) :]
