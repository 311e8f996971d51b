"""What the top of a long page lists: which fields were refused, and where the page differs from what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def refused(context: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every field that was refused and where on the page it stands, for whoever looks at the top of a long page."""
    head = context["adminform"].form
    found = [_at(f"id_{name}", head, name, words[0]) for name, words in _in_order(head) if name in head.fields]
    for anchor, row, form in _rows_of(context):
        found += [_at(anchor, form, name, words[0], row) for name, words in _in_order(form)]
    return found


def _in_order(form: Any) -> list[tuple[str, Any]]:
    """What was refused, as it stands on the page from top to bottom."""
    places = {name: place for place, name in enumerate(form.fields)}
    return sorted(form.errors.items(), key=lambda found: places.get(found[0], -1))


def differing(context: Mapping[str, Any]) -> list[dict[str, str]]:
    """Where the page says something else than what is stored: what saving it would put in place."""
    head = context["adminform"].form
    shown = {name: head.fields[name].prepare_value(head.initial.get(name, "")) for name in head.changed_data}
    found = [_at(f"id_{name}", head, name, f"(stored: {value})") for name, value in shown.items()]
    for anchor, row, form in _rows_of(context):
        found += [_at(anchor, form, name, "", row) for name in form.changed_data[:1]]
    return found


def _rows_of(context: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(anchor, what the row is called, its form) of every row on the page."""
    for inline in context["inline_admin_formsets"]:
        for number, form in enumerate(inline.formset.forms):
            name = str(form.instance).strip(" →,:") or number + 1
            kind = f"{'' if form.instance.pk else 'new '}{inline.opts.verbose_name}"
            yield f"{inline.formset.prefix}-{number}", _heading(f"{kind} “{name}”"), form


def _at(anchor: str, form: Any, name: str, words: str, row: str = "") -> dict[str, str]:
    label = _heading(str(form.fields[name].label or name).replace("_", " ")) if name in form.fields else ""
    return {"anchor": anchor, "path": ": ".join(filter(None, (row, label))), "words": words}


def _heading(words: str) -> str:
    return words[:1].upper() + words[1:]
