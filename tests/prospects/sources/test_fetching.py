"""Requests to strange servers: where they may go, and how much of an answer is taken."""

import errno
import gzip
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc
import zlib
from pathlib import Path

import httpcore2
import pytest

from prospects.sources.addresses import is_public
from prospects.sources.config import Credential
from prospects.sources.fetch import Fetcher
from prospects.sources.troubles import BadAnswer, NetworkTrouble, NoSuchHost, Refused
from prospects.sources.web import target_of
from tests.prospects.sources.stand_in import Reply, StandIn, Wires, html, reach, stand_in

PRIVATE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "203.0.113.9", "224.0.0.1", "255.255.255.255",
    "168.63.129.16", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:1::", "2001:db8::1",
    "::127.0.0.1", "3fff::1", "5f00::1",
]  # fmt: skip
PUBLIC = [
    "93.184.216.34",
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_resolves_to_a_private_address_is_refused_before_any_connection(address: str) -> None:
    fetcher = Fetcher(reach(), resolver=lambda host, port: [address])
    with pytest.raises(Refused, match="private"):
        fetcher.fetch("http://innocent.example/")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://2130706433/",
        "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://0/", "http://017700000001/",
        "http://localhost/", "http://metadata/", "http://127.0.0.1.:80/", "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://files.example/", "//files.example/", "http:///x",
        "http://user:word@site.example/", "http://site.example:22/", "https://site.example:80/", "http://site.example:6379/",
        "http://site.example\\@127.0.0.1/", "http://site.example/ x", "http://site.example/\r\nX: y", "http://[::1%25lo]/",
        "http://①②⑦.0.0.1/", "http://site.example:99999/", "http://" + "a" * 2000 + ".example/",
    ],
)  # fmt: skip
def test_addresses_that_are_never_asked(url: str) -> None:
    wires = Wires()
    with pytest.raises((Refused, NoSuchHost)):
        Fetcher(reach(), network=wires).fetch(url)
    assert wires.called == []


def test_one_private_address_among_public_ones_spoils_the_name() -> None:
    fetcher = Fetcher(reach(), resolver=lambda host, port: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(Refused, match="private"):
        fetcher.fetch("http://mixed.example/")


def test_a_name_is_resolved_once_and_the_connection_goes_to_the_judged_address(server: StandIn) -> None:
    """A name that answers with a public address first and a private one next gets only the first look."""
    server.routes["/"] = html("outside")
    answers = iter(["93.184.216.34", "127.0.0.1"])
    wires = Wires(_93_184_216_34=server)
    fetcher = Fetcher(reach(), resolver=lambda host, port: [next(answers)], network=wires)
    assert fetcher.fetch("http://rebind.example/").text == "outside"
    assert wires.called == [("93.184.216.34", 80)]
    assert server.asked[0].headers["Host"] == "rebind.example"
    with pytest.raises(Refused):
        fetcher.fetch("http://rebind.example/")
    assert len(wires.called) == 1


def test_the_next_address_of_a_name_is_tried_when_one_does_not_answer(server: StandIn) -> None:
    server.routes["/"] = html("second")
    wires = Wires(_93_184_216_34=server)
    fetcher = Fetcher(reach(), resolver=lambda host, port: ["2606:4700::1", "93.184.216.34"], network=wires)
    assert fetcher.fetch("http://two.example/").text == "second"
    assert [address for address, _ in wires.called] == ["2606:4700::1", "93.184.216.34"]


def test_a_public_site_cannot_redirect_to_a_name_inside(server: StandIn) -> None:
    server.routes["/"] = Reply(302, headers={"Location": "http://inside.example/admin"})
    names = {"public.example": ["93.184.216.34"], "inside.example": ["10.0.0.5"]}
    wires = Wires(_93_184_216_34=server)
    with pytest.raises(Refused, match="private or reserved"):
        Fetcher(reach(), resolver=lambda host, port: names[host], network=wires).fetch("http://public.example/")
    assert wires.called == [("93.184.216.34", 80)]


def test_an_operator_can_open_one_place_and_only_that_one(server: StandIn) -> None:
    server.routes["/"] = html("hello")
    with stand_in() as other:
        other.routes["/"] = html("other")
        fetcher = Fetcher(reach(server))
        assert fetcher.fetch(f"{server.url}/").text == "hello"
        with pytest.raises(Refused):
            fetcher.fetch(f"{other.url}/")
        assert other.asked == []


def test_a_redirect_to_an_address_in_raw_utf8_is_followed(server: StandIn) -> None:
    server.routes["/"] = Reply(302, headers={"Location": "/über".encode().decode("latin-1")})
    server.routes["/%C3%BCber"] = html("about us")
    assert Fetcher(reach(server)).fetch(f"{server.url}/").text == "about us"


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (429, b"x" * 6_000_000, {}),
        (503, b"\x8b", {"Content-Encoding": "br"}),
        (404, b"\x1f", {"Content-Encoding": "gzip"}),
    ],
)
def test_an_error_pages_body_does_not_hide_its_status(
    server: StandIn, status: int, body: bytes, headers: dict[str, str]
) -> None:
    server.routes["/"] = Reply(status, body, {"Retry-After": "7", **headers})
    page = Fetcher(reach(server)).fetch(f"{server.url}/")
    assert (page.status, page.headers["retry-after"], page.body) == (status, "7", b"")


