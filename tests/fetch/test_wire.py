"""The whole pipeline, seen from a raw socket: on the wire stands the WHATWG serialisation, byte for byte."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from ada_url import URL

import scraper
from scraper.records import Failure

BODY = b"<title>A page</title>"
#: What each run here is told besides its URLs.
PLAIN: dict[str, Any] = {
    "parse_workers": 0,
    "fetch_workers": 4,
    "delay": 0,
    "robots": False,
    "retries": 0,
    "allow_private": True,
    "timeout": 10,
    "fields": {"title": "title"},
}

#: How a list writes path and query, and what the request line has to say.
TARGETS = [
    ("", b"/"),
    # A lone %, and one that encodes nothing, are left as they are; what is encoded is neither decoded nor rewritten.
    ("/100%", b"/100%"),
    ("/%zz", b"/%zz"),
    ("/%7e~%7E", b"/%7e~%7E"),
    ("/%c3%a8", b"/%c3%a8"),
    ("/%2F%2f%5C", b"/%2F%2f%5C"),
    # Path percent-encode set: ? ` { } ^ beyond the query's; not | [ ] ' and the sub-delims.
    ("/a|b", b"/a|b"),
    ("/:@!$&'()*+,=", b"/:@!$&'()*+,="),
    ("/;p=1", b"/;p=1"),
    ("/[x]", b"/[x]"),
    ('/"<>`{}^', b"/%22%3C%3E%60%7B%7D%5E"),
    ("/a b", b"/a%20b"),
    ("/\u00e9", b"/%C3%A9"),
    ("/\u00c5/\u2028", b"/%C3%85/%E2%80%A8"),
    ("/\U0001f600", b"/%F0%9F%98%80"),
    ("/\x7f\x01.", b"/%7F%01."),
    # Segments
    ("//double//slash", b"//double//slash"),
    ("/%2e%2e/x", b"/x"),
    ("/a/%2E/../b", b"/b"),
    ("/..;/x", b"/..;/x"),
    ("/.../x", b"/.../x"),
    ("/d/..", b"/"),
    ("/e/.", b"/e/"),
    ("\\back\\slash", b"/back/slash"),
    ("/http://h.example:80/", b"/http://h.example:80/"),
    # Query: what is empty stays, the special-query set has ' as well.
    ("/?", b"/?"),
    ("/p?", b"/p?"),
    ("/??", b"/??"),
    ("/?&=&", b"/?&=&"),
    ("/?a=b|c&d='e'", b"/?a=b|c&d=%27e%27"),
    ('/?q=\u00e9+\u65e5 "<>`{}^[\\]', b"/?q=%C3%A9+%E6%97%A5%20%22%3C%3E`{}^[\\]"),
    ("/?../%2e%2e/%zz%", b"/?../%2e%2e/%zz%"),
    # Dropped: fragment, tabs and line ends, spaces and control characters around.
    ("/f#part?x", b"/f"),
    ("/g?#", b"/g?"),
    ("/t\ta\nb\r?c\td", b"/tab?cd"),
    ("/h \x01", b"/h"),
]


class Recorder:
    """A server on loopback that keeps what it is asked, as bytes, and answers with a page or a redirect."""

    def __init__(self, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.seen: list[tuple[bytes, bytes]] = []  # request line, Host
        self.locations: dict[bytes, bytes] = {}  # by request target
        recorder = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 10  # a client that waits for ever is a failed test, not a hanging one

            def handle(self) -> None:
                while line := self.rfile.readline():
                    fields = list(iter(self.rfile.readline, b"\r\n"))
                    hosts = [field[5:].strip() for field in fields if field.lower().startswith(b"host:")]
                    recorder.seen.append((line.removesuffix(b"\r\n"), b" and ".join(hosts)))
                    self.wfile.write(recorder._answer(line.split(b" ")[1]))

        class Server(socketserver.ThreadingTCPServer):
            address_family = family

        self._server = Server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def lines(self) -> list[bytes]:
        """The request lines, sorted: many threads ask."""
        return sorted(line for line, _ in self.seen)

    def close(self) -> None:
        """Join all threads."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, target: bytes) -> bytes:
        location = self.locations.get(target)
        if location is not None:
            return b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


