"""What a fetch makes of real connections: byte for byte, and of servers that break, stall, drip or lie."""

from __future__ import annotations

import contextlib
import gc
import gzip
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from scraper.fetch.adapter import Proxies
from scraper.records import Page
from scraper.urls import split

BODY = b"<!doctype html><title>A page</title>"
#: By when an exchange with a deadline of half a second must be over.
SOON = 1.5


def answer(body: bytes = BODY, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer with its length."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def header(*lines: str, status: str = "200 OK") -> bytes:
    """A header of an HTML page with no length but what `lines` say."""
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: text/html", *lines, "", ""]).encode("latin-1")


class Wire:
    """One connection that a server accepted."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self.sock = sock
        self.asked: list[bytes] = []
        self._stopped = stopped
        self._received = b""

    def request(self) -> bytes:
        """The next request's header; empty when the client has hung up."""
        while b"\r\n\r\n" not in self._received:
            data = self.sock.recv(1 << 16)
            if not data:
                return b""
            self._received += data
        request, _, self._received = self._received.partition(b"\r\n\r\n")
        self.asked.append(request)
        return request

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.sock.sendall(data)

    def drip(self, data: bytes, every: float = 0.05) -> None:
        """Send byte by byte until the client hangs up."""
        for byte in data:
            if self._stopped.wait(every):
                return
            self.sock.sendall(bytes([byte]))

    def wait_for_hang_up(self) -> None:
        """Say nothing until the client is gone."""
        while self.sock.recv(1 << 16):
            pass

    def reset(self) -> None:
        """Hang up with a reset instead of an orderly end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def over_tls(self, context: ssl.SSLContext) -> None:
        """Go on encrypted."""
        self.sock = context.wrap_socket(self.sock, server_side=True)


Handler = Callable[[Wire], None]


class Server:
    """A server that does with its n-th connection what the n-th handler says; the last one is for all others."""

    def __init__(self, *handlers: Handler, host: str = "127.0.0.1") -> None:
        self._handlers = handlers
        self._stopped = threading.Event()
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._threads: list[threading.Thread] = []
        self._errors: list[Exception] = []
        self.wires: list[Wire] = []
        self.port: int = self._listener.getsockname()[1]
        self.authority = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.url = f"http://{self.authority}"
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def accepted(self) -> int:
        """How many connections were made."""
        return len(self.wires)

    @property
    def requests(self) -> list[bytes]:
        """All request headers, connection by connection."""
        return [request for wire in self.wires for request in wire.asked]

    @property
    def request_lines(self) -> list[bytes]:
        """All request lines, connection by connection."""
        return [request.partition(b"\r\n")[0] for request in self.requests]

    def wait_for_hang_ups(self) -> None:
        """Wait until all connections there are have ended, and with them their handlers."""
        for thread in self._threads:
            thread.join(5)

    def close(self) -> None:
        """Hang up on everybody and join all threads; what a handler raised is raised here."""
        self._stopped.set()
        socket.create_connection(self._listener.getsockname()[:2]).close()  # wakes the acceptor
        self._acceptor.join()
        self._listener.close()
        for wire in self.wires:
            with contextlib.suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        assert self._errors == []

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._stopped.is_set():
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(5)  # a client that waits for ever is a failed test, not a hanging one
            wire = Wire(sock, self._stopped)
            handler = self._handlers[min(len(self.wires), len(self._handlers) - 1)]
            self.wires.append(wire)
            self._threads.append(threading.Thread(target=self._handle, args=(handler, wire)))
            self._threads[-1].start()

    def _handle(self, handler: Handler, wire: Wire) -> None:
        try:
            with contextlib.suppress(OSError):  # clients that hang up are part of the tests
                handler(wire)
        except Exception as error:  # noqa: BLE001  raised again by `close`
            self._errors.append(error)
        finally:
            wire.sock.close()


Serve = Callable[..., Server]
OpenClient = Callable[..., Any]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a `Server`; closed at the end of the test."""
    servers: list[Server] = []

    def start(*handlers: Handler, **options: Any) -> Server:
        servers.append(Server(*handlers, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def hasty(open_client: OpenClient) -> Any:
    """A client whose deadline is half a second."""
    return open_client(fetch={"timeout": 0.5})


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """What happens within is over well before a drip or a stall is."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SOON


def always(data: bytes) -> Handler:
    """Answer every request of a connection with `data`."""

    def handle(wire: Wire) -> None:
        while wire.request():
            wire.send(data)

    return handle


def once(data: bytes) -> Handler:
    """Answer one request with `data` and hang up."""

    def handle(wire: Wire) -> None:
        wire.request()
        wire.send(data)

    return handle


page = always(answer())


# The request


@pytest.mark.parametrize(
    ("spelled", "target"),
    [
        ("", b"/"),
        ("/", b"/"),
        ("/100%", b"/100%"),
        ("/%zz", b"/%zz"),
        ("/a|b", b"/a|b"),
        ("/a%7cb%7Eb", b"/a%7cb%7Eb"),
        ("//a", b"//a"),
        ("//a//b/../c", b"//a//c"),
        ("/?", b"/?"),
        ("/?a=b&&=", b"/?a=b&&="),
        ("/a?b?c|d", b"/a?b?c|d"),
        ("/a b?c d", b"/a%20b?c%20d"),
        ("/größe?größe", b"/gr%C3%B6%C3%9Fe?gr%C3%B6%C3%9Fe"),
        ("/日本", b"/%E6%97%A5%E6%9C%AC"),
        ('/{a}[b]^`"<>', b"/%7Ba%7D[b]%5E%60%22%3C%3E"),
        ("/'(a);b,c=d@e:f$g!*~+", b"/'(a);b,c=d@e:f$g!*~+"),
        ("/./a/%2e%2E/b", b"/b"),
        ("\\a\\b", b"/a/b"),
        ("/a#b", b"/a"),
        ("http://b.example/", b"/http://b.example/"),
    ],
)
def test_request_target_byte_for_byte(serve: Serve, client: Any, spelled: str, target: bytes) -> None:
    """On the wire stands the WHATWG serialisation, and nobody below has other ideas."""
    server = serve(page)
    url = f"{server.url}{'' if spelled[:1] in ('', '/', chr(92)) else '/'}{spelled}"
    client.page(url)
    assert server.request_lines == [b"GET " + target + b" HTTP/1.1"]


def test_request_header(serve: Serve, client: Any) -> None:
    """Every field once, in the usual spelling, and nothing else."""
    server = serve(page)
    client.page(f"{server.url}/", headers={"X-Note": "größer"})
    names = [line.partition(b": ")[0] for line in server.requests[0].split(b"\r\n")[1:]]
    assert sorted(names) == [b"Accept", b"Accept-Encoding", b"Host", b"User-Agent", b"X-Note"]
    assert f"\r\nHost: {server.authority}".encode() in server.requests[0]
    assert "\r\nX-Note: größer".encode("latin-1") in server.requests[0]


def test_ipv6(serve: Serve, client: Any) -> None:
    """An IPv6 address is connected to without its brackets, and named with them."""
    try:
        server = serve(page, host="::1")
    except OSError:
        pytest.skip("no IPv6 here")
    client.page(f"{server.url}/")
    assert f"\r\nHost: {server.authority}".encode() in server.requests[0]


def test_header_that_cannot_be_sent(serve: Serve, client: Any) -> None:
    """A value beyond Latin-1 ends as a failure before anything is sent."""
    server = serve(page)
    failure = client.failure(f"{server.url}/", headers={"X-Note": "日本"})
    assert (failure.error, failure.retryable) == ("protocol_error", False)
    assert server.requests == []


# The answer


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(answer(), id="length"),
        pytest.param(header("Connection: close") + BODY, id="until the end"),
        pytest.param(header() + BODY, id="until the end, unsaid"),
        pytest.param(answer(BODY, "Connection: close"), id="length and end"),
        pytest.param(
            header("Transfer-Encoding: chunked") + b"24;x=y\r\n" + BODY + b"\r\n0\r\nA: b\r\n\r\n", id="chunked"
        ),
        pytest.param(answer().replace(b"\r\n", b"\n"), id="bare line feeds"),
        pytest.param(answer().replace(b"200 OK", b"200"), id="no reason"),
        pytest.param(answer().replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
        pytest.param(header(status="100 Continue").partition(b"C")[0] + b"Continue\r\n\r\n" + answer(), id="100"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + answer(), id="103"),
        pytest.param(
            b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
            + answer(),
            id="102, 100, 103",
        ),
        pytest.param(answer(BODY, "X-Odd: größe", "X-Empty:"), id="Latin-1 header"),
        pytest.param(answer(BODY, "X: " + "y" * 60_000), id="long header"),
    ],
)
def test_well_formed_enough(serve: Serve, client: Any, data: bytes) -> None:
    """What browsers take for a page is one."""
    server = serve(once(data))
    answered = client.page(f"{server.url}/")
    assert (answered.status, answered.body) == (200, BODY)


def test_repeated_headers_stay_apart(serve: Serve, client: Any) -> None:
    """Headers come in order as received, repeated ones each by itself."""
    server = serve(once(answer(BODY, "Set-Cookie: a=1", "X-Between: x", "Set-Cookie: b=2")))
    headers = client.page(f"{server.url}/").headers
    assert [value for name, value in headers if name == "Set-Cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        pytest.param(b"", "protocol_error", None, id="before the header"),
        pytest.param(b"HTTP/1.1 200", "protocol_error", None, id="within the status line"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", "protocol_error", None, id="after the status line"),
        pytest.param(header("Content-Length: 5")[:-9], "protocol_error", None, id="within the header"),
        pytest.param(header("Content-Length: 5")[:-2], "protocol_error", None, id="before the blank line"),
        pytest.param(header(status="503 Busy")[:-2], "protocol_error", None, id="before an error's blank line"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLi", "protocol_error", None, id="within an interim header"),
        pytest.param(answer(BODY)[:-1], "truncated_body", 200, id="before the last byte"),
        pytest.param(answer(BODY)[: -len(BODY)], "truncated_body", 200, id="before the body"),
        pytest.param(header("Transfer-Encoding: chunked"), "truncated_body", 200, id="before the first chunk"),
        pytest.param(header("Transfer-Encoding: chunked") + b"5\r\n<p>", "truncated_body", 200, id="within a chunk"),
        pytest.param(
            header("Transfer-Encoding: chunked") + b"3\r\n<p>\r\n", "truncated_body", 200, id="between chunks"
        ),
        pytest.param(
            header("Transfer-Encoding: chunked") + b"3\r\n<p>\r\n1", "truncated_body", 200, id="within a chunk's size"
        ),
        pytest.param(
            header("Transfer-Encoding: chunked") + b"3\r\n<p>", "truncated_body", 200, id="before a chunk's end"
        ),
        pytest.param(
            header("Transfer-Encoding: chunked") + b"zz\r\n<p>\r\n", "protocol_error", 200, id="odd size of a chunk"
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", "protocol_error", None, id="no HTTP"),
        pytest.param(b"<html>no header</html>", "protocol_error", None, id="HTTP/0.9"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", "protocol_error", None, id="no status"),
        pytest.param(answer(BODY, "X: " + "y" * 70_000), "protocol_error", None, id="too long a header"),
        pytest.param(answer(BODY, *["X: y"] * 200), "protocol_error", None, id="too many headers"),
        pytest.param(header("Content-Encoding: gzip") + b"<p>plain", "bad_encoding", 200, id="not gzip"),
    ],
)
def test_connection_ends_early_or_makes_no_sense(
    serve: Serve, client: Any, data: bytes, kind: str, status: int | None
) -> None:
    """A cut-off answer is never taken for a page; the kind says where it was cut."""
    server = serve(once(data))
    failure = client.failure(f"{server.url}/")
    assert (failure.error, failure.status) == (kind, status), failure
    assert failure.retryable == (kind != "bad_encoding")
    assert server.accepted == 1


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", "protocol_error"), (header("Content-Length: 9"), "truncated_body"), (header() + b"<p>", "truncated_body")],
    ids=["before the header", "within a body with a length", "within a body without"],
)
def test_reset(serve: Serve, client: Any, data: bytes, kind: str) -> None:
    """A reset where the end is expected is not the end."""

    def handle(wire: Wire) -> None:
        wire.request()
        wire.send(data)
        wire.reset()

    assert client.failure(f"{serve(handle).url}/").error == kind


def test_gzip_bomb(serve: Serve, open_client: OpenClient) -> None:
    """A small body that decodes to a huge one is given up at the limit, not after."""
    bomb = gzip.compress(bytes(64 << 20), 9)
    server = serve(once(answer(bomb, "Content-Encoding: gzip")))
    client = open_client(fetch={"max_body": 1 << 20, "memory": 1 << 21})
    failure = client.failure(f"{server.url}/")
    assert (failure.error, failure.status) == ("body_too_large", 200)


def test_body_larger_than_the_memory(serve: Serve, open_client: OpenClient) -> None:
    """The largest body may finish though it takes more than all the memory there is."""
    data = b"<p>" * 200_000
    client = open_client(fetch={"memory": 100_000})
    assert client.page(f"{serve(once(answer(data))).url}/").body == data


def test_waiting_for_memory_does_not_count(serve: Serve, open_client: OpenClient) -> None:
    """A fetch that waits for this process's own memory longer than its deadline still succeeds."""
    client = open_client(fetch={"timeout": 0.5, "memory": 1000})
    client.fetcher.budget.reserve("another", 1000)  # holds the most, so that the fetch has to wait
    server = serve(page)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(client.fetch(f"{server.url}/")))
    thread.start()
    thread.join(1)
    assert thread.is_alive()
    client.fetcher.budget.drop("another")
    thread.join(5)
    assert [type(found) for found in answers] == [Page], answers


# Connections


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(answer(), id="a page"),
        pytest.param(header("Transfer-Encoding: chunked") + b"3\r\n<p>\r\n0\r\n\r\n", id="a chunked page"),
        pytest.param(answer(b""), id="an empty page"),
        pytest.param(answer(b"<p>gone", status="404 Not Found"), id="an error"),
        pytest.param(answer(b"<p>moved", "Location: /new", status="302 Found"), id="a redirect"),
        pytest.param(answer(b"", "Location: /new", status="302 Found"), id="a redirect without body"),
        pytest.param(
            header("Transfer-Encoding: chunked", "Location: /new", status="302 Found") + b"3\r\n<p>\r\n0\r\n\r\n",
            id="a chunked redirect",
        ),
    ],
)
def test_connection_is_used_again(serve: Serve, client: Any, first: bytes) -> None:
    """Two requests to one origin, one connection, whatever the first answer was."""

    def handle(wire: Wire) -> None:
        wire.request()
        wire.send(first)
        page(wire)

    server = serve(handle)
    client.fetch(f"{server.url}/old")
    client.page(f"{server.url}/new")
    assert server.accepted == 1
    assert server.request_lines[-1] == b"GET /new HTTP/1.1"


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(answer(BODY, "Connection: close"), id="the server says so"),
        pytest.param(header() + BODY, id="the body ends with the connection"),
        pytest.param(answer(b"x" * 200_000, status="404 Not Found"), id="an unwanted body is large"),
        pytest.param(answer(b"%PDF-").replace(b"text/html", b"image/png"), id="an unwanted type"),
    ],
)
def test_connection_is_not_used_again(serve: Serve, client: Any, first: bytes) -> None:
    """A connection with nothing, or too much, to come is closed; the next request makes a new one."""
    server = serve(once(first), page)
    client.fetch(f"{server.url}/")
    client.page(f"{server.url}/")
    assert server.accepted == 2


