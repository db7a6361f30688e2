"""What the state knows of hosts: how many URLs of each are pending, how they answered, and their robots.txt."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from scraper.schedule import database, rows
from scraper.schedule.exchange import HostNote, StoredRobots
from scraper.schedule.ledger import Ledger

#: Hosts read at once where all are read, so that others get their turn between.
CHUNK: Final = 20_000

_encode = msgspec.json.Encoder().encode
_decode_pairs = msgspec.json.Decoder(list[tuple[int, int]]).decode
_decode_ids = msgspec.json.Decoder(dict[str, int]).decode


class HostBook(Ledger):
    """The hosts of a run. Notes and robots.txt are kept with the next commit of outcomes."""

    _notes: list[HostNote]
    _robots: list[StoredRobots]

    def pending_hosts(self) -> Iterator[list[tuple[int, int]]]:
        """Numbers of the hosts that have pending URLs, and how many; 0 is that of what is no URL.

        Raises:
            RunError: they could not be read.
        """
        last = -1
        while True:
            with self.lock, database.trouble(self._path):
                (packed,) = self._database.execute(rows.PENDING_HOSTS, (last, CHUNK)).fetchone()
            found = _decode_pairs(packed)
            if found:
                yield found
            if len(found) < CHUNK:
                return
            last = found[-1][0]

    def numbers_of(self, hosts: Iterable[str]) -> dict[str, int]:
        """The numbers of those of these hosts that any list names.

        Raises:
            RunError: they could not be read.
        """
        with self.lock, database.trouble(self._path):
            return self._numbers(_encode(list(hosts)).decode())

    def note_hosts(self, notes: list[HostNote]) -> None:
        """Add up how hosts have answered."""
        with self.lock:
            self._notes += notes

    def note_robots(self, robots: StoredRobots) -> None:
        """Keep an origin's robots.txt."""
        with self.lock:
            self._robots.append(robots)

    def robots(self, origins: Iterable[str], since: float) -> list[StoredRobots]:
        """What is kept of these origins and was fetched since then, in seconds since the epoch.

        Raises:
            RunError: it could not be read.
        """
        wanted = set(origins)
        with self.lock, database.trouble(self._path):
            kept = self._database.execute(
                "SELECT origin, fetched, content FROM robots WHERE fetched >= ? AND origin IN "
                "(SELECT value FROM json_each(?))",
                (since, _encode(list(wanted)).decode()),
            ).fetchall()
            fresh = [each for each in self._robots if each.origin in wanted and each.fetched >= since]
        return [*_inflate(kept), *fresh]

    def most(self, order: str, number: int) -> list[HostNote]:
        """The first hosts in an order.

        Args:
            order: ``busiest``, ``slowest`` or ``refusing``.
            number: how many at the most.

        Raises:
            RunError: they could not be read.
        """
        where, by = _ORDERS[order]
        with self.lock, database.trouble(self._path):
            found = self._database.execute(
                f"SELECT name, requests, seconds, refusals FROM hosts WHERE {where} ORDER BY {by} DESC, id LIMIT ?",
                (number,),
            ).fetchall()
        return [HostNote(*row) for row in found]

    def _numbers(self, names: str) -> dict[str, int]:
        (packed,) = self._database.execute(rows.HOST_IDS, (names,)).fetchone()
        return dict(_decode_ids(packed))

    def _write_notes(self) -> None:
        """Notes and robots.txt so far, within a transaction."""
        if self._notes:
            self._database.execute(rows.NOTE_HOSTS, (_encode(self._notes).decode(),))
        for each in self._robots:
            packed = None if each.content is None else zlib.compress(each.content)
            self._database.execute("INSERT OR REPLACE INTO robots VALUES (?,?,?)", (each.origin, each.fetched, packed))

    def _forget_notes(self) -> None:
        """They were committed."""
        self._notes, self._robots = [], []


_ORDERS: Final = {
    "busiest": ("requests > 0", "requests"),
    "slowest": ("requests > 0", "seconds / requests"),
    "refusing": ("refusals > 0", "refusals"),
}


def _inflate(kept: Iterable[tuple[str, float, bytes | None]]) -> Iterator[StoredRobots]:
    """Leaves out what is damaged: it is asked for again."""
    for origin, at, packed in kept:
        try:
            yield StoredRobots(origin, at, None if packed is None else zlib.decompress(packed))
        except zlib.error:
            continue