@pytest.fixture
def record() -> Iterator[Callable[..., Recorder]]:
    """Start a `Recorder`; closed at the end of the test."""
    started: list[Recorder] = []

    def start(*arguments: Any) -> Recorder:
        started.append(Recorder(*arguments))
        return started[-1]

    yield start
    for recorder in started:
        recorder.close()


@pytest.fixture
def recorder(record: Callable[..., Recorder]) -> Recorder:
    """A `Recorder` at 127.0.0.1."""
    return record()


def scrape(urls: Iterable[str], **keywords: Any) -> list[dict[str, Any]]:
    """All records; a failure fails the test."""
    failures: list[Failure] = []
    records = list(scraper.scrape(list(urls), on_failure=failures.append, **PLAIN, **keywords))
    assert failures == []
    return records


def requests(targets: Iterable[bytes]) -> list[bytes]:
    """Their request lines, sorted, each once."""
    return sorted({b"GET " + target + b" HTTP/1.1" for target in targets})


def test_the_table_is_the_standards() -> None:
    """What the tests below expect is what the parser serialises."""
    for spelled, target in TARGETS:
        href: str = URL(f"http://h.example{spelled}").href
        assert href.partition("#")[0].encode() == b"http://h.example" + target


def test_request_lines(recorder: Recorder) -> None:
    """Each spelling goes out as its serialisation; nobody between list and socket has other ideas."""
    site = f"127.0.0.1:{recorder.port}"
    spellings = [f"http://{site}{spelled}" for spelled, _ in TARGETS]
    records = scrape(spellings)
    assert recorder.lines == requests(target for _, target in TARGETS)
    assert {host for _, host in recorder.seen} == {site.encode()}
    # Records know the page by the list's own spelling, its origin by what was asked for.
    assert {record["url"] for record in records} <= set(spellings)
    assert sorted(record["final_url"].removeprefix(f"http://{site}").encode() for record in records) == sorted(
        {target for _, target in TARGETS}
    )


