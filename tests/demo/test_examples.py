"""The worked examples in config/: two sections of the demo website, each scraped in full by YAML alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.demo.sayings import SAYINGS
from scraper.demo.server import DemoServer
from scraper.demo.wares import products

CONFIG = Path(__file__).parents[2] / "config"
BORN = {
    "Hester Quill": "1871-03-14",
    "Anselm Rook": "1902-02-02",
    "Dagny Solheim": "1888-05-03",
    "Bruno Ferrante": "1915-11-21",
    "Ottilie Brandt": "1894-09-30",
}


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The demo website, served."""
    with DemoServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running.url
        running.shutdown()
        thread.join()


@pytest.fixture(params=["turbohtml", "beautifulsoup"])
def scraped(request: pytest.FixtureRequest, base: str, tmp_path: Path) -> Any:
    """Scrapes from a page on with a settings file of config/, by each engine; gives summary and records."""

    def call(start: str, settings: str) -> tuple[scraper.Summary, list[dict[str, Any]]]:
        summary = scraper.run(
            [base + start],
            settings=CONFIG / settings,
            output=tmp_path / "out",
            engine=request.param,
            robots=False,
            parse_workers=0,
        )
        lines = (tmp_path / "out/records.jsonl").read_text("utf-8").splitlines()
        return summary, [json.loads(line) for line in lines]

    return call


def test_books(scraped: Any, base: str) -> None:
    """Every product of every shelf, once, with what the shop knows of it."""
    summary, records = scraped("categories", "books.yaml")
    assert (summary.urls.failed, summary.complete) == (0, True)
    found = {record["upc"]: record for record in records}
    assert len(found) == len(records) == len(products())
    for product in products():
        record = found[product.upc]
        assert (record["type"], record["title"], record["author"]) == ("product", product.title, product.maker)
        assert (record["price"], record["currency"]) == (product.cents / 100, product.currency)
        assert (record["stock"], record["in_stock"]) == (product.stock, product.stock > 0)
        assert (record["tags"], record["facts"][0]["Reviews"]) == (list(product.tags), str(product.reviews))
        assert (record["image"], record["about"]) == (base + product.image[1:], "\n\n".join(product.description))
    assert set(summary.fill_rates.values()) - {1.0} == {summary.fill_rates["product.stock"]}


def test_sayings(scraped: Any) -> None:
    """Every saying, in either markup, and every author."""
    summary, records = scraped("sayings", "sayings.yaml")
    assert (summary.urls.failed, summary.complete) == (0, True)
    sayings = [record for record in records if record["type"] is None]
    assert sorted(
        (record["text"], record["author"], record["likes"], tuple(record["tags"]), record["wall"]) for record in sayings
    ) == sorted(
        (saying.text, saying.author.name, int(saying.liked.replace(",", "")), saying.tags, 1 + place // 5)
        for place, saying in enumerate(SAYINGS)
    )
    authors = [record for record in records if record["type"] == "author"]
    assert {record["name"]: record["born"] for record in authors} == BORN
    assert all(record["place"] and record["about"] for record in authors)


def test_sayings_by_their_api(scraped: Any, base: str) -> None:
    """The same from JSON."""
    _, records = scraped("api/sayings?page=1", "sayings-api.yaml")
    assert sorted((record["text"], record["likes"], record["about"]) for record in records) == sorted(
        (saying.text, int(saying.liked.replace(",", "")), base + saying.author.path[1:]) for saying in SAYINGS
    )
