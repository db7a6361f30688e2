"""BeautifulSoup's tree once more in lxml, for the sake of XPath, which BeautifulSoup does not have."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from bs4.element import CData, Comment, PreformattedString, Tag
from lxml import etree

from scraper.parse.engines import EXSLT_RE, SelectorError
from scraper.parse.engines.xpath import as_texts, check_names

_NAMESPACES: Final = {
    "re": EXSLT_RE,
    "set": "http://exslt.org/sets",
    "str": "http://exslt.org/strings",
    "math": "http://exslt.org/math",
    "date": "http://exslt.org/dates-and-times",
}
#: What XML cannot hold, and HTML can.
_NOT_IN_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_NAME: Final = re.compile(r"^[^A-Za-z_]|[^\w.-]")
_FROM_DOCUMENT: Final = re.compile(r"(?:child::)?[A-Za-z_*][\w.-]*(?=[/\[]|$)")


class Mirror:
    """One page's tree, and expressions evaluated in it.

    Elements in namespaces go by their name alone, as in turbohtml's XPath. What XML does not allow in a name is an
    underscore here, and in text a replacement character.
    """

    def __init__(self) -> None:
        self._empty = etree.Element("html")
        self._tags: dict[Any, Tag] = {}
        self._elements: dict[int, Any] = {}
        self._root: Tag | None = None

    def check(self, expression: str) -> None:
        """Raise `SelectorError` if it does not compile or names what lxml does not have."""
        check_names(expression, self._evaluate_in_nothing)
        self._evaluate_in_nothing(expression)

    def shows(self, tag: Tag) -> bool:
        """Whether the tree at hand is the one that `tag` belongs to."""
        return id(tag) in self._elements

    def show(self, tag: Tag) -> None:
        """Mirror the whole tree that `tag` belongs to."""
        self._tags, self._elements = {}, {}
        root = tag
        while root.parent is not None:
            root = root.parent
        html = next((child for child in root.contents if isinstance(child, Tag)), None)
        top = self._add(None, html) if html is not None else etree.Element("html")
        self._elements[id(root)] = top
        self._root = root  # kept, since the tree is known by what its parts are called in memory

    def find(self, tag: Tag, expression: str) -> list[Tag | str]:
        """What `expression` gives, seen from `tag`."""
        if tag is self._root and _FROM_DOCUMENT.match(expression):
            expression = f"/{expression}"  # lxml stands at the root element where turbohtml stands before it
        found = as_texts(_compiled(expression)(self._elements[id(tag)]))
        return [self._tags[match] if match in self._tags else _text(match) for match in found]

    def _evaluate_in_nothing(self, expression: str) -> None:
        try:
            _compiled(expression)(self._empty)
        except Exception as error:  # noqa: BLE001  EXSLT's functions raise TypeErrors, among others
            raise SelectorError(str(error)) from None

    def _add(self, parent: Any, top: Tag) -> Any:
        """Mirror `top` and all below it; no recursion: pages nest without limit."""
        first = None
        stack: list[tuple[Any, Any]] = [(parent, top)]
        while stack:
            above, node = stack.pop()
            if isinstance(node, Tag):
                name = _named(node.name)
                element = etree.Element(name) if above is None else etree.SubElement(above, name)
                for key, value in node.attrs.items():
                    element.set(_named(key), _clean(" ".join(value) if isinstance(value, list) else str(value)))
                self._tags[element] = node
                self._elements[id(node)] = element
                first = element if first is None else first
                stack.extend((element, child) for child in reversed(node.contents))
            elif isinstance(node, Comment):
                above.append(etree.Comment(_clean(node).replace("-", "\u2010")))
            elif type(node) is CData or not isinstance(node, PreformattedString):
                _append(above, _clean(node))
        return first


@lru_cache(maxsize=256)
def _compiled(expression: str) -> etree.XPath:
    return etree.XPath(expression, namespaces=_NAMESPACES)


def _append(element: Any, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _clean(text: str) -> str:
    return _NOT_IN_TEXT.sub("\ufffd", text)


def _named(name: str) -> str:
    return _NOT_IN_NAME.sub("_", name)


def _text(match: Any) -> str:
    """A text, attribute or comment."""
    return str(match) if isinstance(match, str) else str(match.text or "")
