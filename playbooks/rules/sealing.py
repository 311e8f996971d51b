"""The fingerprint of what a version says: kept in the audit log when it leaves draft, and asked for ever after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from playbooks.rules.document import ROWS, Document, Slot, head_slots

_SAID_LATER = {"change_note"}  # whoever approves or publishes it may still say why


def seal(document: Document) -> str:
    """Of a version and its rows, names aside, as 64 hexadecimal characters.

    What stands at its default is left out: a column that a later release adds changes no fingerprint.
    """
    head = [slot for column, (_, slot) in head_slots().items() if column not in _SAID_LATER]
    rows = {name: [_said(ROWS[name].slots, row) for row in given] for name, given in document.rows.items() if given}
    said = {"head": _said(head, document.head), "rows": rows}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_number)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _said(slots: Iterable[Slot], row: Mapping[str, Any]) -> dict[str, Any]:
    return {slot.at: row[slot.at] for slot in slots if row[slot.at] != slot.default}


def _number(value: Any) -> str:
    """Money: 1.5 and 1.50 are one."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    raise TypeError(f"{value!r} has no place in a playbook")
