"""A list of lines: one URL each, and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scraper import urls
from scraper.records import Failure, Target
from scraper.source import entries
from scraper.source.bytestream import LONGEST, Readable, lines

#: A comment behind a URL; without white space before it, it is the URL's fragment.
_COMMENT: Final = re.compile(r"\s#.*", re.DOTALL)


def read_text(stream: Readable, name: str) -> Iterator[Target | Failure]:
    """Stream the entries of a list with one URL a line.

    Args:
        stream: UTF-8.
        name: of the list, for messages.
    """
    target = entries.target
    for number, line in lines(stream):
        if line is None:
            yield too_long(name, number)
            continue
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            yield not_utf8(line, name, number)
            continue
        if not text or text[0] == "#":
            continue
        if "#" in text:
            text = _COMMENT.sub("", text).rstrip()
        try:
            yield target(text)
        except urls.InvalidURL:
            yield entries.from_text(text, f"{name}:{number}")


def too_long(name: str, number: int) -> Failure:
    """The failure of a line beyond all measure."""
    return entries.invalid("", f"the line has more than {LONGEST:,} bytes", f"{name}:{number}")


def not_utf8(line: bytes, name: str, number: int) -> Failure:
    """The failure of a line that no text is."""
    return entries.invalid(line.decode("utf-8", "replace").strip(), "the line is not UTF-8", f"{name}:{number}")
