"""A list that is a table: comma- or tab-separated values below a line of names."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import msgspec

from scraper.errors import SourceError
from scraper.records import Failure, Target
from scraper.source import entries
from scraper.source.bytestream import Readable, lines
from scraper.source.formats import delimiter_of


def read_table(stream: Readable, name: str, column: str | None, *, tabs: bool) -> Iterator[Target | Failure]:
    """Stream the entries of a table; other columns than the URL's become the `input`, as text.

    Args:
        stream: UTF-8.
        name: of the list, for messages.
        column: of the URLs; None means ``url``, in upper or lower case.
        tabs: its cells are parted by tabs; else by what its first line has most of.

    Raises:
        SourceError: it has no such column.
    """
    source = _Lines(stream)
    first = next(source, "")
    while first and not first.strip():
        first = next(source, "")
    if not first:
        return
    delimiter = "\t" if tabs else delimiter_of(first)
    source.put_back(first)
    reader = csv.reader(source, delimiter=delimiter)
    names = [cell.strip() for cell in _row(reader, source)[0] or []]
    place = _place(names, column)
    if place is None:
        wanted = "url" if column is None else column
        shown = ", ".join(filter(None, names))
        raise SourceError(f"{name}:1: the table has no column {wanted!r}; name one of its own with --column: {shown}")
    while True:
        number = source.number + 1
        row, why = _row(reader, source)
        if row is None and why is None:
            return
        where = f"{name}:{number}"
        if row is None:
            yield entries.invalid("", why or "", where)
        elif row:
            yield _entry(row, names, place, why, where)


class _Lines:
    """The table's lines as text, counted; and whether one since the last look was none."""

    def __init__(self, stream: Readable) -> None:
        self._lines = lines(stream)
        self._next: str | None = None
        self.number = 0
        self.trouble: str | None = None

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._next is not None:
            text, self._next = self._next, None
            self.number += 1
            return text
        self.number, line = next(self._lines)
        if line is None:
            self.trouble = "a line is too long"
            return "\n"
        try:
            return line.decode() + "\n"
        except UnicodeDecodeError:
            self.trouble = "the line is not UTF-8"
            return line.decode("utf-8", "replace") + "\n"

    def put_back(self, text: str) -> None:
        """Give it once more."""
        self._next = text
        self.number -= 1


def _row(reader: Iterator[list[str]], source: _Lines) -> tuple[list[str] | None, str | None]:
    """The next row, and what is wrong with it; neither at the end."""
    source.trouble = None
    try:
        row = next(reader, None)
    except csv.Error as error:
        return None, f"the row cannot be read: {error}"
    return row, source.trouble


def _place(names: list[str], column: str | None) -> int | None:
    if column is not None and column in names:
        return names.index(column)
    folded = [name.lower() for name in names]
    wanted = (column or "url").lower()
    return folded.index(wanted) if wanted in folded else None


def _entry(row: list[str], names: list[str], place: int, why: str | None, where: str) -> Target | Failure:
    url = row[place].strip() if place < len(row) else ""
    if why is None and len(row) > len(names):
        why = f"the row has {len(row)} cells, more than the {len(names)} that the first line names"
    if why is not None:
        return entries.invalid(url, why, where)
    made = entries.from_text(url, where)
    if isinstance(made, Failure):
        return made
    further = {name: cell for name, cell in zip(names, row, strict=False) if name}
    further.pop(names[place], None)
    return msgspec.structs.replace(made, input=further) if further else made
