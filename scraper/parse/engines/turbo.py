"""turbohtml: the fast tree."""

from __future__ import annotations

from typing import cast

import turbohtml
from turbohtml import Document, Element, Node, SelectorSyntaxError, Text

from scraper.parse.engines import SelectorError
from scraper.parse.text import BREAKING, HIDDEN, collapse


class TurboEngine:
    """The `Engine` on turbohtml."""

    def __init__(self) -> None:
        self._empty = turbohtml.parse("")

    def parse(self, text: str) -> Document:
        return turbohtml.parse(text, positions=False)

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
    stack: list[Node | None] = list(reversed(cast(list[Node | None], root.children)))
    while stack:
        node = stack.pop()
        if type(node) is Text:
            pieces.append(node.data)
        elif node is None:
            pieces.append(" ")
        elif type(node) is Element:
            tag = node.tag
            if tag in HIDDEN:
                continue
            if tag in BREAKING:
                pieces.append(" ")
                stack.append(None)
            stack.extend(reversed(cast(list[Node | None], node.children)))
    return pieces
