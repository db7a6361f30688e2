"""One list, in whatever format it is → its entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, cast

from scraper.errors import SourceError
from scraper.records import Failure, Target
from scraper.source import formats
from scraper.source.bytestream import Readable, unpacked
from scraper.source.json_lines import read_json_lines
from scraper.source.sitemap import Fetch, Sitemaps
from scraper.source.table import read_table
from scraper.source.text import read_text
from scraper.source.yaml_list import read_yaml


class Reading:
    """How lists are read."""

    def __init__(self, input_format: str | None, column: str | None) -> None:
        """In this format, or that which a list's name or content tells; with the URLs in this column."""
        self._format = input_format
        self._column = column

    def entries(
        self, stream: Readable, name: str, path: str, fetch: Fetch, *, href: str | None = None
    ) -> Iterator[Target | Failure]:
        """Stream the entries of a list.

        Args:
            stream: its bytes, maybe gzipped.
            name: of it, for messages.
            path: of it, for its suffix.
            fetch: gets further lists that it names.
            href: where it came from, if it was fetched.

        Raises:
            SourceError: it is malformed, or has no URLs where they should be.
        """
        plain = unpacked(stream, name)
        form = self._format or formats.by_name(path) or formats.by_content(plain, self._column)
        if form in ("yaml", "sitemap"):  # which mind their encoding themselves
            if self._column is not None:
                kind = "a YAML list" if form == "yaml" else "a sitemap"
                raise SourceError(f"{name}: {kind} has no columns; leave --column out")
            if form == "yaml":
                return read_yaml(cast(IO[bytes], plain), name)
            return Sitemaps(fetch).read(plain, name, href)
        recoded = formats.as_utf8(plain)
        if form == "txt":
            if self._column is not None:
                raise SourceError(f"{name}: a list of lines has no columns; leave --column out")
            return read_text(recoded, name)
        if form == "jsonl":
            return read_json_lines(recoded, name, self._column)
        return read_table(recoded, name, self._column, tabs=form == "tsv")
