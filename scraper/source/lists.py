"""URL lists as streams: what is not the current entry is either not read yet or forgotten.

files, literal URLs ──► open_sources ─┐
                                      ├──► Target | Failure (an entry that is no http(s) URL)
Python iterables ─────► iter_targets ─┘
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, Final

from yaml.events import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from scraper import urls, yaml_core
from scraper.errors import SourceError
from scraper.records import Failure, Target
from scraper.source import entries

STDIN: Final = "-"
_LITERAL: Final = re.compile(r"https?://", re.IGNORECASE)
_YAML: Final = frozenset({".yaml", ".yml"})
#: Formats a later version reads; taking them for YAML would give baffling errors.
_TO_COME: Final = frozenset({".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".xml", ".gz"})
_SHAPE: Final = "a list holds 'urls:' and below it one '- https://…' a line, or only such lines"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def open_sources(args: Sequence[str]) -> Iterator[Target | Failure]:
    """Stream the entries of list files and literal URLs, in order.

    Args:
        args: paths of YAML lists, ``-`` for standard input, or literal http(s) URLs.

    Raises:
        SourceError: at once, if a list is missing, unreadable or in no known format; while iterating, if one is
            malformed, or if all of them together hold no entry.
    """
    for arg in args:
        if not _is_literal(arg) and arg != STDIN:
            _probe(arg)
    return _entries(list(args))


def iter_targets(items: Iterable[str | Mapping[str, Any] | Target]) -> Iterator[Target | Failure]:
    """Stream the entries of a Python iterable: URLs, mappings of the same shape as in a list, or ready targets.

    Raises:
        SourceError: `items` is a single text or mapping.
    """
    if isinstance(items, (str, bytes, Mapping)):
        raise SourceError('give a list of URLs, as in ["https://example.com/"], not a single one')
    return (_item(item, f"item {number}") for number, item in enumerate(items, start=1))


def default_name(args: Sequence[str]) -> str:
    """The name of a run over these sources: that of the first list file, else the first URL's host."""
    for arg in args:
        if arg == STDIN:
            return "stdin"
        if not _is_literal(arg):
            return Path(arg).stem.strip(".") or "run"
    for arg in args:
        try:
            return _UNSAFE.sub("-", urls.split(arg).host).strip("-.") or "run"
        except urls.InvalidURL:
            continue
    return "run"


def _is_literal(arg: str) -> bool:
    return _LITERAL.match(arg) is not None


def _item(item: object, place: str) -> Target | Failure:
    if isinstance(item, str):
        return entries.from_text(item, place)
    if isinstance(item, Target):
        return item
    return entries.from_mapping(item, place) if isinstance(item, Mapping) else entries.from_other(item, place)


def _probe(path: str) -> None:
    suffix = Path(path).suffix.lower()
    if suffix in _TO_COME:
        raise SourceError(f"{path}: {suffix} lists are not available in this version; give a YAML list")
    try:
        with Path(path).open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: Exception) -> SourceError:
    reason = getattr(error, "strerror", None) or error
    return SourceError(f"{path}: cannot be read: {reason}; give a list file or an http(s) URL")


def _entries(args: list[str]) -> Iterator[Target | Failure]:
    empty = True
    for arg in args:
        for entry in [entries.from_text(arg, "command line")] if _is_literal(arg) else _file(arg):
            empty = False
            yield entry
    if empty:
        raise SourceError(f"{', '.join(args) or 'no source given'}: no entry at all; {_SHAPE}")


def _file(path: str) -> Iterator[Target | Failure]:
    name = "stdin" if path == STDIN else path
    try:
        with _stream(path) as stream:
            yield from read_yaml(stream, name)
    except OSError as error:
        raise _unreadable(name, error) from None


def _stream(path: str) -> AbstractContextManager[IO[bytes]]:
    if path != STDIN:
        return Path(path).open("rb")
    # Unbuffered: a read gives what is there already, and no lock is held by a thread that waits for more.
    buffered: Any = sys.stdin.buffer
    return nullcontext(getattr(buffered, "raw", buffered))


