"""BeautifulSoup: the tree people know.

With the html5lib builder it gives the same records as turbohtml. lxml, the default builder, is faster and does not
build the tree that the HTML standard asks for: misnested markup comes out differently.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import soupsieve
from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
from bs4.element import Comment, Declaration, Doctype, NavigableString, ProcessingInstruction, Tag

from scraper.parse.engines import SelectorError
from scraper.parse.engines.markup import serialise
from scraper.parse.text import BREAKING, HIDDEN, collapse

if TYPE_CHECKING:
    from turbohtml import Element

    from scraper.parse.engines.mirror import Mirror

#: Strings of the tree that are no text.
_MARKUP: Final = (Comment, Declaration, Doctype, ProcessingInstruction)


class SoupEngine:
    """The `Engine` on BeautifulSoup."""

    def __init__(self, builder: str) -> None:
        """Build trees with ``lxml``, ``html5lib`` or ``html.parser``."""
        self._builder = builder

    def parse(self, text: str) -> BeautifulSoup:
        # Attributes stay as written: BeautifulSoup would split class and rel into lists and lose their spacing.
        return make_soup(text, self._builder, multi_valued_attributes=None)

    def check(self, selector: str) -> None:
        try:
            soupsieve.compile(selector)
        except (soupsieve.SelectorSyntaxError, NotImplementedError) as error:
            raise SelectorError(str(error).partition("\n")[0]) from None

    def select(self, node: Tag, selector: str) -> list[Tag]:
        return list(node.select(selector))

    def first(self, node: Tag, selector: str) -> Tag | None:
        return node.select_one(selector)

    def attribute(self, node: Tag, name: str) -> str | None:
        value = node.attrs.get(name.lower())
        if value is None:  # html5lib spells some of SVG's in mixed case, as the standard asks
            value = next((value for key, value in node.attrs.items() if key.lower() == name.lower()), None)
        return " ".join(value) if isinstance(value, list) else value

    def text(self, node: Tag) -> str:
        return collapse("".join(_pieces(node)))

    def raw(self, node: Tag) -> str:
        strings = [child for child in node.descendants if isinstance(child, NavigableString)]
        return "".join([string for string in strings if not isinstance(string, _MARKUP)])

    def html(self, node: Tag) -> str:
        return serialise(node)

    def fast(self, node: Tag) -> Element:
        import turbohtml

        markup = serialise(node)
        if node.name in ("html", "head", "body"):  # no fragment holds these
            whole = turbohtml.parse(markup, positions=False).select_one(node.name)
            assert whole is not None
            return whole
        parent = node.parent
        context = parent.name if parent is not None and parent.parent is not None else "div"
        fragment = turbohtml.parse_fragment(markup, context, positions=False)
        first = next(iter(fragment.children), fragment)
        return first if isinstance(first, turbohtml.Element) else fragment

    def check_xpath(self, expression: str) -> None:
        self._mirror.check(expression)

    def xpath(self, node: Tag, expression: str) -> list[Tag | str]:
        if not self._mirror.shows(node):
            self._mirror.show(node)
        return self._mirror.find(node, expression)

    def path(self, node: Tag) -> str:
        names = []
        while node.parent is not None:
            parent = node.parent
            alike = [tag is node for tag in parent.find_all(node.name, recursive=False)]
            place = "" if len(alike) == 1 else f":nth-of-type({1 + alike.index(True)})"
            names.append(f"{soupsieve.escape(node.name)}{place}")
            node = parent
        return " > ".join(reversed(names))

    @cached_property
    def _mirror(self) -> Mirror:
        from scraper.parse.engines.mirror import Mirror

        return Mirror()


def make_soup(text: str, builder: str, **options: Any) -> BeautifulSoup:
    """BeautifulSoup without its advice.

    It would parse XHTML as XML, which browsers do not, whatever a page says of itself; and takes a page that is no more
    than a URL for a mistake. Unless told that a page may be huge, lxml empties attributes of more than 10 MB. What
    stands below 255 levels, which lxml's own trees lose, is there: BeautifulSoup makes its tree from lxml's events.
    """
    if builder == "lxml":
        options["huge_tree"] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        return BeautifulSoup(text, builder, **options)


def _pieces(root: Tag) -> list[str]:
    """As `scraper.parse.engines.turbo._pieces`; a script asked for itself gives its content."""
    pieces: list[str] = []
    stack: list[object] = list(reversed(root.contents)) if root.name != "template" else []
    while stack:
        node = stack.pop()
        if isinstance(node, NavigableString):
            if not isinstance(node, _MARKUP):
                pieces.append(str(node))
        elif node is None:
            pieces.append(" ")
        elif isinstance(node, Tag):
            if node.name in HIDDEN:
                continue
            if node.name in BREAKING:
                pieces.append(" ")
                stack.append(None)
            stack.extend(reversed(node.contents))
    return pieces
