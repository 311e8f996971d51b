"""One client with a complete, lawful message before a reviewer: the ground of approvals' tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch
from approvals.rules.compliance import RULE_VERSION
from approvals.rules.content import Content, content_hash, sender_header, with_footer
from approvals.services import decide
from approvals.services.decide import Seen
from approvals.services.seen import present
from approvals.services.suppress import unsubscribe_url
from playbooks.models import Client, PlaybookVersion, User
from tests import factories as make

WORDS = """Hi Dana,

I saw that you are hiring for sales. How do your new reps find their first accounts today?

We hand your reps a short list each morning, with the reason to write and where it comes from.

Would it help if I sent you the list made for your team?
"""


@dataclass
class Scene:
    client: Client
    version: PlaybookVersion
    reviewer: User

    def request(self, words: str = WORDS, *, contact: dict[str, Any] | None = None, **fields: Any) -> ApprovalRequest:
        """A waiting request for a qualified prospect of its own, with every word the law asks for."""
        company = make.company(self.client)
        person = make.contact(self.client, company, **(contact or {}))
        prospect = make.qualified(self.version, company=company, contact=person)
        message = make.message(prospect, self.version, **self.words(person, words), rule_version=RULE_VERSION)
        return make.request(words=message, **fields)

    def real(self, **contact: Any) -> ApprovalRequest:
        """A request about somebody who is not made up."""
        return self.request(contact={"synthetic": False, **contact})

    def words(self, person: Any, words: str = WORDS) -> dict[str, Any]:
        return {
            "sender": sender_header(self.client.sender_name, self.client.sender_email),
            "subject": "Your sales hiring",
            "body": with_footer(
                words,
                sender_name=self.client.sender_name,
                postal_address=self.client.postal_address,
                unsubscribe_url=unsubscribe_url(self.client.pk, person.pk),
            ),
        }

    def seen(self, request: ApprovalRequest) -> Seen:
        return present(ApprovalRequest.objects.select_related("prospect", "message", "client").get(pk=request.pk)).seen

    def approve(self, request: ApprovalRequest, by: User | None = None) -> decide.Decided:
        return decide.approve(request.pk, seen=self.seen(request), actor=by or self.reviewer, client=self.client)

    def approved(self, **fields: Any) -> Dispatch:
        """An approved request's dispatch, still in its undo window unless the version has none."""
        dispatch = self.approve(self.request(**fields)).dispatch
        assert dispatch is not None
        return dispatch


def scene(**version: Any) -> Scene:
    """No undo window unless asked for, so that approved means due."""
    client = make.client()
    made = make.version(client, **{"undo_seconds": 0, **version})
    return Scene(client, made, make.user(client))


def soon() -> Any:
    return timezone.now() + timedelta(seconds=1)


def reload(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def content_hash_of(message: Any, **changes: Any) -> str:
    fields = ("channel", "recipient", "sender", "subject", "body", "rule_version")
    return content_hash(Content(**{**{name: getattr(message, name) for name in fields}, **changes}))