def read_yaml(stream: IO[bytes], name: str, loader: Any = yaml_core.LOADER) -> Iterator[Target | Failure]:
    """Stream the entries of one YAML list.

    Args:
        stream: UTF-8, or UTF-16 with a byte order mark.
        name: file name for messages.
        loader: a PyYAML loader class.

    Raises:
        SourceError: malformed YAML, or not the shape of a list.
    """
    try:
        with yaml_core.opened(stream, name, loader) as next_event:
            builder = yaml_core.Builder(name, next_event)
            next_event()  # start of the stream
            if type(next_event()) is DocumentStartEvent:
                yield from _document(builder)
                yaml_core.expect_end(builder)
    except yaml_core.YamlError as error:
        raise SourceError(str(error)) from None


def _document(builder: yaml_core.Builder) -> Iterator[Target | Failure]:
    event = builder.next_event()
    if type(event) is MappingStartEvent:
        builder.check_tag(event, "map")
        seen = False
        while type(key := builder.next_event()) is not MappingEndEvent:
            _check_key(builder, key, seen)
            seen = True
            yield from _sequence(builder, builder.next_event())
    else:
        yield from _sequence(builder, event)


def _check_key(builder: yaml_core.Builder, event: Any, seen: bool) -> None:
    key = builder.key(event)
    if key != "urls":
        builder.fail(event, f"unknown key {_brief(key)}; {_SHAPE}")
    if seen:
        builder.fail(event, "repeated key 'urls'; put all entries below one")


def _sequence(builder: yaml_core.Builder, event: Any) -> Iterator[Target | Failure]:
    if type(event) is not SequenceStartEvent:
        if type(event) is ScalarEvent and builder.scalar(event) is None:
            return
        if type(event) is ScalarEvent:
            builder.fail(event, f"a list of URLs is needed here, not {_brief(event.value)}; {_SHAPE}")
        builder.value(event)  # tells of an alias, say, in its own words
        builder.fail(event, f"a list of URLs is needed here; {_SHAPE}")
    builder.check_tag(event, "seq")
    # The hot path: nearly every entry is a plain scalar, and a list has millions of them. So the place of an entry is
    # only looked at where something is wrong with it.
    next_event, target = builder.next_event, entries.target
    while type(event := next_event()) is not SequenceEndEvent:
        if type(event) is ScalarEvent and event.tag is None and event.anchor is None:
            try:
                yield target(event.value)
            except urls.InvalidURL:
                yield entries.from_text(event.value, _place(builder, event))
        else:
            yield _entry(builder, event, _place(builder, event))


def _place(builder: yaml_core.Builder, event: Any) -> str:
    return f"{builder.name}:{event.start_mark.line + 1}"


def _entry(builder: yaml_core.Builder, event: Any, place: str) -> Target | Failure:
    if type(event) is not MappingStartEvent:
        return _item(builder.value(event), place)
    builder.check_tag(event, "map")
    builder.repeated.clear()
    entry: dict[str, Any] = {}
    while type(key_event := builder.next_event()) is not MappingEndEvent:
        key = builder.key(key_event)
        # Header values are text: `1.10` has to go out as it stands.
        plain = str if key == "headers" else yaml_core.resolve
        value = builder.value(builder.next_event(), key, 1, plain)
        if key in entry:
            builder.repeated.append((key, 0, 0))
        entry.setdefault(key, value)
    if builder.repeated:
        url = entry.get("url")
        why = f"repeated key {_brief(builder.repeated[0][0])}; keep one of them"
        return entries.invalid(url if isinstance(url, str) else "", why, place)
    return entries.from_mapping(entry, place)


def _brief(text: str) -> str:
    shown = repr(entries.without_userinfo(text))
    return shown if len(shown) <= 80 else shown[:79] + "…"
