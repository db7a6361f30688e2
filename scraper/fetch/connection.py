"""The seam to urllib3: connections and pools that obey an `Exchange`, and no more of urllib3's own retrying.

`Pool.urlopen` replaces urllib3's: the request target goes out byte for byte as given (urllib3 would rewrite ``/100%``),
a stale keep-alive connection is replaced once and silently, and every socket is under the exchange's deadline.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import ssl
from io import BufferedReader
from typing import Any, Final, cast

from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ProtocolError
from urllib3.util.proxy import connection_requires_http_tunnel

from scraper.fetch.deadline import Exchange, Guard
from scraper.fetch.resolver import Resolver

#: Bytes read at once: most pages come with their header in one system call, where http.client would take three.
BUFFER: Final = 1 << 15

#: Bytes that a header may have, interim answers included; each line of it 65,536, and there may be 100 (http.client's
#: own limits). No browser takes more.
LONGEST_HEADER: Final = 1 << 18

#: How a connection that the server closed while it was idle shows itself on the next request; the last two under TLS.
_STALE: Final = (
    ConnectionResetError,
    BrokenPipeError,
    http.client.RemoteDisconnected,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)


class _HeaderLines:
    """A header's lines, with those of interim answers before it; knows whether the last was the end of the stream."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self._room = LONGEST_HEADER
        self.ended = False

    def readline(self, limit: int = -1) -> bytes:
        line = self._stream.readline(limit)
        self.ended = not line
        self._room -= len(line)
        if self._room < 0:
            raise ProtocolError(f"the response header has more than {LONGEST_HEADER:,} bytes")
        return line

    def close(self) -> None:
        self._stream.close()


class _Socket(socket.socket):
    """Saves system calls, each of which lets go of the interpreter lock that all fetch threads want."""

    def settimeout(self, value: float | None) -> None:
        """As usual, unless it is set already: urllib3 sets it twice a request."""
        if value != self.gettimeout():
            super().settimeout(value)

    def makefile(self, mode: str = "r", buffering: int | None = None, **options: Any) -> Any:
        """As usual, with a larger buffer where none is asked for."""
        return super().makefile(mode, BUFFER if buffering is None else buffering, **options)  # type: ignore[call-overload]


class _Response(http.client.HTTPResponse):
    """Refuses a header cut off before its blank line, of which http.client would make an ordinary answer."""

    def begin(self) -> None:
        stream = self.fp
        lines = _HeaderLines(stream)
        self.fp = cast(BufferedReader, lines)
        try:
            super().begin()
        finally:
            if self.fp is not None:  # else http.client has closed it
                self.fp = stream
        if lines.ended:
            self.close()
            raise ProtocolError("the connection ended within the response header")

    def _read_status(self) -> tuple[str, int, str]:
        """As usual, but pass over every interim answer, such as 103 (RFC 9110 §15.2); http.client knows 100 only."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # private, so not in the stubs
            if not 100 < status < 200 or status == http.client.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _Deadline:
    """What both connection classes add: sockets are opened within, and watched by, the current exchange."""

    response_class = _Response
    is_tls = False
    exchange: Exchange
    guard: Guard
    resolver: Resolver
    _dns_host: str
    proxy: Any
    port: int
    socket_options: Any

    @property
    def host(self) -> str:
        """As the URL's serialisation has it: the dot that may end a name (``a.example.``) belongs into the Host field
        too (RFC 9110 §7.2), where urllib3 would leave it out. Certificates are compared without it all the same.
        """
        return self._dns_host

    @host.setter
    def host(self, value: str) -> None:
        self._dns_host = value

    def _new_conn(self) -> socket.socket:
        sock = _connect(self._dns_host, self.port, self.exchange, self.resolver)
        for option in self.socket_options or ():
            sock.setsockopt(*option)
        try:
            self.guard = Guard(sock)
            self.exchange.watch(self.guard)
            self.exchange.handshaking = self.is_tls and self.proxy is None
        except BaseException:
            sock.close()
            raise
        return sock


class _Connection(_Deadline, HTTPConnection):  # type: ignore[misc]  # response_class: ours is http.client's too
    pass


class _TLSConnection(_Deadline, HTTPSConnection):  # type: ignore[misc]
    is_tls = True


def _connect(host: str, port: int, exchange: Exchange, resolver: Resolver) -> socket.socket:
    """Connect to the first address that answers; each attempt has its own connect timeout.

    To exactly what was resolved and judged: the name is not looked up again, lest it stand for another address by now.

    Raises:
        socket.gaierror, UnicodeError: the name does not resolve.
        Refused: ``blocked_address``.
        OSError: no address could be reached; the last reason.
        DeadlineExceeded: the exchange's time is over.
    """
    reason: OSError = OSError(f"{host} has no address")
    for family, address in resolver.places(host, port, exchange):
        budget = exchange.connect_budget()
        sock = _Socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(budget)
            sock.connect(address)
            sock.settimeout(None)  # from here on the watchdog keeps time
        except OSError as error:
            sock.close()
            reason = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise reason


class Pool(HTTPConnectionPool):
    """Keep-alive connections to one origin (or to one proxy for it).

    Attributes:
        resolver: says where the origin (or the proxy) is.
    """

    ConnectionCls = _Connection
    resolver: Resolver

    def urlopen(  # type: ignore[override]
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        timeout: Exchange,
        **_: object,
    ) -> HTTPResponse:
        """Send a request without body and return the answer with its body unread.

        Args:
            method: HTTP method.
            url: the request target as it goes on the wire.
            headers: request headers.
            timeout: the exchange this request belongs to.

        Raises:
            OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, DeadlineExceeded: what went wrong;
                `scraper.fetch.failures` translates.
        """
        conn = self._idle_or_new()
        reused = conn.sock is not None
        try:
            return self._send(conn, method, url, headers, timeout)
        except _STALE:
            if not reused or timeout.fired:
                self._discard(conn)
                raise
            conn.close()  # the new one takes its place in the pool
        except BaseException:
            self._discard(conn)
            raise
        conn = cast(_Connection, self._new_conn())
        try:
            return self._send(conn, method, url, headers, timeout)
        except BaseException:
            self._discard(conn)
            raise

    def _idle_or_new(self) -> _Connection:
        """An idle connection, unseen whether the server has closed it meanwhile: sending will tell."""
        idle = self.pool  # None once the pool was closed, which must not fail those who still hold it
        if idle is not None:
            with contextlib.suppress(queue.Empty):
                conn = idle.get_nowait()
                if conn is not None:
                    return cast(_Connection, conn)
        return cast(_Connection, self._new_conn())

    def _send(
        self, conn: _Connection, method: str, url: str, headers: dict[str, str], exchange: Exchange
    ) -> HTTPResponse:
        conn.exchange = exchange
        conn.resolver = self.resolver
        conn.timeout = None
        if conn.sock is not None:
            exchange.watch(conn.guard)
        elif self.proxy is not None and connection_requires_http_tunnel(self.proxy, self.proxy_config, self.scheme):
            self._prepare_proxy(conn)
        else:
            exchange.handshaking = False
            conn.connect()
        exchange.connected = True
        if self.proxy is not None and self.scheme == "http":
            headers = {**headers, **self.proxy_headers}
        conn.request(method, url, headers=headers, preload_content=False, decode_content=False)
        exchange.sent()
        response = conn.getresponse()
        response._connection = conn
        response._pool = self
        return response

    def _discard(self, conn: _Connection) -> None:
        conn.close()
        self._put_conn(None)


class TLSPool(Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _TLSConnection  # type: ignore[assignment]