def test_one_page_in_many_spellings_is_asked_for_once(recorder: Recorder) -> None:
    """Spellings with one serialisation are one page; spellings that only mean the same are not."""
    site = f"127.0.0.1:{recorder.port}"
    same = ["/\u00e9", "/%C3%A9", "/\u00e9#part", "/x/../%C3%A9", "/./\u00e9", "/%2e/\u00e9", "\\\u00e9", "/\t\u00e9"]
    records = scrape([f"http://{site}{spelled}" for spelled in same])
    assert recorder.lines == [b"GET /%C3%A9 HTTP/1.1"]
    assert [record["url"] for record in records] == [f"http://{site}/\u00e9"]
    scrape([f"http://{site}{spelled}" for spelled in ("/%c3%a9", "/%C3%A9/", "/%C3%A9?", "//%C3%A9")])
    assert len(recorder.lines) == 5


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("127.0.0.1:{port}", "127.0.0.1:{port}"),
        ("127.0.0.1:0{port}", "127.0.0.1:{port}"),
        ("127.1:{port}", "127.0.0.1:{port}"),
        ("0x7f.1:{port}", "127.0.0.1:{port}"),
        ("017700000001:{port}", "127.0.0.1:{port}"),
        ("\uff11\uff12\uff17.0.0.1:{port}", "127.0.0.1:{port}"),
        ("127.0.0.1.:{port}", "127.0.0.1:{port}"),
        ("me:secret@127.0.0.1:{port}", "127.0.0.1:{port}"),
        ("A.Example:{port}", "a.example:{port}"),
        ("a.example.:{port}", "a.example.:{port}"),
        ("b\u00fccher.example:{port}", "xn--bcher-kva.example:{port}"),
        ("%61_b.example:{port}", "a_b.example:{port}"),
    ],
)
def test_host_field(recorder: Recorder, monkeypatch: pytest.MonkeyPatch, authority: str, host: str) -> None:
    """The Host field is the serialised host, and the port where it is not the scheme's own."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **options: real("127.0.0.1", port, **options))
    scrape([f"http://{authority.format(port=recorder.port)}/100%"])
    assert recorder.seen == [(b"GET /100% HTTP/1.1", host.format(port=recorder.port).encode())]


def test_host_field_of_ipv6(record: Callable[..., Recorder]) -> None:
    """An IPv6 address stands in brackets, compressed."""
    try:
        recorder = record(socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    scrape([f"http://[0:0::0:1]:{recorder.port}/|"])
    assert recorder.seen == [(b"GET /| HTTP/1.1", f"[::1]:{recorder.port}".encode())]


LOCATIONS = [
    (b"/100%", b"/100%"),
    (b"/%zz|%7e", b"/%zz|%7e"),
    (b"/a b", b"/a%20b"),
    ("/\u00e9\u00c5?\u65e5".encode(), b"/%C3%A9%C3%85?%E6%97%A5"),  # UTF-8, as browsers read it
    (b"/\xe9?\xff", b"/%E9?%FF"),  # not UTF-8: the very bytes
    (b"/..;/\"<>^`{}?'", b"/..;/%22%3C%3E%5E%60%7B%7D?%27"),
    (b"//127.0.0.1:PORT//double//slash", b"//double//slash"),
    (b"http://127.1:PORT/%2e%2E/up/../x?#part", b"/x?"),
    (b"\\back\\slash", b"/back/slash"),
    (b"/t\ta\tb", b"/tab"),
    (b"?", b"/from?"),
    (b"?a?b", b"/from?a?b"),
    (b"here/./there", b"/here/there"),
    (b"http:same/scheme", b"/same/scheme"),
]


@pytest.mark.parametrize(("location", "target"), LOCATIONS)
def test_after_a_redirect(recorder: Recorder, location: bytes, target: bytes) -> None:
    """A Location is resolved by the same rules, and asked for as it is serialised."""
    recorder.locations[b"/from"] = location.replace(b"PORT", b"%d" % recorder.port)
    site = f"127.0.0.1:{recorder.port}"
    (record,) = scrape([f"http://{site}/from"])
    assert [line for line, _ in recorder.seen] == [b"GET /from HTTP/1.1", b"GET " + target + b" HTTP/1.1"]
    assert {host for _, host in recorder.seen} == {site.encode()}
    assert record["final_url"] == f"http://{site}{target.decode()}"


@pytest.mark.parametrize(
    ("spelled", "origin"),
    [
        ("http://A.Example", "a.example"),
        ("http:a.example:80", "a.example"),
        ("http://a.example:0443", "a.example:443"),
        ("http://a.example.", "a.example."),
        ("http://b\u00fccher.example", "xn--bcher-kva.example"),
        ("http://me:secret@a.example:8080", "a.example:8080"),
        ("http://[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"),
        ("http://[::ffff:192.0.2.1]:81", "[::ffff:c000:201]:81"),
        ("http://0xC0000201", "192.0.2.1"),
    ],
)
def test_through_a_proxy(recorder: Recorder, spelled: str, origin: str) -> None:
    """A forwarding proxy is asked for the whole serialisation (RFC 9112 §3.2.2), the Host field being the origin's."""
    proxy = {"fetch": {"proxy": f"http://127.0.0.1:{recorder.port}"}}
    scrape([spelled + path for path, _ in TARGETS], settings=proxy)
    assert recorder.lines == requests(f"http://{origin}".encode() + target for _, target in TARGETS)
    assert {host for _, host in recorder.seen} == {origin.encode()}


@pytest.mark.parametrize(
    "proxy", ["http://me:hunter2@127.0.0.1:99999", "http://me:hunter2@127.0.0.1:x", "http://me:hunter2@[::1"]
)
def test_a_malformed_proxy_keeps_its_password(proxy: str) -> None:
    """What is wrong with a proxy is told without its password, and is not held against the URL."""
    failures: list[Failure] = []
    list(
        scraper.scrape(["http://a.example/"], settings={"fetch": {"proxy": proxy}}, on_failure=failures.append, **PLAIN)
    )
    (failure,) = failures
    assert (failure.error, failure.message) == ("connect_error", "the proxy's URL is malformed")
