"""Where embedded data lives, and as whom the engines run.

::

    SALESOPS_DATA (default .run/)        ours: secret key, uploads, scheduler state
      engines/                           theirs: postgres/, valkey/, logs, locks, and usually the sockets
      test/                              the same again, for test sessions only

PostgreSQL refuses to run as root. Started by root, both engines run as the user ``pgserver``; when that user cannot
reach the data folder (it is under a 0700 home, say), ``engines/`` moves to /var/lib/salesops/<key of the folder>/.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
ENGINE_USER = "pgserver"
_ROOTS_HOME = Path("/var/lib/salesops")
# sun_path holds 108 bytes on Linux and 104 on macOS, and PostgreSQL appends "/.s.PGSQL.5432.lock".
_LONGEST_SOCKET_FOLDER = 80


class EngineError(Exception):
    """An embedded engine cannot run here; the text says what to do about it."""


@dataclass(frozen=True)
class Account:
    """The user and group that own the engines' files and processes."""

    uid: int
    gid: int
    switch: bool
    """True when we are root and must become this user first."""

    @property
    def user(self) -> int | None:
        """Popen's ``user``: None to stay who we are."""
        return self.uid if self.switch else None

    @property
    def group(self) -> int | None:
        """Popen's ``group``."""
        return self.gid if self.switch else None

    @property
    def extra_groups(self) -> list[int] | None:
        """Popen's ``extra_groups``: none of root's."""
        return [] if self.switch else None


def in_test_session() -> bool:
    """Say whether pytest, or something it started, is asking: tests get engines and data of their own."""
    return "PYTEST_VERSION" in os.environ


def data_dir() -> Path:
    """Return the folder of everything embedded: ``SALESOPS_DATA``, or ``.run`` in the checkout."""
    base = Path(os.environ.get("SALESOPS_DATA") or CHECKOUT / ".run").expanduser().absolute()
    return base / "test" if in_test_session() else base


def _key(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]


def _others_can_pass(folder: Path) -> bool:
    """Say whether a stranger may walk through every existing folder on the way to ``folder``."""
    existing = [part for part in (folder, *folder.parents) if part.exists()]
    return all(part.stat().st_mode & stat.S_IXOTH for part in existing)


@cache
def _engines_home(data: Path) -> Path:
    if os.geteuid() == 0 and not _others_can_pass(data):
        return _ROOTS_HOME / _key(data)
    return data / "engines"


def engines_home() -> Path:
    """Return the folder that holds the engines' data, which as root may be outside ``data_dir()``."""
    return _engines_home(data_dir())


def socket_dir() -> Path:
    """Return the folder of both Unix sockets: the engines' home, or a short private folder if that path is too long."""
    home = engines_home()
    if len(os.fsencode(home)) <= _LONGEST_SOCKET_FOLDER:
        return home
    return Path(tempfile.gettempdir()) / f"salesops-{os.geteuid()}-{_key(home)}"


def account() -> Account:
    """Return whom the engines run as; as root, create that user when it is missing.

    Raises EngineError when root cannot create it.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    entry = _engine_user()
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _engine_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ENGINE_USER]
    for attempt in range(10):
        try:
            return pwd.getpwnam(ENGINE_USER)
        except KeyError:
            # Two checkouts may do this at once: the loser of useradd's own lock looks again.
            time.sleep(0.2 * attempt)
            if shutil.which(command[0]):
                subprocess.run(command, capture_output=True, check=False)  # noqa: S603 — fixed words
    raise EngineError(
        f"PostgreSQL does not run as root and the user {ENGINE_USER!r} could not be created. "
        f"Create it ({' '.join(command)}), or run as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )


def prepare() -> Account:
    """Make the folders the engines need, each with the owner and mode it must have; return that owner."""
    owner = account()
    data, home, sockets = data_dir(), engines_home(), socket_dir()
    _make(data, os.geteuid(), os.getegid(), 0o711 if owner.switch else 0o700, insist=False)
    if home.parent == _ROOTS_HOME:
        _make(_ROOTS_HOME, 0, 0, 0o711)
    for folder in dict.fromkeys((home, sockets)):
        _make(folder, owner.uid, owner.gid, 0o700)
    return owner


def _make(folder: Path, uid: int, gid: int, mode: int, *, insist: bool = True) -> None:
    """Create ``folder``; if it exists already and ``insist``, require that nobody else made it."""
    try:
        for part in reversed([part for part in folder.parents if not part.exists()]):
            part.mkdir(mode=0o711, exist_ok=True)
            part.chmod(0o711)  # whatever the umask: strangers pass through to what is theirs, and see nothing
        folder.mkdir()
    except FileExistsError:
        found = folder.lstat()
        if insist and (found.st_uid not in {uid, os.geteuid()} or not stat.S_ISDIR(found.st_mode)):
            raise EngineError(
                f"{folder} belongs to another user. Point SALESOPS_DATA at a folder of your own."
            ) from None
        if not insist or (found.st_uid, stat.S_IMODE(found.st_mode)) == (uid, mode):
            return
    except OSError as error:
        raise EngineError(
            f"{folder} cannot be created ({error.strerror}). Set SALESOPS_DATA to another folder."
        ) from error
    if os.geteuid() == 0:
        os.chown(folder, uid, gid)
    folder.chmod(mode)


def local_secret_key() -> str:
    """Return this folder's own SECRET_KEY, made at random the first time; any number of processes get the same one."""
    path = data_dir() / "secret_key"
    if not path.exists():
        _make(path.parent, os.geteuid(), os.getegid(), 0o711 if os.geteuid() == 0 else 0o700, insist=False)
        draft = path.with_name(f"secret_key.{os.getpid()}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)  # fails, unlike rename, if another process was first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
