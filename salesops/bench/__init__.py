"""Benchmarks: one module each, run by ``manage.py bench`` in a database of their own, never in the user's.

A benchmark is a function that takes the asked size (None for its own) and answers lines of a table. Django-importing
parts are imported when a benchmark runs, so that the list of names costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

#: In the order they run: name → module with ``run(size, say)``.
BENCHES = {
    "import": "salesops.bench.importing",
    "dedup": "salesops.bench.dedup",
    "convergence": "salesops.bench.convergence",
    "rescore": "salesops.bench.rescoring",
    "whatif": "salesops.bench.what_if",
    "llm": "salesops.bench.models",
    "pages": "salesops.bench.pages",
    "lists": "salesops.bench.lists",
    "funnel": "salesops.bench.funnel_sweep",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One measured number. ``aim`` is what it should reach, in words; ``is_met`` None when there is no aim."""

    bench: str
    what: str
    value: float
    unit: str
    aim: str = ""
    is_met: bool | None = None
    note: str = ""


Say = Callable[[str], None]
Run = Callable[[int | None, Say], Iterable[Line]]


def load(name: str) -> Run:
    """The benchmark of that name.

    Raises:
        KeyError: when there is none.
    """
    run: Run = import_module(BENCHES[name]).run
    return run
