"""The contact finder: people on file and people that sources know, judged, kept and chosen."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import QuerySet

from approvals.models import ApprovalRequest, Suppression
from approvals.services import suppress
from playbooks.models import AgentPermission, Role
from prospects.models import AgentRun, Contact, Diagnostic, Prospect, Signal
from prospects.services.erasing.erasure import erase_person
from tests import factories
from tests.enrichment import world
from tests.enrichment.world import person
from tests.prospects.sources.stand_in import StandIn, as_json
from tests.runtime import scene

pytestmark = pytest.mark.django_db


def asked_about(server: StandIn, made: Prospect, *team: dict[str, Any]) -> None:
    assert made.company is not None
    server.routes[f"/people/{made.company.domain}"] = as_json({"people": list(team)})


def found(made: Prospect) -> QuerySet[Contact]:
    return Contact.objects.filter(client=made.client).order_by("id")


def test_the_best_person_a_source_knows_becomes_the_contact(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = world.unknown_team(under)
    asked_about(
        server, good, person(good, "Ann Lower", "Office Manager"), person(good, "Robin Gale", "Founder & CEO"),
        person(good, "Kim Side", "VP Finance", mail="not an address"), {"job": "nobody"},
    )  # fmt: skip
    scene.run(under)
    good.refresh_from_db()
    assert good.contact is not None
    assert (good.contact.name, good.contact.title, good.contact.source) == ("Robin Gale", "Founder & CEO", "people")
    assert good.contact.email_status == "syntax_ok"
    assert good.contact.company_id == good.company_id
    assert {c.name for c in found(good)} == {"Ann Lower", "Robin Gale", "Kim Side"}
    whence = good.contact.attributes["found"]["title"]
    assert (whence["source"], whence["value"]) == ("people", "Founder & CEO")
    request = ApprovalRequest.objects.get(prospect=good)
    assert request.message.recipient == good.contact.email


def test_a_record_that_names_nobody_is_left_out_and_said(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = world.unknown_team(under)
    asked_about(server, good, person(good, "Visit https://evil.example today"), person(good, "Robin Gale"))
    scene.run(under)
    assert found(good).get().name == "Robin Gale"
    said = Diagnostic.objects.get(prospect=good, kind="source").message
    assert said == "people: 1 records name no person and were left out"


def test_an_assessment_is_a_signal_that_names_nobody(server: StandIn) -> None:
    under = world.playbook(world.people(server), world.check(server))
    good = world.unknown_team(under)
    asked_about(server, good, person(good))
    world.takes_mail(server)
    scene.run(under)
    said = Signal.objects.get(prospect=good, kind="contact")
    assert (said.data["level"], said.data["seniority"], said.data["authority"]) == ("c_level", 10, 10)
    assert (said.data["role_match"], said.data["email_status"], said.data["channel"]) == (1.0, "verified", "email")
    assert said.value == 100, "title 40, seniority 30, verified e-mail 20, profile 10"
    assert said.data["sets"]["contact_level"] == "c_level"
    assert good.company is not None
    assert (said.source, said.source_ref) == ("people", good.company.domain)
    everything = json.dumps([said.text, said.data, said.source_ref])
    assert "robin" not in everything.casefold()
    assert "gale" not in everything.casefold()


def test_what_is_on_file_is_completed_and_never_overwritten(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = scene.company(under, scene.GOOD)
    assert good.contact is not None
    Contact.objects.filter(pk=good.contact_id).update(title="Head of Sales", phone="", linkedin_url="")
    other = {"mail": good.contact.email, "tel": "+1 555 010 99", "in": "https://network.example/dana"}
    asked_about(server, good, person(good, "Dana Lee", "Intern", **other))
    scene.run(under)
    kept = found(good).get()
    assert (kept.title, kept.source) == ("Head of Sales", "contacts.csv")
    assert (kept.phone, kept.linkedin_url) == ("+1 555 010 99", "https://network.example/dana")
    assert set(kept.attributes["found"]) == {"phone", "linkedin_url"}
    assert Signal.objects.get(prospect=good, kind="contact").data["level"] == "director", "what is on file counts"


def test_what_a_source_said_may_be_corrected_by_it_but_not_what_somebody_typed_since(server: StandIn) -> None:
    under = world.playbook(world.people(server, params={"items": "people", "fields": world.PEOPLE, "cache_days": 1}))
    good = world.unknown_team(under)
    asked_about(server, good, person(good, tel="111 2222"))
    scene.run(under)
    Contact.objects.filter(client=good.client).update(phone="999 typed")
    asked_about(server, good, person(good, job="Chairman and founder", tel="333 4444"))
    scene.run(under, depth="extended", clock=scene.CLOCK.replace(month=8))
    kept = found(good).get()
    assert (kept.title, kept.phone) == ("Chairman and founder", "999 typed")


def test_an_address_known_elsewhere_is_used_and_stays_with_its_company(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = world.unknown_team(under)
    elsewhere = factories.contact(good.client, factories.company(good.client), email="robin@acme.example")
    asked_about(server, good, person(good, mail="Robin@acme.example"))
    scene.run(under)
    good.refresh_from_db()
    assert good.contact is None, "whoever belongs to another company is not ours to write to here"
    assert Contact.objects.get(email_key="robin@acme.example").pk == elsewhere.pk


def test_somebody_who_asked_to_be_left_alone_is_still_left_alone(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = world.unknown_team(under)
    asked_about(server, good, person(good))
    assert good.company is not None
    address = f"robin@{good.company.domain}"
    suppress.add([("email", address)], client=good.client, actor=None, reason="asked", source="a phone call")
    scene.run(under)
    good.refresh_from_db()
    assert (good.contact and good.contact.email) == address
    assert Suppression.objects.count() == 1
    assert not ApprovalRequest.objects.filter(prospect=good).exists()


def test_a_clearly_better_person_replaces_one_nobody_wrote_to(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = scene.company(under, scene.GOOD)
    Contact.objects.filter(pk=good.contact_id).update(title="Office Assistant", linkedin_url="")
    asked_about(server, good, person(good))
    scene.run(under)
    good.refresh_from_db()
    assert good.contact is not None
    assert good.contact.name == "Robin Gale"


def test_nobody_is_replaced_while_a_request_about_them_waits(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = scene.company(under, scene.GOOD)
    before = good.contact_id
    Contact.objects.filter(pk=before).update(title="Head of Sales")
    scene.run(under)
    assert ApprovalRequest.objects.filter(prospect=good, status="waiting").exists()
    asked_about(server, good, person(good))
    Contact.objects.filter(pk=before).update(title="Office Assistant")
    scene.run(under, depth="extended", clock=scene.CLOCK.replace(month=8))
    good.refresh_from_db()
    assert good.contact_id == before


def test_without_the_right_to_write_contacts_nobody_is_kept(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = world.unknown_team(under)
    AgentPermission.objects.create(client=good.client, team="lead_gen", resource="contact", access="read")
    asked_about(server, good, person(good))
    scene.run(under)
    assert not found(good)
    assert not Signal.objects.filter(kind="contact").exists()
    assert Diagnostic.objects.filter(prospect=good, agent="contact_finder", kind="permission_denied").exists()


def test_an_address_that_takes_no_mail_is_kept_and_not_written_to(server: StandIn) -> None:
    under = world.playbook(world.people(server), world.check(server, cost=0.01))
    good = world.unknown_team(under)
    asked_about(server, good, person(good, **{"in": ""}))
    world.takes_mail(server, "undeliverable")
    scene.run(under)
    assert found(good).get().email_status == "invalid"
    good.refresh_from_db()
    assert good.contact is None
    run = AgentRun.objects.get(agent="contact_finder", prospect=good)
    assert float(run.cost) == 0.01
    assert len(run.answers) == 2


def test_a_verification_service_that_is_down_leaves_the_offline_check(server: StandIn) -> None:
    under = world.playbook(world.people(server), world.check(server))
    good = world.unknown_team(under)
    asked_about(server, good, person(good))
    server.routes["/check"] = world.BROKEN
    scene.run(under)
    assert found(good).get().email_status == "syntax_ok"
    assert "check: it failed (500)" in Diagnostic.objects.get(prospect=good, kind="source").message


def test_two_companies_that_name_one_person_share_one_contact(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    one, two = world.unknown_team(under), world.unknown_team(under)
    for made in (one, two):
        asked_about(server, made, person(made, mail="robin@shared.example"))
    scene.run(under)
    contact = found(one).get()
    assert {p.contact_id for p in Prospect.objects.filter(pk__in=[one.pk, two.pk])} == {contact.pk, None}


def test_somebody_who_was_erased_is_not_found_again(server: StandIn) -> None:
    under = world.playbook(world.people(server))
    good = world.unknown_team(under)
    asked_about(server, good, person(good, "Robin Gale", "Founder & CEO"), person(good, "Ann Lower", "Office Manager"))
    scene.run(under)
    gone = Contact.objects.get(name="Robin Gale")
    erase_person(gone, actor=factories.user(good.client, Role.ADMIN), reason="asked")
    good.refresh_from_db()
    assert good.contact is None
    scene.run(under, clock=scene.CLOCK + timedelta(days=40))
    good.refresh_from_db()
    assert {c.name for c in found(good)} == {"Erased person", "Ann Lower"}
    assert good.contact is None
