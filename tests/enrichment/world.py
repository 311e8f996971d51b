"""The demo playbook with sources on a stand-in server, and companies that are to be found there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from playbooks.models import PlaybookVersion
from prospects.models import Contact, Prospect
from tests.prospects.sources.stand_in import Reply, StandIn, as_json, html
from tests.runtime import scene

PEOPLE = {"contact_name": "name", "title": "job", "email": "mail", "linkedin_url": "in", "phone": "tel",
          "contact_external_id": "id"}  # fmt: skip
FACTS = {"employees": "size", "technologies": "stack", "ref": "page"}
HOME = """<html><head><title>Acme</title></head><body><main><h1>Acme</h1>
<p>We make tools for small teams.</p><p>We are hiring in sales. Join our team.</p>
<a href="{base}/careers">Careers</a></main></body></html>"""
CAREERS = "<html><body><main><p>Open positions: two account managers.</p></main></body></html>"


def site(server: StandIn) -> dict[str, Any]:
    return {"key": "site", "kind": "website", "url": f"{server.url}/{{label}}/"}


def board(server: StandIn) -> dict[str, Any]:
    return {"key": "board", "kind": "jobs", "url": f"{server.url}/boards/{{label}}"}


def facts(server: StandIn, **more: Any) -> dict[str, Any]:
    url = f"{server.url}/facts/{{domain}}"
    return {"key": "facts", "kind": "json", "url": url, "params": {"fields": FACTS}, **more}


def people(server: StandIn, **more: Any) -> dict[str, Any]:
    return {"key": "people", "kind": "json", "url": f"{server.url}/people/{{domain}}", "delivers": ["person"],
            "params": {"items": "people", "fields": PEOPLE}, **more}  # fmt: skip


def check(server: StandIn, **more: Any) -> dict[str, Any]:
    return {"key": "check", "kind": "json", "url": f"{server.url}/check?address={{email}}", "delivers": ["email_check"],
            "params": {"fields": {"status": "result"}}, **more}  # fmt: skip


def playbook(*sources: Mapping[str, Any], edit: Mapping[str, str] | None = None) -> PlaybookVersion:
    """The demo with these sources. JSON is YAML."""
    rows = [{"rate_per_minute": 60_000, **source} for source in sources]
    return scene.demo(edit={r"sources: \[\]": f"sources: {json.dumps(rows)}", **(edit or {})})


def unknown_team(under: PlaybookVersion) -> Prospect:
    """A company at which nobody is known yet."""
    made = scene.company(under, scene.GOOD)
    contact = made.contact
    Prospect.objects.filter(pk=made.pk).update(contact=None)
    if contact is not None:
        Contact.objects.filter(pk=contact.pk).delete()
    made.refresh_from_db()
    return made


def label(made: Prospect) -> str:
    assert made.company is not None
    return made.company.domain.split(".")[0]


def open_doors(server: StandIn, made: Prospect, team: Sequence[Mapping[str, Any]] = ()) -> None:
    """Everything there is to know about a company, on the stand-in."""
    assert made.company is not None
    base = f"/{label(made)}"
    server.routes[f"{base}/"] = html(HOME.format(base=base))
    server.routes[f"{base}/careers"] = html(CAREERS)
    server.routes[f"/boards/{label(made)}"] = as_json(
        {"jobs": [{"title": "Account manager", "absolute_url": f"{server.url}/jobs/1", "content": "Sell our tools.",
                   "location": {"name": "Springfield"}, "updated_at": "2026-05-28T09:00:00Z"}]}
    )  # fmt: skip
    server.routes[f"/facts/{made.company.domain}"] = as_json(
        {"size": 14, "stack": ["PostgreSQL", "Django"], "page": f"{server.url}/profile/{label(made)}"}
    )
    server.routes[f"/people/{made.company.domain}"] = as_json({"people": list(team)})


def person(made: Prospect, name: str = "Robin Gale", job: str = "Founder & CEO", **more: Any) -> dict[str, Any]:
    assert made.company is not None
    mail = f"{name.split()[0].lower()}@{made.company.domain}"
    return {"name": name, "job": job, "mail": mail, "in": f"https://network.example/{name.split()[0].lower()}", **more}


def takes_mail(server: StandIn, word: str = "deliverable") -> None:
    server.routes["/check"] = as_json({"result": word})


BROKEN = Reply(500)
