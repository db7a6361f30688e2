"""The demo website's journal and its two plain pages."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from scraper.demo.layout import breadcrumb, escape, page, paragraphs, slug
from scraper.demo.prose import ARTICLES, Article
from scraper.demo.reply import Reply
from scraper.demo.wares import Product, products

_PLAIN: Final = {
    "/about": ("About", (
        "This website comes with the tool you are trying out. It has a shop, a journal and a cabinet of curiosities, "
        "and nothing on it can be bought.",
        "Its pages are made anew, always the same, whenever it starts; they are yours to fetch as fast as you like.",
    )),
    "/delivery": ("Delivery", (
        "We deliver by rowing boat on weekdays and by whichever cousin is driving past at the weekend.",
        "Orders over £40 travel free. Orders under £40 travel free as well, but with less ceremony.",
    )),
}  # fmt: skip


def article_pages(base: str) -> Iterator[tuple[str, Reply]]:
    """Every path of the journal with what it answers; `base` is the site's URL."""
    goods = products()
    yield "/articles", _overview(base)
    for path, (title, texts) in _PLAIN.items():
        body = f'{breadcrumb(("/", "Home"), here=title)}<h1>{title}</h1><div class="prose">{paragraphs(texts)}</div>'
        yield path, Reply(page(title, body, base=base, path=path, description=texts[0]).encode())
    for place, article in enumerate(ARTICLES):
        text = _article(base, article, ARTICLES[place - 1], goods[place * 8])
        # Every third is compressed, as a mixed website would have it.
        packed = gzip.compress(text, mtime=0) if place % 3 == 0 else None
        yield _path(article), Reply(text, compressed=packed, keys={"section": "Journal"})


def _segment(article: Article) -> str:
    return article.segment or slug(article.title)


def _path(article: Article) -> str:
    """As it stands in the request line; links spell it with the letters themselves."""
    return "/article/" + quote(_segment(article))


def _overview(base: str) -> Reply:
    items = "".join(
        f'<li><a href="article/{_segment(article)}">{escape(article.title)}</a>'
        f"<small>{escape(article.author)}, {article.date}</small></li>"
        for article in reversed(ARTICLES)
    )
    body = f'{breadcrumb(("/", "Home"), here="Journal")}<h1>Journal</h1><ul class="list">{items}</ul>'
    return Reply(page("Journal", body, base=base, path="/articles").encode(), keys={"section": "Journal"})


def _article(base: str, article: Article, before: Article, product: Product) -> bytes:
    body = f"""{breadcrumb(("../", "Home"), ("../articles", "Journal"), here=article.title)}
<article class="prose">
<h1>{escape(article.title)}</h1>
<p class="byline">By <span class="author">{escape(article.author)}</span>,
<time datetime="{article.date}">{article.date}</time></p>
{paragraphs(article.paragraphs)}
<p>On our shelves: <a href="{base}{product.path[1:]}">{escape(product.title)}</a>.
Read next: <a href="{_segment(before)}">{escape(before.title)}</a>.</p>
</article>"""
    data = {
        "@type": "Article",
        "headline": article.title,
        "datePublished": article.date,
        "author": {"@type": "Person", "name": article.author},
    }
    text = page(article.title, body, base=base, path=_path(article), description=article.paragraphs[0], data=data)
    return text.encode()
