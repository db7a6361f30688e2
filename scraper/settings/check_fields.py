"""Checks what the settings say of records: fields, their forms, and what goes together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from scraper.records import RESERVED
from scraper.settings import values
from scraper.settings.fields import ARTICLE, FORMS, TYPES, Container, FieldSettings
from scraper.settings.values import Reader

#: Every key of a field; `each`, `fields`, `exists` and `count` are read on their own.
FIELD: Final[dict[str, Reader]] = {
    "css": values.texts,
    "xpath": values.texts,
    "jsonld": values.paths,
    "microdata": values.paths,
    "opengraph": values.texts,
    "meta": values.texts,
    "json": values.paths,
    "table": values.texts,
    "article": values.choice(*ARTICLE),
    "each": values.any_json,
    "fields": values.any_json,
    "attr": values.nullable(values.text),
    "all": values.flag,
    "exists": values.any_json,
    "count": values.any_json,
    "type": values.nullable(values.choice(*TYPES, "exists", "count")),
    "date_order": values.nullable(values.choice("DMY", "MDY", "YMD")),
    "regex": values.nullable(values.regex),
    "required": values.flag,
    "default": values.any_json,
}
CONTAINER: Final[dict[str, Reader]] = {"css": values.texts, "xpath": values.texts, "json": values.paths}

#: Forms that find elements, and so have attributes, markup and inner fields.
_NODES: Final = ("css", "xpath")
#: Forms that inner fields can be found in.
_AROUND: Final = (*_NODES, "json")


class Checker(Protocol):
    """What this module needs of the check as a whole: it notes problems, and reads keys by a table."""

    def add(self, path: str, message: str) -> None:
        """Note a problem."""

    def items(self, path: str, raw: object) -> Iterator[tuple[str, Any]]:
        """The items of a mapping."""

    def keys(self, path: str, raw: object, table: dict[str, Reader]) -> dict[str, Any]:
        """The values of a section that are known and right."""

    def read(self, path: str, value: object, reader: Reader) -> Any:
        """One value, or None where it is wrong."""


class FieldsCheck:
    """Reads fields and containers."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    def fields(self, path: str, raw: object, *, inner: bool = False, json: bool = False) -> dict[str, FieldSettings]:
        """All fields of a mapping.

        Args:
            path: its place.
            raw: the mapping.
            inner: they belong to a field, so that reserved names are free.
            json: they stand inside a JSON container, where nothing but JSON is.
        """
        found = {}
        for name, value in self._checker.items(path, raw):
            below = f"{path}.{name}"
            if not name.strip():
                self._checker.add(below, "a field needs a name")
            elif name in RESERVED and not inner:
                self._checker.add(below, f"the field name {name!r} is reserved: every record has it; choose another")
            else:
                found[name] = self.field(below, value, json=json)
        return found

    def container(self, path: str, raw: object) -> Container | None:
        """A selector, or a mapping with one of ``css``, ``xpath`` and ``json``."""
        if raw is None:
            return None
        if not isinstance(raw, Mapping):
            found = self._checker.read(path, raw, _selector_or_mapping)
            return Container(css=found) if found else None
        keys = self._checker.keys(path, raw, CONTAINER)
        if len(raw) != 1:
            self._checker.add(path, f"{path} needs one of css, xpath and json")
            return None
        return Container(**keys)

    def field(self, path: str, raw: object, *, json: bool = False) -> FieldSettings:
        """One field."""
        if not isinstance(raw, Mapping):
            css = self._checker.read(path, raw, _selector_or_mapping)
            if json and css:
                self._checker.add(path, f"{path} is a CSS selector inside a JSON container; write {{json: {css[0]}}}")
            return FieldSettings(css=css or ("",))
        raw = _said_in_full(raw)
        keys = self._checker.keys(path, {k: v for k, v in raw.items() if k not in ("each", "fields")}, FIELD)
        for key in ("exists", "count"):
            keys[key] = self._checker.read(f"{path}.{key}", raw.get(key, False), values.flag) or False
        each = self.container(f"{path}.each", raw.get("each"))
        if each is not None:
            keys["each"] = each
        if raw.get("fields") is not None:
            inside = bool(each.json) if each else ("json" in keys or (json and not _named(raw)))
            keys["fields"] = self.fields(f"{path}.fields", raw["fields"], inner=True, json=inside)
        field = FieldSettings(**keys)
        self._fits_together(path, field, raw, json=json)
        return field if _named(raw) or field.fields is not None else FieldSettings(css=("",))

    def _fits_together(self, path: str, field: FieldSettings, raw: Mapping[Any, Any], *, json: bool) -> None:
        for message in _contradictions(field, _named(raw), json=json):
            self._checker.add(path, f"{path} {message}")


