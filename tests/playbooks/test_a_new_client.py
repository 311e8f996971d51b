"""A client that none of the code knows: one YAML file and a few rows, and everybody has a verdict."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from playbooks.models import AuditEntry, Client, PlaybookVersion
from prospects.models import Prospect
from tests.prospects.import_files import write_csv

pytestmark = pytest.mark.django_db
FILE = Path(__file__).parents[1] / "data" / "lighthouse.yaml"
NAMED = ["--client", "lighthouse-moorings", "--playbook", "clubs"]


def said(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_a_new_client_comes_from_yaml_alone_and_converges_to_verdicts(settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    words = said("load_playbook", str(FILE), "--create-client", "--activate")
    assert "Lighthouse Moorings is a new client, in the sandbox" in words
    assert "active" in words
    clubs = write_csv(
        tmp_path / "clubs.csv", "Company|Domain|Industry|Employees|Country|Tags",
        "Harbour Club|harbour.example|Boat club|12|NL|", "North Marina|marina.example|Marina|30|DE|",
        "Fleet Club|fleet.example|Boat club|40|DE|Navy", "Shoe Shop|shoes.example|Retail|5|DE|",
    )  # fmt: skip
    said("import_prospects", str(clubs), *NAMED)
    counted = write_csv(
        tmp_path / "counted.csv", "Prospect|Kind|At|Value", "harbour.example|waiting_list_counted|2026-05-04|80"
    )
    said("import_signals", str(counted), *NAMED)
    result = json.loads(said("converge", *NAMED, "--sync", "--json"))
    assert result["status"] == "done"
    verdicts = dict(Prospect.objects.values_list("company__domain", "verdict"))
    assert verdicts == {
        "harbour.example": "qualified", "fleet.example": "rejected", "marina.example": "stalled",
        "shoes.example": "rejected",
    }  # fmt: skip
    rejected = Prospect.objects.get(company__domain="fleet.example")
    assert "Navy" in rejected.verdict_reason
    assert Prospect.objects.get(company__domain="marina.example").verdict_missing


def test_a_client_is_set_up_only_when_asked_and_only_with_its_playbook(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"There is no client 'lighthouse-moorings'. Give --create-client"):
        said("load_playbook", str(FILE))
    broken = tmp_path / "broken.yaml"
    broken.write_text(FILE.read_text().replace("hot: 80", "hot: 20"))
    with pytest.raises(CommandError, match=r"line 14: thresholds\.hot: expected hot above warm"):
        said("load_playbook", str(broken), "--create-client")
    assert not Client.objects.exists()
    said("load_playbook", str(FILE), "--create-client", "--client-name", "Lighthouse")
    client = Client.objects.get()
    assert (client.slug, client.name, client.sandbox) == ("lighthouse-moorings", "Lighthouse", True)
    events = AuditEntry.objects.order_by("seq").values_list("event", flat=True)
    assert list(events) == ["client.changed", "playbook.drafted"]


def test_a_file_can_be_checked_without_loading_it(tmp_path: Path) -> None:
    assert "is a playbook: Boat clubs with too few berths, 4 criteria, 1 templates" in said(
        "load_playbook", str(FILE), "--check"
    )
    broken = tmp_path / "broken.yaml"
    broken.write_text(FILE.read_text().replace("kind: flag", "kind: flagg").replace("hot: 80", "hott: 80"))
    with pytest.raises(CommandError) as refused:
        said("load_playbook", str(broken), "--check")
    assert "line 14: thresholds.hott: unknown here" in str(refused.value)
    assert "did you mean flag?" in str(refused.value)
    assert not PlaybookVersion.objects.exists()
