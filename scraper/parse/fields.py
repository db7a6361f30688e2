"""Fields to values: the user's description of a record, compiled once a worker."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from scraper import urls
from scraper.parse.engines import Engine, SelectorError
from scraper.parse.text import trim
from scraper.parse.values import number
from scraper.settings import FieldSettings

#: The record of a run whose settings name no fields.
DEFAULTS: Final[dict[str, FieldSettings]] = {
    "title": FieldSettings(css=("title",)),
    "description": FieldSettings(css=("meta[name=description i]",), attr="content"),
    "language": FieldSettings(css=("html",), attr="lang"),
    "canonical": FieldSettings(css=("link[rel~=canonical i]",), attr="href", type="url"),
    "h1": FieldSettings(css=("h1",)),
    "text": FieldSettings(css=("body",)),
    "links": FieldSettings(css=("a[href]",), attr="href", type="url", all=True),
}


#: Schemes of a ``<base>`` that does not count (HTML Standard §4.2.3).
_NO_BASE: Final = ("data:", "javascript:")


class Problem(NamedTuple):
    """Something in the settings that cannot work.

    Attributes:
        path: dotted path of the key, as in ``fields.title.css``.
        message: what is wrong.
    """

    path: str
    message: str


class Links(dict[str, str | None]):
    """A page's links as URLs; each is resolved once, since pages repeat theirs (every third is one seen before).

    Nothing is kept beyond the page: links may be ``data:`` URLs of megabytes.
    """

    def __init__(self, base: str) -> None:
        """Resolve against `base`."""
        self._base = base

    def __missing__(self, link: str) -> str | None:
        url = self[link] = urls.join(self._base, link)
        return url


class MissingField(Exception):
    """A required field found nothing; its message names the field."""


class Field:
    """One field, compiled."""

    def __init__(self, name: str, settings: FieldSettings, engine: Engine) -> None:
        self.name = name
        self.required = settings.required
        self._selectors = settings.css
        self._attribute = settings.attr
        self._all = settings.all
        self._default = settings.default
        self._pattern = re.compile(settings.regex) if settings.regex else None
        self._convert = _CONVERTERS[settings.type]
        self._engine = engine

    def extract(self, node: Any, links: Links) -> Any:
        """The field's value below `node`; None (or an empty list) where nothing matched.

        Raises:
            MissingField: it is required and there is none.
        """
        value = self._values(node, links) if self._all else self._value(node, links)
        if value is None or value == []:
            value = self._default if self._default is not None else value
        if self.required and value in (None, [], ""):
            raise MissingField(f"the required field {self.name!r} found nothing")
        return value

    def _value(self, node: Any, links: Links) -> Any:
        for selector in self._selectors:
            match = self._engine.first(node, selector)
            if match is not None:
                return self._read(match, links)
        return None

    def _values(self, node: Any, links: Links) -> list[Any]:
        for selector in self._selectors:
            matches = self._engine.select(node, selector)
            if matches:
                return [value for match in matches if (value := self._read(match, links)) is not None]
        return []

    def _read(self, match: Any, links: Links) -> Any:
        if self._attribute is None:
            raw: str | None = self._engine.text(match)
        else:
            raw = self._engine.attribute(match, self._attribute)
            raw = None if raw is None else trim(raw)
        if raw is not None and self._pattern is not None:
            found = self._pattern.search(raw)
            raw = None if found is None else found[1 if self._pattern.groups else 0]
        return None if raw is None else self._convert(raw, links)


class Spec:
    """A whole record description, compiled: one record a page, or one for each match of ``records``."""

    def __init__(self, fields: Mapping[str, FieldSettings] | None, records: str | None, engine: Engine) -> None:
        """Compile; `problems` must have found nothing."""
        self._fields = [Field(name, field, engine) for name, field in (fields or DEFAULTS).items()]
        self._records = records
        self._engine = engine

    def extract(self, text: str, url: str) -> list[dict[str, Any]]:
        """All of a page's records.

        Args:
            text: the page.
            url: where it came from; links are resolved against it and the page's ``<base>``.

        Raises:
            MissingField: a required field found nothing in one of them.
        """
        root = self._engine.parse(text)
        links = Links(self._base(root, url))
        nodes = [root] if self._records is None else self._engine.select(root, self._records)
        return [{field.name: field.extract(node, links) for field in self._fields} for node in nodes]

    def _base(self, root: Any, url: str) -> str:
        element = self._engine.first(root, "base[href]")
        href = None if element is None else self._engine.attribute(element, "href")
        base = urls.join(url, href) if href else None
        return url if base is None or base.startswith(_NO_BASE) else base


def problems(fields: Mapping[str, FieldSettings] | None, records: str | None, engine: Engine) -> list[Problem]:
    """Every selector that does not compile."""
    selectors = [("records", records)] if records is not None else []
    for name, field in (fields or {}).items():
        selectors += [(f"fields.{name}.css", selector) for selector in field.css]
    found = []
    for path, selector in selectors:
        try:
            engine.check(selector)
        except SelectorError as error:
            found.append(Problem(path, f"{path.removesuffix('.css')}: invalid CSS selector {selector!r}: {error}"))
    return found


_CONVERTERS: Final[dict[str, Callable[[str, Links], Any]]] = {
    "text": lambda text, _links: text,
    "number": lambda text, _links: number(text),
    "url": lambda text, links: links[text],
}