@pytest.mark.parametrize("end", [Wire.reset, lambda wire: wire.sock.close()], ids=["reset", "closed"])
def test_stale_connection_is_replaced(serve: Serve, open_client: OpenClient, end: Handler, caplog: Any) -> None:
    """A connection that the server closed meanwhile is replaced once, silently, and the new one is kept."""

    def handle(wire: Wire) -> None:
        once(answer())(wire)
        hang_up.wait(5)
        end(wire)
        gone.set()

    hang_up, gone = threading.Event(), threading.Event()
    server = serve(handle, page)
    client = open_client(fetch={"workers": 1})
    client.page(f"{server.url}/1")
    hang_up.set()
    assert gone.wait(5)
    assert client.page(f"{server.url}/2").attempts == 1
    client.page(f"{server.url}/3")
    assert server.accepted == 2
    assert server.request_lines[-2:] == [b"GET /2 HTTP/1.1", b"GET /3 HTTP/1.1"]
    assert caplog.messages == []


def test_stale_connection_is_replaced_once(serve: Serve, client: Any) -> None:
    """If the new connection is no better, that is the answer."""
    server = serve(once(answer()), once(b""))
    client.page(f"{server.url}/")
    server.wires[0].sock.close()
    assert client.failure(f"{server.url}/").error == "protocol_error"
    assert server.accepted == 2


