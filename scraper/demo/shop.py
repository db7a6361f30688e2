"""The demo shop's pages: the front page, its shelves page by page, and one page a product."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from scraper.demo.layout import NAME, breadcrumb, escape, page, paragraphs, slug
from scraper.demo.pictures import FAVICON, picture
from scraper.demo.reply import Reply
from scraper.demo.wares import CATEGORIES, Category, Product, products

_PER_PAGE: Final = 5
_STARS: Final = ("Zero", "One", "Two", "Three", "Four", "Five")


def shop_pages(base: str) -> Iterator[tuple[str, Reply]]:
    """Every path of the shop with what it answers; `base` is the site's URL."""
    goods = products()
    yield "/", _home(base, goods)
    yield "/categories", _overview(base, goods)
    yield "/favicon.svg", _svg(FAVICON)
    for category in CATEGORIES:
        yield from _shelf(base, category, [item for item in goods if item.category is category])
    for place, product in enumerate(goods):
        # Two neighbours from the shelf and one from another: a crawler that follows links reaches everything.
        others = [goods[(place + step) % len(goods)] for step in (1, 2, 40)]
        yield product.path, _product(base, product, others)
        yield product.image, _svg(picture(product))


def _home(base: str, goods: Sequence[Product]) -> Reply:
    body = (
        f"<h1>Books and useful things</h1>"
        f'<p class="lead">{escape(NAME)} is a small shop by an imaginary harbour. Everything in the window is made up, '
        "and every page is served by your own machine.</p>"
        f"<h2>In the window</h2>{_cards(goods[2::13])}"
        f"<h2>The shelves</h2>{_tiles(base, goods)}"
        '<h2>Elsewhere</h2><p>Read the <a href="articles">journal</a>, see <a href="/delivery">how we deliver</a>, or '
        'look into the <a href="curiosities">curiosities</a>: slow pages, odd encodings and dead ends.</p>'
    )
    data = {"@type": "Store", "name": NAME, "url": base}
    text = page(NAME, body, base=base, path="/", description="A small bookshop with useful things.", data=data)
    return Reply(text.encode(), keys={"section": "Home"})


def _overview(base: str, goods: Sequence[Product]) -> Reply:
    body = f"{breadcrumb(('/', 'Home'), here='Shop')}<h1>All shelves</h1>{_tiles(base, goods)}"
    return Reply(page("All shelves", body, base=base, path="/categories").encode())


def _tiles(base: str, goods: Sequence[Product]) -> str:
    items = (
        f'<li><a href="{base}{c.path[1:]}"><strong>{escape(c.name)}</strong>'
        f"<small>{escape(c.about)}</small><small>{sum(p.category is c for p in goods)} things</small></a></li>"
        for c in CATEGORIES
    )
    return f'<ul class="tiles">{"".join(items)}</ul>'


def _shelf(base: str, category: Category, goods: Sequence[Product]) -> Iterator[tuple[str, Reply]]:
    pages = math.ceil(len(goods) / _PER_PAGE)
    for number in range(1, pages + 1):
        path = _page_path(category, number)
        body = (
            f"{breadcrumb(('/', 'Home'), ('/categories', 'Shop'), here=category.name)}"
            f'<h1>{escape(category.name)}</h1><p class="lead">{escape(category.about)}</p>'
            f"{_cards(goods[(number - 1) * _PER_PAGE : number * _PER_PAGE])}{_pager(category, number, pages)}"
        )
        title = category.name if number == 1 else f"{category.name}, page {number}"
        text = page(title, body, base=base, path=path, description=category.about)
        yield path, Reply(text.encode(), keys={"section": category.name})


def _page_path(category: Category, number: int) -> str:
    return category.path if number == 1 else f"{category.path}?page={number}"


def _pager(category: Category, number: int, pages: int) -> str:
    before = f'<a rel="prev" href="{_page_path(category, number - 1)}">← Previous</a>' if number > 1 else ""
    # A link that is relative to the page's own path, as many shops write it.
    after = f'<a rel="next" href="?page={number + 1}">Next →</a>' if number < pages else ""
    return f'<nav class="pager"><span>{before}</span><span>Page {number} of {pages}</span><span>{after}</span></nav>'


def _cards(goods: Sequence[Product]) -> str:
    return f'<ul class="grid">{"".join(f"<li>{_card(product)}</li>" for product in goods)}</ul>'


def _card(product: Product) -> str:
    title = escape(product.title)
    return (
        f'<article class="product_pod"><a href="{product.path}" tabindex="-1"><img src="{product.image}" alt="" '
        f'width="320" height="400" loading="lazy"></a><div class="about"><h3><a href="{product.path}" title="{title}">'
        f'{title}</a></h3>{_rating(product)}<p class="price">{product.price}</p></div></article>'
    )


def _rating(product: Product) -> str:
    word = _STARS[product.stars]
    stars = "★" * product.stars + "☆" * (5 - product.stars)
    return f'<p class="star-rating {word}" title="{word} out of five">{stars}</p>'


def _product(base: str, product: Product, others: Sequence[Product]) -> Reply:
    category = product.category
    by, role = ("by", "author") if category.kind == "book" else ("made by", "maker")
    stock = f"In stock ({product.stock} available)" if product.stock else "Out of stock"
    tags = "".join(f'<li class="tag">{escape(tag)}</li>' for tag in product.tags)
    facts = (
        ("UPC", product.upc), ("Product number", product.sku), ("Price with tax", product.price),
        ("Availability", stock), ("Reviews", str(product.reviews)),
    )  # fmt: skip
    rows = "".join(f'<tr class="{slug(name)}"><th>{name}</th><td>{escape(value)}</td></tr>' for name, value in facts)
    crumbs = breadcrumb(("../", "Home"), (f"../category/{slug(category.name)}", category.name), here=product.title)
    body = f"""{crumbs}
<article class="product">
<img src="..{product.image}" alt="{escape(product.title)}" width="320" height="400">
<div>
<h1>{escape(product.title)}</h1>
<p class="byline">{by} <span class="{role}">{escape(product.maker)}</span></p>
{_rating(product)}
<p class="price">{product.price}</p>
<p class="stock{"" if product.stock else " none"}">{stock}</p>
<div class="description">{paragraphs(product.description)}</div>
<ul class="tags">{tags}</ul>
<table>{rows}</table>
</div>
</article>
<h2>Nearby on the shelf</h2>
{_cards(others)}"""
    text = page(
        product.title,
        body,
        base=base,
        path=product.path,
        description=product.description[0],
        data=_offer(base, product),
    )
    return Reply(text.encode(), keys={"sku": product.sku, "section": category.name})


def _offer(base: str, product: Product) -> dict[str, Any]:
    root = base.removesuffix("/")
    return {
        "@type": "Product",
        "name": product.title,
        "sku": product.sku,
        "image": root + product.image,
        "offers": {
            "@type": "Offer",
            "price": f"{product.cents / 100:.2f}",
            "priceCurrency": product.currency,
            "availability": f"https://schema.org/{'InStock' if product.stock else 'OutOfStock'}",
            "url": root + product.path,
        },
    }


def _svg(text: str) -> Reply:
    return Reply(text.encode(), content_type="image/svg+xml", listed=False)
