#!/usr/bin/env python
"""Django's command line, with the embedded engines up for the commands that need them."""

import os
import sys

_WITHOUT_ENGINES = {"", "help", "version", "--help", "-h", "--version", "check", "collectstatic", "diffsettings"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesops.settings")
    from django.core.management import execute_from_command_line

    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in _WITHOUT_ENGINES and "--help" not in sys.argv:
        _start_engines()
    execute_from_command_line(sys.argv)


def _start_engines() -> None:
    """Hold the engines until this process ends; they stop by themselves when nobody does."""
    from salesops import engines, settings  # noqa: F401 — settings read .env, which may name other engines

    try:
        engines.ensure()
    except engines.EngineError as error:
        sys.exit(f"manage.py: {error}")


if __name__ == "__main__":
    main()