def test_links_in_several_lines_are_one_list(server: StandIn) -> None:
    links = b'Link: </a?page=2>; rel="next"\r\nLink: </a?page=9>; rel="last"\r\n'
    server.routes["/"] = Reply(raw=lambda to: to.wfile.write(b"HTTP/1.1 200 OK\r\n" + links + b"\r\nok"))
    page = Fetcher(reach(server)).fetch(f"{server.url}/")
    assert page.headers["link"] == '</a?page=2>; rel="next", </a?page=9>; rel="last"'


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), NoSuchHost),
        (socket.gaierror(socket.EAI_AGAIN, "later"), NetworkTrouble),
        (socket.gaierror(socket.EAI_FAIL, "server failed"), NetworkTrouble),
        (OSError(errno.EMFILE, "too many open files"), NetworkTrouble),
    ],
)
def test_only_a_name_server_that_says_so_means_that_a_name_does_not_exist(
    error: OSError, means: type[Exception]
) -> None:
    def failing(host: str, port: int) -> list[str]:
        raise error

    with pytest.raises(means):
        Fetcher(reach(), resolver=failing).fetch("http://acme.example/")


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1/", "http://169.254.169.254/", "http://[::1]/", "http://localhost:5432/", "file:///etc/passwd",
     "http://10.0.0.8:80/", "//127.0.0.2/", "http://2130706433/"],
)  # fmt: skip
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_judged_like_the_first_address(server: StandIn, location: str, status: int) -> None:
    server.routes["/"] = Reply(status, headers={"Location": location})
    with pytest.raises(Refused):
        Fetcher(reach(server)).fetch(f"{server.url}/")
    assert len(server.asked) == 1


def test_five_redirects_are_followed_and_a_sixth_is_not(server: StandIn) -> None:
    for n in range(7):
        server.routes[f"/{n}"] = Reply(302, headers={"Location": f"/{n + 1}"})
    server.routes["/7"] = html("at last")
    fetcher = Fetcher(reach(server))
    assert fetcher.fetch(f"{server.url}/2").text == "at last"
    with pytest.raises(BadAnswer, match="redirects"):
        fetcher.fetch(f"{server.url}/1")


def test_a_redirect_after_a_post_becomes_a_get_without_its_body(server: StandIn) -> None:
    server.routes["/a"] = Reply(303, headers={"Location": "/b"})
    server.routes["/b"] = html("ok")
    Fetcher(reach(server)).fetch(f"{server.url}/a", method="POST", body={"q": 1})
    assert [(r.method, r.body) for r in server.asked] == [("POST", b'{"q": 1}'), ("GET", b"")]


def test_a_key_goes_to_its_own_host_and_never_along_a_redirect(server: StandIn) -> None:
    with stand_in() as other:
        server.routes["/"] = Reply(302, headers={"Location": f"{other.url}/steal"})
        other.routes["/steal"] = html("thanks")
        key = Credential("X-Api-Key", "secret", server.place)
        Fetcher(reach(server, other)).fetch(f"{server.url}/", credential=key)
        assert server.asked[0].headers["X-Api-Key"] == "secret"
        assert "X-Api-Key" not in other.asked[0].headers
        Fetcher(reach(server, other)).fetch(f"{other.url}/steal", credential=key)
        assert "X-Api-Key" not in other.asked[1].headers


