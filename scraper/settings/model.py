"""The settings as every stage gets them: frozen, complete and checked; design §4 lists the keys."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from scraper.settings.cores import usable_cores
from scraper.settings.fields import Container, FieldSettings, FollowSettings, SetSettings

MIB: Final = 1024**2
GIB: Final = 1024**3
#: Keys whose values may be secrets: shown neither in errors nor in a `repr`.
SECRET: Final = frozenset({"auth", "headers", "proxy"})


class Places(dict[str, str]):
    """Dotted path → `file:line:column`, or an empty text for what a flag or keyword gave.

    Any two are equal: settings are the same wherever they were written.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Places)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, Places)

    __hash__ = None  # mutable, like any dict


class Section(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A group of keys; its `repr` keeps secrets to itself."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self._shown(name)}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({shown})"

    def _shown(self, name: str) -> str:
        value = getattr(self, name)
        return "'***'" if name in SECRET and value else repr(value)


class FetchSettings(Section, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How pages are fetched. Durations in seconds, sizes in bytes.

    `auth` is the ready `Authorization` value. `allow_private` names hosts, addresses and networks, or says all or none.
    """

    workers: int = field(default_factory=lambda: 5 * usable_cores())
    transport: Literal["requests", "curl"] = "requests"
    timeout: float = 30.0
    connect_timeout: float = 5.0
    max_body: int = 16 * MIB
    max_redirects: int = 10
    retries: int = 2
    user_agent: str | None = None
    headers: dict[str, str] = {}
    cookies: bool = False
    auth: str | None = None
    proxy: str | None = None
    verify_tls: bool = True
    allow_private: bool | tuple[str, ...] = False
    memory: int = 256 * MIB


class HostSettings(Section, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What differs for one host; None leaves the general value. `auth` is the ready `Authorization` value."""

    delay: float | None = None
    per_host: int | None = None
    headers: dict[str, str] = {}
    auth: str | None = None


class PolitenessSettings(Section, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How gently hosts are treated. Delays in seconds between the starts of two requests to one host.

    `adaptive`: a host that refuses, grows slow or cannot be reached is asked less often, and given up in the end.
    """

    robots: bool = True
    per_host: int = 2
    delay: float = 0.2
    max_delay: float = 60.0
    adaptive: bool = True


class ParseSettings(Section, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How pages are parsed. `timeout` in seconds a page, `memory` in bytes a worker; 0 workers parse inline."""

    workers: int = field(default_factory=usable_cores)
    engine: Literal["turbohtml", "beautifulsoup"] = "turbohtml"
    builder: Literal["lxml", "html5lib", "html.parser"] = "lxml"
    timeout: float = 30.0
    memory: int = GIB
    parser: str | None = None


class OutputSettings(Section, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a run writes beside its records, and whether it waits for the disk."""

    format: Literal["jsonl", "csv", "parquet", "sqlite"] = "jsonl"
    archive: bool = False
    fsync: bool = True


class Settings(Section, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Everything a run is told. Made by `load`; with no arguments, the defaults.

    `records`, `page`, `fields` and `follow` describe what is taken from the pages of the list, see `SetSettings`, and
    `sets`, by name, what from pages that links lead to. `places` tells where each key was written; equality ignores it.
    """

    fetch: FetchSettings = field(default_factory=FetchSettings)
    hosts: dict[str, HostSettings] = {}
    politeness: PolitenessSettings = field(default_factory=PolitenessSettings)
    parse: ParseSettings = field(default_factory=ParseSettings)
    records: Container | None = None
    page: dict[str, FieldSettings] = {}
    fields: dict[str, FieldSettings] | None = None
    follow: tuple[FollowSettings, ...] = ()
    sets: dict[str, SetSettings] = {}
    output: OutputSettings = field(default_factory=OutputSettings)
    places: Places = field(default_factory=Places)

    @property
    def main(self) -> SetSettings:
        """What is taken from the pages of the list."""
        return SetSettings(records=self.records, page=self.page, fields=self.fields, follow=self.follow)

    @property
    def reads_json(self) -> bool:
        """Whether some fields are to be found in JSON responses."""
        return any(each.reads_json for each in (self.main, *self.sets.values()))

    def where(self, path: str) -> str:
        """Where the key at a dotted path, such as ``fields.title.css``, was written.

        ``file:line:column`` of that key, or of the nearest key around it; the path itself if it came from a mapping,
        a flag or a keyword.
        """
        return place_of(self.places, path)

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={getattr(self, n)!r}" for n in self.__struct_fields__ if n != "places")
        return f"Settings({shown})"


def place_of(places: dict[str, str], path: str) -> str:
    """The place of the longest known beginning of `path`; `path` itself if there is none."""
    head = path
    while head not in places and "." in head:
        head = head.rpartition(".")[0]
    return places.get(head) or path


def fingerprint(settings: Settings, parser: Callable[..., object] | None = None) -> str:
    """SHA-256, in hex, of what shapes records: the description of their sets, `parser`, `engine` and `builder`.

    A `parser` that is a function counts by its module and name. A run's records all have one fingerprint; keys left at
    their defaults do not count, nor does their order.
    """
    shape: dict[str, Any] = {
        "records": _in_short(settings.records),
        "fields": settings.fields,
        "parser": settings.parse.parser if parser is None else _name_of(parser),
        "engine": settings.parse.engine,
        "builder": settings.parse.builder,
    }
    for name in ("page", "follow", "sets"):  # left out where there is none: runs from before there was any can go on
        if getattr(settings, name):
            shape[name] = getattr(settings, name)
    return hashlib.sha256(msgspec.json.encode(shape, order="sorted")).hexdigest()


def _in_short(container: Container | None) -> Any:
    """A single selector as its text alone."""
    return container.css[0] if container is not None and container == Container(css=container.css[:1]) else container


def _name_of(function: Callable[..., object]) -> str:
    kind = type(function)
    named = function if hasattr(function, "__qualname__") else kind
    return f"{named.__module__}:{named.__qualname__}"
