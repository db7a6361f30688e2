"""`scraper try`: one page, fetched or read, and taken apart in front of the user.

saved      pages kept on disk
matches    what each selector matches
nearby     what nearly matches, where nothing does
colour     for terminals
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from scraper import job as jobs
from scraper import urls
from scraper.errors import UsageError
from scraper.fetch import Fetcher
from scraper.parse import engines, fields
from scraper.parse.document import Document
from scraper.parse.extract import BadPlan, Extractor
from scraper.parse.page import Page as View
from scraper.records import Failure, Hop, Page, Target
from scraper.settings import Settings
from scraper.terminal import json, line, plain
from scraper.trial import colour, saved
from scraper.trial.matches import Match, Matches


class Report(NamedTuple):
    """What came of it; both texts are safe to print, and coloured.

    Attributes:
        ok: there is a record, or nothing went wrong.
        text: what was fetched and what each selector matched, for a person.
        record: the records as JSON, indented; None if there is none.
    """

    ok: bool
    text: str
    record: str | None


def try_page(
    source: str, settings: Any, overrides: Mapping[str, Any], save: Path | None = None, name: str | None = None
) -> Report:
    """Fetch a URL, or read a saved page, and apply the fields or the parser of `settings`.

    Args:
        source: an http(s) URL, or the path of a file.
        settings: as `scraper.run` takes them.
        overrides: dotted keys.
        save: a folder to keep the page in.
        name: of the set that describes it; None means the main one, or that of a saved page.

    Raises:
        UsageError: the settings are wrong, `source` is neither, or the page cannot be saved.
    """
    is_url = "://" in source
    if not is_url and not Path(source).is_file():
        raise UsageError(f"{urls.redacted(source)}: not an http(s) URL, and no file is there")
    job = jobs.Job.prepare([source if is_url else "https://file.invalid/"], settings, overrides)
    try:
        extractor = Extractor(job.plan)
    except BadPlan as error:
        raise jobs.located(error, job.settings) from None
    began = time.monotonic()
    page = _fetch(next(iter(job.lists)), job.settings) if is_url else saved.read(Path(source))
    if isinstance(page, Failure):
        where = line(page.final_url or page.url)
        return Report(False, f"{colour.wrong(page.error)}: {line(page.message)}\n{where}", None)
    page = _of_set(page, name, job.settings)
    lines = [_fetched(page, job.plan.builder, time.monotonic() - began if is_url else None)]
    if save is not None:
        lines.append(f"saved as {saved.save(page, save)}")
    lines += _matched(page, job.settings)
    verdict = extractor(page)
    if verdict.error is not None:
        return Report(False, "\n".join([*lines, f"{colour.wrong(verdict.error)}: {line(verdict.message)}"]), None)
    rows = [json(msgspec.json.format(row, indent=2).decode()) for row in verdict.lines.splitlines()]
    if not rows:
        lines.append(colour.warn("no record: nothing matched"))
    return Report(True, "\n".join(lines), "\n".join(map(colour.json, rows)) if rows else None)


def _of_set(page: Page, name: str | None, settings: Settings) -> Page:
    """The page as one that the set of this name describes."""
    name = page.type if name is None else name
    if name is not None and name not in settings.sets:
        known = f"there are {', '.join(settings.sets)}" if settings.sets else "the settings have no sets"
        raise UsageError(f"--fields {name}: there is no set of that name; {known}")
    return msgspec.structs.replace(page, type=name)


def _fetch(target: Target | Failure, settings: Settings) -> Page | Failure:
    with Fetcher(settings) as fetcher:
        while isinstance(target, Target):
            result = fetcher.fetch(target)
            if not isinstance(result, Hop):
                return result
            target = result.target
    return target


def _fetched(page: Page, builder: str, seconds: float | None) -> str:
    decoded = View(page, builder).decoded
    moved = f"\nfrom {line(page.final_url)}" if page.final_url != page.url else ""
    took = "" if seconds is None else f" in {seconds:.2f} s"
    return f"{page.status}, {len(page.body):,} bytes{took}, {decoded.encoding} (by {_SOURCES[decoded.source]}){moved}"


_SOURCES = {
    "bom": "its byte order mark",
    "http": "the Content-Type header",
    "meta": "its meta element",
    "xml": "its XML declaration",
    "detected": "detection: nothing declares it",
}


def _matched(page: Page, settings: Settings) -> list[str]:
    """For each selector, how many nodes it matches, and where the first is."""
    if settings.parse.parser is not None:
        return []
    main = settings.main if page.type is None else settings.sets[page.type]
    if main.fields is None and main.gives_records:
        main = msgspec.structs.replace(main, fields=fields.DEFAULTS)
    engine = engines.load(settings.parse.engine, settings.parse.builder)
    text = View(page, settings.parse.builder).text
    found = Matches(Document(engine, text, page.final_url, page.fetched_at)).of(main)
    width = max((len(match.name) for match in found), default=0)
    forms = any(match.form != "css" for match in found)
    return [_row(match, width, show_form=forms) for match in found]


def _row(match: Match, width: int, *, show_form: bool) -> str:
    what = f"{match.form + ': ' if show_form else ''}{match.text}"
    spread = "" if match.inside is None else f" in {match.inside:,} of {match.containers:,}"
    head = plain(f"{line(match.name):<{width}}  {match.count:>4,} × {line(what)}{spread}")
    if match.count:
        return f"{head}  {colour.dim(line(match.first))}"
    return colour.warn(head) + (f"\n{'':<{width}}         {line(match.near)}" if match.near else "")
