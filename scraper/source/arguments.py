"""What people give as lists → `Lists`.

files, stdin, URLs of lists and of pages ──► open_sources ─┐
                                                           ├──► Lists ──► Target | Failure, and where each list ends
Python iterables ──────────────────────────► iter_targets ─┘
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from scraper import urls
from scraper.errors import SourceError
from scraper.records import Target
from scraper.source import entries
from scraper.source.lists import ITEMS, Lists
from scraper.source.origins import STDIN, File, InMemory, Origin, Remote, Stdin
from scraper.source.reading import Reading
from scraper.source.selection import PLAIN, Choice, Selection

_LITERAL: Final = re.compile(r"https?://", re.IGNORECASE)
_SITEMAP: Final = re.compile(r"\.xml(\.gz)?$", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_DIGEST: Final = "sha256:"


def open_sources(args: Sequence[str], choice: Choice = PLAIN) -> Lists | Selection:
    """The entries of list files, lists elsewhere and literal URLs, in order.

    Args:
        args: paths of lists, ``-`` for standard input, http(s) URLs of sitemaps (``.xml``, ``.xml.gz``; with an
            `input_format`, of lists in that format), or literal http(s) URLs.
        choice: how they are to be read.

    Raises:
        SourceError: a list is missing or unreadable.
    """
    reading = Reading(choice.input_format, choice.column)
    lists: list[Origin] = []
    for kind, group in itertools.groupby(args, lambda arg: _kind(arg, choice)):
        if kind is InMemory:
            lists.append(_literals(list(group), len(lists)))
        elif kind is Remote:
            lists += [Remote(arg, reading) for arg in group]
        else:
            lists += [Stdin(reading) if arg == STDIN else File(arg, reading) for arg in group]
    return choice.of(
        Lists(lists, [arg if arg == STDIN or _is_literal(arg) else str(Path(arg).resolve()) for arg in args])
    )


def _kind(arg: str, choice: Choice) -> type[Origin]:
    if not _is_literal(arg):
        return File
    return Remote if choice.input_format is not None or _SITEMAP.search(_path(arg)) else InMemory


def _path(url: str) -> str:
    return re.split(r"[?#]", url, maxsplit=1)[0]


def can_be_opened(identity: str) -> bool:
    """Whether `open_sources` may read a list, of which this is the identity, once more."""
    return identity != STDIN and not identity.startswith(_DIGEST)


def _literals(args: list[str], place: int) -> Origin:
    made = [entries.from_text(arg, "command line") for arg in args]
    packed = "\n".join(args).encode("utf-8", "surrogateescape")
    return InMemory(f"command line {place}", ", ".join(args), made, hashlib.sha256(packed).hexdigest(), len(packed))


def iter_targets(
    items: Iterable[str | Mapping[str, Any] | Target],
    choice: Choice = PLAIN,
) -> Lists | Selection:
    """The entries of a Python iterable: URLs, mappings of the same shape as in a list, or ready targets.

    Raises:
        SourceError: `items` is a single text or mapping.
    """
    if isinstance(items, (str, bytes, Mapping)):
        raise SourceError('give a list of URLs, as in ["https://example.com/"], not a single one')
    made = (entries.from_any(item, f"item {number}") for number, item in enumerate(items, start=1))
    digest = _digest(items)
    if digest is None:
        return choice.of(Lists([Origin(ITEMS, "the iterable of URLs", made)], []))
    return choice.of(Lists([InMemory(ITEMS, "the list of URLs", made, *digest)], [_DIGEST + digest[0]]))


def _digest(items: object) -> tuple[str, int] | None:
    """What tells a list of URLs in memory from another; None for what can be read only once."""
    if not isinstance(items, (list, tuple)):
        return None
    try:
        packed = msgspec.json.encode(items)
    except (TypeError, ValueError):
        return None
    return hashlib.sha256(packed).hexdigest(), len(packed)


def default_name(args: Sequence[str]) -> str:
    """The name of a run over these sources: that of the first list file, else the first URL's host."""
    for arg in args:
        if arg == STDIN:
            return "stdin"
        if not _is_literal(arg):
            name = Path(arg).name
            plain = Path(name[:-3] if name.lower().endswith(".gz") else name)
            return plain.stem.strip(".") or "run"
    for arg in args:
        try:
            return _UNSAFE.sub("-", urls.split(arg).host).strip("-.") or "run"
        except urls.InvalidURL:
            continue
    return "run"


def _is_literal(arg: str) -> bool:
    return _LITERAL.match(arg) is not None
