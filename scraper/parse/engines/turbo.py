"""turbohtml: the fast tree."""

from __future__ import annotations

import turbohtml
from turbohtml import Comment, Document, Element, Namespace, Node, SelectorSyntaxError, Text

from scraper.parse.engines import SelectorError
from scraper.parse.engines.xpath import as_texts, check_names
from scraper.parse.text import BREAKING, HIDDEN, collapse


class TurboEngine:
    """The `Engine` on turbohtml."""

    def __init__(self) -> None:
        self._empty = turbohtml.parse("")

    def parse(self, text: str) -> Document:
        document = turbohtml.parse(text, positions=False)
        for template in document.select("template"):
            if template.namespace is Namespace.HTML:
                template.clear()  # what it holds is no part of the page (HTML Standard §4.12.3), yet select() finds it
        return document

    def check(self, selector: str) -> None:
        try:
            self._empty.select(selector)
        except SelectorSyntaxError as error:
            raise SelectorError(str(error).partition('": ')[2] or str(error)) from None

    def select(self, node: Node, selector: str) -> list[Element]:
        return node.select(selector)

    def first(self, node: Node, selector: str) -> Element | None:
        return node.select_one(selector)

    def attribute(self, node: Element, name: str) -> str | None:
        value = node.attr(name)
        return "" if value is None and name in node.attrs else value

    def text(self, node: Element) -> str:
        children = node.children
        if len(children) == 1 and type(children[0]) is Text:
            return collapse(children[0].data)
        return collapse("".join(_pieces(node)))

    def raw(self, node: Element) -> str:
        return node.text

    def html(self, node: Element) -> str:
        return node.html

    def fast(self, node: Element) -> Element:
        return node

    def check_xpath(self, expression: str) -> None:
        check_names(expression, self._evaluate)
        self._evaluate(expression)

    def xpath(self, node: Node, expression: str) -> list[Element | str]:
        return [_as_match(match) for match in as_texts(node.xpath(expression))]

    def path(self, node: Element) -> str:
        return node.css_path()

    def _evaluate(self, expression: str) -> None:
        try:
            self._empty.xpath(expression)
        except (ValueError, TypeError) as error:  # the latter where an expression has a value of the wrong kind
            raise SelectorError(str(error).removeprefix("xpath: ")) from None


def _as_match(match: Node | str) -> Element | str:
    """An element or a text; comments are the text they hold."""
    if isinstance(match, (Element, str)):
        return match
    return match.data if isinstance(match, Comment) else match.text


def _pieces(root: Element) -> list[str]:
    """Text in order, with a space wherever a line or cell begins or ends. No recursion: pages nest without limit."""
    pieces: list[str] = []
    stack: list[Node | None] = list(reversed(root.children))
    # More of a page's time is spent in this loop than anywhere: hence the bound methods, and the frequent kinds first.
    add, pop, extend = pieces.append, stack.pop, stack.extend
    while stack:
        node = pop()
        if type(node) is Text:
            add(node.data)
        elif type(node) is Element:
            tag = node.tag
            if tag in HIDDEN:
                continue
            if tag in BREAKING:
                add(" ")
                stack.append(None)
            extend(node.children[::-1])
        elif node is None:
            add(" ")
    return pieces
