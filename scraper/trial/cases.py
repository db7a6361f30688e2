"""Saved pages as test cases: what a record description gives for each, against what it gave before."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from scraper import job as jobs
from scraper.errors import UsageError
from scraper.parse.extract import BadPlan, Extractor
from scraper.trial import saved

#: What a page is expected to give stands beside it.
EXPECTED: Final = ".records.json"

#: Files of saved pages.
PAGES: Final = (".html", ".htm", ".xhtml", ".xml", ".json", ".txt")

#: What is said of pages that nobody knows more of: the same on every machine and day.
_UNKNOWN: Final = saved.Meta(url="https://page.invalid/", fetched_at="2000-01-01T00:00:00.000Z")

#: What every record carries anyway, and what changes with each saving.
_BESIDES: Final = ("url", "final_url", "status", "fetched_at", "input")


class Cases:
    """A folder of saved pages and a record description."""

    def __init__(self, folder: Path, settings: Any, overrides: Mapping[str, Any]) -> None:
        """Look for pages.

        Args:
            folder: of the pages.
            settings: as `scraper.run` takes them; None means ``settings.yaml`` in the folder, if it is there.
            overrides: dotted settings keys.

        Raises:
            UsageError: there is no page.
        """
        own = folder / "settings.yaml"
        self._settings = str(own) if settings is None and own.is_file() else settings
        self._overrides = overrides
        self.pages = sorted(path for path in folder.glob("*") if _is_page(path))
        if not self.pages:
            raise UsageError(f"{folder} holds no saved page; scraper try URL --save {folder} keeps one")

    def outcome(self, path: Path) -> str:
        """What a page gives, as its expectation has it: a JSON list of records, or a failure."""
        verdict = self._extractor(saved.read(path, _UNKNOWN))
        if verdict.error is not None:
            return _written({"error": verdict.error, "message": verdict.message})
        rows = [msgspec.json.decode(line) for line in verdict.lines.splitlines()]
        return _written([{name: row[name] for name in row if name not in _BESIDES} for row in rows])

    def check(self, path: Path, *, update: bool) -> str | None:
        """Compare what a page gives with what is expected.

        Args:
            path: of the page.
            update: write the expectation anew.

        Returns:
            What is wrong, for a person; None if nothing is.
        """
        file, found = saved.beside(path, EXPECTED), self.outcome(path)
        if update:
            file.write_text(found, "utf-8")
            return None
        if not file.exists():
            return f"{file} is not there yet: run pytest --update once, and look at what it writes\n\n{found}"
        expected = file.read_text("utf-8")
        if msgspec.json.decode(expected) == msgspec.json.decode(found):
            return None
        lines = difflib.unified_diff(
            expected.splitlines(), found.splitlines(), f"{file} (expected)", f"{path} (found)", lineterm=""
        )
        return "\n".join([*lines, "", "pytest --update takes what was found for what is expected"])

    @cached_property
    def _extractor(self) -> Extractor:
        job = jobs.Job.prepare(["https://file.invalid/"], self._settings, self._overrides)
        try:
            return Extractor(job.plan)
        except BadPlan as error:
            raise jobs.located(error, job.settings) from None


def _is_page(path: Path) -> bool:
    name = path.name.removesuffix(".gz")
    return name.endswith(PAGES) and not name.endswith((EXPECTED, saved.META))


def _written(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
