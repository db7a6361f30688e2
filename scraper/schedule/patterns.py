"""The path patterns of a robots.txt and which of them match: RFC 9309 §2.2.2 and §2.2.3.

protego 0.7 is not exact here, which is why the matching is not left to it: ``/a$`` also covers ``/a$b``; an allowed
``/index.html`` allows ``/``; ``%E8`` and ``%E9`` are the same, as neither is UTF-8; ``%2F`` in a query is not ``/``;
reserved characters count three octets. Before 0.7 it matches by regular expressions, which a pattern of many ``*``
keeps busy for ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

_STARS: Final = re.compile(r"\*+")
#: Reserved characters of RFC 3986 §2.2, but for the two that mean something in a pattern. Unreserved ones are never
#: quoted anyway.
_RESERVED: Final = ":/?#[]@!&'()+,;="


def joined(patterns: Iterable[str]) -> str:
    """Patterns in normal form, one a line, the longest first.

    Without those that no path can match: the empty one, and what starts with neither ``/`` nor ``*``.
    """
    normal = {text for pattern in patterns if (text := _normal(pattern)).startswith(("/", "*"))}
    return "\n".join(sorted(sorted(normal), key=len, reverse=True))


def subject(target: str) -> str:
    """What `longest` looks at: path and query in normal form, and a ``$`` that marks the end."""
    return _spelling(target) + "$"


def longest(patterns: str, path: str) -> int:
    """Length of the longest of the `joined` patterns that matches a `subject`, 0 if none does."""
    for pattern in patterns.split("\n"):
        if _matches(pattern, path) if "*" in pattern else path.startswith(pattern):
            return len(pattern)
    return 0


def _normal(pattern: str) -> str:
    """``*`` and a ``$`` at the end keep their meaning (§2.2.3), all else is as in a path; several ``*`` are one."""
    text = pattern.removesuffix("$")
    end = pattern[len(text) :]
    return "*".join(map(_spelling, _STARS.split(text))) + end


def _spelling(text: str) -> str:
    """The one spelling of all that mean the same octets (§2.2.2); no ``*``, ``$`` or line end is left in it.

    By the letter of the standard reserved characters are the same quoted or not, ``/`` too, and in a query its examples
    want just that. Patterns keep them bare, so that length counts the octets of a usual URL.
    """
    return quote_from_bytes(unquote_to_bytes(text.encode("utf-8", "surrogateescape")), _RESERVED)


def _matches(pattern: str, path: str) -> bool:
    """Take each stretch between two ``*`` where it first occurs: a later place never leaves more room for the rest.

    So the path is gone through once, whatever the pattern, where a regular expression may try for ever. A ``$`` needs
    no care: it is found at the subject's end or nowhere.
    """
    if len(pattern) - pattern.count("*") > len(path):
        return False  # however long a pattern, splitting it costs no more than the path is long
    start, *rest = pattern.split("*")
    if not path.startswith(start):
        return False
    at = len(start)
    for part in rest:
        at = path.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True
