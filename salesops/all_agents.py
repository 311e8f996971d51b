"""The agents of this installation: those of every app that has any, found once."""

from __future__ import annotations

from functools import cache

from django.apps import apps

from salesops.runtime.registry import Registry, discover


@cache
def registry() -> Registry:
    """Every agent. Ask once all apps are loaded."""
    return discover(config.name for config in apps.get_app_configs())


def agent_names() -> list[str]:
    """Every agent that can be stopped, in alphabetical order."""
    return sorted(registry().by_name)
