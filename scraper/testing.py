"""For users' own tests: a `scrape` fixture that works with `responses` mocks, and saved pages as test cases.

pytest_plugins = ["scraper.testing"]        # in conftest.py

@responses.activate
def test_title(scrape):
    responses.get("https://shop.example/", body="<h1>Shop</h1>", content_type="text/html")
    assert scrape(["https://shop.example/"], fields={"title": "h1"})[0]["title"] == "Shop"

test_pages = scraper_cases("tests/pages", settings="settings.yaml")     # a case for each page that is saved there

``scraper try URL --save tests/pages`` keeps a page; ``pytest --update`` writes what pages give as what is expected.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

import scraper
from scraper.api import overrides
from scraper.records import Failure
from scraper.trial.cases import Cases

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update``, for `scraper_cases`."""
    group = parser.getgroup("scraper")
    group.addoption("--update", action="store_true", help="Write what saved pages give as what is expected of them.")


def scraper_cases(folder: str | os.PathLike[str], *, settings: Any = None, **keywords: Any) -> Callable[..., None]:
    """A test function with a case for each page saved in `folder`.

    Each page, as ``scraper try URL --save`` keeps it, or any HTML file, has to give the records that stand beside it in
    ``NAME.records.json``. ``pytest --update`` writes those.

    Args:
        folder: from the working directory, or from the folder of the test file or one around it.
        settings: a settings file, a mapping or `Settings`; None means ``settings.yaml`` in the folder, if there is one.
        keywords: `fields`, `records`, `parser`, `engine` and so on, as for `scraper.scrape`.

    Raises:
        UsageError: there is no page.
    """
    cases = Cases(_found(Path(folder), Path(sys._getframe(1).f_code.co_filename).parent), settings, overrides(keywords))

    @pytest.mark.parametrize("page", cases.pages, ids=[path.name for path in cases.pages])
    def test_saved_page(page: Path, request: pytest.FixtureRequest) -> None:
        """The page gives the records that are expected of it."""
        wrong = cases.check(page, update=request.config.getoption("--update", default=False))
        if wrong is not None:
            pytest.fail(wrong, pytrace=False)

    return test_saved_page


def _found(folder: Path, here: Path) -> Path:
    """A folder as it was named, from the working directory or from the file that names it."""
    places = [Path.cwd(), here, *here.parents]
    return next((place / folder for place in places if (place / folder).is_dir()), folder)
