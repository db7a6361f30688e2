"""For each selector and path of a record description, what it matches in one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Final

import msgspec
from msgspec import Struct

from scraper.parse import finders
from scraper.parse.document import Document, NotJson
from scraper.parse.readers import Reader
from scraper.settings import FORMS, Container, FieldSettings, SetSettings
from scraper.trial import nearby

#: Characters of a matched text that are shown.
LONGEST: Final = 60


class Match(Struct, frozen=True):
    """One selector or path.

    Attributes:
        name: of the field, dotted within others; ``records`` for the container of the records.
        form: as `FORMS` has it.
        text: the selector or path.
        count: matches, in all containers together.
        inside: containers with a match; None where there is but the page.
        containers: how many there are.
        first: the first match: the path of an element, or the text.
        near: what nearly matches, if nothing does.
    """

    name: str
    form: str
    text: str
    count: int
    inside: int | None
    containers: int
    first: str
    near: str


class Matches:
    """Goes through a record description, with a page at hand."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._engine = document.engine

    def of(self, settings: SetSettings) -> list[Match]:
        """All of them, in the order of the settings."""
        page = [self._root]
        found = self._of_fields("", settings.page, page, in_json=False)
        nodes, in_json = page, False
        if settings.records is not None:
            found += self._of_holder("records", settings.records, page, in_json=False)
            nodes = self._all(finders.of_container(settings.records, self._engine, in_json=False), page)
            in_json = bool(settings.records.json)
        found += self._of_fields("", settings.fields or {}, nodes, in_json=in_json)
        for index, rule in enumerate(settings.follow):
            where = Container(css=rule.css, xpath=rule.xpath, json=rule.json)
            found += self._of_holder(f"follow.{index}", where, page, in_json=False)
        return found

    @property
    def _root(self) -> Any:
        try:
            return self._document.root if self._document.data is None else None
        except NotJson:
            return self._document.root

    def _of_fields(
        self, prefix: str, fields: dict[str, FieldSettings], nodes: list[Any], *, in_json: bool
    ) -> list[Match]:
        found: list[Match] = []
        for name, field in fields.items():
            dotted = f"{prefix}{name}"
            if field.each is not None:
                found += self._of_holder(dotted, field.each, nodes, in_json=in_json)
            else:
                found += self._of_holder(dotted, field, nodes, in_json=in_json)
            if field.fields:
                finder = self._finder(field, in_json=in_json)
                inner = nodes if finder is None else self._all(finder, nodes)
                inside = bool(field.each.json) if field.each else bool(field.json) or (in_json and finder is None)
                found += self._of_fields(f"{dotted}.", field.fields, inner, in_json=inside)
        return found

    def _of_holder(
        self, name: str, holder: Container | FieldSettings, nodes: list[Any], *, in_json: bool
    ) -> list[Match]:
        return [self._of(name, form, alone, nodes, in_json=in_json) for form, alone in _each_alone(holder)]

    def _of(self, name: str, form: str, alone: FieldSettings, nodes: list[Any], *, in_json: bool) -> Match:
        finder = self._finder(alone, in_json=in_json)
        each = [self._every(finder, node) for node in nodes] if finder is not None else []
        matches = [match for group in each for match in group]
        text = alone.article or getattr(alone, form)[0]
        return Match(
            name,
            form,
            text,
            len(matches),
            None if nodes == [self._root] else sum(map(bool, each)),
            len(nodes),
            self._shown(matches[0]) if matches else "",
            "" if matches or not nodes else self._near(form, text, nodes[0], in_json=in_json),
        )

    def _finder(self, field: FieldSettings, *, in_json: bool) -> finders.Finder | None:
        return finders.of_field(field, self._engine, Reader(field, self._engine).raw_text, in_json=in_json)

    def _all(self, finder: finders.Finder, nodes: list[Any]) -> list[Any]:
        return [match for node in nodes for match in self._every(finder, node)]

    def _every(self, finder: finders.Finder, node: Any) -> list[Any]:
        if node is None and isinstance(finder, finders.Css):
            return []  # a response that is JSON has no elements
        try:
            return finder.every(node, self._document)
        except (NotJson, AttributeError):
            return []

    def _shown(self, match: Any) -> str:
        if isinstance(match, (str, int, float, list, dict)):
            text = match if isinstance(match, str) else msgspec.json.encode(match).decode()
            text = " ".join(text.split())
            return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
        return self._engine.path(match)

    def _near(self, form: str, text: str, node: Any, *, in_json: bool) -> str:
        try:
            return self._nearby(form, text, node, in_json=in_json)
        except NotJson as error:
            return str(error)

    def _nearby(self, form: str, text: str, node: Any, *, in_json: bool) -> str:
        document = self._document
        if form in ("css", "table") and node is not None:
            return nearby.of_css(text, self._counter(self._engine.select, node), lambda: self._names)
        if form == "xpath" and node is not None:
            return nearby.of_xpath(text, self._counter(self._engine.xpath, node))
        if form == "json":
            return nearby.of_path(text, node if in_json else document.data)
        if form in ("jsonld", "microdata"):
            items = document.linked_data if form == "jsonld" else document.microdata
            return nearby.of_path(text, items) if items else f"the page has no {form}"
        if form in ("opengraph", "meta"):
            return nearby.of_name(text, document.meta)
        return "" if form == "article" else "the response is JSON"

    def _counter(self, find: Callable[[Any, str], list[Any]], node: Any) -> nearby.Count:
        def count(selector: str) -> int:
            try:
                return len(find(node, selector))
            except Exception:  # noqa: BLE001  engines have errors of their own for what does not compile
                return 0

        return count

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        """Class names and ids of the page."""
        classes: set[str] = set()
        for element in self._engine.select(self._document.root, "[class]"):
            classes.update((self._engine.attribute(element, "class") or "").split())
        ids = {
            self._engine.attribute(element, "id") or "" for element in self._engine.select(self._document.root, "[id]")
        }
        return {".": classes, "#": ids}


def _each_alone(holder: Container | FieldSettings) -> Iterator[tuple[str, FieldSettings]]:
    """Each selector and path by its form, as a field of nothing else but what its reading needs."""
    field = (
        holder
        if isinstance(holder, FieldSettings)
        else FieldSettings(css=holder.css, xpath=holder.xpath, json=holder.json)
    )
    if field.article:
        yield "article", FieldSettings(article=field.article)
    for form in FORMS:
        in_element = form in ("css", "xpath")
        if form == "article" or (form == "json" and (field.css or field.xpath)):
            continue  # JSON in an element is shown with the selector that finds the element
        for text in getattr(field, form):
            further: dict[str, Any] = {form: (text,)} | ({"json": field.json} if in_element else {})
            yield form, FieldSettings(attr=field.attr, **further)
