"""What a user's parser gets to see of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scraper.parse.decode import Decoded, decode

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from turbohtml import Document

    from scraper import records


class Headers(Mapping[str, str]):
    """Response headers; names in any case, several values of a name joined with a comma (RFC 9110 §5.3)."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            key = name.lower()
            former = self._values.get(key)
            self._values[key] = (name, value if former is None else f"{former[1]}, {value}")

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class Page:
    """A fetched page, as a parser gets it.

    Attributes:
        url: as the list spelled it.
        final_url: where the page came from, after redirects.
        status: HTTP status, 2xx.
        headers: response headers, names in any case.
        body: the bytes, content-decoded.
        input: the list entry's further keys; empty if it had none.
        fetched_at: RFC 3339, UTC.
    """

    def __init__(self, page: records.Page, builder: str) -> None:
        self.url = page.url
        self.final_url = page.final_url
        self.status = page.status
        self.headers = Headers(page.headers)
        self.body = page.body
        self.input: dict[str, Any] = page.input or {}
        self.fetched_at = page.fetched_at
        self._builder = builder

    @cached_property
    def decoded(self) -> Decoded:
        """The text with its encoding, and what told the encoding."""
        return decode(self.body, self.headers.get("content-type"))

    @property
    def text(self) -> str:
        """The body as text, decoded by the WHATWG rules."""
        return self.decoded.text

    @cached_property
    def soup(self) -> BeautifulSoup:
        """The page as BeautifulSoup, on the builder of ``parse.builder``; built on first use."""
        from scraper.parse.engines.soup import make_soup

        return make_soup(self.text, self._builder)

    @cached_property
    def html(self) -> Document:
        """The page as the fast tree, some thirty times quicker to build; made on first use."""
        import turbohtml

        return turbohtml.parse(self.text)

    def __repr__(self) -> str:
        return f"<Page {self.final_url} {self.status} {len(self.body)} bytes>"
