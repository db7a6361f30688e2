"""A list of JSON lines: each a URL, or an object with one."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from scraper.records import Failure, Target
from scraper.source import entries
from scraper.source.bytestream import Readable, lines
from scraper.source.text import too_long


def read_json_lines(stream: Readable, name: str, column: str | None) -> Iterator[Target | Failure]:
    """Stream the entries of a list of JSON lines.

    Args:
        stream: UTF-8.
        name: of the list, for messages.
        column: key of the URL, if it is not ``url``.
    """
    decode = msgspec.json.Decoder().decode
    for number, line in lines(stream):
        if line is None:
            yield too_long(name, number)
            continue
        if not line.strip():
            continue
        try:
            entry = decode(line)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            shown = line.decode("utf-8", "replace").strip()
            yield entries.invalid(shown, f"the line is not JSON: {error}", f"{name}:{number}")
            continue
        if column is not None and isinstance(entry, dict):
            entry = _renamed(entry, column)
        yield entries.from_any(entry, f"{name}:{number}")


def _renamed(entry: dict[str, object], column: str) -> dict[str, object]:
    """The URL by its usual name; what had that name is left out."""
    rest = {key: value for key, value in entry.items() if key not in (column, "url")}
    return {"url": entry[column], **rest} if column in entry else rest
