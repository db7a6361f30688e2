"""Fields to values: the user's description of a record, compiled once a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from scraper import storable
from scraper.parse import finders
from scraper.parse.document import Document, NotJson
from scraper.parse.engines import Engine
from scraper.parse.readers import Reader
from scraper.settings import Container, FieldSettings, SetSettings

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


class MissingField(Exception):
    """A required field found nothing.

    Attributes:
        field: its name, or that of the outermost field around it.
    """

    def __init__(self, path: tuple[str, ...]) -> None:
        """`path` is its name, behind those of the fields around it."""
        super().__init__(f"the required field {'.'.join(path)!r} found nothing")
        self.field = storable.text(path[0])


class Field:
    """One field, compiled."""

    def __init__(
        self,
        key: str,
        settings: FieldSettings,
        engine: Engine,
        *,
        within: tuple[str, ...] = (),
        in_json: bool = False,
    ) -> None:
        """Compile.

        Args:
            key: its name.
            settings: what to find.
            engine: where elements come from.
            within: names of the fields around it.
            in_json: its nodes are values as JSON has them.
        """
        self.key = key
        self.told = storable.text(key)
        self._path = (*within, key)
        self.required = settings.required
        self._default = settings.default
        reader = Reader(settings, engine)
        finder = finders.of_field(settings, engine, reader.raw_text, in_json=in_json)
        self.finder: finders.Finder = _Itself() if finder is None else finder
        self._first = self.finder.first
        self._every = self.finder.every
        self._read = reader.read
        self.missed = 0  # values that were not there, since the page was begun
        self._inner: list[Field] = []
        if settings.fields is not None:
            in_json = _gives_json(settings, in_json=in_json)
            self._inner = [
                Field(name, inner, engine, within=self._path, in_json=in_json)
                for name, inner in settings.fields.items()
            ]
            self._read = self._record
        self._has = reader.has
        self.extract = self._extract
        if settings.exists:
            self.extract = self._exists
        elif settings.count:
            self.extract = self._count
        self._value = self._all if settings.all or settings.each is not None else self._one

    def _extract(self, node: Any, document: Document) -> Any:
        """The field's value below `node`; None (or an empty list) where nothing matched.

        Raises:
            MissingField: it is required and there is none.
        """
        value = self._value(node, document)
        if not value and (value is None or value == [] or value == ""):
            self.missed += 1
            if self._default is not None and value != "":
                value = self._default
            if self.required and value in (None, [], ""):
                raise MissingField(self._path)
        return value

    def _one(self, node: Any, document: Document) -> Any:
        match = self._first(node, document)
        return None if match is None else self._read(match, document)

    def _all(self, node: Any, document: Document) -> list[Any]:
        read = self._read
        return [value for match in self._every(node, document) if (value := read(match, document)) is not None]

    def _record(self, node: Any, document: Document) -> dict[str, Any]:
        return {field.key: field.extract(node, document) for field in self._inner}

    def _exists(self, node: Any, document: Document) -> bool:
        return any(self._has(match) for match in self._every(node, document))

    def _count(self, node: Any, document: Document) -> int:
        return len(self._every(node, document))


class _Itself:
    """The node at hand, for a field that only groups others."""

    def first(self, node: Any, _document: Document) -> Any:
        return node

    def every(self, node: Any, _document: Document) -> list[Any]:
        return [node]


class Spec:
    """A whole record description, compiled: one record a page, or one for each match of ``records``."""

    def __init__(self, settings: SetSettings, engine: Engine) -> None:
        """Compile; `problems` must have found nothing."""
        in_json = _is_json(settings.records)
        fields = DEFAULTS if settings.fields is None else settings.fields
        self._engine = engine
        self._page = _compiled(settings.page, engine)
        self._fields = _compiled(fields, engine, in_json=in_json)
        self._all = [*self._page, *self._fields]
        self._records = (
            None if settings.records is None else finders.of_container(settings.records, engine, in_json=False)
        )
        # A page of nothing but JSON has no tree; and what is no JSON has nothing of it.
        self._only_json = all(map(_only_json, settings.page.values())) and (
            in_json or (settings.records is None and all(map(_only_json, fields.values())))
        )

    def extract(self, document: Document) -> list[dict[str, Any]]:
        """All of a page's records.

        Raises:
            MissingField: a required field found nothing in one of them.
            NotJson: there is nothing but JSON to be found, and the page is none.
        """
        if self._only_json and document.data is None:
            raise NotJson("the response is not JSON, and all fields are json")
        for field in self._all:
            field.missed = 0
        root = None if self._only_json else document.root
        nodes = [root] if self._records is None else self._records.every(root, document)
        if not nodes:
            return []
        shared = {field.key: field.extract(root, document) for field in self._page}
        found = [{field.key: field.extract(node, document) for field in self._fields} for node in nodes]
        return [{**shared, **record} for record in found] if shared else found

    def filled(self, records: int) -> dict[str, int]:
        """In how many of the records that the last page gave each field has a value, a default not counted."""
        filled = {field.told: 0 if field.missed else records for field in self._page}
        for field in self._fields:
            filled[field.told] = records - field.missed if records else 0
        return filled


def _compiled(fields: Mapping[str, FieldSettings], engine: Engine, *, in_json: bool = False) -> list[Field]:
    return [Field(name, settings, engine, in_json=in_json) for name, settings in fields.items()]


def _is_json(container: Container | None) -> bool:
    return container is not None and bool(container.json)


def _gives_json(settings: FieldSettings, *, in_json: bool) -> bool:
    """Whether a field's inner fields stand in JSON."""
    if settings.each is not None:
        return bool(settings.each.json)
    return bool(settings.json) or (in_json and settings.form is None)


def _only_json(settings: FieldSettings) -> bool:
    if settings.each is not None:
        return bool(settings.each.json)
    if settings.form is None:
        return all(map(_only_json, (settings.fields or {}).values()))
    return settings.form == "json"
