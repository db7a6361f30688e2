"""The trees that fields are taken from: one small interface, two implementations with the same results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from turbohtml import Element


class SelectorError(ValueError):
    """A selector that the engine cannot compile; the message says where."""


#: The namespace of EXSLT's regular expressions, which XPath has by the prefix ``re`` on both engines.
EXSLT_RE: Final = "http://exslt.org/regular-expressions"


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

    def raw(self, node: Any) -> str:
        """All text below the node as it stands (DOM Standard: descendant text content)."""

    def html(self, node: Any) -> str:
        """The node as markup (HTML Standard §13.3)."""

    def fast(self, node: Any) -> Element:
        """The node in a turbohtml tree, for what only that can do: itself, or a copy made of its markup."""

    def check_xpath(self, expression: str) -> None:
        """Raise `SelectorError` if `expression` does not compile, or calls what the engine does not have."""

    def xpath(self, node: Any, expression: str) -> list[Any]:
        """What an XPath 1.0 expression gives at the node: elements, and texts as `str`, in document order.

        A number or truth value is one text, as ``string()`` would write it.
        """

    def path(self, node: Any) -> str:
        """Where the node is, as a CSS selector that matches nothing else, from the root down."""


#: The engines' names, as ``parse.engine`` has them.
ENGINES: Final = ("turbohtml", "beautifulsoup")


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
