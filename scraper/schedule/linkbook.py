"""Pages that other pages lead to: entered into the state in the transaction that keeps what those pages gave.

So the promise holds for them too: a page whose outcome is kept has led on, one whose outcome is not will lead on again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from scraper.counters import Counters
from scraper.records import Link, Outcome, Target
from scraper.schedule import rows
from scraper.schedule.hostbook import HostBook

_encode = msgspec.json.Encoder().encode
_decode_pairs = msgspec.json.Decoder(list[tuple[int, int]]).decode
_decode_counts = msgspec.json.Decoder(dict[str, int]).decode

#: The named value that holds how many pages each rule with a limit has added.
_FOLLOWED: Final = "followed"


class Followed(NamedTuple):
    """What came of pages that may lead to others.

    Attributes:
        hosts: numbers of hosts, and how many URLs of each are new.
        pages: whose links are all entered.
    """

    hosts: list[tuple[int, int]]
    pages: int


class LinkBook(HostBook):
    """The part of the state that knows of links."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        super().__init__(connection, path)
        self._last = 0  # number of the last row
        self._new: list[tuple[int, int]] = []
        self._settled = 0

    def take_followed(self) -> Followed | None:
        """What was entered since the last call; None if no page's links were."""
        if not self._settled:  # looked at without the lock: most runs follow nothing
            return None
        with self.lock:
            followed = Followed(self._new, self._settled)
            self._new, self._settled = [], 0
        return followed

    def follow(self, outcomes: Iterable[Outcome]) -> None:
        """Enter what pages lead to, where nothing else of them is kept.

        Raises:
            RunError: it could not be stored.
        """
        with self.lock:
            with self.transaction(durable=False) as counters:
                followed = self._enter_links(outcomes, counters)
            self._note_followed(followed)

    def _enter_links(self, outcomes: Iterable[Outcome], counters: Counters) -> Followed | None:
        """Within a transaction; its end has to be told to `_note_followed`."""
        leading = [outcome.links for outcome in outcomes if outcome.links is not None]
        if not leading:
            return None
        targets = [
            Target(link.href, link.href, link.host, type=link.type, depth=link.depth)
            for link in self._within_limits(link for links in leading for link in links)
        ]
        if not targets:
            return Followed([], len(leading))
        run = self._database.execute
        first = self._last + 1
        names = rows.hosts_of(targets)
        run(rows.NAME_HOSTS, (names,))
        run(rows.FOLLOW, (first, *rows.entered([*targets], self._numbers(names))))
        (packed,) = run(rows.ENTERED, (first,)).fetchone()
        run(rows.LISTED, (packed,))
        self._last += len(targets)
        new = _decode_pairs(packed)
        number = sum(more for _, more in new)
        counters.total += number
        counters.followed += number
        return Followed(new, len(leading))

    def _note_followed(self, followed: Followed | None) -> None:
        """The transaction went well."""
        if followed is not None:
            self._new += followed.hosts
            self._settled += followed.pages

    def _within_limits(self, links: Iterable[Link]) -> list[Link]:
        """Links whose rules may still add pages; counts those that are new."""
        kept: list[Link] = []
        added: dict[str, int] | None = None
        seen: set[str] = set()
        for link in links:
            if link.limit is not None:
                if added is None:
                    added = _decode_counts(self.get(_FOLLOWED) or b"{}")
                if added.get(link.rule, 0) >= link.limit:
                    continue
                if link.href not in seen and not self._has(link.href):
                    seen.add(link.href)
                    added[link.rule] = added.get(link.rule, 0) + 1
            kept.append(link)
        if seen and added is not None:
            self.put(_FOLLOWED, _encode(added))
        return kept

    def _has(self, href: str) -> bool:
        return self._database.execute("SELECT 1 FROM urls WHERE key=?", (rows.key(href),)).fetchone() is not None