def test_new_connection_is_not_tried_again(serve: Serve, client: Any) -> None:
    """A first request on a new connection is sent once, whatever happens: repeating it is the schedule's business."""
    server = serve(once(b""))
    failure = client.failure(f"{server.url}/")
    assert (failure.error, failure.unreached) == ("protocol_error", False)
    assert server.accepted == 1


def test_refused(client: Any) -> None:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failure = client.failure(f"http://127.0.0.1:{port}/")
    assert (failure.error, failure.message, failure.retryable) == ("connect_error", "Connection refused", True)
    assert failure.unreached


@pytest.mark.parametrize(
    ("code", "retryable", "message"),
    [
        (socket.EAI_NONAME, False, "the host name does not exist"),
        (socket.EAI_AGAIN, True, "try again"),
    ],
)
def test_name_that_does_not_resolve(
    client: Any, monkeypatch: pytest.MonkeyPatch, code: int, retryable: bool, message: str
) -> None:
    """A name that does not exist is no use to ask again; a resolver in trouble is."""

    def refuse(*_: Any, **__: Any) -> None:
        raise socket.gaierror(code, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    failure = client.failure("http://a.example/")
    assert (failure.error, failure.retryable, failure.message) == ("dns_error", retryable, message)


def test_label_that_is_too_long(client: Any) -> None:
    """A name that cannot even be looked up ends as one that does not exist."""
    failure = client.failure(f"http://{'a' * 64}.example/")
    assert (failure.error, failure.retryable) == ("dns_error", False)


def test_second_address(serve: Serve, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several addresses the first that answers is taken."""
    server = serve(page)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", at) for at in (closed, ("127.0.0.1", server.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert client.page(f"http://a.example:{server.port}/").body == BODY


# The deadline


def silent(wire: Wire) -> None:
    """Accept, read, never answer."""
    wire.wait_for_hang_up()


def dripping(start: bytes, rest: bytes) -> Handler:
    """Answer with `start` at once and `rest` byte by byte."""

    def handle(wire: Wire) -> None:
        wire.request()
        wire.send(start)
        wire.drip(rest)

    return handle


def stalling(start: bytes) -> Handler:
    """Answer with `start` and no more."""

    def handle(wire: Wire) -> None:
        wire.request()
        wire.send(start)
        wire.wait_for_hang_up()

    return handle


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        pytest.param(silent, None, id="silent"),
        pytest.param(dripping(b"", answer(BODY, "X: " + "y" * 100)), None, id="dripping header"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 20), None, id="dripping header lines"),
        pytest.param(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4), None, id="dripping interim answers"),
        pytest.param(dripping(header("Content-Length: 900"), b"x" * 100), 200, id="dripping body with a length"),
        pytest.param(dripping(header("Connection: close"), b"x" * 100), 200, id="dripping body until the end"),
        pytest.param(dripping(header("Transfer-Encoding: chunked"), b"1\r\nx\r\n" * 20), 200, id="dripping chunks"),
        pytest.param(
            dripping(header("Content-Encoding: gzip"), gzip.compress(os.urandom(100))), 200, id="dripping gzip"
        ),
        pytest.param(stalling(header("Content-Length: 900") + b"<p>"), 200, id="stalling body"),
        pytest.param(stalling(header("Location: /", "Content-Length: 9", status="302 Found")), 302, id="redirect"),
        pytest.param(stalling(header("Content-Length: 9", status="404 Not Found")), 404, id="error"),
    ],
)
def test_deadline(serve: Serve, hasty: Any, handler: Handler, status: int | None) -> None:
    """However a server holds a fetch up, the fetch ends in time; what had come in full by then still counts."""
    server = serve(handler)
    with soon():
        failure = hasty.failure(f"{server.url}/")
    if status == 404:
        assert failure.error == "http_error"
    else:
        assert (failure.error, failure.retryable) == ("timeout", True)
        assert failure.message == "the deadline for the whole exchange passed"
    assert not failure.unreached
    assert failure.status == (None if status == 302 else status)


def test_deadline_over_redirects(serve: Serve, hasty: Any) -> None:
    """All redirects in place share one deadline."""

    def handle(wire: Wire) -> None:
        while wire.request():
            wire.drip(b"HTTP/1.1", every=0.02)
            wire.send(answer(b"", "Location: /", status="302 Found").removeprefix(b"HTTP/1.1"))

    server = serve(handle)
    with soon():
        assert hasty.failure(f"{server.url}/").error == "timeout"
    assert 2 <= len(server.requests) < 10


def test_deadline_on_a_used_connection(serve: Serve, hasty: Any) -> None:
    """The second exchange on a connection has a deadline of its own, and no silent second try."""

    def handle(wire: Wire) -> None:
        wire.request()
        wire.send(answer())
        silent(wire)

    server = serve(handle)
    hasty.page(f"{server.url}/")
    with soon():
        assert hasty.failure(f"{server.url}/").error == "timeout"
    assert server.accepted == 1


def test_connect_timeout(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection attempt that nobody answers ends after the connect timeout."""
    seen: list[float | None] = []

    def hang(sock: socket.socket, _: Any) -> None:
        seen.append(sock.gettimeout())
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket.socket, "connect", hang)
    failure = open_client(fetch={"timeout": 30, "connect_timeout": 3}).failure("http://127.0.0.1/")
    assert (failure.error, failure.retryable, failure.unreached) == ("timeout", True, True)
    assert seen == [3]


def test_abort(serve: Serve, client: Any) -> None:
    """Aborting ends a fetch that is under way."""

    def handle(wire: Wire) -> None:
        wire.request()
        asked.set()
        silent(wire)

    asked = threading.Event()
    server = serve(handle)
    failures: list[Any] = []
    thread = threading.Thread(target=lambda: failures.append(client.failure(f"{server.url}/")))
    with soon():
        thread.start()
        assert asked.wait(5)
        client.fetcher.abort()
        thread.join(5)
    assert [failure.error for failure in failures] == ["timeout"]


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority nobody trusts yet."""
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1 and localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names a bundle with the authority."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


def encrypted(context: ssl.SSLContext, handler: Handler) -> Handler:
    """The same handler behind TLS."""

    def handle(wire: Wire) -> None:
        wire.over_tls(context)
        handler(wire)

    return handle


@pytest.mark.usefixtures("trusted")
def test_trusted_certificate(serve: Serve, tls: ssl.SSLContext, client: Any) -> None:
    """A server whose certificate the environment's bundle vouches for; its connection is used again."""
    server = serve(encrypted(tls, page))
    for _ in range(2):
        assert client.page(f"https://{server.authority}/").body == BODY
    assert server.accepted == 1


def test_untrusted_certificate(serve: Serve, tls: ssl.SSLContext, client: Any) -> None:
    """A certificate nobody vouches for is refused, for good."""
    failure = client.failure(f"https://{serve(encrypted(tls, page)).authority}/")
    assert (failure.error, failure.retryable, failure.status) == ("tls_error", False, None)
    assert "certificate verify failed" in failure.message


@pytest.mark.usefixtures("trusted")
def test_certificate_of_another_host(serve: Serve, authority: trustme.CA, client: Any) -> None:
    """A trusted certificate counts for its own names only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    failure = client.failure(f"https://{serve(encrypted(context, page)).authority}/")
    assert (failure.error, failure.retryable) == ("tls_error", False)


@pytest.mark.usefixtures("trusted")
def test_certificate_of_a_name_that_ends_in_a_dot(
    serve: Serve, tls: ssl.SSLContext, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dot belongs to the Host field and to nothing that TLS knows (RFC 6066 §3)."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, *arguments, **options: real("127.0.0.1", *arguments, **options)
    )
    names: list[str | None] = []
    tls.sni_callback = lambda _sock, name, _context: names.append(name)
    server = serve(encrypted(tls, page))
    client.page(f"https://localhost.:{server.port}/")
    tls.sni_callback = None
    assert names == ["localhost"]
    assert f"\r\nHost: localhost.:{server.port}".encode() in server.requests[0]


def test_verification_switched_off(serve: Serve, tls: ssl.SSLContext, open_client: OpenClient) -> None:
    """``verify_tls: false`` takes any certificate, without a warning for each request."""
    server = serve(encrypted(tls, page))
    assert open_client(fetch={"verify_tls": False}).page(f"https://{server.authority}/").body == BODY


def test_stalling_handshake(serve: Serve, hasty: Any) -> None:
    """A handshake that does not go on is under the deadline, too."""
    server = serve(silent)
    with soon():
        assert hasty.failure(f"https://{server.authority}/").error == "tls_error"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "handler",
    [silent, dripping(header("Content-Length: 900"), b"x" * 100), dripping(header("Connection: close"), b"x" * 100)],
    ids=["silent", "dripping body", "dripping body until the end"],
)
def test_deadline_over_tls(serve: Serve, tls: ssl.SSLContext, hasty: Any, handler: Handler) -> None:
    """The deadline holds for encrypted connections."""
    server = serve(encrypted(tls, handler))
    with soon():
        assert hasty.failure(f"https://{server.authority}/").error == "timeout"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("end", [Wire.reset, lambda wire: wire.sock.close()], ids=["reset", "closed"])
def test_stale_tls_connection_is_replaced(serve: Serve, tls: ssl.SSLContext, client: Any, end: Handler) -> None:
    """A stale connection shows itself in other ways under TLS, and is replaced as silently."""

    def handle(wire: Wire) -> None:
        wire.over_tls(tls)
        once(answer())(wire)
        hang_up.wait(5)
        end(wire)
        gone.set()

    hang_up, gone = threading.Event(), threading.Event()
    server = serve(handle, encrypted(tls, page))
    client.page(f"https://{server.authority}/1")
    hang_up.set()
    assert gone.wait(5)
    client.page(f"https://{server.authority}/2")
    assert server.accepted == 2


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (Wire.reset, "protocol_error"),
        (once(b""), "protocol_error"),
        (once(header("Content-Length: 9") + b"<p>"), "truncated_body"),
    ],
    ids=["reset before the request", "closed before the header", "closed within the body"],
)
def test_tls_connection_ends_early(serve: Serve, tls: ssl.SSLContext, client: Any, handler: Handler, kind: str) -> None:
    """A connection cut off after the handshake is no TLS error: asking again may help."""
    server = serve(encrypted(tls, handler))
    failure = client.failure(f"https://{server.authority}/")
    assert (failure.error, failure.retryable) == (kind, True)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_wrong_scheme_for_the_port(serve: Serve, tls: ssl.SSLContext, client: Any, scheme: str) -> None:
    """TLS to a plain port is a TLS error; plain HTTP to a TLS port makes no sense to either side."""

    def plain(wire: Wire) -> None:
        wire.sock.recv(1 << 16)
        wire.send(answer(b"", status="400 Bad Request"))

    server = serve(plain if scheme == "https" else encrypted(tls, page))
    failure = client.failure(f"{scheme}://{server.authority}/")
    assert failure.error == ("tls_error" if scheme == "https" else "protocol_error")


# Proxies


def tunnel(context: ssl.SSLContext) -> Handler:
    """A proxy that grants CONNECT and plays the server behind it, too."""

    def handle(wire: Wire) -> None:
        wire.request()
        wire.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        wire.over_tls(context)
        page(wire)

    return handle


def test_forwarding_proxy(serve: Serve, open_client: OpenClient) -> None:
    """Plain HTTP goes through a proxy with the whole URL as request target, over one connection."""
    proxy = serve(page)
    client = open_client(fetch={"proxy": f"http://me:secret@{proxy.authority}"})
    client.page("http://a.example/100%?|#part")
    client.page("http://b.example:8080/größe")
    assert proxy.request_lines == [
        b"GET http://a.example/100%?| HTTP/1.1",
        b"GET http://b.example:8080/gr%C3%B6%C3%9Fe HTTP/1.1",
    ]
    assert b"\r\nHost: a.example\r\n" in proxy.requests[0] + b"\r\n"
    assert b"\r\nHost: b.example:8080\r\n" in proxy.requests[1] + b"\r\n"
    assert all(b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0" in request for request in proxy.requests)
    assert proxy.accepted == 1


@pytest.mark.usefixtures("trusted")
def test_connect_proxy(serve: Serve, tls: ssl.SSLContext, open_client: OpenClient) -> None:
    """HTTPS goes through a tunnel, whose far end never sees the proxy's credentials."""
    proxy = serve(tunnel(tls))
    client = open_client(fetch={"proxy": f"http://me:secret@{proxy.authority}"})
    for path in ("/1", "/2"):
        assert client.page(f"https://localhost:8443{path}").body == BODY
    connect, *gets = proxy.request_lines
    assert connect.startswith(b"CONNECT localhost:8443 HTTP/1.")
    assert gets == [b"GET /1 HTTP/1.1", b"GET /2 HTTP/1.1"]
    assert [b"Proxy-Authorization" in request for request in proxy.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (once(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "connect_error"),
        (once(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), "connect_error"),
        (once(b""), "protocol_error"),
        (silent, "timeout"),
        (dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 20), "timeout"),
    ],
    ids=["not allowed", "no way", "hangs up", "silent", "dripping"],
)
def test_proxy_in_trouble(serve: Serve, hasty: Any, open_client: OpenClient, handler: Handler, kind: str) -> None:
    """A proxy that grants no tunnel, in whatever way, is a failure in time."""
    client = open_client(fetch={"proxy": serve(handler).url, "timeout": 0.5})
    with soon():
        failure = client.failure("https://a.example/")
    assert (failure.error, failure.retryable, failure.status) == (kind, True, None)


