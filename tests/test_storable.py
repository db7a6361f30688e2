"""What can be stored: U+FFFD for what no format holds, and nothing else changed."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

import msgspec
import pytest

from scraper import storable


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("plain", "plain"),
        ("a\0b", "a\ufffdb"),
        ("ü\0", "ü\ufffd"),
        ("a\ud800b", "a\ufffdb"),
        ("\udfff\ud800", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
        ("\ufeffa\ufffe\uffff", "\ufeffa\ufffe\uffff"),
        ("\x01\x1b[2J\x7f\x9b\u2028\u202e\t\r\n", "\x01\x1b[2J\x7f\x9b\u2028\u202e\t\r\n"),
    ],
)
def test_text(given: str, kept: str) -> None:
    """Half characters and NULs are replaced; what is left can be encoded, and SQLite gives it back as it was."""
    assert storable.text(given) == kept
    assert kept.encode()
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        stored = database.execute("SELECT json_extract(json_array(?), '$[0]')", (kept,)).fetchall()
    assert stored == [(kept,)]


def test_value() -> None:
    """Keys and values, however they nest; what is no text stays."""
    given = {"a\0": ["\ud800", {"b": ("c\0", {"d\0"})}], 1: None, "x": 1.5}
    assert storable.value(given) == {"a\ufffd": ["\ufffd", {"b": ["c\ufffd", ["d\ufffd"]]}], 1: None, "x": 1.5}


def test_keys_that_become_the_same() -> None:
    """No value is lost without a word."""
    with pytest.raises(ValueError, match="two of its keys"):
        storable.value({"a\0": 1, "a\ufffd": 2})


def nested(levels: int, *, lists: bool) -> Any:
    """A value that is so many containers deep."""
    value: Any = 1
    for _ in range(levels):
        value = [0, value] if lists else {"a": 0, "b": value}
    return value


@pytest.mark.parametrize("lists", [True, False])
def test_depth(lists: bool) -> None:
    """The deepest value that is allowed can be read back; one level more is too deep, and so are a million."""
    deepest = nested(storable.DEEPEST, lists=lists)
    assert not storable.is_too_deep(deepest)
    assert msgspec.json.decode(msgspec.json.encode(deepest)) == deepest
    assert storable.is_too_deep(nested(storable.DEEPEST + 1, lists=lists))
    assert storable.is_too_deep(nested(100_000, lists=lists))
    assert not storable.is_too_deep([[[] for _ in range(1000)]])
