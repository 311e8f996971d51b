"""What a bulk action does to one batch of prospects, and how that is taken back. Called inside its transaction.

Each verb says for every prospect it changed what it made (``ref``) and what it replaced (``before``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from django.utils import timezone

from playbooks.models import User
from playbooks.services import stops
from prospects.models import BulkAction, BulkItem, Prospect, RouteOverride
from prospects.services.route_overrides import lift_overrides, override_routes

KIND = BulkAction.Kind
Changed = dict[int, tuple[int | None, int | None]]  # prospect → (ref, before)


def do(action: BulkAction, items: Sequence[BulkItem]) -> int:
    """Do it to these; sets each item's state, ref and before. Returns how many it changed."""
    found = _DO[action.kind](action, [item.prospect_id for item in items])
    for item in items:
        item.state = "changed" if item.prospect_id in found else "same"
        item.ref, item.before = found.get(item.prospect_id, (None, None))
    return len(found)


def undo(action: BulkAction, items: Sequence[BulkItem]) -> int:
    """Take it back from these. Returns how many items it is done with."""
    assert action.undone_by is not None  # noqa: S101 — set when the undoing begins
    _UNDO[action.kind](action, items, action.undone_by)
    for item in items:
        item.state = "undone"
    return len(items)


def _pause(action: BulkAction, prospects: Sequence[int]) -> Changed:
    made = stops.pause_many(
        prospects, client=action.client, actor=action.created_by, reason=action.reason, trace_id=action.trace_id
    )
    return {pk: (row.pk, None) for pk, row in made.items()}


def _resume(action: BulkAction, prospects: Sequence[int]) -> Changed:
    lifted = stops.resume_many(
        prospects, client=action.client, actor=action.created_by, reason=action.reason, trace_id=action.trace_id
    )
    return {pk: (stop, None) for pk, stop in lifted.items()}


def _held(action: BulkAction, prospects: Sequence[int]) -> list[Prospect]:
    rows = Prospect.objects.for_client(action.client_id).filter(pk__in=prospects).order_by("pk")
    return list(rows.select_for_update(no_key=True, of=("self",)).only("pk", "owner_id"))


def _assign(action: BulkAction, prospects: Sequence[int]) -> Changed:
    others = {row.pk: row.owner_id for row in _held(action, prospects) if row.owner_id != action.owner_id}
    Prospect.objects.filter(pk__in=list(others)).update(owner=action.owner)
    return {pk: (None, before) for pk, before in others.items()}


def _rerun(action: BulkAction, prospects: Sequence[int]) -> Changed:
    held = [row.pk for row in _held(action, prospects)]
    Prospect.objects.filter(pk__in=held).update(due_again_at=timezone.now(), failures=0)
    return dict.fromkeys(held, (None, None))


def _route(action: BulkAction, prospects: Sequence[int]) -> Changed:
    made = override_routes(
        prospects, action.route, client=action.client, actor=action.created_by, reason=action.reason,
        trace_id=action.trace_id,
    )  # fmt: skip
    return dict(made)


def _unroute(action: BulkAction, prospects: Sequence[int]) -> Changed:
    lifted = lift_overrides(prospects, client=action.client, actor=action.created_by, trace_id=action.trace_id)
    return {pk: (None, override) for pk, override in lifted.items()}


def _undo_pause(action: BulkAction, items: Sequence[BulkItem], actor: User) -> None:
    made = {item.prospect_id: item.ref for item in items if item.ref is not None}
    stops.resume_many(
        list(made), client=action.client, actor=actor, reason="The pause was taken back.", trace_id=action.trace_id,
        only=made,
    )  # fmt: skip


def _undo_assign(action: BulkAction, items: Sequence[BulkItem], _: User) -> None:
    held = {row.pk for row in _held(action, [item.prospect_id for item in items]) if row.owner_id == action.owner_id}
    groups: dict[int | None, list[int]] = defaultdict(list)
    for item in items:
        if item.prospect_id in held:
            groups[item.before].append(item.prospect_id)
    for owner, prospects in groups.items():
        Prospect.objects.filter(pk__in=prospects).update(owner=owner)


def _undo_route(action: BulkAction, items: Sequence[BulkItem], actor: User) -> None:
    made = {item.prospect_id: item.ref for item in items if item.ref is not None}
    lifted = lift_overrides(list(made), client=action.client, actor=actor, trace_id=action.trace_id, only=made)
    _put_back(action, [item for item in items if item.prospect_id in lifted], actor)


def _undo_unroute(action: BulkAction, items: Sequence[BulkItem], actor: User) -> None:
    by_hand = RouteOverride.objects.for_client(action.client_id).in_force()
    taken = set(by_hand.filter(prospect__in=[item.prospect_id for item in items]).values_list("prospect", flat=True))
    _put_back(action, [item for item in items if item.prospect_id not in taken], actor)


def _put_back(action: BulkAction, items: Sequence[BulkItem], actor: User) -> None:
    """Set again what an action replaced or lifted, with the words it was set with."""
    earlier = RouteOverride.objects.for_client(action.client_id).in_bulk([i.before for i in items if i.before])
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in earlier.values():
        groups[row.route, row.reason].append(row.prospect_id)
    for (route, reason), prospects in sorted(groups.items()):
        override_routes(prospects, route, client=action.client, actor=actor, reason=reason, trace_id=action.trace_id)


Do = Callable[[BulkAction, Sequence[int]], Changed]
Undo = Callable[[BulkAction, Sequence[BulkItem], User], None]
_DO: dict[str, Do] = {
    KIND.PAUSE: _pause,
    KIND.RESUME: _resume,
    KIND.ASSIGN: _assign,
    KIND.RERUN: _rerun,
    KIND.ROUTE: _route,
    KIND.UNROUTE: _unroute,
}
_UNDO: dict[str, Undo] = {
    KIND.PAUSE: _undo_pause,
    KIND.ASSIGN: _undo_assign,
    KIND.ROUTE: _undo_route,
    KIND.UNROUTE: _undo_unroute,
}
