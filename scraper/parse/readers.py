"""What to read of a match, and what to make of it: text, number, date."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from scraper.parse import dates
from scraper.parse.document import Document
from scraper.parse.engines import Engine
from scraper.parse.text import collapse, trim
from scraper.parse.values import boolean, integer, number
from scraper.settings import FieldSettings

#: Forms whose texts are a page's own, with its white space.
_FROM_MARKUP: Final = ("xpath", "microdata", "opengraph", "meta")

Converter = Callable[[str, Document], Any]


class Reader:
    """A field's way from match to value."""

    def __init__(self, settings: FieldSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._attribute = settings.attr
        self._raw = settings.type == "raw"
        self._pattern = re.compile(settings.regex) if settings.regex else None
        self._convert = _converter(settings)
        self._text = _node_text(settings, engine)
        # Texts of elements as they are, and links, are by far the most frequent kinds: hence the short ways.
        short = settings.css and self._pattern is None and not settings.json
        self.read: Callable[[Any, Document], Any] = self._read
        if short and self._convert is None:
            self.read = self._read_plain
        elif short and settings.type == "url":
            self.read = self._read_url

    def has(self, match: Any) -> bool:
        """Whether a match counts for ``exists``: with an ``attr``, only if it has that."""
        return self._attribute is None or isinstance(match, str) or self._text(match) is not None

    def raw_text(self, match: Any) -> str | None:
        """An element's text as it stands, or its attribute's value; a text is that itself."""
        if isinstance(match, str):
            return match
        return self._engine.raw(match) if self._attribute is None else self._engine.attribute(match, self._attribute)

    def _read_plain(self, match: Any, _document: Document) -> Any:
        return self._text(match)

    def _read_url(self, match: Any, document: Document) -> Any:
        text = self._text(match)
        return None if text is None else document.links[text]

    def _read(self, match: Any, document: Document) -> Any:
        if not isinstance(match, (str, int, float, list, dict)):
            text = self._text(match)
        elif isinstance(match, str):
            text = match if self._raw or self._settings.form not in _FROM_MARKUP else collapse(match)
        else:
            return self._read_data(match, document)
        return None if text is None else self._read_text(text, document)

    def _read_text(self, text: str, document: Document) -> Any:
        if self._pattern is not None:
            found = self._pattern.search(text)
            if found is None:
                return None
            text = found[1 if self._pattern.groups else 0]
            if text is None:
                return None
        return text if self._convert is None else self._convert(text, document)

    def _read_data(self, value: Any, document: Document) -> Any:
        """A value as JSON has it: as it is, or what the field's type makes of it."""
        kind = self._settings.type
        if kind is None and self._pattern is None:
            return value
        if isinstance(value, list):
            found = (self._read(item, document) for item in value if item is not None)
            return next((item for item in found if item is not None), None)
        if isinstance(value, dict):  # an item that stands for its address, or for its value
            inner = value.get("url" if "url" in value else "@id" if kind == "url" else "@value")
            return self._read(inner, document) if isinstance(inner, (str, int, float)) else None
        if isinstance(value, bool):
            text = "true" if value else "false"
        elif kind == "number" and self._pattern is None:
            return value
        else:
            text = str(value)
        return self._read_text(text, document)


def _node_text(settings: FieldSettings, engine: Engine) -> Callable[[Any], str | None]:
    """What gives an element's text, in the form that the field's type asks for."""
    name = settings.attr
    if name is not None:
        attribute = engine.attribute
        if settings.type == "raw":
            return lambda match: attribute(match, name)
        return lambda match: None if (value := attribute(match, name)) is None else trim(value)
    if settings.type == "raw":
        return engine.raw
    if settings.type == "html":
        return engine.html
    if settings.type == "markdown":
        return lambda match: engine.fast(match).to_markdown().strip("\n")
    return engine.text


def _converter(settings: FieldSettings) -> Converter | None:
    if settings.type != "date":
        return _CONVERTERS.get(settings.type or "")
    order = settings.date_order
    return lambda text, document: dates.parse(collapse(text), document.language, order, document.fetched_at)


_CONVERTERS: Final[dict[str, Converter]] = {
    "number": lambda text, _document: number(text),
    "integer": lambda text, _document: integer(text),
    "boolean": lambda text, _document: boolean(text),
    "url": lambda text, document: document.links[trim(text)],
}
