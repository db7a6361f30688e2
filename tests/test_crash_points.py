"""The promise, at every point where a run may die: each effect on its directory is a crash point, and none is left out.

A run goes on with `Disk` between it and the file system. Before and after every effect (a write, which the system here
always does in two parts; an fsync, a cut, a rename, an SQL statement) what a killed process would leave is kept, and
beside it what a power cut would. Each is then resumed by the same command, and has to end as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import responses

import scraper
from scraper.schedule import retry
from scraper.write import writer
from scraper.write.writer import RECORDS

HOST = "https://crash.example"
PLAIN = [f"/{i}" for i in range(20)]
LISTED = [*PLAIN[:10], "/many", "/gone1", "/none", "/flaky", "/missing", "/down", *PLAIN[10:], "/gone2", "/more"]

#: How many records each page gives; all others fail.
GIVES = {**dict.fromkeys(PLAIN, 1), "/many": 3, "/more": 2, "/flaky": 1, "/none": 0}

OPTIONS: dict[str, Any] = {
    "settings": {"records": "li", "fields": {"name": {"css": "b", "required": True}}},
    "parse_workers": 0,
    "fetch_workers": 1,
    "robots": False,
    "delay": 0,
    "retries": 1,
}

Files = dict[str, bytes]


class Site:
    """Answers for every page of the list."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, request: Any) -> tuple[int, dict[str, str], str]:
        path = request.path_url
        first = path not in self.calls
        self.calls.append(path)
        if path == "/down" or (path == "/flaky" and first):
            return 503, {}, ""
        if path == "/missing":
            return 200, {}, "<li><b>fine</b><li>not so"
        return (200, {}, f"<p>ü<ul>{f'<li><b>é {path}</b>' * GIVES[path]}") if path in GIVES else (404, {}, "")


class State(NamedTuple):
    """What a crash leaves.

    Attributes:
        label: when it came.
        files: of the run.
        committed: the records that were promised by then.
    """

    label: str
    files: Files
    committed: bytes


