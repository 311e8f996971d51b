"""`manage.py verify_decisions`: does everything that went out rest on what a person approved, scores and all?"""

from __future__ import annotations

from approvals.management.commands.verify_audit import Command as VerifyAudit
from approvals.verify import history


class Command(VerifyAudit):
    help = (
        "Check messages, requests, decisions and dispatches against the audit log, and add every score up again from"
        " its evidence, those that decisions rest on first. Exit 1 names the first bad row."
    )
    checks = history.DECISIONS