def test_requests_carry_a_plain_user_agent_and_neither_cookies_nor_the_environments_proxy(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.routes["/"] = Reply(200, b"ok", {"Set-Cookie": "a=b"})
    fetcher = Fetcher(reach(server))
    fetcher.fetch(f"{server.url}/")
    fetcher.fetch(f"{server.url}/")
    assert server.asked[1].headers["User-Agent"] == "SalesOps/test"
    assert "Cookie" not in server.asked[1].headers


@pytest.mark.parametrize("declared", [True, False])
def test_an_answer_that_is_too_large_is_given_up_early(server: StandIn, declared: bool) -> None:
    sent: list[int] = []

    def flood(handler: object) -> None:
        out = handler.wfile  # type: ignore[attr-defined]
        length = b"Content-Length: 500000000\r\n" if declared else b""
        out.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + length + b"\r\n")
        try:
            for _ in range(5000):
                out.write(b"x" * 100_000)
                sent.append(100_000)
        except OSError:
            pass

    server.routes["/"] = Reply(raw=flood)
    with pytest.raises(BadAnswer, match="larger"):
        Fetcher(reach(server)).fetch(f"{server.url}/")
    time.sleep(0.1)
    assert sum(sent) < 50_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_packet_that_unpacks_into_gigabytes_is_given_up(server: StandIn, encoding: str) -> None:
    data = b"\0" * 60_000_000
    bomb = gzip.compress(data) if encoding == "gzip" else zlib.compress(data)
    assert len(bomb) < 100_000
    server.routes["/"] = Reply(200, bomb, {"Content-Encoding": encoding, "Content-Type": "text/html"})
    tracemalloc.start()
    try:
        with pytest.raises(BadAnswer, match="larger"):
            Fetcher(reach(server)).fetch(f"{server.url}/")
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_packed_answers_are_unpacked_and_broken_ones_refused(server: StandIn) -> None:
    packed = gzip.compress("Grüße".encode())
    server.routes["/good"] = Reply(
        200, packed, {"Content-Encoding": "gzip", "Content-Type": "text/html; charset=utf-8"}
    )
    server.routes["/cut"] = Reply(200, packed[:-9], {"Content-Encoding": "gzip"})
    server.routes["/lies"] = Reply(200, b"plain", {"Content-Encoding": "gzip"})
    server.routes["/odd"] = Reply(200, b"plain", {"Content-Encoding": "br"})
    fetcher = Fetcher(reach(server))
    assert fetcher.fetch(f"{server.url}/good").text == "Grüße"
    for path in ("cut", "lies", "odd"):
        with pytest.raises(BadAnswer):
            fetcher.fetch(f"{server.url}/{path}")


def _drip(text: bytes, pause: float, sent: list[int]) -> Reply:
    def raw(handler: object) -> None:
        out = handler.wfile  # type: ignore[attr-defined]
        try:
            for byte in text:
                out.write(bytes([byte]))
                out.flush()
                sent.append(byte)
                time.sleep(pause)
        except OSError:
            pass

    return Reply(raw=raw)


@pytest.mark.parametrize(
    "text",
    [b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 400, b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 400],
    ids=["in its headers", "in its body"],
)
def test_a_server_that_drips_is_left_when_the_time_is_up(server: StandIn, text: bytes) -> None:
    sent: list[int] = []
    server.routes["/"] = _drip(text, 0.05, sent)
    with pytest.raises(NetworkTrouble, match="in time"):
        Fetcher(reach(server, request_seconds=0.6)).fetch(f"{server.url}/")
    assert 0 < len(sent) < len(text)


def test_a_server_that_says_nothing_is_left_after_the_reading_time(server: StandIn) -> None:
    left, spoke = threading.Event(), []
    server.routes["/"] = Reply(raw=lambda handler: spoke.append(left.wait(60)))
    with pytest.raises(NetworkTrouble, match="in time"):
        Fetcher(reach(server, read_seconds=0.3, request_seconds=30)).fetch(f"{server.url}/")
    assert spoke == []
    left.set()


