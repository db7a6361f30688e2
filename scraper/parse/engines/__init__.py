"""The trees that fields are taken from: one small interface, two implementations with the same results."""

from __future__ import annotations

from typing import Any, Protocol


class SelectorError(ValueError):
    """A selector that the engine cannot compile; the message says where."""


class Engine(Protocol):
    """What extraction needs of a tree. Nodes are opaque to the caller."""

    def parse(self, text: str) -> Any:
        """The root of a page's tree."""

    def check(self, selector: str) -> None:
        """Raise `SelectorError` if `selector` does not compile."""

    def select(self, node: Any, selector: str) -> list[Any]:
        """The node's descendants that match, in document order."""

    def first(self, node: Any, selector: str) -> Any | None:
        """The first of them, or None."""

    def attribute(self, node: Any, name: str) -> str | None:
        """An attribute's value; empty for one without value, None for one that is not there."""

    def text(self, node: Any) -> str:
        """What a browser would show, on one line (see `scraper.parse.text`)."""


def load(engine: str, builder: str) -> Engine:
    """The engine called `engine`; imported only when asked for, since BeautifulSoup takes long to import.

    Args:
        engine: ``turbohtml`` or ``beautifulsoup``.
        builder: BeautifulSoup's parser: ``lxml``, ``html5lib`` or ``html.parser``.
    """
    if engine == "turbohtml":
        from scraper.parse.engines.turbo import TurboEngine

        return TurboEngine()
    from scraper.parse.engines.soup import SoupEngine

    return SoupEngine(builder)
