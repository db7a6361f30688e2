"""Where a field's value is: one finder for each form that the settings know.

A finder gives matches: elements of the engine's tree, texts, or values as JSON has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from scraper import paths
from scraper.parse import structured
from scraper.parse.document import Document, read_json
from scraper.parse.engines import Engine
from scraper.parse.tables import rows
from scraper.settings import Container, FieldSettings


class Finder(Protocol):
    """Finds what a field's selectors or paths match; of several, the first that matches anything counts."""

    def first(self, node: Any, document: Document) -> Any | None:
        """The first match below `node`, or None."""

    def every(self, node: Any, document: Document) -> list[Any]:
        """All matches below `node`, in document order."""


class Css:
    """Elements by CSS selector."""

    def __init__(self, selectors: tuple[str, ...], engine: Engine) -> None:
        self._selectors = selectors
        self._select = engine.select
        self._first = engine.first

    def first(self, node: Any, _document: Document) -> Any | None:
        for selector in self._selectors:
            match = self._first(node, selector)
            if match is not None:
                return match
        return None

    def every(self, node: Any, _document: Document) -> list[Any]:
        for selector in self._selectors:
            matches = self._select(node, selector)
            if matches:
                return matches
        return []


class Listed:
    """What a function finds for each of several selectors or paths, all matches at once."""

    def __init__(self, keys: tuple[Any, ...], find: Callable[[Any, Document, Any], list[Any]]) -> None:
        """`find` takes node, document and key."""
        self._keys = keys
        self._find = find

    def first(self, node: Any, document: Document) -> Any | None:
        return next(iter(self.every(node, document)), None)

    def every(self, node: Any, document: Document) -> list[Any]:
        for key in self._keys:
            matches = self._find(node, document, key)
            if matches:
                return matches
        return []


class Data(Listed):
    """Values by path; a list where a path ends is one value, or its items where all of them are asked for."""

    def every(self, node: Any, document: Document) -> list[Any]:
        found: list[Any] = []
        for value in super().every(node, document):
            found += [item for item in value if item is not None] if isinstance(value, list) else [value]
        return found

    def first(self, node: Any, document: Document) -> Any | None:
        return next(iter(super().every(node, document)), None)


class Inside:
    """Values by path in the JSON text that elements hold, as scripts and data attributes do."""

    def __init__(self, outer: Finder, read: Callable[[Any], str | None], keys: tuple[str, ...]) -> None:
        """`read` gives an element's JSON text."""
        self._outer = outer
        self._read = read
        self._data = Data(tuple(map(paths.split, keys)), lambda node, _document, path: list(paths.walk(node, path)))

    def first(self, node: Any, document: Document) -> Any | None:
        return next(self._each(node, document, self._data.first), None)

    def every(self, node: Any, document: Document) -> list[Any]:
        return [value for found in self._each(node, document, self._data.every) for value in found]

    def _each(self, node: Any, document: Document, find: Callable[[Any, Document], Any]) -> Iterator[Any]:
        for match in self._outer.every(node, document):
            try:
                value = read_json(self._read(match) or "")
            except ValueError:
                continue
            found = find(value, document)
            if found is not None:
                yield found


def of_field(
    field: FieldSettings, engine: Engine, read: Callable[[Any], str | None], *, in_json: bool
) -> Finder | None:
    """The finder that a field asks for; None for one that only groups inner fields.

    Args:
        field: its settings.
        engine: finds elements.
        read: gives an element's text, or the attribute that is asked for.
        in_json: the field is inside a JSON container, whose values are its nodes.
    """
    if field.each is not None:
        return of_container(field.each, engine, in_json=in_json)
    nodes = _of_nodes(field.css, field.xpath, engine)
    if nodes is not None:
        return Inside(nodes, read, field.json) if field.json else nodes
    if field.json:
        return _of_json(field.json, in_json=in_json)
    if field.jsonld:
        return Data(_split(field.jsonld), lambda _n, document, path: _in_items(document.linked_data, path))
    if field.microdata:
        return Data(_split(field.microdata), lambda node, document, path: _in_items(_microdata(node, document), path))
    if field.opengraph or field.meta:
        names: list[tuple[str, ...]] = [(f"og:{name}", name) for name in field.opengraph]
        return Listed(tuple(names or [(name,) for name in field.meta]), _in_meta)
    if field.table:
        return Listed(field.table, lambda node, _document, selector: _in_tables(engine, node, selector))
    if field.article:
        return Listed((field.article,), _in_article)
    return None


def of_container(container: Container, engine: Engine, *, in_json: bool) -> Finder:
    """The finder of a container's nodes."""
    return _of_nodes(container.css, container.xpath, engine) or _of_json(container.json, in_json=in_json)


def _of_nodes(css: tuple[str, ...], xpath: tuple[str, ...], engine: Engine) -> Finder | None:
    if css:
        return Css(css, engine)
    if xpath:
        return Listed(xpath, lambda node, _document, expression: engine.xpath(node, expression))
    return None


def _of_json(keys: tuple[str, ...], *, in_json: bool) -> Finder:
    if in_json:
        return Data(_split(keys), lambda node, _document, path: list(paths.walk(node, path)))
    return Data(_split(keys), lambda _node, document, path: list(paths.walk(document.data, path)))


def _split(keys: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(map(paths.split, keys))


def _in_items(items: list[Any], path: tuple[str, ...]) -> list[Any]:
    return list(structured.find_in_items(items, path))


def _microdata(node: Any, document: Document) -> list[Any]:
    """The items of the whole page; of a record, those in its element, which may be one itself."""
    if node is document.root:
        return document.microdata
    import turbohtml

    inside = turbohtml.parse(document.engine.html(node), positions=False)
    return structured.microdata(inside, document.links[""] or document.url)


def _in_meta(_node: Any, document: Document, names: tuple[str, ...]) -> list[str]:
    for name in names:
        found = document.meta.get(name.lower()) or document.meta.get(name.lower().replace(".", ":"))
        if found:
            return found
    return []


def _in_tables(engine: Engine, node: Any, selector: str) -> list[Any]:
    tables = [engine.fast(match) for match in engine.select(node, selector)]
    return [rows(table) for table in tables if table.tag == "table"]


def _in_article(_node: Any, document: Document, part: str) -> list[str]:
    found = document.article.get(part)
    return [found] if found else []