def test_a_name_that_takes_too_long_to_resolve_does_not_hold_a_request_up() -> None:
    left, found = threading.Event(), []
    slow = Fetcher(reach(request_seconds=0.3), resolver=lambda host, port: found.append(left.wait(60)) or [])
    with pytest.raises(NetworkTrouble, match="resolved in time"):
        slow.fetch("http://slow.example/")
    assert found == []
    left.set()


@pytest.mark.parametrize(
    "said",
    [b"", b"not HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
     b"HTTP/1.1 banana\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_broken_http_is_network_trouble(server: StandIn, said: bytes) -> None:
    server.routes["/"] = Reply(raw=lambda handler: handler.wfile.write(said))
    with pytest.raises(NetworkTrouble):
        Fetcher(reach(server)).fetch(f"{server.url}/")


def test_a_port_nobody_listens_on_is_network_trouble() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # taken, and not listened at
        place = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(NetworkTrouble):
            Fetcher(reach(allow_hosts=frozenset({place}))).fetch(f"http://{place}/")


def test_only_the_wanted_kinds_of_answer_are_read(server: StandIn) -> None:
    server.routes["/pdf"] = Reply(200, b"%PDF", {"Content-Type": "application/pdf"})
    server.routes["/page"] = html("<p>ok")
    server.routes["/error"] = Reply(500, b"{}", {"Content-Type": "application/problem+json"})
    fetcher, kinds = Fetcher(reach(server)), frozenset({"text/html"})
    with pytest.raises(BadAnswer, match="application/pdf"):
        fetcher.fetch(f"{server.url}/pdf", kinds=kinds)
    assert fetcher.fetch(f"{server.url}/page", kinds=kinds).status == 200
    assert fetcher.fetch(f"{server.url}/error", kinds=kinds).status == 500


def test_words_are_read_as_the_server_or_the_page_spells_them(server: StandIn) -> None:
    server.routes["/a"] = Reply(200, "Grüße".encode("latin-1"), {"Content-Type": "text/html; charset=iso-8859-1"})
    server.routes["/b"] = Reply(
        200, '<meta charset="windows-1252">Grüße'.encode("cp1252"), {"Content-Type": "text/html"}
    )
    server.routes["/c"] = Reply(200, b"\xff\xfe\x00", {"Content-Type": "text/html; charset=klingon"})
    fetcher = Fetcher(reach(server))
    assert fetcher.fetch(f"{server.url}/a").text == "Grüße"
    assert fetcher.fetch(f"{server.url}/b").text.endswith("Grüße")
    assert fetcher.fetch(f"{server.url}/c").text


def certified(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a name that vouches for itself, and its key."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "1",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.fixture
def secure(server: StandIn, tmp_path: Path) -> Path:
    """The stand-in speaks TLS as acme.example; returns its certificate."""
    cert, key = certified(tmp_path, "acme.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True, do_handshake_on_connect=False)
    server.routes["/"] = html("over TLS")
    return cert


def test_tls_checks_the_name_that_was_asked_for_though_the_connection_goes_to_an_address(
    server: StandIn, secure: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure))
    monkeypatch.setattr("prospects.sources.fetch._tls", httpcore2.default_ssl_context)
    wires = Wires(_93_184_216_34=server)
    fetcher = Fetcher(reach(), resolver=lambda host, port: ["93.184.216.34"], network=wires)
    assert fetcher.fetch("https://acme.example/").text == "over TLS"
    assert wires.called == [("93.184.216.34", 443)]
    with pytest.raises(NetworkTrouble):
        fetcher.fetch("https://impostor.example/")
    assert len(server.asked) == 1


def test_a_certificate_nobody_vouches_for_is_not_taken(server: StandIn, secure: Path) -> None:
    fetcher = Fetcher(reach(), resolver=lambda h, p: ["93.184.216.34"], network=Wires(_93_184_216_34=server))
    with pytest.raises(NetworkTrouble):
        fetcher.fetch("https://acme.example/")
    assert server.asked == []


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("HTTP://Acme.Example", "http://acme.example/"),
        ("https://acme.example:443/a?b=c#d", "https://acme.example/a?b=c"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("http://acme.example./x%20y", "http://acme.example/x%20y"),
    ],
)
def test_addresses_are_spelled_one_way(url: str, read: str) -> None:
    assert target_of(url).url == read
