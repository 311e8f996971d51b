"""Whoever was erased does not come back: not by a file, not by a source, not by the files they came in with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from playbooks.models import Playbook, Role
from prospects.erasure.keys import TURNED_AWAY
from prospects.models import Alias, Company, Contact, ImportBatch, Prospect, Signal
from prospects.rules.erasing import data, traces_of, words
from prospects.services.erasing.erasure import erase_person
from salesops import keyed
from tests import factories as make
from tests.prospects.import_files import counts, imported, playbook, signals_imported, write_csv

HEADER = "company|domain|name|email|contact id|title"
ZEB = "Acme|acme.example|Zebulon Quartermain|zeb@acme.example|k-1|VP Sales"
ANN = "Acme|acme.example|Ann Lower|ann@acme.example|k-2|Founder"


def erase(contact: Contact) -> None:
    erase_person(contact, actor=make.user(contact.client, Role.ADMIN), reason="asked")


@pytest.fixture
def here() -> Playbook:
    return playbook()


@pytest.mark.django_db
def test_a_file_does_not_bring_an_erased_person_back_by_any_of_their_names(here: Playbook, tmp_path: Path) -> None:
    imported(write_csv(tmp_path / "one.csv", HEADER, ZEB, ANN), here)
    zeb = Contact.objects.get(first_name="Zebulon")
    Alias.objects.create(
        client=here.client, kind="contact", name="key", value="z@old.example", contact=zeb, trace_id=""
    )
    erase(zeb)
    again = write_csv(
        tmp_path / "two.csv", HEADER, ZEB, ANN,
        "Acme|acme.example|Z. Q.|ZEB@Acme.example||CEO",
        "Acme|acme.example|Z. Q.|z@old.example||CEO",
        "Acme|acme.example|Somebody|other@acme.example|k-1|CEO",
        "Acme Inc|acme.example|Zebulon Quartermain|fresh@acme.example||CEO",
        "Other|other.example|Zebulon Quartermain|zq@other.example||CEO",
    )  # fmt: skip
    report = imported(again, here)
    assert counts(report) == {"created": 1, "unchanged": 1, "rejected": 5}
    assert {said["reason"] for said in report.rejections} == {TURNED_AWAY}
    assert set(Contact.objects.values_list("name", flat=True)) == {"Erased person", "Ann Lower", "Zebulon Quartermain"}
    assert Company.objects.filter(name__startswith="Acme").count() == 1
    rejected = Path(report.error_file).read_text(encoding="utf-8-sig")
    assert rejected.count(TURNED_AWAY) == 5
    assert "zeb" not in rejected.lower()


@pytest.mark.django_db
def test_what_is_observed_of_them_later_is_turned_away_and_not_put_down_to_their_company(
    here: Playbook, tmp_path: Path
) -> None:
    imported(write_csv(tmp_path / "one.csv", HEADER, ZEB, ANN), here)
    erase(Contact.objects.get(first_name="Zebulon"))
    rows = (
        "zeb@acme.example|acme.example||enquiry|2026-05-01|I am Zeb",
        "|acme.example|k-1|enquiry|2026-05-02|It is me",
        "|acme.example||news|2026-05-03|Raised a round",
    )
    report = signals_imported(write_csv(tmp_path / "s.csv", "email|domain|external id|kind|date|text", *rows), here)
    assert counts(report) == {"created": 1, "rejected": 2}
    assert {said["reason"] for said in report.rejections} == {TURNED_AWAY}
    assert "Zeb" not in Path(report.error_file).read_text(encoding="utf-8-sig")
    assert Signal.objects.get(kind="news").text == "Raised a round"


@pytest.mark.django_db
def test_an_older_secret_still_recognises_them(here: Playbook, tmp_path: Path, settings: Any) -> None:
    imported(write_csv(tmp_path / "one.csv", HEADER, ZEB), here)
    erase(Contact.objects.get())
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = (
        [settings.SECRET_KEY],
        "quite another one, just as long as that",
    )
    assert counts(imported(write_csv(tmp_path / "two.csv", HEADER, ZEB), here)) == {"rejected": 1}
    assert len(set(map(bytes, keyed.secrets_for("erasure")))) == 2


@pytest.mark.django_db
def test_the_files_they_came_in_with_no_longer_name_them(here: Playbook, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    kept = {}
    for name, rows in (("theirs.csv", (ZEB, ANN)), ("others.csv", (ANN,))):
        path = write_csv(tmp_path / name, HEADER, *rows)
        batch = ImportBatch(
            client=here.client, playbook=here, kind="prospects", file_name=name, status="done", sha256=""
        )
        batch.file.save(name, ContentFile(path.read_bytes()))
        kept[name] = batch
    path = write_csv(
        tmp_path / "three.csv", HEADER, ZEB, ANN, "|||not an address||Nobody, says zeb@acme.example", "|||||"
    )
    report = imported(path, here)
    zeb = Contact.objects.get(first_name="Zebulon")
    ImportBatch.objects.filter(pk=report.batch_id).update(
        notes=[{"examples": [{"row": 2, "value": "zeb@acme.example"}]}]
    )
    erase(zeb)
    assert [ImportBatch.objects.get(pk=kept[name].pk).file.name for name in kept] == ["", kept["others.csv"].file.name]
    assert not Path(kept["theirs.csv"].file.path).exists()
    rejected = Path(report.error_file).read_text(encoding="utf-8-sig")
    assert "zeb@acme" not in rejected
    assert "empty" in rejected
    assert ImportBatch.objects.get(pk=report.batch_id).notes == [{"examples": [{"row": 2, "value": "erased"}]}]


@pytest.mark.django_db
def test_a_rejected_row_of_any_length_is_read_again(here: Playbook, settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    imported(write_csv(tmp_path / "one.csv", HEADER, ZEB), here)
    path = tmp_path / "two.json"
    path.write_text(json.dumps([{"note": "x" * 300_000}, {"note": "ask zeb@acme.example"}]))
    report = imported(path, here)
    assert counts(report) == {"rejected": 2}
    erase(Contact.objects.get())
    rejected = Path(report.error_file).read_text(encoding="utf-8-sig")
    assert "xxx" in rejected
    assert "zeb" not in rejected


@pytest.mark.django_db
def test_a_household_does_not_come_back_either(tmp_path: Path) -> None:
    here = playbook(kind=Playbook.Kind.HOUSEHOLD)
    header, row = "name|street|postcode|birth date", "Zebulon Quartermain|1 High Street|6011|1980-02-03"
    imported(write_csv(tmp_path / "one.csv", header, row), here)
    erase(Contact.objects.get())
    assert Signal.objects.get(kind="profile").data == {}
    assert counts(imported(write_csv(tmp_path / "two.csv", header, row), here)) == {"rejected": 1}
    assert Prospect.objects.count() == 1


def test_names_alone_are_found_only_as_written_and_accents_do_not_hide_them() -> None:
    traces = traces_of(names=["José Will"], parts=["José", "Will"], addresses=["will@acme.example"],
                       phones=["+1 (415) 555-0142"], ids=[7])  # fmt: skip
    said = [
        "Jose joined",
        "JOSÉ WILL",
        "They will hire",
        "Willard",
        "Will signs",
        "(415) 555 0142",
        "15550142",
        "WILL@acme.example.",
    ]
    assert [words(text, traces) == "erased" for text in said] == [True, True, False, False, True, True, False, True]


@pytest.mark.parametrize(
    ("name", "told"),
    [("李伟", "昨天见了李伟谈合同"), ("田中太郎", "田中太郎さんに電話した"), ("김철수", "김철수는 결정한다"),
     ("สมชาย ใจดี", "โทรหาสมชาย ใจดีแล้ว")],
)  # fmt: skip
def test_a_name_is_found_where_words_touch(name: str, told: str) -> None:
    traces = traces_of(names=[name], parts=name.split(), addresses=[], phones=[])
    assert words(told, traces) == "erased"
    assert words(told.replace(name, "—"), traces) == told.replace(name, "—")


def test_data_keeps_its_shape_numbers_and_what_it_is_built_by() -> None:
    traces = traces_of(names=["Ann Lower"], parts=["Ann"], addresses=[], phones=[], ids=[7])
    said = {"layer": "behavioral", "id": 3, "sure": True, "quotes": ["Ann hires", "", "They hire"], "contact_id": 8,
            "who": {"contact_id": 7, "title": "CEO", "level": 2}}  # fmt: skip
    assert data(said, traces, whole=False) == {
        **said, "quotes": ["erased", "", "They hire"], "who": {"contact_id": 7, "title": "erased", "level": 2},
    }  # fmt: skip
    assert data(said, traces, whole=True)["layer"] == "behavioral"
    assert data(said, traces, whole=True)["quotes"] == ["erased", "", "erased"]
