"""The demo website as data: every path with what it answers. Pure; the same at every call.

shop        front page, shelves with pagination, products, pictures
articles    the journal
sayings     a wall of sayings in two markups, who said them, and the same as JSON
curiosities redirects, errors, old encodings, slow pages
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from scraper.demo.articles import article_pages
from scraper.demo.curiosities import curious_pages, missing
from scraper.demo.layout import escape
from scraper.demo.reply import Reply
from scraper.demo.sayings import saying_pages
from scraper.demo.shop import shop_pages

#: Where `scraper demo --serve` listens.
BASE: Final = "http://127.0.0.1:8642/"


@dataclass(frozen=True, slots=True)
class Site:
    """A website.

    Attributes:
        base: its URL, ending in a slash.
        pages: path and query, as in the request line, to the answer.
        missing: the answer to any other path.
    """

    base: str
    pages: Mapping[str, Reply]
    missing: Reply


def build_site(base: str = BASE) -> Site:
    """The website as it is served at `base`: absolute links and the sitemap need to know."""
    base = base.removesuffix("/") + "/"
    pages = dict(chain(shop_pages(base), article_pages(base), saying_pages(base), curious_pages(base)))
    pages["/robots.txt"] = _text(f"User-agent: *\nDisallow: /private/\nAllow: /\n\nSitemap: {base}sitemap.xml\n")
    pages["/sitemap.xml"] = _sitemap(base, pages)
    return Site(base, pages, missing(base))


def _text(text: str) -> Reply:
    return Reply(text.encode(), content_type="text/plain; charset=utf-8", listed=False)


def _sitemap(base: str, pages: Mapping[str, Reply]) -> Reply:
    """Every web page that may be crawled (sitemaps.org protocol 0.9)."""
    places = "".join(
        f"<url><loc>{escape(base + path[1:])}</loc></url>\n"
        for path, reply in pages.items()
        if reply.is_html and reply.status == 200 and not path.startswith("/private/")
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{places}</urlset>\n'
    )
    return Reply(text.encode(), content_type="application/xml", listed=False)
