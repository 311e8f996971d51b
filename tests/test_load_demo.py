"""The demo command on a small cut of the shipped files; the whole of it runs in the browser tests and `make demo`."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from approvals.models import ApprovalRequest, ConsentBasis, Message
from playbooks.models import Client, Membership, PlaybookVersion, User
from playbooks.shipped import clients, contacts
from prospects.models import Contact, Evidence, ImportBatch, Prospect, Signal
from salesops.management.commands import load_demo

KEPT = 25


@pytest.fixture(autouse=True)
def _trying_it_out(settings: pytest.FixtureRequest) -> None:
    """Whatever servers the tests run on, this is nobody's real installation unless a test says so."""
    settings.EMBEDDED = True  # type: ignore[attr-defined]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The companies with a dated change, and as many without, cut from the shipped files."""
    signals = list(rows("signals.csv"))
    started = [row["external id"] for row in signals if row["kind"] == "hiring_started"][: KEPT * 2]
    chosen = set(started) | {row["Company id"] for row, _ in zip(rows("companies.csv.gz"), range(KEPT), strict=False)}
    for name, column in (("companies.csv.gz", "Company id"), ("contacts.csv.gz", "Company id")):
        write(tmp_path / name, [row for row in rows(name) if row[column] in chosen])
    write(tmp_path / "signals.csv", [row for row in signals if row["external id"] in chosen])
    (tmp_path / "demo.yaml").write_bytes((contacts.HERE / "demo.yaml").read_bytes())
    monkeypatch.setattr(load_demo, "SHIPPED", tmp_path)
    monkeypatch.setattr(load_demo, "CLIENTS", (clients.DEMO,))
    return tmp_path


def rows(name: str) -> Iterator[dict[str, str]]:
    opener = gzip.open if name.endswith(".gz") else open
    with opener(contacts.HERE / name, "rt", encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def write(path: Path, kept: list[dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(kept[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    data = text.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def load(*args: str) -> str:
    out = io.StringIO()
    call_command("load_demo", *args, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_demo_fills_the_queue_from_imported_facts_and_a_second_time_changes_nothing(small: Path) -> None:
    printed = load()
    for line in ("founder@demo.example", "admin@demo.example", "founder-reads-first"):
        assert line in printed
    requests = ApprovalRequest.objects.select_related("message", "contact")
    assert len(requests) >= 10
    assert {request.grade for request in requests} <= {"A", "B+"}
    for request in requests:
        assert request.contact.synthetic
        assert request.contact.email.endswith(".example")
        backing = Evidence.objects.filter(prospect=request.prospect_id, value__gte=50, strong_negative=False)
        assert backing.values("category").distinct().count() >= 3
        cited = {number for evidence in backing for number in evidence.signal_ids}
        files = set(Signal.objects.filter(pk__in=cited).values_list("source", flat=True))
        assert files <= {"companies.csv.gz", "signals.csv", "start-up directory"}

    def counts() -> list[int]:
        models = (Client, User, Membership, PlaybookVersion, ImportBatch, Prospect, Signal, Evidence, ApprovalRequest)
        return [model._default_manager.count() for model in models]

    before = counts()
    assert load() == printed
    assert counts() == before


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_load_is_finished_by_the_next(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(load_demo, "import_signals", stop)
        with pytest.raises(KeyboardInterrupt):
            load()
    assert not ApprovalRequest.objects.exists()
    load()
    assert ApprovalRequest.objects.exists()


@pytest.mark.django_db
def test_a_real_installation_is_left_alone_unless_asked(small: Path, settings: pytest.FixtureRequest) -> None:
    settings.EMBEDDED = settings.DEBUG = False  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="real installation"):
        load()
    assert not Client.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_known_passwords_never_open_a_real_installation(
    small: Path, settings: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_demo, "CLIENTS", (dataclasses.replace(clients.DEMO, files={}),))
    settings.EMBEDDED = settings.DEBUG = False  # type: ignore[attr-defined]
    printed = load("--yes")
    assert "founder-reads-first" not in printed
    assert not User.objects.get(email="founder@demo.example").check_password("founder-reads-first")
    assert "unchanged" in load("--yes")


@pytest.mark.django_db(transaction=True)
def test_both_other_clients_come_to_every_kind_of_verdict_and_ask_only_whom_the_law_lets_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_demo, "CLIENTS", (clients.SOLAR, clients.VENTILATION))
    load()
    for slug in ("solar", "ventilation"):
        prospects = Prospect.objects.filter(client__slug=slug)
        assert 150 <= len(prospects) <= 400
        spread = Counter(prospects.values_list("verdict", flat=True))
        assert min(spread[verdict] for verdict in ("qualified", "rejected", "stalled")) >= 15
        assert set(prospects.values_list("route", flat=True)) == {"hot", "warm", "cold"}
        assert all(Contact.objects.filter(client__slug=slug).values_list("synthetic", flat=True))
        requests = ApprovalRequest.objects.filter(client__slug=slug, grade="A", message__compliance="PASS")
        assert len(requests) >= 15
        backing = Evidence.objects.filter(client__slug=slug, value__gte=50, strong_negative=False)
        kinds = defaultdict(set)
        for prospect, category in backing.values_list("prospect", "category"):
            kinds[prospect].add(category)
        assert all(len(kinds[request.prospect_id]) >= 3 for request in requests)
    assert not Prospect.objects.filter(client__slug="ventilation", company__isnull=False).exists()
    agreed = set(ConsentBasis.objects.filter(client__slug="ventilation").values_list("contact", flat=True))
    messages = Message.objects.filter(client__slug="ventilation")
    refused = messages.exclude(contact__in=agreed)
    assert refused
    assert {message.compliance for message in refused} == {"BLOCK"}
    assert all(refusing(message) == {"nz.email.consent"} for message in refused)
    assert {message.compliance for message in messages.filter(contact__in=agreed)} == {"PASS"}
    for words in ("Warmwell Home Air, 12 Sample Road", "Unsubscribe: http"):
        assert all(words in message.body for message in messages)
    newest = Signal.objects.filter(client__slug="ventilation").latest("observed_at").observed_at
    assert (Client.objects.get(slug="ventilation").created_at - newest).days <= 3


def refusing(message: Message) -> set[str]:
    return {rule["id"] for rule in message.compliance_detail["rules"] if rule["verdict"] == "BLOCK"}
