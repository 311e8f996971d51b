"""What an installation needs beyond what a checkout does: hashed static files, and to be told what is unsafe."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from salesops.checks import reaches_people
from salesops.storage import CollectedStaticFiles

#: A production environment whose servers nobody has to reach: neither command asks them.
PRODUCTION = {
    "DATABASE_URL": "postgres://salesops@127.0.0.1:1/salesops",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "".join(chr(ord("!") + n * 37 % 90) for n in range(60)),
    "ALLOWED_HOSTS": "sales.example.com",
    "PUBLIC_URL": "https://sales.example.com",
    "EMAIL_URL": "smtp+tls://user:password@smtp.example.com:587",
}


def test_a_complete_installation_has_nothing_left_to_say() -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SALESOPS_DATA") if name in os.environ}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    asked = subprocess.run(command, env=kept | PRODUCTION, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr


def test_what_settings_read_from_the_environment_is_explained_and_nothing_else_is() -> None:
    root = Path(__file__).parents[2]
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (root / "salesops" / "settings.py").read_text()))
    told = set(re.findall(r"^#([A-Z_]+)=", (root / ".env.example").read_text(), re.MULTILINE))
    assert read - told == {"SALESOPS_WEB"}, "which the Procfile sets"
    by_others = {"REDIS_URL", "SALESOPS_DATA", "PORT", "WEB_CONCURRENCY", "LOG_LEVEL", "LOG_FORMAT"}
    assert told - read == by_others | {"SOURCE_ACME_KEY", "SOURCE_ACME_KEY_HOST"}


def test_the_web_process_goes_by_what_its_environment_says() -> None:
    words = (
        "import json; from django.conf import settings;"
        "print(json.dumps([settings.SECRET_KEY_FALLBACKS, settings.DATABASES['default']['OPTIONS'],"
        "settings.DEFAULT_FROM_EMAIL]))"
    )
    given = PRODUCTION | {
        "SECRET_KEY_FALLBACKS": "one,two",
        "DATABASE_URL": f"{PRODUCTION['DATABASE_URL']}?sslmode=verify-full",
        "SALESOPS_WEB": "1",
        "DJANGO_SETTINGS_MODULE": "salesops.settings",
    }
    said = subprocess.run([sys.executable, "-c", words], env=given, capture_output=True, text=True, check=True).stdout
    secrets, options, sender = json.loads(said)
    assert secrets == ["one", "two"]
    assert options["sslmode"] == "verify-full"
    assert options["pool"]["max_size"] == 12
    assert sender == "SalesOps <noreply@sales.example.com>", "who writes the links that reset a password"


def test_what_would_keep_people_from_being_reached_is_named(settings: pytest.FixtureRequest) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert [problem.id for problem in reaches_people()] == ["salesops.W001", "salesops.W002"]


def test_collected_files_carry_their_hash_and_others_their_name(
    settings: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings.STATIC_ROOT = str(tmp_path)
    assert CollectedStaticFiles().url("css/base.css") == "/static/css/base.css"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "salesops.storage.CollectedStaticFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    name = CollectedStaticFiles().url("css/base.css").removeprefix("/static/")
    assert name.startswith("css/base.")
    assert name != "css/base.css"
    assert (tmp_path / f"{name}.gz").is_file()