def _contradictions(field: FieldSettings, forms: list[str], *, json: bool) -> Iterator[str]:
    """What of a field's keys does not go together."""
    yield from _about_inner(field, forms)
    yield from _about_forms(field, forms, json=json)
    yield from _about_reading(field, forms)
    if field.exists or field.count:
        yield from _about_telling(field)


def _about_inner(field: FieldSettings, forms: list[str]) -> Iterator[str]:
    if field.fields is None:
        if field.each is not None:
            yield "has each, which needs fields: what to take from each container"
        elif not forms:
            yield "needs css: a selector, or a list of them (or xpath, jsonld, json, …)"
        return
    if not field.fields:
        yield "has no fields; name at least one"
    if field.each is not None and forms:
        yield f"has each and {forms[0]}; keep one of them"
    elif forms and forms[0] not in _AROUND:
        yield f"has fields, which {forms[0]} cannot hold; use css, xpath or json"
    for key in ("attr", "type", "regex"):
        if getattr(field, key) is not None:
            yield f"has fields and {key}; leave {key} out"


def _about_forms(field: FieldSettings, forms: list[str], *, json: bool) -> Iterator[str]:
    if len(forms) > 1 and not (len(forms) == 2 and forms[0] in _NODES and forms[1] == "json"):
        yield f"says in two ways where its value is, {forms[0]} and {forms[1]}; keep one of them"
    if json and any(form != "json" for form in forms):
        yield f"is inside a JSON container, where {forms[0]} finds nothing; use json"
    if field.all and (not forms or field.article):
        yield "has all, and there is only one of it" if forms else "has all, which needs css, xpath or json"


def _about_reading(field: FieldSettings, forms: list[str]) -> Iterator[str]:
    if field.attr is not None and not (forms and forms[0] in _NODES):
        yield "has attr, which belongs to css and xpath"
    if field.type in ("html", "markdown") and (field.attr is not None or forms not in (["css"], ["xpath"])):
        yield f"has type {field.type}, which is for elements: css or xpath without attr"
    if field.table and (field.type or field.regex):
        yield f"is a table; {'type' if field.type else 'regex'} cannot apply to it"
    if field.date_order is not None and field.type != "date":
        yield "has date_order, which belongs to type: date"


def _about_telling(field: FieldSettings) -> Iterator[str]:
    told = "exists" if field.exists else "count"
    idle = ["all", "regex", "type", "default", "required", "fields", *(["count"] if field.exists else ["attr"])]
    for key in idle:
        if getattr(field, key):
            yield f"has {told} and {key}; leave {key} out"


def _named(raw: Mapping[Any, Any]) -> list[str]:
    """The forms that a field's keys name."""
    return [form for form in FORMS if form in raw]


def _said_in_full(raw: Mapping[Any, Any]) -> dict[Any, Any]:
    """Short ways written out: ``exists: .sold-out`` for ``css: .sold-out, exists: true``, and ``type: exists``."""
    full = dict(raw)
    for key in ("exists", "count"):
        if isinstance(full.get(key), (str, list, tuple)):
            full.setdefault("css", full[key])
            full[key] = True
        if full.get("type") == key:
            full[key] = True
            del full["type"]
    return full


def _selector_or_mapping(raw: object) -> tuple[str, ...]:
    if isinstance(raw, (list, tuple)):
        return values.texts(raw)
    if raw is None or isinstance(raw, str):
        return (values.text(raw),)
    raise ValueError("must be a selector, or a mapping with css")