def test_proxy_that_refuses(open_client: OpenClient) -> None:
    """A proxy that is not there is a connection error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = open_client(fetch={"proxy": f"http://127.0.0.1:{port}"})
    assert client.failure("http://a.example/").error == "connect_error"


@pytest.mark.parametrize("written", ["{url}", "{url}/", "{authority}"])
def test_proxy_of_the_environment(
    serve: Serve, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """The usual variables name a proxy, with or without scheme."""
    proxy = serve(page)
    monkeypatch.setenv("http_proxy", written.format(url=proxy.url, authority=proxy.authority))
    open_client().page("http://a.example/")
    assert proxy.request_lines == [b"GET http://a.example/ HTTP/1.1"]


def test_environment_is_read_once(serve: Serve, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says when the run starts holds for the run, and stays as it is."""
    proxy = serve(page)
    monkeypatch.setenv("http_proxy", proxy.url)
    client = open_client()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "a.example")
    before = dict(os.environ)
    client.page("http://a.example/")
    assert proxy.request_lines == [b"GET http://a.example/ HTTP/1.1"]
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("no_proxy", "proxied"),
    [
        ("127.0.0.1", False),
        ("b.example, 127.0.0.0/8", False),
        ("*", False),
        ("127.0.0.1:{port}", False),
        ("127.0.0.1:1", True),
        ("a.example", True),
        ("10.0.0.0/8,::/0", True),
        (" , ", True),
        ("", True),
    ],
)
def test_no_proxy(
    serve: Serve, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch, no_proxy: str, proxied: bool
) -> None:
    """Hosts and networks that NO_PROXY names are asked directly."""
    proxy, server = serve(page), serve(page)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", no_proxy.format(port=server.port))
    open_client().page(f"{server.url}/")
    assert (proxy.accepted, server.accepted) == ((1, 0) if proxied else (0, 1))


