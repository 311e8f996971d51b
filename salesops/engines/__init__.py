"""The database and the queue: which ones we talk to, and the bundled ones when nobody named any.

With ``DATABASE_URL`` and ``REDIS_URL`` unset, a bundled PostgreSQL and a bundled Valkey run for as long as some process
holds a lease on them (``ensure``). ``urls`` only says where they are: it is cheap, starts nothing and needs no Django.
"""

from salesops.engines.layout import EngineError, data_dir, engines_home, local_secret_key
from salesops.engines.lease import ensure, lease_fds, release, tend
from salesops.engines.urls import Urls, urls

__all__ = [
    "EngineError",
    "Urls",
    "data_dir",
    "engines_home",
    "ensure",
    "lease_fds",
    "local_secret_key",
    "release",
    "tend",
    "urls",
]
