"""turbohtml: the fast tree."""

from __future__ import annotations

import turbohtml
from turbohtml import Document, Element, Namespace, Node, SelectorSyntaxError, Text

from scraper.parse.engines import SelectorError
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
