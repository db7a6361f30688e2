"""Checks merged settings key by key against tables, and collects what is wrong instead of stopping at the first."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from scraper.settings import values
from scraper.settings.check_sets import SetsCheck
from scraper.settings.model import (
    MIB,
    SECRET,
    FetchSettings,
    HostSettings,
    OutputSettings,
    ParseSettings,
    PolitenessSettings,
    Section,
    Settings,
)
from scraper.settings.values import Reader

_S = TypeVar("_S", bound=Section)

FETCH: Final[dict[str, Reader]] = {
    "workers": values.count(1),
    "transport": values.choice("requests", "curl", built=("requests",)),
    "timeout": values.seconds(),
    "connect_timeout": values.seconds(),
    "max_body": values.size(),
    "max_redirects": values.count(0),
    "retries": values.count(0),
    "user_agent": values.nullable(values.user_agent),
    "headers": values.headers,
    "cookies": values.flag,
    "auth": values.nullable(values.auth),
    "proxy": values.nullable(values.proxy),
    "verify_tls": values.flag,
    "allow_private": values.allow_private,
    "memory": values.size(),
}
HOST: Final[dict[str, Reader]] = {
    "delay": values.nullable(values.seconds(zero=True)),
    "per_host": values.nullable(values.count(1)),
    "headers": values.headers,
    "auth": values.nullable(values.auth),
}
POLITENESS: Final[dict[str, Reader]] = {
    "robots": values.flag,
    "per_host": values.count(1),
    "delay": values.seconds(zero=True),
    "max_delay": values.seconds(),
    "adaptive": values.flag,
}
PARSE: Final[dict[str, Reader]] = {
    "workers": values.count(0),
    "engine": values.choice("turbohtml", "beautifulsoup"),
    "builder": values.choice("lxml", "html5lib", "html.parser"),
    "timeout": values.seconds(),
    "memory": values.size(64 * MIB),
    "parser": values.nullable(values.parser),
}
OUTPUT: Final[dict[str, Reader]] = {
    "format": values.choice("jsonl", "csv", "parquet", "sqlite", built=("jsonl",)),
    "archive": values.not_yet,
    "fsync": values.flag,
}
_TABLES: Final = {"fetch": FETCH, "politeness": POLITENESS, "parse": PARSE, "output": OUTPUT}
_KEYS: Final = ("fetch", "hosts", "politeness", "parse", "records", "page", "fields", "follow", "sets", "output")


def check(raw: Mapping[Any, Any], places: dict[str, str]) -> tuple[Settings, list[tuple[str, str]]]:
    """Settings made of `raw`, and every problem as dotted path and message; with problems, what is wrong is left out.

    `places` gains the canonical spelling of host names.
    """
    return _Check(places).settings(raw)


class _Check:
    def __init__(self, places: dict[str, str]) -> None:
        self.places = places
        self.problems: list[tuple[str, str]] = []

    def settings(self, raw: Mapping[Any, Any]) -> tuple[Settings, list[tuple[str, str]]]:
        for key in raw:
            if key not in _KEYS:
                self._unknown("", key, _KEYS)
        main, sets = SetsCheck(self).of(raw)
        settings = Settings(
            fetch=self._section(FetchSettings, "fetch", raw),
            hosts=self._hosts(raw.get("hosts")),
            politeness=self._section(PolitenessSettings, "politeness", raw),
            parse=self._section(ParseSettings, "parse", raw),
            records=main.records,
            page=main.page,
            fields=main.fields,
            follow=main.follow,
            sets=sets,
            output=self._section(OutputSettings, "output", raw),
            places=self.places,  # type: ignore[arg-type]  # `load` gives Places
        )
        for name in ("fields", "sets"):
            if settings.parse.parser is not None and getattr(settings, name):
                self.add("parse.parser", f"parse.parser and {name} exclude each other; keep one of them")
        if settings.fetch.proxy is not None and settings.fetch.allow_private is not True:
            self.add(
                "fetch.proxy",
                "fetch.proxy needs fetch.allow_private: true (--allow-private), since addresses behind a proxy cannot "
                "be checked; set that if the proxy may reach them all",
            )
        return settings, self.problems

    def _section(self, kind: type[_S], name: str, raw: Mapping[Any, Any]) -> _S:
        return kind(**self.keys(name, raw.get(name), _TABLES[name]))

    def keys(self, path: str, raw: object, table: dict[str, Reader]) -> dict[str, Any]:
        """The values of one section that are known and right."""
        found = {}
        for key, value in self.items(path, raw):
            below = f"{path}.{key}"
            if key not in table:
                self._unknown(path, key, tuple(table))
            elif table[key] is values.headers:
                found[key] = self._headers(below, value)
            else:
                before = len(self.problems)
                read = self.read(below, value, table[key])
                if len(self.problems) == before:
                    found[key] = read
        return found

    def items(self, path: str, raw: object) -> Iterator[tuple[str, Any]]:
        """The items of a mapping; null is an empty one, as a section is whose keys are all commented out."""
        if raw is None:
            return
        if not isinstance(raw, Mapping):
            self.add(path, f"{path} must be a mapping of keys to values{_instead(path, raw)}")
            return
        for key, value in raw.items():
            if isinstance(key, str):
                yield key, value
            else:
                self.add(path, f"{path} holds the key {values.show(key)}, and keys must be text")

    def read(self, path: str, value: object, reader: Reader) -> Any:
        try:
            return reader(value)
        except ValueError as error:
            instead = _instead(path, value) if str(error).startswith("must") else ""
            self.add(path, f"{path} {error}{instead}")
            return None

    def _headers(self, path: str, raw: object) -> dict[str, str]:
        found = {}
        for name, value in self.items(path, raw):
            before = len(self.problems)
            self.read(path, name, values.header_name)
            read = self.read(f"{path}.{name}", value, values.header_setting)
            if len(self.problems) == before:
                found[name] = read
        return found

    def _hosts(self, raw: object) -> dict[str, HostSettings]:
        found: dict[str, HostSettings] = {}
        for name, value in self.items("hosts", raw):
            path = f"hosts.{name}"
            try:
                host = values.host(name)
            except ValueError as error:
                self.add(path, f"hosts {error}")
                continue
            if host in found:
                self.add(path, f"repeated key {name!r}, as {host!r}; keep one of them")
            for place in [place for place in self.places if place == path or place.startswith(f"{path}.")]:
                self.places.setdefault(f"hosts.{host}{place.removeprefix(path)}", self.places[place])
            found[host] = HostSettings(**self.keys(path, value, HOST))
        return found

    def _unknown(self, section: str, key: object, known: tuple[str, ...]) -> None:
        path = f"{section}.{key}" if section else str(key)
        inside = f" in {section}" if section else ""
        elsewhere = [f"{name}.{key}" for name, table in _TABLES.items() if key in table]
        near = difflib.get_close_matches(str(key), known, n=1) or elsewhere[:1]
        advice = f"did you mean {near[0]!r}?" if near else f"the keys are {', '.join(known)}"
        self.add(path, f"unknown key {str(key)!r}{inside}; {advice}")

    def add(self, path: str, message: str) -> None:
        self.problems.append((path, message))


def _instead(path: str, value: object) -> str:
    """What was found instead, unless it may be a secret."""
    return "" if SECRET.intersection(path.split(".")) else f", not {values.show(value)}"