class Disk:
    """Stands between a run and its directory: keeps what a crash would leave at each point, or lets one effect fail.

    Attributes:
        points: how many there were.
        states: the different ones among them, in order.
        effects: their names.
        failed: the one that failed, if that was asked for.
    """

    def __init__(self, out: Path, *, failing: int | None = None, late: bool = False, keep: bool = True) -> None:
        """Watch `out`; the effect of number `failing` fails, before it has come to pass or, if `late`, after."""
        self.points = 0
        self.states: dict[bytes, State] = {}
        self.effects: Counter[str] = Counter()
        self.failed: str | None = None
        self._out = out
        self._failing = failing
        self._late = late
        self._keep = keep
        # Held over each effect, so that what is kept is of one moment, whichever threads are at work.
        self._lock = threading.RLock()
        self._open: dict[int, str] = {}
        self._short: set[int] = set()
        self._synced = self._committed = self._length()

    @contextlib.contextmanager
    def attached(self) -> Iterator[Disk]:
        """While this lasts, effects on the directory come by here."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("mkdir", "rename", "replace", "unlink"):
                patch.setattr(os, name, self._on_path(name, getattr(os, name)))
            for name in ("fsync", "ftruncate"):
                patch.setattr(os, name, self._on_file(name, getattr(os, name)))
            patch.setattr(os, "open", self._os_open(os.open))
            patch.setattr(os, "close", self._os_close(os.close))
            patch.setattr(os, "write", self.write(os.write))
            patch.setattr(io, "open", self._io_open(io.open))
            patch.setattr(sqlite3, "connect", self._connect(sqlite3.connect))
            yield self

    def effect(self, name: str, act: Callable[[], Any], error: Exception, *, late: bool | None = None) -> Any:
        """Something that changes the directory, between two points."""
        with self._lock:
            number = self.effects.total()
            self.effects[name] += 1
            fails = number == self._failing
            late = self._late if late is None else late
            if fails:
                self.failed = f"{number}: {name}"
            if fails and not late:
                raise error
            before, committed = self._point(f"{number}: before {name}"), self._committed
            result = act()
            after = self._point(f"{number}: after {name}")
            if self._keep and " -- " in name:
                self._torn(f"{number}: within {name}", before, after, committed)
            if fails:
                raise error
            return result

    def statement(self, database: sqlite3.Connection, sql: str, act: Callable[[], Any]) -> Any:
        """SQL: an effect that SQLite has on the files behind Python's back."""
        word = sql.split(maxsplit=1)[0].rstrip(";")
        error = sqlite3.OperationalError("disk I/O error" if self._late else "database or disk is full")

        def run() -> Any:
            result = act()
            if word == "COMMIT":
                plain = sqlite3.Connection.execute
                row = plain(database, "SELECT value FROM meta WHERE name='lengths'").fetchone()
                self._committed = json.loads(row[0])[RECORDS] if row else 0
                assert self._committed <= self._synced, "what is not on the disk was committed"
            return result

        return self.effect(f"SQL -- {word}", run, error, late=True if word == "close" else None)

    def write(self, plain: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        """As `os.write` is allowed to be: at first it takes only half."""

        def write(file: int, data: Any) -> int:
            if file not in self._open:
                return plain(file, data)
            with self._lock:
                part = memoryview(data)
                if file not in self._short and len(part) > 1:
                    self._short.add(file)
                    part = part[: len(part) // 2]
                else:
                    self._short.discard(file)
                name = f"write {self._open[file]}"
                return int(self.effect(name, lambda: plain(file, part), self._error(file)))

        return write

    def opened(self, file: int, path: str) -> None:
        """A file of the directory has this number from now on."""
        self._open[file] = path
        self._short.discard(file)

    def closed(self, file: int) -> None:
        """It means something else from now on."""
        self._open.pop(file, None)

    def _error(self, *_: object) -> OSError:
        number = errno.EIO if self._late else errno.ENOSPC
        return OSError(number, os.strerror(number))

    def _name(self, path: Any) -> str | None:
        """Of a path, within the directory; None if it is elsewhere."""
        if not isinstance(path, (str, os.PathLike)):
            return None
        full = Path(path)
        return full.name if self._out in (full, full.parent) else None

    def _on_path(self, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **options: Any) -> Any:
            found = self._name(path)
            if found is None:
                return plain(path, *more, **options)
            return self.effect(f"{name} {found}", lambda: plain(path, *more, **options), self._error())

        return call

    def _on_file(self, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: int, *more: Any) -> Any:
            found = self._open.get(file)
            if found is None:
                return plain(file, *more)

            def act() -> None:
                plain(file, *more)
                if found == RECORDS:
                    self._synced = self._length() if name == "fsync" else min(self._synced, *more)

            return self.effect(f"{name} {found}", act, self._error())

        return call

    def _os_open(self, plain: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, *more: Any, **options: Any) -> int:
            found = self._name(path)
            if found is None:
                return plain(path, *more, **options)
            file = int(self.effect(f"open {found}", lambda: plain(path, *more, **options), self._error(), late=False))
            self.opened(file, found)
            return file

        return call

    def _os_close(self, plain: Callable[[int], None]) -> Callable[[int], None]:
        def call(file: int) -> None:
            self.closed(file)
            plain(file)

        return call

    def _io_open(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
            found = self._name(path)
            if found is None or not set(mode) & set("wa+"):
                return plain(path, mode, *more, **options)
            assert "b" in mode
            file = self.effect(f"open {found}", lambda: _Raw(path, mode), self._error(), late=False)
            file.disk = self
            self.opened(file.fileno(), found)
            return io.BufferedRandom(file) if "+" in mode else io.BufferedWriter(file)

        return call

    def _connect(self, plain: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
        def call(path: Any, **options: Any) -> sqlite3.Connection:
            if self._name(path) is None:
                return plain(path, **options)
            found = plain(path, factory=_Database, **options)
            assert isinstance(found, _Database)
            found.disk = self
            return found

        return call

    def _length(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return (self._out / RECORDS).stat().st_size
        return 0

    def _point(self, label: str) -> Files:
        """A crash may come now."""
        if not self._keep:
            return {}
        self.points += 1
        files = read(self._out)
        self._add(label, files)
        lost = len(files.get(RECORDS, b"")) - self._synced
        if lost > 0:  # a power cut takes what the disk does not have, or leaves the length of it
            kept = files[RECORDS][: self._synced]
            self._add(f"{label}, power cut", {**files, RECORDS: kept})
            self._add(f"{label}, power cut that leaves zeros", {**files, RECORDS: kept + bytes(lost)})
        return files

    def _torn(self, label: str, before: Files, after: Files, committed: int) -> None:
        """Points within a statement: part of what SQLite has written."""
        for name in before.keys() | after.keys():
            old, new = before.get(name, b""), after.get(name, b"")
            if old == new or not new:
                continue
            cuts = {len(old) + (len(new) - len(old)) * share // 4 for share in (1, 2, 3)} | {len(new) - 1}
            if not name.endswith("-wal") or not new.startswith(old):
                cuts = {len(new) // 3, len(new) // 2, len(new)}
            for cut in sorted(cuts):
                self.points += 1
                self._add(f"{label}, {cut} bytes of {name}", {**before, name: new[:cut] + old[cut:]}, committed)

    def _add(self, label: str, files: Files, committed: int | None = None) -> None:
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(files):
            digest.update(f"{name} {len(files[name])} ".encode() + files[name])
        kept = files.get(RECORDS, b"")[: self._committed if committed is None else committed]
        self.states.setdefault(digest.digest(), State(label, files, kept))


class _Raw(io.FileIO):
    """A file of the directory, under Python's buffer."""

    disk: Disk

    def write(self, data: Any) -> int:
        return self.disk.write(lambda _, part: super(_Raw, self).write(part))(self.fileno(), data)

    def truncate(self, size: int | None = None) -> int:
        return int(self.disk.effect("truncate", lambda: super(_Raw, self).truncate(size), OSError(errno.EIO, "I/O")))

    def close(self) -> None:
        if not self.closed:
            self.disk.closed(self.fileno())
        super().close()


class _Database(sqlite3.Connection):
    """The state's database."""

    disk: Disk

    def execute(self, sql: str, *more: Any) -> Any:
        return self.disk.statement(self, sql, lambda: super(_Database, self).execute(sql, *more))

    def executemany(self, sql: str, *more: Any) -> Any:
        return self.disk.statement(self, sql, lambda: super(_Database, self).executemany(sql, *more))

    def executescript(self, script: str) -> Any:
        """One statement after the other: a crash may come between them."""
        statement = ""
        for part in script.split(";"):
            statement += f"{part};"
            if statement.strip(" \n;") and sqlite3.complete_statement(statement):
                self.execute(statement)
                statement = ""

    def close(self) -> None:
        self.disk.statement(self, "close", super().close)


def read(out: Path) -> Files:
    """All files of a directory, and `.` for itself."""
    if not out.is_dir():
        return {}
    return {".": b"", **{path.name: path.read_bytes() for path in out.iterdir()}}


def put(out: Path, files: Files) -> None:
    """The files as `read` gave them."""
    if files:
        out.mkdir(parents=True)
    for name, content in files.items():
        if name != ".":
            (out / name).write_bytes(content)


class Runs:
    """Runs of one list, each in a directory of its own."""

    def __init__(self, folder: Path, mock: responses.RequestsMock) -> None:
        self._folder = folder
        self._serial = itertools.count()
        self._list = folder / "urls.yaml"
        self.write_list(LISTED)
        self.site = Site()
        mock.add_callback("GET", re.compile(HOST), callback=self.site, content_type="text/html; charset=utf-8")

    def write_list(self, paths: list[str]) -> None:
        """The list: with an entry that is no URL, and one that names a page again."""
        self.listed = paths
        entries = [*paths[:5], f"{paths[0]}#again", *paths[5:]]
        self._list.write_text("".join(f"- {HOST}{path}\n" for path in entries) + "- nonsense\n")

    def new(self, files: Files) -> Path:
        """A directory with these files."""
        out = self._folder / str(next(self._serial))
        put(out, files)
        return out

    def run(self, out: Path) -> None:
        """The command."""
        scraper.run(str(self._list), output=out, **OPTIONS)

    def check(self, out: Path) -> None:
        """The promise."""
        records = Counter(row["url"].removeprefix(HOST) for row in rows(out / RECORDS))
        failures = Counter(row["url"].removeprefix(HOST) for row in rows(out / "failures.jsonl"))
        assert records == {path: GIVES[path] for path in self.listed if GIVES.get(path)}
        failed = [path for path in self.listed if path not in GIVES]
        assert failures == dict.fromkeys([*failed, "nonsense"], 1)
        summary = json.loads((out / "summary.json").read_bytes())
        assert summary["complete"] is True
        assert summary["records"] == records.total()
        assert summary["urls"] == {
            "total": len(self.listed) + 1,
            "ok": len(self.listed) - len(failed),
            "empty": self.listed.count("/none"),
            "failed": len(failed) + 1,
            "pending": 0,
            "duplicate": 1,
        }

    def record(self, files: Files) -> Disk:
        """What crashes of the command would leave, begun over these files."""
        out = self.new(files)
        with Disk(out).attached() as disk:
            self.run(out)
        self.check(out)
        return disk

    def resume_all(self, disk: Disk) -> None:
        """Resume each of the crashes, and see that the promise is kept."""
        for state in disk.states.values():
            out = self.new(state.files)
            try:
                self.run(out)
                self.check(out)
                assert (out / RECORDS).read_bytes().startswith(state.committed)
            except BaseException as error:
                error.add_note(f"after a crash at point {state.label}")
                raise
            shutil.rmtree(out)


def rows(path: Path) -> list[dict[str, Any]]:
    """Of a file of JSON lines, all of them whole."""
    *lines, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    return [json.loads(line) for line in lines]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    """Runs in small groups, so that there are many; no clock has a part in them."""
    monkeypatch.setattr(writer, "GROUP_PAGES", 4)
    monkeypatch.setattr(writer, "GROUP_SECONDS", 3600.0)
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.0)
    with responses.RequestsMock() as mock:
        yield Runs(tmp_path, mock)


def test_new_run(runs: Runs) -> None:
    """A run from its beginning to its end."""
    disk = runs.record({})
    runs.resume_all(disk)
