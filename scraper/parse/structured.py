"""What pages say of themselves to machines: JSON-LD, microdata, and meta elements with Open Graph among them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from turbohtml import Document, MicrodataItem

from scraper import paths

_LINKED_DATA: Final = 'script[type^="application/ld+json" i]'
#: What some systems put around the JSON of a script: how it begins, and how it ends.
_OPENINGS: Final = ("<!--", "/*<![CDATA[*/", "/* <![CDATA[ */", "//<![CDATA[", "// <![CDATA[", "<![CDATA[")
_CLOSINGS: Final = (";", "-->", "/*]]>*/", "/* ]]> */", "//]]>", "// ]]>", "]]>", "//")
_TRAILING_COMMA: Final = re.compile(r",(?=\s*[}\]])")
#: Attributes of a meta element that name what its content is.
_NAMES: Final = ("property", "name", "itemprop", "http-equiv")


def linked_data(tree: Document) -> list[Any]:
    """All JSON-LD items, those of a ``@graph`` one by one; a script that holds no JSON is left out."""
    items: list[Any] = []
    for script in tree.select(_LINKED_DATA):
        try:
            value = read_leniently(script.text)
        except ValueError:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                graph = item.get("@graph")
                items += [inner for inner in graph if isinstance(inner, dict)] if isinstance(graph, list) else [item]
    return items


def read_leniently(text: str, why: str = "") -> Any:
    """JSON as it is found in scripts: in comments, with control characters in strings, with a comma too many.

    Raises:
        ValueError: it is no JSON all the same; says `why` if that is given.
    """
    text = text.strip()
    for mark in _OPENINGS:
        text = text.removeprefix(mark)
    for mark in _CLOSINGS:
        text = text.rstrip().removesuffix(mark)
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        try:
            return json.loads(_TRAILING_COMMA.sub("", text), strict=False)
        except (ValueError, RecursionError):
            raise ValueError(why or str(error) or "it nests too deeply") from None


def microdata(tree: Document, url: str) -> list[Any]:
    """All microdata items that are not part of another, in the shape of JSON-LD: ``@type``, ``@id``, properties."""
    return [_as_linked_data(item) for item in tree.microdata(url)]


def _as_linked_data(item: MicrodataItem, depth: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if item.type:
        found["@type"] = item.type
    if item.id:
        found["@id"] = item.id
    for name, values in item.properties.items():
        inner = [
            value if isinstance(value, str) else _as_linked_data(value, depth + 1)
            for value in values
            if isinstance(value, str) or depth < _DEEPEST
        ]
        found[name] = inner[0] if len(inner) == 1 else inner
    return found


#: Items within items that are looked into.
_DEEPEST: Final = 32


def meta(tree: Document) -> dict[str, list[str]]:
    """Contents of the meta elements by what they are called, in lower case and document order."""
    found: dict[str, list[str]] = {}
    for element in tree.select("meta[content]"):
        content = element.attr("content") or ""
        for attribute in _NAMES:
            name = element.attr(attribute)
            if name:
                found.setdefault(name.strip().lower(), []).append(content)
    return found


def find_in_items(items: list[Any], keys: tuple[str, ...]) -> Iterator[Any]:
    """What a path leads to: from an item, or from one of the type that it begins with, wherever that stands.

    ``Product.name`` is the name of a product, also of one that another item holds; ``name`` that of the first item
    that has one.
    """
    for item in items:
        yield from paths.walk(item, keys)
    if len(keys) > 1 or (keys and keys[0][:1].isupper()):
        for item in _of_type(items, keys[0]):
            yield from paths.walk(item, keys[1:])


def _of_type(items: list[Any], name: str) -> Iterator[Any]:
    """Items of a type, in document order; types may be URLs, of which the last part counts."""
    stack = list(reversed(items))
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack += reversed(value)
        elif isinstance(value, dict):
            types = value.get("@type")
            named = types.split() if isinstance(types, str) else types if isinstance(types, list) else []
            if any(isinstance(each, str) and re.split(r"[/#:]", each)[-1] == name for each in named):
                yield value
            stack += reversed(list(value.values()))
