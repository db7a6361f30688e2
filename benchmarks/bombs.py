"""Bombs, and a server that throws all of them at once: bodies of a few bytes that stand for a gigabyte each.

    python bombs.py FOLDER COUNT      # serves FOLDER/NAME as http://127.0.0.1:PORT/NAME?..., COUNT answers at a time

The first line on stdout is the port; it ends when stdin does. Nobody is answered before COUNT have asked.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK = 1 << 20
BEGINNING = b"<!doctype html><title>Boom</title>"
TOGETHER_SECONDS = 30.0

Pack = Callable[[Iterator[bytes]], Iterator[bytes]]


class _Packer(Protocol):
    def compress(self, data: bytes) -> bytes: ...
    def flush(self) -> bytes: ...


def _by(packer: _Packer, data: Iterator[bytes]) -> Iterator[bytes]:
    for block in data:
        yield packer.compress(block)
    yield packer.flush()


def _gzip(data: Iterator[bytes]) -> Iterator[bytes]:
    return _by(zlib.compressobj(9, wbits=31), data)


def _deflate(data: Iterator[bytes]) -> Iterator[bytes]:
    return _by(zlib.compressobj(9), data)


def _bare_deflate(data: Iterator[bytes]) -> Iterator[bytes]:
    return _by(zlib.compressobj(9, wbits=-15), data)


def _br(data: Iterator[bytes]) -> Iterator[bytes]:
    packer = brotli.Compressor(quality=5, lgwin=24)
    for block in data:
        yield packer.process(block)
    yield packer.finish()


def _zstd(data: Iterator[bytes]) -> Iterator[bytes]:
    level, window = zstd.CompressionParameter.compression_level, zstd.CompressionParameter.window_log
    return _by(zstd.ZstdCompressor(options={level: 3, window: 23}), data)


_PACKS: dict[str, Pack] = {"gzip": _gzip, "deflate": _deflate, "br": _br, "zstd": _zstd, "x-bare": _bare_deflate}

#: What a row is called: its codings, applied from left to right. "x-bare" is deflate as some servers send it.
CODINGS = (
    "gzip",
    "deflate",
    "x-bare",
    "br",
    "zstd",
    "gzip, gzip",
    "br, br",
    "zstd, br",
    "zstd, zstd, zstd",
    "br, br, br, br, br",
    "gzip, deflate, br, zstd, gzip",
)


def write_bomb(path: Path, codings: str, size: int) -> None:
    """Write a whole answer: a page of `size` bytes once it is decoded."""
    data = _page(size)
    for coding in codings.split(", "):
        data = _PACKS[coding](data)
    body = b"".join(data)
    header = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
        f"Content-Encoding: {codings.replace('x-bare', 'deflate')}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    path.write_bytes(header.encode() + body)


def write_plain(path: Path, size: int, *, coded: bool) -> None:
    """Write a whole answer of an ordinary page of `size` bytes, which is no bomb; gzip or not coded at all."""
    body = b"".join(_words(size))
    coding = ""
    if coded:
        body, coding = gzip.compress(body, 6), "Content-Encoding: gzip\r\n"
    header = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{coding}Content-Length: {len(body)}\r\n\r\n"
    path.write_bytes(header.encode() + body)


def _page(size: int) -> Iterator[bytes]:
    yield BEGINNING.ljust(BLOCK, b" ")
    block = b" " * BLOCK
    for _ in range(size // BLOCK - 1):
        yield block


def _words(size: int) -> Iterator[bytes]:
    """Some long paragraphs, so that a parser has little to do."""
    yield BEGINNING
    line = b"<p>" + b"Words that go on and on. " * 40_000
    left = size - len(BEGINNING)
    while left > 0:
        yield line[:left]
        left -= len(line)


def main() -> int:
    """Serve until stdin ends."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    together = threading.Barrier(count)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, folder, together), daemon=True).start()
    sys.stdin.read()
    return 0


def _accept(listener: socket.socket, folder: Path, together: threading.Barrier) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=_answer, args=(sock, folder, together), daemon=True).start()


def _answer(sock: socket.socket, folder: Path, together: threading.Barrier) -> None:
    request = b""
    with sock, contextlib.suppress(OSError):  # a client that hangs up is what is hoped for
        while b"\r\n\r\n" not in request:
            data = sock.recv(1 << 16)
            if not data:
                return
            request += data
        name = request.split(b" ", 2)[1].partition(b"?")[0].decode().lstrip("/")
        answer = (folder / name).read_bytes()
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(TOGETHER_SECONDS)
        sock.sendall(answer)


if __name__ == "__main__":
    sys.exit(main())
