"""What a playbook and the machine must be before anything runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from pytest_bdd import parsers, scenarios, then

from tests.features.conftest import World

pytestmark = pytest.mark.django_db
scenarios("structural.feature")


@then(parsers.parse('PostgreSQL refuses it and names "{what}"'))
def _(world: World, what: str) -> None:
    assert what in world.refused


@then("no agent module imports a model")
def _() -> None:
    for app in ("playbooks", "prospects", "approvals"):
        for module, names in imports_of(Path(settings.BASE_DIR, app, "agents")):
            assert not [n for n in names if n.split(".")[0] == "django" or ".models" in n], module


@then("no agent module reaches for the time, for chance or for the outside")
def _() -> None:
    for app in ("prospects", "approvals"):
        for module, names in imports_of(Path(settings.BASE_DIR, app, "agents")):
            assert not {name.split(".")[0] for name in names} & OUTSIDE, module
            assert not calls_in(module) & {"now", "utcnow", "today", "open", "eval", "exec", "__import__"}, module


@then("no runtime module imports an app")
def _() -> None:
    own = {config.name for config in apps.get_app_configs()} - {"salesops"}
    local = {name for name in own if Path(settings.BASE_DIR, name).is_dir()}
    for module, names in imports_of(Path(settings.BASE_DIR, "salesops/runtime")):
        assert not [n for n in names if n.split(".")[0] in local], module


#: What an agent is handed by its tools, or has no use for.
OUTSIDE = {
    "asyncio", "http", "httpcore2", "httpx", "importlib", "io", "os", "pathlib", "psycopg", "random", "redis",
    "requests", "secrets", "socket", "ssl", "subprocess", "sys", "threading", "time", "urllib", "uuid",
}  # fmt: skip


def calls_in(module: Path) -> set[str]:
    """The names of everything called, whatever it is called on."""
    called = (node.func for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Call))
    return {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in called}


def imports_of(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    for module in folder.glob("*.py"):
        tree = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        names = []
        for node in tree:
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
        yield module, names
