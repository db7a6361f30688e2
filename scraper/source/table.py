"""A list that is a table: comma- or tab-separated values below a line of names."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator

from scraper.errors import SourceError
from scraper.records import Failure, Target
from scraper.source import entries
from scraper.source.bytestream import Readable, lines
from scraper.source.formats import delimiter_of


def read_table(stream: Readable, name: str, column: str | None, *, tabs: bool) -> Iterator[Target | Failure]:
    """Stream the entries of a table; other columns than the URL's become the `input`, as text.

    Cells may be quoted (RFC 4180) and then hold delimiters and line breaks. Columns without a name are left out; of two
    with the same name the second one gets a number.

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
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    header, why = _row(reader, source)
    if header is None or why is not None:
        raise SourceError(f"{name}:1: the names of the columns cannot be read: {why}")
    columns = _Columns([cell.strip() for cell in header], column, name)
    while True:
        number = source.number + 1
        row, why = _row(reader, source)
        if row is None and why is None:
            return
        if row is None:
            lost = f", up to line {source.number}," if source.number > number else ""
            yield entries.invalid("", f"the row{lost} cannot be read: {why}", f"{name}:{number}")
        elif why is not None:
            yield entries.invalid(columns.url(row), why, f"{name}:{number}")
        elif row:
            yield columns.entry(row, f"{name}:{number}")


class _Columns:
    """What the table's first line says."""

    def __init__(self, names: list[str], column: str | None, name: str) -> None:
        """Find the URL's.

        Raises:
            SourceError: there is none of that name.
        """
        place = _place(names, column)
        if place is None:
            wanted = "url" if column is None else column
            # A table without names begins with a URL.
            shown = ", ".join(map(entries.without_userinfo, filter(None, names)))
            raise SourceError(
                f"{name}:1: the table has no column {wanted!r}; name one of its own with --column: {shown}"
            )
        self._place = place
        self._width = len(names)
        further = [(index, each) for index, each in enumerate(_distinct(names)) if each and index != place]
        self._places = [index for index, _ in further]
        self._names = [each for _, each in further]

    def url(self, row: list[str]) -> str:
        """The URL's cell."""
        return row[self._place].strip() if self._place < len(row) else ""

    def entry(self, row: list[str], where: str) -> Target | Failure:
        """What a row says; it may lack its last cells."""
        if len(row) > self._width:
            why = f"the row has {len(row)} cells, more than the {self._width} that the first line names"
            return entries.invalid(self.url(row), why, where)
        made = entries.from_text(self.url(row), where)
        if isinstance(made, Failure) or not self._names:
            return made
        if len(row) == self._width:
            cells = [row[index] for index in self._places]
        else:
            cells = [row[index] for index in self._places if index < len(row)]
        further = dict(zip(self._names, cells, strict=False))
        return Target(made.url, made.href, made.host, None, further or None, made.authorization)


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
        return None, _why(error)
    return row, source.trouble


def _why(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text:
        return f"a cell has more than {csv.field_size_limit():,} characters; is a quote not closed?"
    if "unexpected end" in text:
        return "a quote is not closed"
    return text


def _place(names: list[str], column: str | None) -> int | None:
    if column is not None and column in names:
        return names.index(column)
    folded = [name.lower() for name in names]
    wanted = (column or "url").lower()
    return folded.index(wanted) if wanted in folded else None


def _distinct(names: list[str]) -> list[str]:
    """The names; one that comes again with a number behind it."""
    taken = set(names)
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        unique = name
        while name and seen[name] > 1 and (unique := f"{name} {seen[name]}") in taken:
            seen[name] += 1
        taken.add(unique)
        distinct.append(unique)
    return distinct
