"""What is said of a selector that finds nothing."""

from __future__ import annotations

from typing import Any

import pytest

from scraper import settings
from scraper.parse import engines
from scraper.parse.document import Document
from scraper.trial.matches import Match, Matches

PAGE = """<title>t</title><meta property=og:title content=a><meta name=description content=d>
<script type="application/ld+json">{"@type": "Product", "offers": [{"price": 3, "currency": "EUR"}]}</script>
<article class=product><h3><a title=x href=/1>k</a></h3><p class="price big">3 €</p><ul><li>x<li>y</ul></article>
<article class=product><h3>n</h3></article><aside><p class=note id=hint>z</p></aside>
<table class=specs><tr><th>UPC<td>u</table>"""


@pytest.fixture(params=["turbohtml", "beautifulsoup"])
def match(request: pytest.FixtureRequest) -> Any:
    """What one field matches in a page, on each engine."""
    engine = engines.load(request.param, "html5lib")

    def find(field: Any, text: str = PAGE, **sections: Any) -> list[Match]:
        main = settings.load({"fields": {"f": field}, **sections}).main
        return Matches(Document(engine, text, "https://a.example/")).of(main)

    return find


@pytest.mark.parametrize(
    ("field", "near"),
    [
        ("article p.prise", "article matches 2; without .prise, article p matches 1; did you mean .price?"),
        ("article > p.price.small", "article matches 2; without .small, article > p.price matches 1"),
        ("main article", "article matches 2 elsewhere"),
        ("nav", "nothing of nav matches"),
        ("#hind", "did you mean #hint?"),
        (
            "article h3 + div:not([x='a b, c'])",
            "article h3 matches 2; without div, article h3 + :not([x='a b, c']) matches 1",
        ),
        ("nav, aside em", "nothing of nav matches, or aside matches 1"),
        ("article a[href^='http']", "article matches 2; without [href^='http'], article a matches 1"),
        ({"xpath": "//article/h3[@x='/']/a"}, "//article matches 2; without its condition, //article/h3 matches 2"),
        ({"xpath": "//nav/a"}, "nothing of //nav/a matches"),
        ({"jsonld": "offers.prize"}, "offers has no 'prize'; did you mean 'price'?"),
        ({"jsonld": "offers.vat"}, "offers has 'price', 'currency'"),
        ({"jsonld": "offers.price.value"}, "offers.price is a int"),
        ({"microdata": "name"}, "the page has no microdata"),
        ({"opengraph": "titel"}, "did you mean og:title?"),
        ({"meta": "viewport"}, "nothing is called nearly so"),
        ({"table": ".spec"}, "did you mean .specs?"),
        ({"json": "a"}, "there is no data"),
    ],
)
def test_near_misses(match: Any, field: Any, near: str) -> None:
    """Which part of it still matches, and what is called nearly so."""
    (found,) = match(field)
    assert (found.count, found.near) == (0, near)


@pytest.mark.parametrize(
    ("field", "near"),
    [
        ({"json": "items.0.stok"}, "items.0 has no 'stok'; did you mean 'stock'?"),
        ({"json": "item.0"}, "the data has no 'item'; did you mean 'items'?"),
        ({"json": "none.0"}, "none is an empty list"),
        ("h1", "the response is JSON"),
    ],
)
def test_near_misses_in_json(match: Any, field: Any, near: str) -> None:
    """How far the path leads."""
    (found,) = match(field, '{"items": [{"stock": 1}], "none": []}')
    assert (found.count, found.near) == (0, near)


def test_near_misses_in_what_is_no_json(match: Any) -> None:
    """What should be JSON, and is broken, says so."""
    (found,) = match({"json": "a"}, '{"a": ')
    assert found.near.startswith("the response is not JSON: ")


def test_counts(match: Any) -> None:
    """Every selector has a line of its own, with matches, the containers that have some, and the path of the first."""
    rows = match(
        {"each": "li", "fields": {"v": {"xpath": "text()"}}}, records="article", page={"t": ["h9", "title"]}
    )  # fmt: skip
    assert [(row.name, row.text, row.count, row.inside, row.containers) for row in rows] == [
        ("t", "h9", 0, None, 1),
        ("t", "title", 1, None, 1),
        ("records", "article", 2, None, 1),
        ("f", "li", 2, 1, 2),
        ("f.v", "text()", 2, 2, 2),
    ]
    assert rows[1].first == "html > head > title"
    assert rows[4].first == "x"


def test_json_in_a_script(match: Any) -> None:
    """The selector of the element counts what its path finds."""
    (found,) = match({"css": "script", "json": "offers.price"})
    assert (found.count, found.first) == (1, "3")
