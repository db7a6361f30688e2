"""Turn a list of URLs into structured records: fast, polite, and without losing a page.

    import scraper

    for record in scraper.scrape(["https://example.com/"], fields={"title": "h1"}):
        print(record["title"])

Names are imported when they are first used (PEP 562), so that a parse worker imports only what parsing needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from scraper.api import run, scrape
    from scraper.errors import (
        ParserError,
        RunError,
        ScraperError,
        SettingsError,
        SourceError,
        UsageError,
        WorkerStartError,
    )
    from scraper.parse.page import Page
    from scraper.records import Failure
    from scraper.settings import Settings
    from scraper.watch.summary import Summary

__version__: Final = "0.1.0"

__all__ = [
    "Failure",
    "Page",
    "ParserError",
    "RunError",
    "ScraperError",
    "Settings",
    "SettingsError",
    "SourceError",
    "Summary",
    "UsageError",
    "WorkerStartError",
    "run",
    "scrape",
]

_HOMES: Final = {
    "Failure": "scraper.records",
    "Page": "scraper.parse.page",
    "Settings": "scraper.settings",
    "Summary": "scraper.watch.summary",
    "run": "scraper.api",
    "scrape": "scraper.api",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "scraper.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
