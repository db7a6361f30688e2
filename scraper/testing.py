"""For users' own tests: a `scrape` fixture that works with `responses` mocks.

pytest_plugins = ["scraper.testing"]        # in conftest.py

@responses.activate
def test_title(scrape):
    responses.get("https://shop.example/", body="<h1>Shop</h1>", content_type="text/html")
    assert scrape(["https://shop.example/"], fields={"title": "h1"})[0]["title"] == "Shop"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

import scraper
from scraper.records import Failure

#: What a test wants: no waiting, no processes, nothing asked twice.
DEFAULTS: Final[dict[str, Any]] = {
    "robots": False,
    "delay": 0,
    "adaptive": False,
    "parse_workers": 0,
    "retries": 0,
    "transport": "requests",
}

#: How `responses` says that nothing was mocked for a request.
_UNMATCHED: Final = "doesn't match any registered mock"

Scrape = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def scrape() -> Scrape:
    """`scraper.scrape` with `DEFAULTS`; returns a list. A request that no mock matches fails the test."""

    def call(urls: Any, *, on_failure: Callable[[Failure], object] | None = None, **keywords: Any) -> Any:
        unmatched: list[str] = []

        def note(failure: Failure) -> None:
            if _UNMATCHED in failure.message:
                unmatched.append(failure.final_url or failure.url)
            elif on_failure is not None:
                on_failure(failure)

        records = list(scraper.scrape(urls, on_failure=note, **{**DEFAULTS, **keywords}))
        if unmatched:
            pytest.fail(f"no mock matches {', '.join(sorted(set(unmatched)))}")
        return records

    return call
