"""A list of JSON lines: each a URL, or an object with one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
        place = f"{name}:{number}"
        if column is not None and column != "url" and isinstance(entry, dict):
            yield _from_object(entry, column, place)
        else:
            yield entries.from_any(entry, place)


def _from_object(entry: dict[str, Any], column: str, place: str) -> Target | Failure:
    """The target of an object that calls its URL otherwise; what it calls ``url`` is `input` like any other."""
    rest = {key: value for key, value in entry.items() if key not in (column, "url")}
    made = entries.from_mapping({"url": entry[column], **rest} if column in entry else rest, place)
    if isinstance(made, Failure) or "url" not in entry:
        return made
    return msgspec.structs.replace(made, input={"url": entry["url"], **(made.input or {})})
