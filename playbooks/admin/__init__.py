"""Django admin: write playbook drafts, say who may do what, stop things; read the rest."""

from playbooks.admin import control, people, versions

__all__ = ["control", "people", "versions"]
