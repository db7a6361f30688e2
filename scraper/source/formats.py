"""Which format a list is in: by its suffix, else by how it begins."""

from __future__ import annotations

import codecs
import contextlib
import re
from typing import Final

import msgspec

from scraper.source.bytestream import ByteStream

#: Formats and the suffixes that mean them; ``.gz`` may follow.
SUFFIXES: Final = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".txt": "txt",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xml": "sitemap",
}
FORMATS: Final = ("yaml", "txt", "csv", "tsv", "jsonl", "sitemap")

#: Bytes in which the first entry must show what it is.
ENOUGH: Final = 1 << 16

_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_DELIMITERS: Final = (",", ";", "\t")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def by_name(name: str) -> str | None:
    """The format that a file's name, or a URL's path, tells; None if it tells none."""
    lower = name.lower().removesuffix(".gz")
    return next((form for suffix, form in SUFFIXES.items() if lower.endswith(suffix)), None)


def by_content(stream: ByteStream, column: str | None) -> str:
    """The format of what begins like this; what cannot be told is YAML.

    Args:
        stream: only looked into, no further than to the end of the first line that says something.
        column: of the URLs, if it is a table.
    """
    least = 1
    while True:
        head = stream.look(least)
        line, is_whole = _first_line(_text(head))
        if line.startswith("<"):
            return "sitemap"
        if _URL.match(line):
            return "txt"
        if is_whole or len(head) < least or len(head) > ENOUGH:
            return _by_line(line, column)
        least = len(head) + 1


def delimiter_of(header: str) -> str:
    """What parts the cells of a table with this first line: the one of comma, semicolon and tab that it has most of."""
    outside = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=outside.count)


def cells_of(header: str, delimiter: str) -> list[str]:
    """The names in a table's first line, roughly: to tell a table from something else."""
    return [cell.strip().strip('"').strip() for cell in header.split(delimiter)]


def _by_line(line: str, column: str | None) -> str:
    if line[:1] in ("{", '"'):
        with contextlib.suppress(msgspec.DecodeError, UnicodeError, RecursionError):
            value = msgspec.json.decode(line)
            return "yaml" if isinstance(value, dict) and "urls" in value else "jsonl"
    delimiter = delimiter_of(line)
    names = {name.lower() for name in cells_of(line, delimiter)}
    if (column or "url").lower() not in names:
        return "yaml"
    return "tsv" if delimiter == "\t" else "csv"


def _text(head: bytes) -> str:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace")
    return head.decode("utf-8", "replace")


def _first_line(text: str) -> tuple[str, bool]:
    """The first line that is neither empty nor a comment, as far as it is there; whether all of it is."""
    rest = text.lstrip()
    while rest.startswith("#"):
        _, end, rest = rest.partition("\n")
        if not end:
            return "", False
        rest = rest.lstrip()
    line, end, _ = rest.partition("\n")
    return line.rstrip(), bool(end)


def as_utf8(stream: ByteStream) -> ByteStream:
    """The same without a byte order mark, in UTF-8."""
    head = stream.look()
    if any(mark.startswith(head) for mark, _ in _BOMS):  # a part of one, so far
        head = stream.look(len(codecs.BOM_UTF8))
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            stream.read(len(mark))
            return stream if encoding == "utf-8" else ByteStream(_Recoded(stream, encoding))
    return stream


class _Recoded:
    def __init__(self, stream: ByteStream, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def read(self, size: int, /) -> bytes:
        while data := self._stream.read(max(size // 2, 1)):
            text = self._decoder.decode(data)
            if text:
                return text.encode("utf-8", "replace")
        return self._decoder.decode(b"", final=True).encode("utf-8", "replace")
