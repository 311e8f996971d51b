"""Why a prospect would not stand where it stands: what each criterion gives to the composite, then and now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SHOWN = 3
_NOTICED = 0.05  # points of the composite; less is not worth a sentence
_TIER = "TIER_"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a prospect stands under one version. ``points`` is what each criterion gives to the composite.

    ``ruled_out`` is what rules it out, ``lacking`` what the verdict still asks for; "" where nothing does.
    """

    route: str
    tier: str
    verdict: str
    composite: float | None
    priority: float
    points: Mapping[str, float] = field(default_factory=dict)
    ruled_out: str = ""
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on a composite is hot or warm."""

    hot: float
    warm: float


def criterion_points(
    layers: Iterable[tuple[str, float, float]], lines: Iterable[tuple[str, str, float | None]]
) -> dict[str, float]:
    """Points of the composite by criterion; together they are the composite.

    ``layers`` gives (name, weight, coverage), ``lines`` gives (criterion, layer, contribution to its layer). A layer
    without evidence has no part in the composite.
    """
    weights = {name: weight for name, weight, coverage in layers if coverage > 0}
    total = sum(weights.values())
    if total <= 0:
        return {}
    return {
        criterion: given * weights[layer] / total for criterion, layer, given in lines if given and layer in weights
    }


def reasons(before: Stand, after: Stand, labels: Mapping[str, str], bounds: tuple[Bounds, Bounds]) -> list[str]:
    """Sentences, the weightiest first. ``labels`` names the criteria, ``bounds`` are those of then and now."""
    said: list[str] = []
    if after.ruled_out and not before.ruled_out:
        said.append(f"Ruled out: {after.ruled_out}")
    elif before.ruled_out and not after.ruled_out:
        said.append("Nothing rules it out any more.")
    moves = _moves(before, after, labels)
    if before.route != after.route and not (after.ruled_out or before.ruled_out):
        said += _threshold(after, bounds)
    if moves:
        said.append(f"Composite {_shown(before.composite)} → {_shown(after.composite)}: {'; '.join(moves)}.")
    if before.tier != after.tier:
        words = f"{_tier(before.tier)} → {_tier(after.tier).lower()}"
        said.append(f"{words}: priority {before.priority:.0f} → {after.priority:.0f}.")
    if before.verdict != after.verdict:
        said.append(_verdict(before, after))
    return said or [f"Composite {_shown(before.composite)} → {_shown(after.composite)}."]


def _moves(before: Stand, after: Stand, labels: Mapping[str, str]) -> list[str]:
    names = {*before.points, *after.points}
    gained = {name: after.points.get(name, 0.0) - before.points.get(name, 0.0) for name in names}
    largest = sorted(gained, key=lambda name: (-abs(gained[name]), name))[:SHOWN]
    noticed = [name for name in largest if abs(gained[name]) >= _NOTICED]
    return [f"{labels.get(name, name)} {gained[name]:+.1f}".replace(" -", " −") for name in noticed]


def _threshold(after: Stand, bounds: tuple[Bounds, Bounds]) -> list[str]:
    then, now = bounds
    return [
        f"{name.capitalize()} begins at {new:g} instead of {old:g}."
        for name, old, new in (("hot", then.hot, now.hot), ("warm", then.warm, now.warm))
        if old != new and after.composite is not None and min(old, new) <= after.composite < max(old, new)
    ]


def _verdict(before: Stand, after: Stand) -> str:
    words = f"{(before.verdict or 'not judged').capitalize()} → {after.verdict or 'not judged'}"
    return f"{words}: {after.lacking}" if after.lacking else f"{words}."


def _tier(tier: str) -> str:
    return f"Tier {tier.removeprefix(_TIER)}" if tier else "No tier"


def _shown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f}"
