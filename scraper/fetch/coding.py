"""Content codings undone in small steps: a few bytes may stand for gigabytes, and nobody shall have them at once.

Every step of every coding gives `STEP` bytes or little more, so whoever reads a body can look at its size, at the clock
and at the memory left between two of them. gzip, deflate, br and zstd, in chains of up to `MOST_CODINGS` (RFC 9110
§8.4).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import brotli

from scraper.fetch.failures import Refused

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: What is decoded here, as a request asks for it.
ACCEPTED: Final = "gzip, deflate, br, zstd"

#: More than this many codings of one body are refused; one is usual, two are a mistake.
MOST_CODINGS: Final = 5

#: Bytes that a step gives (br: up to twice that).
STEP: Final = 1 << 16

#: Bytes that a decoder gets at once. It copies what it leaves over, which many tiny members would make quadratic.
SLICE: Final = 1 << 14

#: Larger windows of zstd are refused (RFC 9659 §3).
ZSTD_WINDOW_LOG: Final = 23

#: The magic number of gzip begins with it (RFC 1952 §2.3.1).
_GZIP_ID1: Final = 0x1F

_ERRORS: Final = (zlib.error, brotli.error, zstd.ZstdError, EOFError)


class _Coding(Protocol):
    """One coding of one body.

    Attributes:
        overhead: bytes of memory that it takes in any case: its tables, and what is on its way in and out; once it is
            known to take more, an empty step comes before it does.
        window: most decoded bytes that it looks back on, and has to keep for that.
        is_complete: whether the data may end here.
    """

    overhead: int
    window: int

    @property
    def is_complete(self) -> bool: ...

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes stand for, in steps; at least one, which may be empty."""


class _Gzip:
    """RFC 1952: one member or several; what follows them and is none is ignored, as browsers do."""

    overhead = 1 << 18
    window = 1 << 15

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._is_first = True
        self._has_given = False  # something of this member
        self._is_over = False  # no member follows any more

    @property
    def is_complete(self) -> bool:
        return self._is_over or self._member.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        more = True
        while (data or more) and not self._is_over:
            if data and self._member.eof:
                self._next_member(data)
            piece = self._step(data)
            data = self._member.unconsumed_tail or self._member.unused_data
            more = len(piece) >= STEP and not self._member.eof
            yield piece
        if self._is_over:
            yield b""

    def _next_member(self, data: bytes) -> None:
        self._is_over = data[0] != _GZIP_ID1
        self._is_first = self._has_given = False
        if not self._is_over:
            self._member = zlib.decompressobj(wbits=31)

    def _step(self, data: bytes) -> bytes:
        if self._is_over:
            return b""
        try:
            piece = self._member.decompress(data, STEP)
        except zlib.error:
            if self._is_first or self._has_given:
                raise
            self._is_over = True
            return b""
        self._has_given = self._has_given or bool(piece)
        return piece


class _Deflate:
    """RFC 1950, as it should be, or bare RFC 1951, as some servers send it. What follows its end is ignored."""

    overhead = 1 << 18
    window = 1 << 15

    def __init__(self) -> None:
        self._head = b""
        self._stream: zlib._Decompress | None = None

    @property
    def is_complete(self) -> bool:
        return self._stream is not None and self._stream.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._head = self._head + data
            if len(data) < 2:
                yield b""
                return
            self._stream = zlib.decompressobj(wbits=15 if _has_zlib_header(data) else -15)
            self._head = b""
        more = True
        while (data or more) and not self._stream.eof:
            piece = self._stream.decompress(data, STEP)
            data = self._stream.unconsumed_tail
            more = len(piece) >= STEP
            yield piece
        yield b""


def _has_zlib_header(data: bytes) -> bool:
    """RFC 1950 §2.2: deflate, a window of 32 KiB at most, and the check of both bytes is right."""
    return data[0] & 0x0F == 8 and data[0] >> 4 <= 7 and int.from_bytes(data[:2], "big") % 31 == 0


class _Brotli:
    """RFC 7932. Its window is 16 MiB at most; large windows are not a part of the coding.

    Its prefix codes may take 3 MB: 256 each of three kinds. It may fill its window before it gives a byte, so the
    window counts from the start.
    """

    window = 0

    def __init__(self) -> None:
        self.overhead = (3 << 20) + (1 << 18)
        self._has_begun = False
        self._stream = brotli.Decompressor()

    @property
    def is_complete(self) -> bool:
        return bool(self._stream.is_finished())

    def decode(self, data: bytes) -> Iterator[bytes]:
        if data and not self._has_begun:
            self._has_begun = True
            self.overhead += _brotli_window(data[0])
            yield b""
        more = True
        while data or more:
            piece = self._stream.process(data, output_buffer_limit=STEP)
            data = b""  # what it did not take, it keeps
            more = len(piece) >= STEP or not self._stream.can_accept_more_data()
            more = more and not self._stream.is_finished()
            yield piece