@pytest.mark.parametrize(
    ("entry", "direct"),
    [
        ("a.example", {"a.example", "www.a.example", "a.example:8080"}),
        (".a.example", {"a.example", "www.a.example", "a.example:8080"}),
        ("A.Example", {"a.example", "www.a.example", "a.example:8080"}),
        ("a.example:8080", {"a.example:8080"}),
        ("2001:db8::/32", {"[2001:db8::1]"}),
        ("[2001:db8::1]", {"[2001:db8::1]"}),
    ],
)
def test_what_no_proxy_covers(monkeypatch: pytest.MonkeyPatch, entry: str, direct: set[str]) -> None:
    """A name covers itself and what is below it, with a port that port only; a network covers its addresses."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", f"other.example, {entry} ")
    proxies = Proxies(None)
    places = ("a.example", "www.a.example", "a.example:8080", "ba.example", "[2001:db8::1]", "[2001:db9::1]")
    assert {place for place in places if proxies.find(split(f"http://{place}/")) is None} == direct


def test_settings_override_the_environment(
    serve: Serve, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the settings is used for every URL, whatever the environment says."""
    proxy = serve(page)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "*")
    open_client(fetch={"proxy": proxy.url}).page("http://a.example/")
    assert proxy.accepted == 1


def test_proxy_that_cannot_be_used(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of a kind that nobody speaks is not the URL's fault."""
    monkeypatch.setenv("http_proxy", "gopher://127.0.0.1:70")
    failure = open_client().failure("http://a.example/")
    assert (failure.error, failure.retryable) == ("connect_error", False)


# What is left


def descriptors() -> set[str]:
    """Open descriptors of this process, with what they are."""
    gc.collect()
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors by way of /proc")
@pytest.mark.usefixtures("trusted")
def test_nothing_is_left_after_close(serve: Serve, tls: ssl.SSLContext, open_client: OpenClient) -> None:
    """After `close`, neither a thread nor a descriptor is left, whatever the fetches came to."""
    ways = [
        page,
        once(answer(BODY, "Connection: close")),
        once(answer(BODY)[:-5]),
        once(b""),
        once(header("Connection: close") + BODY),
        always(answer(b"", "Location: /", status="302 Found")),
        once(answer(b"x" * 200_000, status="500 Oops")),
        always(answer(b"%PDF-1.7")),
        always(answer().replace(b"text/html", b"image/png")),
        once(answer(gzip.compress(BODY)[:-4] + b"oops", "Content-Encoding: gzip")),
        stalling(header("Connection: close") + b"<p>"),
        stalling(b"HTTP/1.1 200 OK\r\n"),
        Wire.reset,
    ]
    servers = [serve(way) for way in ways]
    encrypted_servers = [serve(encrypted(tls, way)) for way in ways] + [serve(silent)]
    threads_before = set(threading.enumerate())
    descriptors_before = descriptors()
    client = open_client(fetch={"timeout": 0.15, "max_redirects": 2})
    urls = [f"{server.url}/" for server in servers] + [f"https://{server.authority}/" for server in encrypted_servers]
    for url in urls * 2:
        found = client.fetch(url)
        if isinstance(found, Page):
            client.fetcher.budget.release(len(found.body))
    client.fetcher.close()
    for server in (*servers, *encrypted_servers):
        server.wait_for_hang_ups()
    del found
    assert set(threading.enumerate()) - threads_before == set()
    assert descriptors() - descriptors_before == set()
    assert client.fetcher.budget.used == 0
