"""What can be stored: text and values that every format of a run's output can hold.

Two things have no place in all of them: a lone surrogate, which is half a character and has no UTF-8 (Unicode Standard,
D75 and D92), and NUL, at which SQLite's functions and many readers of CSV end a text. Both become U+FFFD, here and
nowhere else. Other control characters are data, and stay: where people read them, `scraper.terminal` escapes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: Levels that a value may nest: far below what readers of JSON bear (SQLite 1,000; Python as many, less its stack).
DEEPEST: Final = 100


def text(given: str) -> str:
    """The text with lone surrogates and NULs replaced by U+FFFD; pairs of surrogates become what they stand for."""
    if given.isascii():
        return given.replace("\0", "\ufffd")
    return given.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def value(given: Any) -> Any:
    """The same for all text within a value, keys included.

    Raises:
        ValueError: two keys of a mapping would be the same.
        RecursionError: it nests some hundred levels.
    """
    if isinstance(given, str):
        return text(given)
    if isinstance(given, Mapping):
        found = {text(key) if isinstance(key, str) else key: value(item) for key, item in given.items()}
        if len(found) < len(given):
            raise ValueError("two of its keys differ only in what cannot be stored")
        return found
    if isinstance(given, (list, tuple, set, frozenset)):
        return [value(item) for item in given]
    return given


def is_too_deep(given: Any) -> bool:
    """Whether a value nests more than `DEEPEST` levels, itself being one."""
    level = [given]
    for _ in range(DEEPEST):
        level = [item for each in level for item in _within(each)]
        if not level:
            return False
    return True


def _within(given: Any) -> list[Any]:
    """The containers that a container holds."""
    items = given.values() if isinstance(given, Mapping) else given if isinstance(given, _PLAIN) else ()
    return [item for item in items if isinstance(item, (Mapping, *_PLAIN))]


_PLAIN: Final = (list, tuple, set, frozenset)
