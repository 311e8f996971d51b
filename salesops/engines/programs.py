"""Running the engines' own programs: as their user, in their home, with nothing of ours in the environment."""

import os
import subprocess

from salesops.engines.layout import Account, engines_home


def environment() -> dict[str, str]:
    """Return a small, constant environment, so that neither PG* variables nor locales change how an engine runs."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(engines_home())}


def run_as(owner: Account, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end and return its status and output."""
    return subprocess.run(  # noqa: S603 — bundled programs and fixed words only
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=engines_home(),
        env=environment(),
        user=owner.user,
        group=owner.group,
        extra_groups=owner.extra_groups,
    )


def start_as(owner: Account, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a server as a child of this process; its words go where ours go."""
    return subprocess.Popen(  # noqa: S603 — bundled programs only
        command,
        cwd=engines_home(),
        env=environment(),
        stdin=subprocess.DEVNULL,
        user=owner.user,
        group=owner.group,
        extra_groups=owner.extra_groups,
    )
