"""Sessions in the database, asked for in plain SQL: every request asks, and composing the query costs more than it."""

from __future__ import annotations

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

_LIVING = "SELECT * FROM django_session WHERE session_key = %s AND expire_date > %s"


class SessionStore(db.SessionStore):
    """Django's own in all else. Redis may be flushed; nobody is signed out by it."""

    def _get_session_from_db(self) -> Session | None:
        found = next(iter(Session.objects.raw(_LIVING, [self.session_key, timezone.now()])), None)
        if found is None:
            self._session_key = None
        return found
