"""The outbox: every attempt to act on a decision, and what really went over the wire."""

from __future__ import annotations

from email import message_from_bytes, policy

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from approvals.models import CapturedMail, Dispatch
from approvals.reading.outbox import dispatch_page, dispatches_of
from approvals.views.desk import may_decide
from salesops.access import ClientRequest, require_role
from salesops.paging import keyset_page
from salesops.partials import render_page

STATUSES = Dispatch.Status.choices


@require_GET
@require_role()
def outbox(request: ClientRequest) -> HttpResponse:
    """Dispatches, newest first, narrowed by status."""
    status = request.GET.get("status", "")
    status = status if status in Dispatch.Status.values else ""
    page = keyset_page(dispatches_of(request.client, status), keys=("-id",), request=request)
    context = {"page": page, "status": status, "statuses": STATUSES, "may_decide": may_decide(request)}
    return render_page(request, "approvals/outbox.html", context, partial="rows")


@require_GET
@require_role()
def outbox_detail(request: ClientRequest, pk: int) -> HttpResponse:
    """One dispatch: whose authority, which words, what came back, and the captured message byte for byte."""
    found = dispatch_page(request.client, pk)
    mails = [_readable(mail) for mail in found.captured]
    context = {"dispatch": found.dispatch, "events": found.events, "mails": mails, "may_decide": may_decide(request)}
    return render_page(request, "approvals/outbox_detail.html", context)


def _readable(mail: CapturedMail) -> dict[str, object]:
    """The message's headers and text as a person reads them, beside its raw form."""
    raw = bytes(mail.raw)
    parsed = message_from_bytes(raw, policy=policy.default)
    body = parsed.get_body(("plain", "html"))
    return {
        "row": mail,
        "headers": [(name, str(value)) for name, value in parsed.items()],
        "text": body.get_content() if body is not None else "",
        "raw": raw.decode("utf-8", "replace"),
    }
