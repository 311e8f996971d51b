"""One setting per engine, in the dialect each library wants."""

import os
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from salesops.engines.layout import EngineError, socket_dir

POSTGRES_PORT = 5432  # names the socket file; no TCP port is opened
DATABASE = "salesops"
VALKEY_SOCKET = "valkey.sock"


@dataclass(frozen=True)
class Urls:
    """Where the engines are.

    ``database_url`` is for django-environ; ``cache_url`` for redis-py and Django's cache; ``celery_url`` for kombu. The
    cache and the queue are neighbouring logical databases of one Redis, so that clearing the cache keeps the queue.
    """

    database_url: str
    cache_url: str
    celery_url: str
    embedded_postgres: bool
    embedded_valkey: bool

    @property
    def embedded(self) -> bool:
        """True when at least one engine is ours to start."""
        return self.embedded_postgres or self.embedded_valkey


def urls() -> Urls:
    """Return the URLs from ``DATABASE_URL`` and ``REDIS_URL``, or of the embedded engines. Starts nothing.

    Raises EngineError when REDIS_URL is of no kind we know.
    """
    database_url = os.environ.get("DATABASE_URL", "")
    redis_url = os.environ.get("REDIS_URL", "")
    sockets = socket_dir()
    cache_url, celery_url = _redis_dialects(redis_url or f"unix://{quote(str(sockets / VALKEY_SOCKET))}?db=0")
    return Urls(
        database_url=database_url or f"postgres://{DATABASE}@/{quote(str(sockets))}/{DATABASE}",
        cache_url=cache_url,
        celery_url=celery_url,
        embedded_postgres=not database_url,
        embedded_valkey=not redis_url,
    )


def _test_worker_offset() -> int:
    """Give each parallel test process (gw0, gw1 …) a pair of logical databases of its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return 2 * (int(worker[2:]) + 1) if worker.startswith("gw") else 0


def _redis_dialects(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if parts.scheme == "unix":
        number = int(query.get("db", ["0"])[0]) + _test_worker_offset()
        place = f"{parts.netloc}{parts.path}"  # who asks and with which password stands before the path
        return f"unix://{place}?db={number}", f"redis+socket://{place}?virtual_host={number + 1}"
    if parts.scheme in {"redis", "rediss"}:
        number = int(parts.path.strip("/") or 0) + _test_worker_offset()
        if parts.scheme == "rediss" and "ssl_cert_reqs" not in query:
            # Left to itself kombu takes any certificate, and the queue would be anybody's to read and write.
            parts = parts._replace(query="&".join(filter(None, (parts.query, "ssl_cert_reqs=required"))))
        return (
            urlunsplit(parts._replace(path=f"/{number}")),
            urlunsplit(parts._replace(path=f"/{number + 1}")),
        )
    raise EngineError("REDIS_URL must begin with redis://, rediss:// or unix:// (unix:///path/to/socket?db=0).")
