"""Fill an empty installation with the demo: clients, people, playbooks, companies, households and drafted requests."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from approvals.services.consents import read_consents, record_consents
from playbooks.models import Client, Playbook, PlaybookVersion, Role, User
from playbooks.rules.yaml_io import parse
from playbooks.services import clients, drafts, lifecycle, people
from playbooks.shipped.clients import CLIENTS, ShippedClient, moved
from prospects.importing.reading import open_source
from prospects.models import Convergence, ImportBatch
from prospects.services import funnel_cells
from prospects.services.converging.converge import converge
from prospects.services.importing.prospects import import_prospects, mapping_for
from prospects.services.importing.signals import import_signals, signal_mapping_for

SHIPPED = Path(__file__).resolve().parents[3] / "playbooks" / "shipped"
#: local part of the address → name, roles, may enter the admin site, password of a demo on this machine
PEOPLE: dict[str, tuple[str, tuple[Role, ...], bool, str]] = {
    "founder": ("Mara Ellison", (Role.REVIEWER, Role.LEADER), False, "founder-reads-first"),
    "leader": ("Theo Marlowe", (Role.LEADER,), False, "leader-counts-stages"),
    "admin": ("Uma Selwyn", (Role.ADMIN,), True, "admin-writes-playbooks"),
    "operator": ("Kai Orchard", (Role.OPERATOR,), False, "operator-runs-agents"),
}


class Command(BaseCommand):
    help = "Load the demo: three clients, their playbooks and prospects, log-ins, and drafts for the founder to read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="load it into an installation that is not a demo, too")

    def handle(self, *_: Any, yes: bool, **__: Any) -> None:
        if not (settings.DEBUG or settings.EMBEDDED or yes):
            raise CommandError("This is a real installation. Give --yes to put the demo client into it all the same.")
        loaded = [self._load(shipped) for shipped in CLIENTS]
        log_ins = self._people([client for client, _ in loaded])
        for client, playbook in loaded:
            self._run_agents(client, playbook)
        self.stdout.write("Demo log-ins:\n" + "\n".join(f"  {line}" for line in log_ins))

    def _load(self, shipped: ShippedClient) -> tuple[Client, Playbook]:
        """The client, its playbook, and every file of it that is not in yet."""
        client, playbook = self._playbook(shipped)
        with tempfile.TemporaryDirectory(prefix="salesops-demo-") as folder:
            for name, is_signals in shipped.files.items():
                path = _dated(shipped, name, client, Path(folder))
                self._import(shipped, client, playbook, path, is_signals=is_signals)
            if shipped.consents:
                given = read_consents(_dated(shipped, shipped.consents, client, Path(folder)))
                record_consents(given, client=client, actor=None)
        return client, playbook

    def _playbook(self, shipped: ShippedClient) -> tuple[Client, Playbook]:
        """The client and its active playbook; anything a person has changed since stays as it is."""
        ruling = PlaybookVersion.objects.active().filter(
            playbook__client__slug=shipped.slug, playbook__slug=shipped.playbook
        )
        version = ruling.select_related("playbook__client").first()
        if version is None:
            with transaction.atomic():
                client = Client.objects.filter(slug=shipped.slug).first() or clients.save(
                    Client(slug=shipped.slug, **shipped.details), fields=["slug", *shipped.details], actor=None
                )
                document = parse((SHIPPED / shipped.document).read_text(encoding="utf-8"))
                version, _ = drafts.load_document(document, client=client, actor=None)
                for step in _remaining_steps(version):
                    version = step(version, actor=None)
        return version.playbook.client, version.playbook

    def _people(self, at: Sequence[Client]) -> list[str]:
        """The log-ins, each at home at every client. Whoever was here before is told of the clients that are new."""
        known = {user.email: user for user in User.objects.filter(email__endswith="@demo.example")}
        lines = []
        for local, (name, roles, staff, password) in PEOPLE.items():
            email = f"{local}@demo.example"
            if not (settings.DEBUG or settings.EMBEDDED):
                # Anybody can read the passwords above; on a machine that others reach they would be an open door.
                password = "unchanged" if email in known else secrets.token_urlsafe(12)
            with transaction.atomic():
                user = known.get(email) or User.objects.create_user(email, password, name=name, is_staff=staff)
                at_home = people.roles_at(user, at)
                for client in at:
                    if not at_home[client.pk]:
                        people.set_roles(user, client=client, roles=roles, actor=None)
            lines.append(f"{email:<24} {password:<24} {', '.join(role.label.lower() for role in roles)}")
        return lines

    def _import(
        self, shipped: ShippedClient, client: Client, playbook: Playbook, path: Path, *, is_signals: bool
    ) -> None:
        source = open_source(path)
        done = ImportBatch.objects.for_client(client).filter(
            playbook=playbook, sha256=source.sha256, status=ImportBatch.Status.DONE
        )
        if done.exists():
            return
        self.stderr.write(f"Importing {path.name} …")
        if is_signals:
            report = import_signals(
                source, client=client, playbook=playbook, actor=None, mapping=signal_mapping_for(source, None)
            )
        else:
            mapping = mapping_for(source, None)
            report = import_prospects(
                source, client=client, playbook=playbook, actor=None, mapping=mapping, source_name=shipped.source
            )
        self.stderr.write("  " + ", ".join(f"{count:,} {what}" for what, count in report.counts.items() if count))

    def _run_agents(self, client: Client, playbook: Playbook) -> None:
        finished = Convergence.objects.filter(playbook=playbook, status=Convergence.Status.DONE)
        if finished.exists():
            return

        def show(done: int, total: int) -> None:
            self.stderr.write(f"  {done:,} of {total:,} prospects", ending="\r")

        self.stderr.write(f"Running the agents for {client.name} …")
        report = converge(client=client, playbook=playbook, actor=None, progress=show)
        funnel_cells.sweep_funnel()
        verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in report.outcome.verdicts.items())
        self.stderr.write(f"  {verdicts}; {report.convergence.requests:,} requests wait in the queue")


def _dated(shipped: ShippedClient, name: str, client: Client, folder: Path) -> Path:
    """The file; made-up dates end the day before this client was made, on every load of this installation alike."""
    if shipped.written_on is None:
        return SHIPPED / name
    to = client.created_at.date() - timedelta(days=1)
    return moved(SHIPPED / name, written_on=shipped.written_on, to=to, into=folder)


def _remaining_steps(version: PlaybookVersion) -> list[Callable[..., PlaybookVersion]]:
    """What is left between this version and ruling."""
    steps: list[Callable[..., PlaybookVersion]] = [lifecycle.submit, lifecycle.approve, lifecycle.activate]
    return steps[{"draft": 0, "in_review": 1}.get(version.status, 2) :]
