"""`scraper try`: one page, fetched and taken apart in front of the user."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from scraper import job as jobs
from scraper import urls
from scraper.errors import UsageError
from scraper.fetch import Fetcher
from scraper.parse import engines, fields
from scraper.parse.extract import BadPlan, Extractor
from scraper.parse.page import Page as View
from scraper.records import Failure, Hop, Page, Target
from scraper.settings import Settings
from scraper.terminal import line


class Report(NamedTuple):
    """What came of it.

    Attributes:
        ok: there is a record.
        text: what was fetched and what each selector matched, for a person.
        record: the records as JSON, indented; None if there is none.
    """

    ok: bool
    text: str
    record: str | None


def try_url(url: str, settings: Any, overrides: Mapping[str, Any]) -> Report:
    """Fetch `url` and apply the fields or the parser of `settings`.

    Raises:
        UsageError: the settings are wrong, or `url` is no http(s) URL.
    """
    if "://" not in url:
        raise UsageError(f"{urls.redacted(url)}: not an http(s) URL")
    job = jobs.Job.prepare([url], settings, overrides)  # a page, whatever it ends in
    try:
        extractor = Extractor(job.plan)
    except BadPlan as error:
        raise jobs.located(error, job.settings) from None
    began = time.monotonic()
    page = _fetch(next(iter(job.lists)), job.settings)
    if isinstance(page, Failure):
        return Report(False, f"{page.error}: {line(page.message)}\n{line(page.final_url or page.url)}", None)
    lines = [_fetched(page, job.plan.builder, time.monotonic() - began), *_matches(page, job.settings)]
    verdict = extractor(page)
    if verdict.error is not None:
        return Report(False, "\n".join([*lines, f"{verdict.error}: {line(verdict.message)}"]), None)
    rows = [msgspec.json.format(row, indent=2).decode() for row in verdict.lines.splitlines()]
    if not rows:
        lines.append("no record: nothing matched")
    return Report(True, "\n".join(lines), "\n".join(rows) if rows else None)


def _fetch(target: Target | Failure, settings: Settings) -> Page | Failure:
    with Fetcher(settings) as fetcher:
        while isinstance(target, Target):
            result = fetcher.fetch(target)
            if not isinstance(result, Hop):
                return result
            target = result.target
    return target


def _fetched(page: Page, builder: str, seconds: float) -> str:
    decoded = View(page, builder).decoded
    moved = f"\nfrom {page.final_url}" if page.final_url != page.url else ""
    return (
        f"{page.status}, {len(page.body):,} bytes in {seconds:.2f} s, "
        f"{decoded.encoding} (by {_SOURCES[decoded.source]}){moved}"
    )


_SOURCES = {
    "bom": "its byte order mark",
    "http": "the Content-Type header",
    "meta": "its meta element",
    "detected": "detection: nothing declares it",
}


def _matches(page: Page, settings: Settings) -> list[str]:
    """For each selector, how many nodes it matches in the whole page."""
    if settings.parse.parser is not None:
        return []
    engine = engines.load(settings.parse.engine, settings.parse.builder)
    root = engine.parse(View(page, settings.parse.builder).text)
    rows = [("records", settings.records)] if settings.records else []
    for name, field in (settings.fields or fields.DEFAULTS).items():
        rows += [(name, selector) for selector in field.css]
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {len(engine.select(root, selector)):>4} × {selector}" for name, selector in rows]
