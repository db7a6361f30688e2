"""The bytes of a list: looked at before they are read, and unpacked if they are gzipped."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

from scraper.errors import SourceError

CHUNK: Final = 1 << 16
_GZIP: Final = b"\x1f\x8b"


class Readable(Protocol):
    """A binary stream; a read gives what there is, and nothing only at the end."""

    def read(self, size: int, /) -> bytes: ...


class ByteStream:
    """A stream that can be looked into before it is read; a context for nothing: whoever opened it closes it."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._seen = b""

    def look(self, least: int = 1) -> bytes:
        """Bytes from the beginning, which stay to be read; fewer than `least` only at the end.

        No more than there is already, or else comes next: a list that trickles in is not waited for.
        """
        while len(self._seen) < least and (more := self._stream.read(CHUNK)):
            self._seen += more
        return self._seen

    def seekable(self) -> bool:
        """Whether `seek` can be called."""
        seekable = getattr(self._stream, "seekable", None)
        return bool(seekable is not None and seekable())

    def seek(self, offset: int, /) -> int:
        """Go to that many bytes from the beginning."""
        self._seen = b""
        position: int = self._stream.seek(offset)  # type: ignore[attr-defined]  # `seekable` says whether it has this
        return position

    def read(self, size: int = CHUNK, /) -> bytes:
        """Up to `size` bytes; nothing at the end."""
        if not self._seen:
            return self._stream.read(size)
        data, self._seen = self._seen[:size], self._seen[size:]
        return data


class Gunzipped:
    """What a gzipped stream holds, of all its members (RFC 1952 §2.2); zeros behind the last are passed over."""

    def __init__(self, stream: Readable, name: str) -> None:
        self._stream = stream
        self._name = name
        self._packed = b""
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def read(self, size: int = CHUNK, /) -> bytes:
        """Up to `size` bytes; nothing at the end.

        Raises:
            SourceError: it is damaged, or ends too early.
        """
        while True:
            if not self._packed:
                self._packed = self._stream.read(CHUNK)
                if not self._packed:
                    if self._begun:
                        raise SourceError(f"{self._name}: the gzipped list ends too early; get it once more")
                    return b""
            if not self._begun:
                self._packed = self._packed.lstrip(b"\0")
                if not self._packed:
                    continue
                self._member, self._begun = zlib.decompressobj(wbits=31), True
            try:
                data = self._member.decompress(self._packed, size)
            except zlib.error as error:
                raise SourceError(f"{self._name}: the gzipped list is damaged: {error}") from None
            self._packed = self._member.unconsumed_tail
            if self._member.eof:
                self._packed, self._begun = self._member.unused_data, False
            if data:
                return data


def unpacked(stream: Readable, name: str) -> ByteStream:
    """The stream itself, or what it holds if it is gzipped."""
    outer = ByteStream(stream)
    head = outer.look()
    if head == _GZIP[:1]:
        head = outer.look(2)
    return ByteStream(Gunzipped(outer, name)) if head.startswith(_GZIP) else outer


#: Bytes of a line that is taken for one.
LONGEST: Final = 1 << 20


def lines(stream: Readable) -> Iterator[tuple[int, bytes | None]]:
    r"""Lines with their numbers, from 1 on, without their ends: ``\n``, ``\r\n`` or ``\r``.

    None for a line that is longer than `LONGEST`, of which the rest is passed over.
    """
    number, rest, too_long = 1, b"", False
    while data := stream.read(CHUNK):
        parts = (rest + data).splitlines(keepends=True)
        # A \r at the very end may be the first half of \r\n.
        rest = parts.pop() if parts and not parts[-1].endswith(b"\n") else b""
        for part in parts:
            yield number, None if too_long else part.rstrip(b"\r\n")
            too_long = False
            number += 1
        if len(rest) > LONGEST:
            rest, too_long = b"\r" if rest.endswith(b"\r") else b"", True
    if rest or too_long:
        yield number, None if too_long else rest.rstrip(b"\r\n")
