"""Routes that people set by hand beside the score's: recorded with who and why, lifted by undo. No score changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Role, Route, User
from playbooks.services.authority import require
from prospects.models import Prospect, RouteOverride
from salesops.dbtypes import new_trace_id
from salesops.errors import Refusal

#: Who may say that somebody is hot whatever the score says.
OVERRIDERS = (Role.REVIEWER, Role.LEADER, Role.ADMIN)


class ReasonMissing(Refusal):
    """A route by hand names why."""


class UnknownRoute(Refusal):
    """Hot, warm or cold; nothing else is a route."""


def checked_reason(reason: str) -> str:
    """The reason in one line. Raises ReasonMissing."""
    words = " ".join(reason.split())[:300]
    if not words:
        raise ReasonMissing("Say why: whoever sees this route has to understand it.")
    return words


def override_routes(
    prospects: Collection[int], route: str, *, client: Client, actor: User, reason: str, trace_id: str = ""
) -> dict[int, tuple[int, int | None]]:
    """Set the route of these prospects by hand: prospect → (the override made, the one it replaced, if any).

    Whoever has this route by hand already is left out. Prospects of another client are as unknown as none at all.
    Raises NotAllowed, ReasonMissing, UnknownRoute.
    """
    require(client, actor, OVERRIDERS, to="set a route by hand")
    words = checked_reason(reason)
    if route not in Route.values:
        raise UnknownRoute("Choose hot, warm or cold.")
    with transaction.atomic():
        mine = _locked(prospects, client)
        now = {
            row.prospect_id: row
            for row in RouteOverride.objects.for_client(client).in_force().filter(prospect__in=mine)
        }
        wanted = [pk for pk in mine if pk not in now or now[pk].route != route]
        trace = trace_id or new_trace_id()
        _lift([now[pk].pk for pk in wanted if pk in now], actor)
        made = RouteOverride.objects.bulk_create(
            RouteOverride(client=client, prospect_id=pk, route=route, reason=words, created_by=actor, trace_id=trace)
            for pk in wanted
        )
        entries = [
            audit.Entry(
                event=AuditEvent.ROUTE_OVERRIDDEN, subject=row, trace_id=trace,
                detail={"prospect": row.prospect_id, "route": route},
            )
            for row in made
        ]  # fmt: skip
        audit.record_many(client=client, entries=entries, actor=actor)
    return {row.prospect_id: (row.pk, now[row.prospect_id].pk if row.prospect_id in now else None) for row in made}


def lift_overrides(
    prospects: Collection[int],
    *,
    client: Client,
    actor: User,
    trace_id: str = "",
    only: Mapping[int, int] | None = None,
) -> dict[int, int]:
    """Give the route of these prospects back to the score: prospect → the override that was lifted.

    ``only`` names the one override that may be lifted for each prospect: undoing never lifts somebody else's later one.
    Raises NotAllowed.
    """
    require(client, actor, OVERRIDERS, to="give a route back to the score")
    with transaction.atomic():
        mine = _locked(prospects, client)
        rows = list(RouteOverride.objects.for_client(client).in_force().filter(prospect__in=mine).order_by("pk"))
        if only is not None:
            rows = [row for row in rows if only.get(row.prospect_id) == row.pk]
        trace = trace_id or new_trace_id()
        _lift([row.pk for row in rows], actor)
        entries = [
            audit.Entry(
                event=AuditEvent.ROUTE_GIVEN_BACK, subject=row, trace_id=trace, detail={"prospect": row.prospect_id}
            )
            for row in rows
        ]
        audit.record_many(client=client, entries=entries, actor=actor)
    return {row.prospect_id: row.pk for row in rows}


def _locked(prospects: Collection[int], client: Client) -> list[int]:
    rows = Prospect.objects.for_client(client).going_on().filter(pk__in=list(prospects)).order_by("pk")
    return list(rows.select_for_update(no_key=True, of=("self",)).values_list("pk", flat=True))


def _lift(overrides: Collection[int], actor: User) -> None:
    RouteOverride.objects.filter(pk__in=list(overrides)).update(lifted_at=timezone.now(), lifted_by=actor)
