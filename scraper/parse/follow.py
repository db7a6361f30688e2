"""Links that add pages to the run, found in the worker that has the page's tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scraper import urls
from scraper.parse import finders
from scraper.parse.document import Document, NotJson
from scraper.parse.engines import Engine
from scraper.parse.text import trim
from scraper.records import Link
from scraper.settings import Container, FollowSettings


class Rule:
    """One rule, compiled."""

    def __init__(self, name: str, settings: FollowSettings, type_: str | None, engine: Engine) -> None:
        """Compile.

        Args:
            name: tells the rule from others of the run.
            settings: what to follow.
            type_: the set of the page that links are on.
            engine: where elements come from.
        """
        self._name = name
        self._settings = settings
        self._type = type_ if settings.fields is None else settings.fields
        self._attribute = engine.attribute
        container = Container(css=settings.css, xpath=settings.xpath, json=settings.json)
        self._finder = finders.of_container(container, engine, in_json=False)

    def find(self, document: Document, depth: int) -> Iterator[Link]:
        """The links of a page that many links away from the list."""
        settings = self._settings
        if (settings.depth is not None and depth >= settings.depth) or settings.limit == 0:
            return
        here = urls.take_apart(document.url).host
        root = None if settings.json else document.root
        for match in self._finder.every(root, document):
            url = self._url(match)
            if url is None:
                continue
            try:
                parts = urls.split(document.links[url] or "")
            except urls.InvalidURL:
                continue
            if parts.host == here or self._allows(parts.host):
                yield Link(parts.href, parts.host, self._type, depth + 1, self._name, settings.limit)

    def _url(self, match: Any) -> str | None:
        if isinstance(match, str):
            return trim(match)
        if isinstance(match, (int, float, list, dict)):
            return None
        value = self._attribute(match, self._settings.attr)
        return None if value is None else trim(value)

    def _allows(self, host: str) -> bool:
        return any(
            pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))
            for pattern in self._settings.hosts
        )


class Rules:
    """All rules of a set."""

    def __init__(self, follow: tuple[FollowSettings, ...], type_: str | None, engine: Engine) -> None:
        """Compile; `problems` must have found nothing."""
        self._rules = [Rule(f"{type_ or ''}/{index}", rule, type_, engine) for index, rule in enumerate(follow)]

    def find(self, document: Document, depth: int) -> list[Link]:
        """Every page that a page leads to, once; of several rules the first one has it."""
        found: dict[str, Link] = {}
        for rule in self._rules:
            try:
                for link in rule.find(document, depth):
                    found.setdefault(link.href, link)
            except NotJson:
                continue
        return list(found.values())
