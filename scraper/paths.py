"""Dotted paths into data as JSON has it: ``offers.0.price``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

#: The value at hand itself.
ROOT: Final = "."

_PART: Final = re.compile(r"(?:[^.\\]|\\.)+")


def split(path: str) -> tuple[str, ...]:
    r"""The keys of a path; ``.`` alone has none, and ``\.`` is a dot within a key.

    Raises:
        ValueError: a part is empty.
    """
    if path == ROOT:
        return ()
    parts = _PART.findall(path)
    if ".".join(parts) != path:
        raise ValueError(f"is not a path of keys with dots between them, as in offers.0.price: {path!r}")
    return tuple(re.sub(r"\\(.)", r"\1", part) for part in parts)


def walk(value: Any, keys: tuple[str, ...]) -> Iterator[Any]:
    """Every value below `keys`, but null: a key goes on in each item of a list, a number takes one of them."""
    values = [value]
    for key in keys:
        found: list[Any] = []
        for value in values:
            if isinstance(value, dict):
                if key in value:
                    found.append(value[key])
            elif isinstance(value, list):
                found += _in_list(value, key)
        values = found
    return (value for value in values if value is not None)


def _in_list(items: list[Any], key: str) -> list[Any]:
    if key.isdecimal() and key.isascii():
        return items[int(key) : int(key) + 1] if len(key) < 10 else []
    return [item[key] for item in items if isinstance(item, dict) and key in item]
