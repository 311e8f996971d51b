"""Storing what the sandbox's SMTP server received."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone

from approvals.models import CapturedMail, Dispatch


def store(mail_from: str, recipient: str, raw: bytes, message_id: str, subject: str) -> None:
    """One receipt, with the dispatch its Message-ID belongs to.

    Runs in short-lived threads of the server's own, so it leaves no connection behind.
    """
    try:
        with transaction.atomic():
            dispatch = Dispatch.objects.filter(idempotency_key=message_id).first() if message_id else None
            CapturedMail.objects.create(
                dispatch=dispatch, message_id=message_id, mail_from=mail_from[:320], rcpt_to=recipient[:320],
                subject=subject, raw=raw, received_at=timezone.now(),
            )  # fmt: skip
    finally:
        connection.close()
