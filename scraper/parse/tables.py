"""HTML tables as rows of named cells, spans resolved (HTML Standard §4.9.12)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from turbohtml import Element

from scraper.parse.engines.turbo import TurboEngine

#: HTML Standard §4.9.11: the largest spans that count.
MOST_COLUMNS: Final = 1000
MOST_ROWS: Final = 65534
#: Cells that a table may grow to by its spans; a small page could ask for billions.
MOST_CELLS: Final = 1_000_000

_text = TurboEngine().text


class _Cell(NamedTuple):
    text: str
    heads: bool


def rows(table: Element) -> list[dict[str, str]]:
    """Each row of the body as a mapping from its header.

    The header is what stands in ``thead``, or else the first row; of several header rows, the texts are joined. A table
    whose first column is its only header gives one mapping for each further column. Columns of the same name are told
    apart by a number, columns without one are called by theirs.
    """
    head, body = _grid(table)
    if not head and body:
        lines = _columns(body) if _heads_rows(body) else body
        head, body = lines[:1], lines[1:]
    width = max((len(row) for row in (*head, *body)), default=0)
    names = _names([row + [None] * (width - len(row)) for row in head])
    return [{name: cell.text for name, cell in zip(names, row, strict=False) if cell} for row in body]


_Row = list[_Cell | None]


def _heads_rows(body: list[_Row]) -> bool:
    """Whether the first cell of each row is a header, and no other cell is."""
    return all(
        row and row[0] and row[0].heads and len(row) > 1 and not any(cell and cell.heads for cell in row[1:])
        for row in body
    )


def _columns(body: list[_Row]) -> list[_Row]:
    width = max(len(row) for row in body)
    return [[row[column] if column < len(row) else None for row in body] for column in range(width)]


def _names(head: list[_Row]) -> list[str]:
    names: list[str] = []
    taken: set[str] = set()
    twins: dict[str, int] = {}
    for number, column in enumerate(_columns(head) if head else [], start=1):
        texts = dict.fromkeys(cell.text for cell in column if cell and cell.text)
        name = unique = " ".join(texts) or str(number)
        while unique in taken:
            twins[name] = twins.get(name, 1) + 1
            unique = f"{name} {twins[name]}"
        taken.add(unique)
        names.append(unique)
    return names


def _grid(table: Element) -> tuple[list[_Row], list[_Row]]:
    """Rows of the head, and all others, foot last; every slot that a cell spans holds it."""
    head: list[Element] = []
    body: list[Element] = []
    foot: list[Element] = []
    groups = [([table], body)] + [
        ([child], {"thead": head, "tfoot": foot}.get(child.tag, body))
        for child in _elements(table)
        if child.tag in ("thead", "tbody", "tfoot")
    ]
    for parents, into in groups:
        for parent in parents:
            into += [child for child in _elements(parent) if child.tag == "tr"]
    return _filled(head), _filled(body) + _filled(foot)


def _elements(parent: Element) -> list[Element]:
    return [child for child in parent.children if isinstance(child, Element)]


def _filled(trs: list[Element]) -> list[_Row]:
    grid: list[_Row] = []
    below: dict[int, tuple[_Cell, int]] = {}  # column: the cell that spans into the rows to come, and how many of them
    cells = 0
    for tr in trs:
        row: _Row = []
        further: dict[int, tuple[_Cell, int]] = {}
        for element in [child for child in _elements(tr) if child.tag in ("td", "th")]:
            _take_down(row, below, further)
            cell = _Cell(_text(element), element.tag == "th")
            down = _span(element, "rowspan", MOST_ROWS)
            for _ in range(_span(element, "colspan", MOST_COLUMNS) or 1):
                if down != 1:
                    further[len(row)] = (cell, (down or MOST_ROWS) - 1)
                row.append(cell)
        _take_down(row, below, further, to_the_end=True)
        below = further
        cells += len(row)
        if cells > MOST_CELLS:
            break
        if row:
            grid.append(row)
    return grid


def _take_down(row: _Row, below: dict[int, Any], further: dict[int, Any], *, to_the_end: bool = False) -> None:
    """Put in what rows above span into this one, from where it is on."""
    last = max(below, default=-1)
    while len(row) in below or (to_the_end and len(row) <= last):
        column = len(row)
        cell, left = below.pop(column, (None, 0))
        row.append(cell)
        if left > 1:
            further[column] = (cell, left - 1)


def _span(element: Element, name: str, most: int) -> int:
    value = (element.attr(name) or "").strip()
    return min(int(value), most) if value.isascii() and value.isdecimal() and len(value) < 9 else 1
