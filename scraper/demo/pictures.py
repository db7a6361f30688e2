"""Pictures of the demo shop's products: small SVG drawings, made from the product itself."""

from __future__ import annotations

import random
import textwrap
from typing import Final

from scraper.demo.layout import escape
from scraper.demo.wares import Product

FAVICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#9a3b1f"/>'
    '<path d="M9 24 22 7c2 5-1 12-9 13l-2 4z" fill="#faf7f1"/></svg>'
)


def picture(product: Product) -> str:
    """An SVG of 320 by 400: a book cover, or an emblem for everything else."""
    pick = random.Random(product.sku)
    hue = pick.randrange(360)
    draw = _cover if product.category.kind == "book" else _emblem
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 400" width="320" height="400" role="img">'
        f"<title>{escape(product.title)}</title>{draw(product, hue, pick)}</svg>"
    )


def _cover(product: Product, hue: int, pick: random.Random) -> str:
    lines = textwrap.wrap(product.title, 15)
    title = "".join(
        f'<text x="34" y="{78 + 36 * row}" font-size="30" font-weight="700">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    return (
        f'<rect width="320" height="400" fill="hsl({hue} 38% 30%)"/>'
        f"{_waves(hue, pick)}"
        '<rect width="12" height="400" fill="#000" opacity=".18"/>'
        f'<g fill="#fdf8ee" font-family="Georgia,serif">{title}'
        f'<text x="34" y="374" font-size="17">{escape(product.maker)}</text></g>'
    )


def _waves(hue: int, pick: random.Random) -> str:
    """Three hills or waves across the lower part of a cover, each a little lighter."""
    shapes = []
    for row in range(3):
        y = 230 + 45 * row
        left, right = pick.randint(-70, 70), pick.randint(-70, 70)
        shapes.append(
            f'<path d="M0 {y} C100 {y + left} 220 {y + right} 320 {y - left // 2} V400 H0Z" '
            f'fill="hsl({(hue + 25 * row) % 360} 42% {36 + 7 * row}%)"/>'
        )
    x, y = pick.randint(200, 270), pick.randint(190, 230)
    sun = f'<circle cx="{x}" cy="{y}" r="28" fill="hsl({(hue + 40) % 360} 75% 72%)"/>'
    return sun + "".join(shapes)


def _emblem(product: Product, hue: int, pick: random.Random) -> str:
    """Rings and a polygon on a pale ground: enough to tell one thing from the next."""
    ring = "".join(
        f'<circle cx="160" cy="185" r="{radius}" fill="hsl({(hue + radius) % 360} 45% {light}%)"/>'
        for radius, light in ((118, 78), (88, 66), (56, 52))
    )
    sides = pick.choice((3, 4, 6))
    shape = (
        f'<rect x="132" y="157" width="56" height="56" rx="{6 * sides}" fill="#fdf8ee" '
        f'transform="rotate({pick.randrange(0, 90, 15)} 160 185)"/>'
    )
    lines = textwrap.wrap(product.title, 24)
    label = "".join(
        f'<text x="160" y="{350 + 25 * row}" font-size="20" text-anchor="middle">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    return (
        f'<rect width="320" height="400" fill="hsl({hue} 40% 90%)"/>{ring}{shape}'
        f'<g fill="hsl({hue} 35% 22%)" font-family="Georgia,serif">{label}</g>'
    )
