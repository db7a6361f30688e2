"""Which pages were listed already, in bounded memory."""

from __future__ import annotations

import hashlib
import sqlite3


class Seen:
    """A set of texts kept on disk: a temporary database that SQLite deletes when it is closed.

    Used by one thread, the loader.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def add(self, text: str) -> bool:
        """Whether `text` is new."""
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1

    def close(self) -> None:
        """Forget everything."""
        self._db.close()
