"""`manage.py verify_decisions`: does everything that went out rest on exactly what a person approved?"""

from __future__ import annotations

from approvals import verify
from approvals.management.commands.verify_audit import Command as VerifyAudit


class Command(VerifyAudit):
    help = "Check messages, requests, decisions and dispatches against the audit log. Exit 1 names the first bad row."
    checks = verify.DECISIONS
