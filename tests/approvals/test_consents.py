"""Consents come from a file with their proof: once each, for people of this client, and never from a broken line."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from approvals.models import ConsentBasis
from playbooks.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db
HEADER = "email,type,url,captured at,shown\n"
SHOWN = "Yes, write to me."


@pytest.fixture
def dana():
    return factories.contact(factories.client(slug="homes"), email="dana@home.example")


def load(path: Path, words: str) -> str:
    path.write_text(words, encoding="utf-8")
    out = StringIO()
    call_command("import_consents", path, client="homes", stdout=out)
    return out.getvalue()


def test_a_consent_is_recorded_once_with_the_hash_of_what_was_shown(dana, tmp_path):
    theirs = factories.contact(factories.client(), email="dana@home.example")
    words = (
        f'{HEADER}Dana@Home.example,express,https://w.example/ask,2026-05-02,"{SHOWN}"\n'
        f'nobody@home.example,express,,2026-05-02,"{SHOWN}"\n'
    )
    assert load(tmp_path / "c.csv", words).startswith("1 recorded, 0 known already, 1 about nobody")
    row = ConsentBasis.objects.get()
    assert (row.contact, row.type, row.captured_at) == (dana, "express", datetime(2026, 5, 2, tzinfo=UTC))
    assert row.snapshot_hash == sha256(SHOWN.encode()).hexdigest()
    assert not theirs.consents.exists()
    assert AuditEntry.objects.filter(event="consent.recorded", subject_id=row.pk).count() == 1
    assert load(tmp_path / "c.csv", words).startswith("0 recorded, 1 known already")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("dana@home.example,hearsay,,2026-05-02,x", "Line 2: expected one of express"),
        ("dana@home.example,express,,soon,x", "Line 2: expected a date such as"),
        ("dana@home.example,express,,2026-13-02,x", "Line 2: expected a date such as"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_recorded(dana, tmp_path, line, told):
    with pytest.raises(CommandError, match=told):
        load(tmp_path / "c.csv", f"{HEADER}{line}\n")
    assert not ConsentBasis.objects.exists()


def test_a_file_without_a_column_or_a_client_that_is_not_there_is_said(dana, tmp_path):
    with pytest.raises(CommandError, match="no column captured at, shown"):
        load(tmp_path / "c.csv", "email,type,url\n")
    with pytest.raises(CommandError, match="no client 'nobody'"):
        call_command("import_consents", tmp_path / "c.csv", client="nobody")
