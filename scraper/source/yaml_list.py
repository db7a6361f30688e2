"""A YAML list of URLs as a stream of entries: what is not the current one is either not read yet or forgotten."""

from __future__ import annotations

from collections.abc import Iterator
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

SHAPE: Final = "a list holds 'urls:' and below it one '- https://…' a line, or only such lines"


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
        builder.fail(event, f"unknown key {_brief(key)}; {SHAPE}")
    if seen:
        builder.fail(event, "repeated key 'urls'; put all entries below one")


def _sequence(builder: yaml_core.Builder, event: Any) -> Iterator[Target | Failure]:
    if type(event) is not SequenceStartEvent:
        if type(event) is ScalarEvent and builder.scalar(event) is None:
            return
        if type(event) is ScalarEvent:
            builder.fail(event, f"a list of URLs is needed here, not {_brief(event.value)}; {SHAPE}")
        builder.value(event)  # tells of an alias, say, in its own words
        builder.fail(event, f"a list of URLs is needed here; {SHAPE}")
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
        return entries.from_any(builder.value(event), place)
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