def _brotli_window(first: int) -> int:
    """Bytes of the window that the first byte of a stream announces (RFC 7932 §9.1)."""
    if not first & 1:
        return 1 << 16
    if first >> 1 & 7:
        return 1 << 17 + (first >> 1 & 7)
    return 1 << (8 + (first >> 4 & 7) if first >> 4 & 7 else 17)


class _Zstd:
    """RFC 8878: frames, of which each may ask for a window of up to 8 MiB (RFC 9659)."""

    overhead = 1 << 19
    window = 1 << ZSTD_WINDOW_LOG

    def __init__(self) -> None:
        self._frame = self._new_frame()

    @staticmethod
    def _new_frame() -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG})

    @property
    def is_complete(self) -> bool:
        return self._frame.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        more = True
        while data or more:
            if self._frame.eof:
                self._frame = self._new_frame()
            piece = self._frame.decompress(data, STEP)
            data = self._frame.unused_data
            more = not (self._frame.eof or self._frame.needs_input)
            yield piece


#: RFC 9110 §8.4.1; "x-gzip" is the same as "gzip" (§8.4.1.3).
_CODINGS: Final[dict[str, Callable[[], _Coding]]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


class _Link:
    """One coding in a chain, and what has gone through it."""

    __slots__ = ("coding", "given", "name", "taken")

    def __init__(self, name: str) -> None:
        self.name = name
        self.coding = _CODINGS[name]()
        self.taken = 0
        self.given = 0

    def decode(self, data: bytes) -> Iterator[bytes]:
        try:
            for piece in self.coding.decode(data):
                self.given += len(piece)
                yield piece
        except _ERRORS as error:
            raise Refused("bad_encoding", f"the body is not what Content-Encoding says, {self.name}: {error}") from None


class Decoder:
    """Undoes all codings of one body."""

    def __init__(self, codings: list[str], limit: int) -> None:
        """Undo `codings`, the last one first, for a body of at most `limit` decoded bytes."""
        self._links = [_Link(name) for name in reversed(codings)]
        # Coded data may be a little longer than the data. What is much longer will not become a page.
        self._limit = limit + limit // 64 + STEP

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes of the body stand for, in steps; some are empty.

        Raises:
            Refused: ``bad_encoding``; ``body_too_large`` if there are too many bytes even before they are decoded.
        """
        return self._through(0, data)

    def _through(self, number: int, data: bytes) -> Iterator[bytes]:
        if number == len(self._links):
            yield data
            return
        link = self._links[number]
        link.taken += len(data)
        if link.taken > self._limit:
            raise Refused("body_too_large", f"the body has more than {self._limit:,} bytes before it is decoded")
        for start in range(0, len(data) or 1, SLICE):
            part = data[start : start + SLICE]
            for piece in link.decode(part) if part else (b"",):
                yield from self._through(number + 1, piece)

    @property
    def is_complete(self) -> bool:
        """Whether the body may end here; an empty one may."""
        return all(link.coding.is_complete or not link.taken for link in self._links)

    @property
    def held(self) -> int:
        """Bytes of memory that decoding takes now, at most."""
        return sum(link.coding.overhead + min(link.given, link.coding.window) for link in self._links)


def decoder(header: str | None, limit: int) -> Decoder | None:
    """What undoes the codings that a Content-Encoding header names; None if there are none.

    Args:
        header: its value; of several headers, their values with commas between them.
        limit: most decoded bytes of the body.

    Raises:
        Refused: ``bad_encoding``: there are too many, or some that nobody asked for.
    """
    if not header:
        return None
    names = [name for part in header.split(",") if (name := part.strip().lower())]
    if len(names) > MOST_CODINGS:
        raise Refused("bad_encoding", f"the body has {len(names)} content codings, more than {MOST_CODINGS}")
    codings = [name for name in names if name != "identity"]
    for name in codings:
        if name not in _CODINGS:
            raise Refused("bad_encoding", f"the content coding {name[:40]!r} is not known")
    return Decoder(codings, limit) if codings else None
