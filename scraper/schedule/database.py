"""The state's SQLite file: opened, made, and what SQLite says when it cannot go on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scraper.atomic import sync_directory
from scraper.errors import RunError, ScraperError, UsageError

#: Counts up when the tables change, so that no other version of this package misreads them.
VERSION: Final = 2

#: KiB of SQLite's own cache. The key's index is hit at random places: what does not fit in here costs reading.
CACHE: Final = 32 << 10

#: Pages of 4 KiB in the log before it is worked into the file.
CHECKPOINT: Final = 4000

#: No index holds the state: one that did would make each change of it ten times as expensive. Pages in flight are
#: pending; what has ended is found by the number of its row, what is pending by that of its host. `pass` tells which
#: reading of a list last named the URL. Host 0 is that of the entries that are no URL.
_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE hosts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    listed INTEGER NOT NULL DEFAULT 0,      -- URLs of it
    ended INTEGER NOT NULL DEFAULT 0,       -- those of them that are pending no more
    requests INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,        -- that the answers took, together
    refusals INTEGER NOT NULL DEFAULT 0     -- answers that asked for fewer requests
);
INSERT INTO hosts (id, name) VALUES (0, '');
CREATE TABLE robots (
    origin TEXT PRIMARY KEY,
    fetched REAL NOT NULL,                  -- seconds since the epoch
    content BLOB                            -- of robots.txt, deflated; NULL where there is none
) WITHOUT ROWID;
CREATE TABLE urls (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL DEFAULT 0,       -- 0 pending, 1 ok, 2 empty, 3 failed
    attempts INTEGER NOT NULL DEFAULT 0,
    pass INTEGER NOT NULL,
    key BLOB NOT NULL UNIQUE,               -- BLAKE2b-128 of the normalised URL
    host INTEGER NOT NULL,
    url TEXT NOT NULL,                      -- as the list spells it
    href TEXT,                              -- the normalised URL, where that is not the same
    extras TEXT                             -- JSON: what else the list says, or why the entry is invalid
);
CREATE INDEX urls_by_host ON urls (host);    -- and, as in any index, by number
CREATE TABLE failures (
    id INTEGER PRIMARY KEY,
    error TEXT NOT NULL,
    message TEXT NOT NULL,
    status INTEGER,
    attempts INTEGER NOT NULL,
    final_url TEXT,
    failed_at TEXT NOT NULL
);
CREATE TABLE crashes (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,                -- parse workers that the page has cost
    error TEXT NOT NULL,
    message TEXT NOT NULL,
    status INTEGER,
    final_url TEXT
);
"""


def create(path: Path, about: bytes) -> None:
    """Make a database with empty tables, all or nothing.

    Only its owner may read it: it may hold credentials that a list gave.

    Args:
        path: of the file, which must not exist.
        about: what the run is.

    Raises:
        RunError: there is no room for it.
        UsageError: it cannot be made there.
    """
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with trouble(path), contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=MEMORY")  # nothing to go back to: a half-made file is made anew
            _fill(database)
            database.execute("INSERT INTO meta VALUES ('about', ?)", (about,))
        fresh.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise UsageError(f"cannot write into {path.parent}: {error.strerror}; name another place with -o") from None


def temporary() -> sqlite3.Connection:
    """A database with empty tables that is gone when it is closed.

    Raises:
        RunError: there is no room for it.
    """
    with contextlib.ExitStack() as undo, trouble(None):
        database = _connect("")
        undo.callback(database.close)
        database.execute("PRAGMA journal_mode=MEMORY")
        database.execute(f"PRAGMA cache_size=-{CACHE}")
        _fill(database)
        undo.pop_all()
    return database


def open_(path: Path) -> sqlite3.Connection:
    """The database of a former run.

    Raises:
        UsageError: it is damaged, or of another version.
        RunError: the disk does not let it be read or written.
    """
    with contextlib.ExitStack() as undo:
        with trouble(path, damaged=UsageError):
            database = _connect(path)
            undo.callback(database.close)
            database.execute(f"PRAGMA cache_size=-{CACHE}")
            # Exclusive: no shared memory is needed then, which does not work on network file systems. One process at
            # a time has the run anyway.
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise UsageError(
                    f"{path} was not written by this version of scraper; finish the run with the one that began it, "
                    "or --restart to begin anew"
                )
            # Opens it for writing: a place that cannot be written is told now, not in the middle.
            database.executescript(f"BEGIN IMMEDIATE; PRAGMA user_version={VERSION}; COMMIT")
        undo.pop_all()
    return database


def _connect(path: Path | str) -> sqlite3.Connection:
    # One connection for all threads; the store's lock sees to it that they take turns.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _fill(database: sqlite3.Connection) -> None:
    database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={VERSION}; COMMIT")


@contextlib.contextmanager
def trouble(path: Path | None, damaged: type[ScraperError] = RunError) -> Iterator[None]:
    """What SQLite raises when the disk fails it, as one line.

    Raises:
        RunError: the disk is full, cannot be written, or fails.
        damaged: what is there is no database, or broken.
    """
    place = "the temporary list of URLs" if path is None else path
    try:
        yield
    except sqlite3.DatabaseError as error:
        if type(error) is sqlite3.DatabaseError:  # its subclasses say more than that the file is no good
            raise damaged(f"{place} is damaged ({error}); --restart moves the run aside and begins anew") from None
        if not isinstance(error, sqlite3.OperationalError):
            raise
        raise RunError(f"cannot write {place}: {error}; the same command goes on when that is mended") from None
