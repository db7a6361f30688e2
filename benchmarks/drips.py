"""Servers, look-ups and bodies that take for ever, and by how much a fetch overruns its deadline under each of them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gzip
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from scraper.fetch.fetcher import Fetcher
from scraper.records import Failure, Target
from scraper.settings import load

DEADLINE = 2.0
GOAL = 0.5  # seconds beyond it
EACH = 4  # fetches of each drip at once
EVERY = 0.05  # seconds between two drops

Serve = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """The worst overrun in seconds by drip, and how its fetches ended; all drips at once."""
    worst: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        with contextlib.ExitStack() as stack:
            certificate = stack.enter_context(_certificate())
            urls = {name: stack.enter_context(_serving(serve)) for name, serve in DRIPS.items()}
            urls |= {name: stack.enter_context(_serving(*of)) for name, of in _tls_drips(certificate).items()}
            for name in HANDSHAKES:
                urls[name] = urls[name].replace("http:", "https:")
            urls["the look-up of a name does not end"] = "http://hangs.example/"
            stack.enter_context(mock.patch("socket.getaddrinfo", _look_up))
            stack.enter_context(mock.patch.dict("os.environ", {"REQUESTS_CA_BUNDLE": str(certificate)}))
            for name, seconds, end in _fetch_all(urls):
                found = worst.setdefault(name, {"overrun": 0.0, "ends": []})
                found["overrun"] = max(found["overrun"], seconds - DEADLINE)
                found["ends"] = sorted({*found["ends"], end})
    return worst


def report(overruns: Mapping[str, Mapping[str, Any]]) -> bool:
    """Print the table; whether all were under the goal, and no fetch came to a page or an early end."""
    print(f"worst seconds beyond a deadline of {DEADLINE:g} s; goal: under {GOAL:g} s\n")
    kept = True
    for name, found in sorted(overruns.items(), key=lambda item: -item[1]["overrun"]):
        fine = -GOAL < found["overrun"] < GOAL and "ok" not in found["ends"]
        kept = kept and fine
        print(f"{name:55} {found['overrun']:6.2f}  {', '.join(found['ends'])}{'' if fine else '  NOT AS PROMISED'}")
    return kept


def _fetch_all(urls: Mapping[str, str]) -> Iterator[tuple[str, float, str]]:
    names = [name for name in urls for _ in range(EACH)]
    settings = load(
        {
            "fetch": {
                "timeout": DEADLINE,
                "connect_timeout": 10 * DEADLINE,
                "allow_private": True,
                "workers": len(names),
                "max_redirects": 100,
            }
        }
    )

    def fetch(name: str) -> tuple[str, float, str]:
        began = time.monotonic()
        result = fetcher.fetch(Target(urls[name], urls[name], "127.0.0.1"))
        seconds = time.monotonic() - began
        return name, seconds, result.error if isinstance(result, Failure) else "ok"

    with Fetcher(settings, permit=lambda _: True) as fetcher, concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        yield from pool.map(fetch, names)


@contextlib.contextmanager
def _serving(serve: Serve, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server of `serve`, a thread a connection; gives its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    threading.Thread(target=talk, args=(sock,), daemon=True).start()

        def talk(sock: socket.socket) -> None:
            with contextlib.suppress(OSError), sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if context is None:
                    serve(sock)
                    return
                with context.wrap_socket(sock, server_side=True) as secure:
                    serve(secure)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http{'' if context is None else 's'}://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _certificate() -> Iterator[Path]:
    """A certificate for loopback that is its own authority, with its key, in one file.

    Raises:
        SystemExit: openssl is not installed.
    """
    if shutil.which("openssl") is None:
        raise SystemExit("reliability.py: the drips need the command openssl")
    with tempfile.TemporaryDirectory(prefix="drips-") as scratch:
        key, path = Path(scratch, "key.pem"), Path(scratch, "certificate.pem")
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback"
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(path)]
        subprocess.run([*command.split(), *names], check=True, capture_output=True)
        path.write_bytes(path.read_bytes() + key.read_bytes())
        yield path


def _tls_drips(certificate: Path) -> dict[str, tuple[Serve, ssl.SSLContext | None]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return {
        "TLS: the header comes byte by byte": (_drip(OK + b"X: y\r\n" * 9999), context),
        "TLS: the body comes byte by byte": (_drip(b"x" * 9999, after=OK + b"Content-Length: 9999\r\n\r\n"), context),
        "TLS: silence after the handshake": (_silence, context),
    }


def _look_up(host: str, *args: Any, **kwargs: Any) -> Any:
    if host == "hangs.example":
        time.sleep(4 * DEADLINE)
    return LOOK_UP(host, *args, **kwargs)


LOOK_UP = socket.getaddrinfo


def _silence(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


def _drip(data: bytes, after: bytes = b"", size: int = 1, every: float = EVERY) -> Serve:
    """Answer with `after` at once, then with `data` in drops of `size`."""

    def serve(sock: socket.socket) -> None:
        sock.recv(1 << 16)
        sock.sendall(after)
        for start in range(0, len(data), size):
            time.sleep(every)
            sock.sendall(data[start : start + size])
        _silence(sock)

    return serve


def _redirects(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        time.sleep(EVERY)
        sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")


def _at_full_speed(piece: bytes, before: bytes) -> Serve:
    def serve(sock: socket.socket) -> None:
        sock.recv(1 << 16)
        sock.sendall(before)
        while True:
            sock.sendall(piece)

    return serve


def _stale(sock: socket.socket) -> None:
    """Answer once, then hang up on the next request, so that it is asked on a connection of its own."""
    sock.recv(1 << 16)
    sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n")
    time.sleep(DEADLINE / 4)


_NOTHING = gzip.compress(b"")
_CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

DRIPS: dict[str, Serve] = {
    "connects, then silence": _silence,
    "the status line comes byte by byte": _drip(b"HTTP/1.1 200 " + b"O" * 9999),
    "the header comes byte by byte": _drip(OK + b"X: y\r\n" * 9999),
    "the header comes line by line": _drip(b"X: y\r\n" * 90, after=OK, size=6),
    "the header ends, no body": _drip(b"", after=OK + b"Content-Length: 9999\r\n\r\n"),
    "the body comes byte by byte": _drip(b"x" * 9999, after=OK + b"Content-Length: 9999\r\n\r\n"),
    "the body comes byte by byte, no length": _drip(b"x" * 9999, after=OK + b"\r\n"),
    "the last byte does not come": _drip(b"x" * 9998, after=OK + b"Content-Length: 9999\r\n\r\n", size=9998),
    "chunks of a byte each": _drip(b"1\r\nx\r\n" * 9999, after=_CHUNKED, size=6),
    "the size of a chunk comes byte by byte": _drip(b"0" * 9999, after=_CHUNKED),
    "an extension of a chunk comes byte by byte": _drip(b"1;" + b"x" * 9999, after=_CHUNKED),
    "trailers byte by byte": _drip(b"X: y\r\n" * 9999, after=_CHUNKED + b"1\r\nx\r\n0\r\n"),
    "interim answers, one after the other": _drip(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 999, size=28),
    "interim answers byte by byte": _drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 999),
    "the body of a redirect comes byte by byte": _drip(
        b"x" * 9999, after=b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9999\r\n\r\n"
    ),
    "the body of a 404 comes byte by byte": _drip(
        b"x" * 9999, after=b"HTTP/1.1 404 Not Found\r\nContent-Length: 9999\r\n\r\n"
    ),
    "redirects without end": _redirects,
    "redirects, each on a new connection": _stale,
    "members of gzip that hold nothing": _drip(_NOTHING * 9999, OK + b"Content-Encoding: gzip\r\n\r\n", len(_NOTHING)),
    "members of gzip that hold nothing, at full speed": _at_full_speed(
        _NOTHING * 3000, OK + b"Content-Encoding: gzip\r\n\r\n"
    ),
    "TLS: silence before the handshake": _silence,
    "TLS: the handshake comes byte by byte": _drip(b"\x16\x03\x03\x3f\xff" + b"\x02\x00\x3f\xfb" + b"\x03" * 9999),
}

#: These speak no TLS, but are asked to.
HANDSHAKES = ("TLS: silence before the handshake", "TLS: the handshake comes byte by byte")
