"""A stage for hostile servers: each has an address of its own on loopback, and does with a connection what it wants."""

from __future__ import annotations

import contextlib
import datetime
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

#: Seconds after which a server lets go of a client that should have gone.
LIMIT = 20.0


class Wire:
    """One accepted connection.

    Attributes:
        sock: its socket, under TLS where the server has it.
        stage: where the other servers are.
        host: the server's own address.
        number: how many connections the server had before.
    """

    def __init__(self, sock: socket.socket, stage: Stage, host: str, number: int) -> None:
        self.sock = sock
        self.stage = stage
        self.host = host
        self.number = number
        self._received = b""

    def request(self) -> bytes:
        """The next request's header.

        Raises:
            ConnectionError: the client has hung up.
        """
        while b"\r\n\r\n" not in self._received:
            data = self.sock.recv(1 << 16)
            if not data:
                raise ConnectionError
            self._received += data
        request, _, self._received = self._received.partition(b"\r\n\r\n")
        return request

    def send(self, *parts: bytes) -> None:
        """Send all of it."""
        self.sock.sendall(b"".join(parts))

    def drip(self, data: bytes, every: float = 0.1) -> None:
        """Send byte by byte until the client hangs up."""
        for byte in data:
            if self.stage.closed.wait(every):
                return
            self.sock.sendall(bytes([byte]))

    def hang(self) -> None:
        """Say nothing until the client is gone."""
        while self.sock.recv(1 << 16):
            pass

    def reset(self) -> None:
        """Hang up with a reset instead of an orderly end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Handler = Callable[[Wire], None]


class Certificates:
    """What the servers show: a certificate as it should be, and some as they should not be.

    Attributes:
        bundle: file of the authority that the client trusts.
    """

    def __init__(self, folder: Path) -> None:
        self._trusted = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self._unknown = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.bundle = folder / "authority.pem"
        self._trusted.cert_pem.write_to_path(str(self.bundle))

    def context(self, host: str, kind: str) -> ssl.SSLContext:
        """A server's context: with a ``good`` certificate, or one that is ``expired``, ``unknown`` or ``another``'s."""
        authority = self._unknown if kind == "unknown" else self._trusted
        long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
        certificate = authority.issue_cert(
            "another.example" if kind == "another" else host,
            not_before=long_ago if kind == "expired" else None,
            not_after=long_ago + datetime.timedelta(days=1) if kind == "expired" else None,
            key_type=trustme.KeyType.ECDSA,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context


class Stage:
    """Many servers, each at an address of its own (127.66.x.y), all accepted from by one thread.

    Attributes:
        closed: it is over.
    """

    def __init__(self, folder: Path) -> None:
        self.closed = threading.Event()
        self.certificates = Certificates(folder)
        self._urls: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self._wires: list[Wire] = []
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._acceptor = threading.Thread(target=self._accept)
        self.errors: list[str] = []

    def add(self, name: str, handler: Handler, tls: str | None = None) -> str:
        """Put up a server, with a certificate of the kind `tls`; its URL ends without a slash."""
        number = len(self._urls) + 1
        host = f"127.66.{number // 250}.{number % 250 + 1}"
        listener = socket.create_server((host, 0), backlog=256)
        context = None if tls is None else self.certificates.context(host, tls)
        self._selector.register(listener, selectors.EVENT_READ, (name, host, handler, context, iter(range(1 << 30))))
        self._urls[name] = f"{'http' if tls is None else 'https'}://{host}:{listener.getsockname()[1]}"
        return self._urls[name]

    def url(self, name: str) -> str:
        """The URL of the server called `name`."""
        return self._urls[name]

    def start(self) -> None:
        """Let them come."""
        self._acceptor.start()

    def close(self) -> None:
        """Hang up on everybody; all threads are joined."""
        self.closed.set()
        self._wake.send(b"x")
        self._acceptor.join()
        for wire in self._wires:
            with contextlib.suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._wake.close()

    def _accept(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                name, host, handler, context, numbers = key.data
                sock, _ = key.fileobj.accept()  # type: ignore[union-attr]
                sock.settimeout(LIMIT)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                wire = Wire(sock, self, host, next(numbers))
                self._wires.append(wire)
                thread = threading.Thread(target=self._serve, args=(name, handler, context, wire))
                self._threads.append(thread)
                thread.start()

    def _serve(self, name: str, handler: Handler, context: ssl.SSLContext | None, wire: Wire) -> None:
        try:
            with contextlib.suppress(OSError):  # clients that hang up are part of the play
                if context is not None:
                    wire.sock = context.wrap_socket(wire.sock, server_side=True, suppress_ragged_eofs=True)
                handler(wire)
        except Exception as error:  # noqa: BLE001  told by the test
            self.errors.append(f"{name}: {error!r}")
        finally:
            with contextlib.suppress(OSError):
                wire.sock.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage; taken down at the end of the test."""
    here = Stage(tmp_path)
    yield here
    here.close()
    assert here.errors == []
