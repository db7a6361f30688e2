"""The demo website over a real socket, from a real process."""

from __future__ import annotations

import gzip
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scraper import demo
from scraper.demo.curiosities import FRENCH, SLOW
from scraper.demo.server import DemoServer
from scraper.errors import UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    """The website in a thread of the test process."""
    with DemoServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def client(server: DemoServer) -> Iterator[http.client.HTTPConnection]:
    """A keep-alive connection to it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    yield connection
    connection.close()


def get(client: http.client.HTTPConnection, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """One request and its whole answer."""
    client.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = client.getresponse()
    return response, response.read()


def raw(server: DemoServer, request: bytes) -> bytes:
    """Bytes out, bytes in, until the server closes."""
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=5) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`python -m scraper.demo`, and the line it printed."""
    command = [sys.executable, "-m", "scraper.demo", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout
            yield started, started.stdout.readline().decode().strip()
        finally:
            started.kill()


def test_every_page_is_served(server: DemoServer, client: http.client.HTTPConnection) -> None:
    """All that is quick and steady arrives as the site says, over one connection."""
    client.connect()
    first = client.sock
    for path, reply in server.site.pages.items():
        if not reply.delay and not reply.fails_first:
            response, body = get(client, path)
            assert (response.status, body) == (reply.status, reply.body)
            assert response.getheader("Content-Type") == reply.content_type
    assert client.sock is first


def test_unknown_path(client: http.client.HTTPConnection) -> None:
    """What is not there is a 404, and the connection goes on."""
    assert get(client, "/nowhere")[0].status == 404
    assert get(client, "/")[0].status == 200


@pytest.mark.parametrize("number", [1, 2, 3])
def test_flaky_page(client: http.client.HTTPConnection, number: int) -> None:
    """A flaky page answers 500 once, then 200."""
    assert [get(client, f"/curiosity/flaky-{number}")[0].status for _ in range(3)] == [500, 200, 200]


def test_slow_page(client: http.client.HTTPConnection) -> None:
    """A slow page does not answer before its time."""
    client.timeout = SLOW / 4
    with pytest.raises(TimeoutError):
        get(client, "/curiosity/slow-1")


def test_redirect_chain(server: DemoServer, client: http.client.HTTPConnection) -> None:
    """Three redirects, relative and absolute, then a page."""
    path, seen = "/chain/1", []
    while (response := get(client, path)[0]).status != 200:
        seen.append(response.status)
        location = response.getheader("Location", "")
        path = urlsplit(location).path if "/" in location else f"/chain/{location}"
    assert seen == [301, 302, 308]
    assert path == "/about"
    assert get(client, "/old/journal")[0].getheader("Location") == f"{server.url}articles"


def test_gzip_only_when_asked(server: DemoServer, client: http.client.HTTPConnection) -> None:
    """A compressed page is compressed for those who accept it."""
    plain, body = get(client, "/curiosity/gzip-1")
    packed, packed_body = get(client, "/curiosity/gzip-1", Accept_Encoding="br, gzip")
    refused, refused_body = get(client, "/curiosity/gzip-1", Accept_Encoding="gzip; q=0, br")
    assert packed.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(packed_body) == body == refused_body == server.site.pages["/curiosity/gzip-1"].body
    assert plain.getheader("Content-Encoding") is refused.getheader("Content-Encoding") is None
    assert plain.getheader("Vary") == "Accept-Encoding"


def test_language(client: http.client.HTTPConnection) -> None:
    """The welcome page answers in French when asked to."""
    assert FRENCH[0] in get(client, "/curiosity/welcome", Accept_Language="fr")[1].decode()
    assert FRENCH[0] not in get(client, "/curiosity/welcome")[1].decode()


def test_head(client: http.client.HTTPConnection) -> None:
    """HEAD has the length and no body."""
    client.request("HEAD", "/about")
    response = client.getresponse()
    assert response.read() == b""
    assert response.getheader("Content-Length") == str(len(get(client, "/about")[1]))


def test_pipelined_and_closed(server: DemoServer) -> None:
    """Requests sent together are answered in turn; `Connection: close` ends it."""
    request = b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n"
    answer = raw(server, request + b"\r\n" + request + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answer.count(b"Connection: close\r\n") == 1


def test_absolute_form(server: DemoServer) -> None:
    """A proxy's request line works too (RFC 9112 §3.2.2), as does HTTP/1.0."""
    assert raw(server, b"GET http://x/about HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"GET /" + b"a" * 9000, b"414"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100, b"431"),
    ],
)
def test_bad_requests(server: DemoServer, request_bytes: bytes, status: bytes) -> None:
    """What it does not understand, or what is too long, gets an error and the end of the connection."""
    assert raw(server, request_bytes).startswith(b"HTTP/1.1 " + status)


def test_client_that_leaves(
    server: DemoServer, client: http.client.HTTPConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    """A client that hangs up in the middle of a request leaves no trace."""
    with socket.create_connection(("127.0.0.1", server.server_address[1])) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHos")
    assert get(client, "/")[0].status == 200
    assert capfd.readouterr() == ("", "")


def test_process_ends_with_its_stdin() -> None:
    """The process serves, and leaves when its stdin closes."""
    with process("--until-stdin-closes") as (started, url):
        with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)) as client:
            assert get(client, "/")[0].status == 200
        assert started.stdin
        started.stdin.close()
        assert started.wait(5) == 0


@pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX matter")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_ends_by_signal(number: signal.Signals) -> None:
    """SIGTERM and SIGINT end it without a traceback."""
    with process() as (started, url):
        assert url.startswith("http://127.0.0.1:")
        started.send_signal(number)
        assert started.wait(5) == 0


def test_serve() -> None:
    """`serve` yields the URL of a website that is up, and takes it down again."""
    with demo.serve() as site:
        place = urlsplit(site.url).netloc
        with closing(http.client.HTTPConnection(place, timeout=5)) as client:
            assert get(client, "/robots.txt")[0].status == 200
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(place, timeout=5).connect()


def test_port_taken(server: DemoServer) -> None:
    """A port in use is one clear line, as is one that is no port."""
    port = server.server_address[1]
    with pytest.raises(UsageError, match=rf"^cannot serve at 127\.0\.0\.1:{port}: [^\n]+$"), demo.serve(port):
        pass
    with pytest.raises(UsageError, match=r"^[^\n]*a port is a number from 0 to 65535$"), demo.serve(70000):
        pass
