"""One setting, three dialects."""

import ssl

import pytest
import redis
from kombu import Connection as BrokerConnection

from salesops.engines import EngineError, urls


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.mark.parametrize(
    ("setting", "cache", "celery"),
    [
        ("redis://h", "redis://h/0", "redis://h/1"),
        ("redis://:secret@h:6380/4", "redis://:secret@h:6380/4", "redis://:secret@h:6380/5"),
        ("rediss://h/2?ssl_cert_reqs=none", "rediss://h/2?ssl_cert_reqs=none", "rediss://h/3?ssl_cert_reqs=none"),
        ("unix:///run/r.sock", "unix:///run/r.sock?db=0", "redis+socket:///run/r.sock?virtual_host=1"),
        (
            "unix://bob:s%40cret@/run/r.sock?db=2",
            "unix://bob:s%40cret@/run/r.sock?db=2",
            "redis+socket://bob:s%40cret@/run/r.sock?virtual_host=3",
        ),
        ("unix:///run/r.sock?db=6", "unix:///run/r.sock?db=6", "redis+socket:///run/r.sock?virtual_host=7"),
    ],
)
def test_cache_and_queue_are_neighbours(monkeypatch: pytest.MonkeyPatch, setting: str, cache: str, celery: str) -> None:
    monkeypatch.setenv("REDIS_URL", setting)
    found = urls()
    assert (found.cache_url, found.celery_url, found.embedded_valkey) == (cache, celery, False)


def test_an_unknown_kind_of_address_is_refused_with_the_kinds_we_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "memcached://h")
    with pytest.raises(EngineError, match="redis://, rediss:// or unix://"):
        urls()


def test_parallel_test_processes_do_not_share_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://h/0")
    seen = set()
    for worker in ("gw0", "gw1", "gw2"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        seen |= {urls().cache_url, urls().celery_url}
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("rediss://:pw@h:6380/0", ssl.CERT_REQUIRED),
        ("rediss://h/0?ssl_ca_certs=/ca.pem", ssl.CERT_REQUIRED),
        ("rediss://h/0?ssl_cert_reqs=none", ssl.CERT_NONE),
    ],
)
def test_a_certificate_is_looked_at_unless_somebody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, asked: str, wanted: ssl.VerifyMode
) -> None:
    monkeypatch.setenv("REDIS_URL", asked)
    assert BrokerConnection(urls().celery_url).ssl["ssl_cert_reqs"] == wanted
    cache = redis.Redis.from_url(urls().cache_url).connection_pool.make_connection()
    assert cache.cert_reqs == wanted


def test_a_named_database_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@h/db")
    found = urls()
    assert found.database_url == "postgres://u:p@h/db"
    assert not found.embedded_postgres
