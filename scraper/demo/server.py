"""Serves a `Site` on loopback: HTTP/1.1 with keep-alive, a thread a connection, one write a response.

`http.server` reads headers through the email package, which costs more than everything else together; this handler
reads the few lines it needs itself, about five times as fast.
"""

from __future__ import annotations

import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final

from scraper.demo.reply import Reply
from scraper.demo.website import Site, build_site

HOST: Final = "127.0.0.1"
_MAX_LINE: Final = 8 * 1024
_MAX_HEADERS: Final = 100
_IDLE: Final = 60.0
_CLOSE: Final = (("Connection", "close"),)


class _Refusal(Exception):
    """A request that gets an error and the end of its connection."""

    def __init__(self, status: int) -> None:
        self.status = status


class _Request:
    """Request line and headers (names in lower case), as far as this server cares."""

    __slots__ = ("headers", "method", "target", "version")

    def __init__(self, method: str, target: str, version: str, headers: dict[str, str]) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers

    @property
    def keeps_alive(self) -> bool:
        """RFC 9112 §9.3; a body, which this server never reads, ends the connection too."""
        lasting = self.version == "HTTP/1.1" and "close" not in self.headers.get("connection", "").lower()
        body = "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"
        return lasting and not body

    @property
    def path(self) -> str:
        """Path and query, also of a target in absolute form (RFC 9112 §3.2.2)."""
        if self.target.startswith("/"):
            return self.target
        return "/" + self.target.partition("://")[2].partition("/")[2]


class DemoServer(socketserver.ThreadingTCPServer):
    """The demo website on a port of 127.0.0.1; 0 takes any free one.

    Raises:
        OSError: the port cannot be had.
    """

    request_queue_size = 128
    daemon_threads = True
    block_on_close = False
    # On Windows this option would let two servers share a port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, port: int = 0, build: Callable[[str], Site] = build_site) -> None:
        super().__init__((HOST, port), _Handler)
        self.site = build(self.url)
        self.stopping = threading.Event()
        self._failed: set[str] = set()
        self._lock = threading.Lock()  # guards _failed

    @property
    def url(self) -> str:
        """The website's URL, ending in a slash."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def fails_now(self, path: str) -> bool:
        """Whether this is the first request for a page that fails once."""
        with self._lock:
            first = path not in self._failed
            self._failed.add(path)
        return first

    def shutdown(self) -> None:
        """Stop `serve_forever`, and the waits of slow pages; called from another thread."""
        self.stopping.set()
        super().shutdown()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(socketserver.StreamRequestHandler):
    server: DemoServer
    request: socket.socket
    timeout = _IDLE
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError):
            try:
                while request := self._read():
                    self._answer(request)
                    if not request.keeps_alive:
                        return
            except _Refusal as refusal:
                body = f"{HTTPStatus(refusal.status).phrase}\n".encode()
                allow = (("Allow", "GET, HEAD"),) if refusal.status == 405 else ()
                self.request.sendall(_encode(Reply(body, refusal.status, "text/plain", allow), body, _CLOSE))

    def _read(self) -> _Request | None:
        """The next request; None at the end of the connection."""
        line = self._line(414)
        if line == "\r\n":  # RFC 9112 §2.2: ignore at least one empty line before the request line
            line = self._line(414)
        if not line:
            return None
        parts = line.split()
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise _Refusal(400)
        headers: dict[str, str] = {}
        for _ in range(_MAX_HEADERS):
            line = self._line(431)
            if line in ("\r\n", "\n"):
                break
            name, colon, value = line.partition(":")
            if not colon:
                raise _Refusal(400)
            headers[name.lower()] = value.strip()
        else:
            raise _Refusal(431)
        return _Request(parts[0], parts[1], parts[2], headers)

    def _line(self, too_long: int) -> str:
        line = self.rfile.readline(_MAX_LINE + 1)
        if len(line) > _MAX_LINE:
            raise _Refusal(too_long)
        return line.decode("latin-1")

    def _answer(self, request: _Request) -> None:
        if request.method not in ("GET", "HEAD"):
            raise _Refusal(405)
        if request.version == "HTTP/1.1" and "host" not in request.headers:
            raise _Refusal(400)  # RFC 9112 §3.2
        path = request.path
        reply = self.server.site.pages.get(path, self.server.site.missing)
        if reply.delay:
            self.server.stopping.wait(reply.delay)
        if reply.fails_first and self.server.fails_now(path):
            reply = Reply(b"<!DOCTYPE html><title>Stuck</title><h1>The door is stuck</h1><p>Try again.</p>\n", 500)
        body, extra = _choose(reply, request)
        if not request.keeps_alive:
            extra += _CLOSE
        data = _encode(reply, body, extra, with_body=request.method == "GET")
        # Head and body in one write: two would wait for each other (Nagle's algorithm against delayed ACK).
        self.request.sendall(data)


def _choose(reply: Reply, request: _Request) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    """The variant of the body that this client asked for, with that variant's headers."""
    if reply.languages:
        tag = request.headers.get("accept-language", "")[:2].lower()
        return reply.languages.get(tag, reply.body), (("Vary", "Accept-Language"),)
    if reply.compressed is None:
        return reply.body, ()
    codings = request.headers.get("accept-encoding", "").lower().replace(" ", "")
    if "gzip" not in codings or "gzip;q=0," in codings + ",":
        return reply.body, (("Vary", "Accept-Encoding"),)
    return reply.compressed, (("Vary", "Accept-Encoding"), ("Content-Encoding", "gzip"))


def _encode(reply: Reply, body: bytes, extra: tuple[tuple[str, str], ...] = (), *, with_body: bool = True) -> bytes:
    head = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Type: {reply.content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (*reply.headers, *extra)),
        "\r\n",
    ]
    return "\r\n".join(head).encode("latin-1") + (body if with_body else b"")
