"""A page's main text, and who wrote it when, as trafilatura finds them (extra ``article``)."""

from __future__ import annotations

import importlib.util
import logging
from functools import cached_property
from typing import Any, Final

#: What to do where it is not installed.
ADVICE: Final = "article fields need trafilatura: pip install 'concurrent-scraper[article]'"

_FORMATS: Final = {"text": "txt", "markdown": "markdown", "html": "html"}


def is_installed() -> bool:
    """Whether trafilatura is there; looked up without importing it, which takes long."""
    return importlib.util.find_spec("trafilatura") is not None


class Article:
    """One page's article.

    Without readers' comments, and otherwise as trafilatura does it by default: so it reaches an F1 of 0.960 on the
    article extraction benchmark of 181 pages (github.com/scrapinghub/article-extraction-benchmark).
    """

    def __init__(self, text: str, url: str) -> None:
        logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it reports pages without an article as errors
        self._text = text
        self._url = url

    def get(self, part: str) -> str | None:
        """The article as ``text``, ``markdown`` or ``html``; or its ``title``, ``author`` or ``date``."""
        if part in _FORMATS:
            return self._extract(_FORMATS[part])
        found: str | None = getattr(self._metadata, part, None)
        return found or None

    def _extract(self, output_format: str) -> str | None:
        import trafilatura

        found: str | None = trafilatura.extract(
            self._text, url=self._url, output_format=output_format, include_comments=False
        )
        return found or None

    @cached_property
    def _metadata(self) -> Any:
        import trafilatura

        return trafilatura.extract_metadata(self._text, default_url=self._url)
