"""One page while its fields are taken from it: what they share is made once, and only if one of them asks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from scraper import urls
from scraper.parse import structured
from scraper.parse.engines import Engine

if TYPE_CHECKING:
    from turbohtml import Document as Tree

    from scraper.parse.article import Article

#: Schemes of a ``<base>`` that does not count (HTML Standard §4.2.3).
_NO_BASE: Final = ("data:", "javascript:")


class NotJson(Exception):
    """A response that should be JSON, by its type or by all of its fields, and is not."""


class Links(dict[str, str | None]):
    """A page's links as URLs; each is resolved once, since pages repeat theirs (every third is one seen before).

    Nothing is kept beyond the page: links may be ``data:`` URLs of megabytes.
    """

    def __init__(self, base: str) -> None:
        """Resolve against `base`."""
        self._base = base

    def __missing__(self, link: str) -> str | None:
        url = self[link] = urls.join(self._base, link)
        return url


class Document:
    """A page's text, and what can be made of it."""

    def __init__(self, engine: Engine, text: str, url: str, fetched_at: str | None = None) -> None:
        """Nothing is parsed yet.

        Args:
            engine: makes the tree.
            text: the page.
            url: where it came from; links are resolved against it and the page's ``<base>``.
            fetched_at: RFC 3339; what ``yesterday`` is seen from. None means now.
        """
        self.engine = engine
        self.text = text
        self.url = url
        self.fetched_at = fetched_at

    @cached_property
    def root(self) -> Any:
        """The engine's tree."""
        return self.engine.parse(self.text)

    @property
    def _has_tree(self) -> bool:
        """Whether it is markup: a page of which only JSON was read is not parsed for its ``<base>``."""
        return "root" in self.__dict__ or "data" not in self.__dict__

    @cached_property
    def tree(self) -> Tree:
        """The page as turbohtml has it, for what it tells to machines: there both engines read the same."""
        import turbohtml

        root = self.root if "root" in self.__dict__ else None
        return root if isinstance(root, turbohtml.Document) else turbohtml.parse(self.text, positions=False)

    @cached_property
    def links(self) -> Links:
        """The page's links as URLs."""
        if not self._has_tree:
            return Links(self.url)
        element = self.engine.first(self.root, "base[href]")
        href = None if element is None else self.engine.attribute(element, "href")
        base = urls.join(self.url, href) if href else None
        return Links(self.url if base is None or base.startswith(_NO_BASE) else base)

    @cached_property
    def language(self) -> str | None:
        """What the page says it is written in, as in ``de-AT``."""
        if not self._has_tree:
            return None
        element = self.engine.first(self.root, "html")
        return (element is not None and self.engine.attribute(element, "lang")) or None

    @cached_property
    def data(self) -> Any:
        """The page as JSON; None, which no JSON value here stands for, where it is something else.

        Raises:
            NotJson: it looks like JSON, and is not.
        """
        start = self.text.lstrip("\ufeff \t\n\r")[:1]
        try:
            return read_json(self.text)
        except ValueError as error:
            if start in ("{", "["):
                raise NotJson(f"the response is not JSON: {error}") from None
            return None

    @cached_property
    def linked_data(self) -> list[Any]:
        """The page's JSON-LD items."""
        return structured.linked_data(self.tree)

    @cached_property
    def microdata(self) -> list[Any]:
        """The page's microdata items, in the shape that JSON-LD has."""
        return structured.microdata(self.tree, self.url)

    @cached_property
    def meta(self) -> dict[str, list[str]]:
        """What the page's ``meta`` elements say, by name in lower case."""
        return structured.meta(self.tree)

    @cached_property
    def article(self) -> Article:
        """What trafilatura makes of the page."""
        from scraper.parse.article import Article

        return Article(self.text, self.url)


def read_json(text: str) -> Any:
    """The value that JSON text stands for; control characters in strings are let through, as browsers do not.

    Raises:
        ValueError: it is no JSON; the message says why and where.
    """
    try:
        return msgspec.json.decode(text.lstrip("\ufeff").encode("utf-8", "surrogatepass"))
    except (msgspec.DecodeError, RecursionError) as error:
        return structured.read_leniently(text, str(error))
