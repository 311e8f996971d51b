"""Tests that must not run at once do not: held against the hook that a parallel session asks."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def test_whoever_starts_the_whole_app_is_one_workers_work(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = request.config
    monkeypatch.setattr(config.option, "dist", "loadgroup")
    monkeypatch.setattr(config.option, "tx", ["2*popen"])
    schedule = config.hook.pytest_xdist_make_scheduler(config=config, log=None)
    modules = [path.relative_to(config.rootpath).as_posix() for path in TESTS.rglob("test_*.py")]
    scopes = {module: schedule._split_scope(f"{module}::test_it[a@b]") for module in modules}
    together = {module for module, scope in scopes.items() if scope == "stack"}
    assert {"tests/salesops/test_serve.py", "tests/approvals/test_chaos.py"} <= together
    starting = {module for module in modules if "\nfrom tests.stack import" in (TESTS.parent / module).read_text()}
    assert starting <= together
    alone = {module for module in modules if scopes[module] not in ("stack", "crowd")}
    assert {scopes[module] for module in alone} == {f"{module}::test_it[a@b]" for module in alone}
    assert len(alone) > 100
