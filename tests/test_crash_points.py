"""The promise, at every point where a run may die: each effect on its directory is a crash point, and none is left out.

A run goes on with `Disk` between it and the file system. Before and after every effect (a write, which the system here
does in two parts; an fsync, a cut, a rename, an SQL statement) what a killed process would leave is kept, and beside it
what a power cut would. Each is then resumed by the same command, and has to end as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import errno
import functools
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

from scraper.cli import main
from scraper.schedule import retry
from scraper.write import writer
from scraper.write.failures import FAILURES
from scraper.write.rundir import STATE, SUMMARY
from scraper.write.writer import RECORDS

HOST = "https://crash.example"
PLAIN = [f"/{i}" for i in range(22)]
LISTED = [
    *PLAIN[:10],
    "/many",
    "/gone1",
    "/none",
    "/flaky",
    "/missing",
    "/down",
    "/barred",
    *PLAIN[10:],
    "/gone2",
    "/more",
]

ROBOTS = "User-agent: *\nDisallow: /barred\n"

#: How many records each page gives; all others fail.
GIVES = {**dict.fromkeys(PLAIN, 1), "/many": 3, "/more": 2, "/flaky": 1, "/none": 0}

SETTINGS = """
{records: li, fields: {name: {css: b, required: true}},
 fetch: {workers: 1, retries: 1}, parse: {workers: 0}, politeness: {adaptive: false, delay: 0}}
"""

Files = dict[str, bytes]


class State(NamedTuple):
    """What a crash leaves: its `files`, and those of the records that were `committed` by then."""

    label: str
    files: Files
    committed: bytes


class Disk:
    """Stands between a run and its directory: keeps what a crash would leave at each point, or lets an effect fail.

    With `failing`, the name of an effect and its number, only what a crash after that would leave is kept, or nothing.
    It fails before it has come to pass or, if `late`, after.
    """

    def __init__(
        self, out: Path, failing: tuple[str, int] | None = None, *, late: bool = False, keep: bool = True
    ) -> None:
        self.out = out
        self.states: dict[bytes, State] = {}
        self.effects: Counter[str] = Counter()
        self._failing, self._late, self._keep, self._keeps = failing, late, keep, failing is None
        # Held over each effect, so that what is kept is of one moment, whichever threads are at work.
        self._lock = threading.RLock()
        self._halved = False
        self._named = read(out)  # what a power cut leaves under each name
        self._solid = set(self._named.values())  # contents that the disk has
        self._synced = len(self._named.get(RECORDS, b""))
        self._committed = 0  # SQLite tells, before anything can go wrong with it

    @contextlib.contextmanager
    def attached(self) -> Iterator[Disk]:
        """While this lasts, effects on the directory come by here."""
        with pytest.MonkeyPatch.context() as patch:

            def divert(module: Any, name: str, way: Callable[..., Any]) -> None:
                patch.setattr(module, name, functools.partial(way, getattr(module, name)))

            for name in ("mkdir", "rename", "replace", "unlink", "open", "fsync", "ftruncate"):
                divert(os, name, functools.partial(self._call, name))
            divert(os, "write", self._write)
            divert(io, "open", self._open)
            divert(sqlite3, "connect", self._connect)
            yield self

    def effect(self, name: str, act: Callable[[], Any], error: Exception, done: Callable[[], object] = int) -> Any:
        """Something that changes the directory, between two points."""
        with self._lock:
            number = self.effects[name]
            self.effects[name] += 1
            fails = self._failing == (name, number)
            self._keeps |= fails and self._keep
            # What was opened has to be closed again, what cannot be closed is closed all the same, and SQLite takes
            # back what it cannot commit.
            if fails and (name.startswith(("open ", "SQL COMMIT")) or not (self._late or name == "SQL close")):
                raise error
            before, committed = self._point(f"before {name} {number}"), self._committed
            result = act()
            done()
            after = self._point(f"after {name} {number}")
            if name.startswith("SQL "):
                self._torn(f"within {name} {number}", before, after, committed)
            if fails:
                del result  # a cursor that the traceback keeps would keep the file open
                raise error
            return result

    def statement(self, database: sqlite3.Connection, sql: str, act: Callable[[], Any]) -> Any:
        """SQL: its effect on the files comes behind Python's back."""

        def done() -> None:
            row = sqlite3.Connection.execute(database, "SELECT value FROM meta WHERE name='lengths'").fetchone()
            self._committed = json.loads(row[0])[RECORDS] if row else self._committed
            assert self._committed <= self._synced, "what the disk does not have was committed"

        error = sqlite3.OperationalError("disk I/O error" if self._late else "database or disk is full")
        word = sql.split()[0]
        return self.effect(f"SQL {word}", act, error, done if word == "COMMIT" else int)

    def _name(self, target: Any) -> str | None:
        """Of a path or an open file in the directory, which itself is `.`; None if it is elsewhere."""
        here = [self.out, *(self.out.iterdir() if self.out.is_dir() and isinstance(target, int) else ())]
        if isinstance(target, int):
            found = os.fstat(target)
            target = next((path for path in here if path.exists() and os.path.samestat(path.stat(), found)), "/")
        path = Path(target)
        return "." if path == self.out else path.name if path.parent == self.out else None

    def _call(self, call: str, plain: Callable[..., Any], target: Any, *more: Any, **options: Any) -> Any:
        """A function of `os`."""
        name = self._name(target)
        if name is None:
            return plain(target, *more, **options)

        def done() -> None:
            if call == "fsync":
                files = read(self.out)
                self._solid.add(files[name])
                self._named = files if name == "." else self._named
                self._synced = len(files[name]) if name == RECORDS else self._synced
            elif (call, name) == ("ftruncate", RECORDS):
                self._synced = min(self._synced, *more)

        number = errno.EIO if self._late else errno.ENOSPC
        act = functools.partial(plain, target, *more, **options)
        return self.effect(f"{call} {name}", act, OSError(number, os.strerror(number)), done)

    def _write(self, plain: Callable[..., int], file: int, data: Any) -> int:
        """As `os.write` is allowed to be: of every two, the first takes but half."""
        if self._name(file) is None:
            return plain(file, data)
        with self._lock:
            self._halved = not self._halved and len(data) > 1
            return int(self._call("write", plain, file, memoryview(data)[: len(data) // 2 if self._halved else None]))

    def _open(self, plain: Callable[..., Any], path: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        """Python's own files write by `os`."""
        if not set(mode) & set("wa+") or self._name(path) is None:
            return plain(path, mode, *more, **options)
        file = _File(path, mode, opener=os.open)
        return io.BufferedRandom(file) if "+" in mode else io.BufferedWriter(file)

    def _connect(self, plain: Callable[..., Any], path: Any, **options: Any) -> Any:
        database = plain(path, factory=_Database, **options)
        database.disk = self
        return database

    def _point(self, label: str) -> Files:
        """A crash may come now."""
        if not self._keeps:
            return {}
        files = read(self.out)
        self._add(label, files, self._committed)
        for number, left in enumerate(self._power_cut(files)):
            self._add(f"{label}, power cut {number}", left, self._committed)
        return files

    def _power_cut(self, files: Files) -> Iterator[Files]:
        """What else may be left then: what no fsync has confirmed may have come to pass, or not."""
        records = files.get(RECORDS, b"")
        if lost := len(records) - self._synced:
            yield {**files, RECORDS: records[: self._synced]}
            yield {**files, RECORDS: records[: self._synced] + bytes(lost)}
        for name in files.keys() & {STATE, RECORDS, FAILURES, SUMMARY}:
            if name not in self._named:
                yield {other: files[other] for other in files if not other.startswith(name)}
            elif name in (FAILURES, SUMMARY) and files[name] != self._named[name]:
                yield {**files, name: self._named[name]}
            if name in (FAILURES, SUMMARY) and files[name] not in self._solid:
                yield {**files, name: b""}

    def _torn(self, label: str, before: Files, after: Files, committed: int) -> None:
        """Points within a statement: part of what SQLite has written."""
        for name, new in after.items():
            old = before.get(name, b"")
            if name.endswith("-wal") and new.startswith(old):
                cuts = {len(old) + (len(new) - len(old)) * share // 8 for share in range(1, 8)} | {len(new) - 1}
            else:  # what the log says worked into the file, while the log is there
                cuts = {len(new) // 3, len(new) // 2, len(new)}
            for cut in cuts if new != old else ():
                self._add(f"{label}, {cut} bytes of {name}", {**before, name: new[:cut] + old[cut:]}, committed)

    def _add(self, label: str, files: Files, committed: int) -> None:
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(files):
            digest.update(f"{name} {len(files[name])} ".encode() + files[name])
        self.states.setdefault(digest.digest(), State(label, files, files.get(RECORDS, b"")[:committed]))


class _File(io.FileIO):
    """A file of the directory, under Python's buffer."""

    def write(self, data: Any) -> int:
        return os.write(self.fileno(), data)

    def truncate(self, size: int | None = None) -> int:
        os.ftruncate(self.fileno(), size or 0)
        return size or 0


class _Database(sqlite3.Connection):
    """The state's database."""

    disk: Disk

    def execute(self, sql: str, *more: Any) -> Any:
        return self.disk.statement(self, sql, lambda: super(_Database, self).execute(sql, *more))

    def executemany(self, sql: str, *more: Any) -> Any:
        return self.disk.statement(self, sql, lambda: super(_Database, self).executemany(sql, *more))

    def executescript(self, script: str) -> Any:
        for sql in re.sub("--.*", "", script).split(";"):  # a crash may come between any two
            if sql.strip():
                self.execute(sql)

    def close(self) -> None:
        self.disk.statement(self, "close", super().close)


def read(out: Path) -> Files:
    """All files of a directory, and `.` for itself."""
    return {".": b"", **{path.name: path.read_bytes() for path in out.iterdir()}} if out.is_dir() else {}


def urls_in(path: Path) -> Counter[str]:
    """How many lines there are for each URL; all of them are whole."""
    *lines, rest = path.read_bytes().split(b"\n")
    assert rest == b""
    return Counter(json.loads(line)["url"].removeprefix(HOST) for line in lines)


class Runs:
    """Runs of one list by one command, each in a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._serial = itertools.count()
        self.command = ["run", str(folder / "urls.yaml"), "-s", str(folder / "settings.yaml"), "--quiet", "-o"]
        (folder / "settings.yaml").write_text(SETTINGS)
        self.gives = dict(GIVES)
        self.leads: dict[str, list[str]] = {}
        self.calls: list[str] = []
        self.write_list(LISTED)

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        """The website."""
        path = request.path_url
        if path == "/robots.txt":
            return 200, {}, ROBOTS
        assert path != "/barred"
        self.calls.append(path)
        if path not in self.gives or (path == "/flaky" and self.calls.count(path) == 1):
            return {"/missing": 200, "/gone1": 404}.get(path, 503), {}, f"<li><b>fine</b><li>not so{self.links(path)}"
        return 200, {}, f"<p>ü<ul>{f'<li><b>é {path}</b>' * self.gives[path]}{self.links(path)}"

    def links(self, path: str) -> str:
        """What a page leads to."""
        return "".join(f"<a href={HOST}{other}>" for other in self.leads.get(path, []))

    @property
    def asked(self) -> list[str]:
        """The list, and what its pages lead to."""
        return list(dict.fromkeys([*self._listed, *(other for found in self.leads.values() for other in found)]))

    def write_list(self, paths: list[str]) -> None:
        """The list: with an entry that is no URL, and one that names a page again."""
        self._listed = paths
        entries = [*paths[:5], f"{paths[0]}#again", *paths[5:]]
        lines = [f"- {HOST}{path}\n" for path in entries]
        (self._folder / "urls.yaml").write_text("".join(lines) + "- nonsense\n")

    def new(self, files: Files) -> Path:
        """A directory with these files."""
        out = self._folder / str(next(self._serial))
        if files:
            out.mkdir()
        for name in files.keys() - {"."}:
            (out / name).write_bytes(files[name])
        return out

    def check(self, out: Path, note: str = "", committed: bytes = b"") -> Files:
        """The command keeps the promise."""
        try:
            assert main([*self.command, str(out)]) == 0
            records, failures = urls_in(out / RECORDS), urls_in(out / FAILURES)
            assert records == {path: self.gives[path] for path in self.asked if self.gives.get(path)}
            failed = [path for path in self.asked if path not in self.gives]
            assert failures == dict.fromkeys([*failed, "nonsense"], 1)
            assert (out / RECORDS).read_bytes().startswith(committed)
            summary = json.loads((out / SUMMARY).read_bytes())
            assert (summary["complete"], summary["records"]) == (True, records.total())
            urls, total = summary["urls"], len(self.asked) + 1
            assert summary["followed"] == len(self.asked) - len(self._listed)
            assert (urls["total"], urls["duplicate"], urls["pending"]) == (total, 1, 0)
            assert (urls["ok"], urls["failed"]) == (total - failures.total(), failures.total())
        except BaseException as error:
            error.add_note(note)
            raise
        return read(out)

    def record(self, files: Files) -> Disk:
        """What crashes of the command would leave, begun over these files."""
        with Disk(self.new(files)).attached() as disk:
            self.check(disk.out)
        return disk

    def resume_all(self, disk: Disk) -> None:
        """Resume each of the crashes, and see that the promise is kept."""
        assert disk.states
        for state in disk.states.values():
            out = self.new(state.files)
            self.check(out, f"crash {state.label}", state.committed)
            shutil.rmtree(out)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    """Runs in small groups, so that there are many; no clock has a part in them."""
    monkeypatch.setattr(writer, "GROUP_PAGES", 4)
    monkeypatch.setattr(writer, "GROUP_SECONDS", 3600.0)
    monkeypatch.setattr(writer, "LEADING_SECONDS", 3600.0)
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(os, "fsync", lambda file: None)  # what it is good for is known to `Disk`
    with responses.RequestsMock() as mock:
        runs = Runs(tmp_path)
        mock.add_callback("GET", re.compile(HOST), callback=runs.answer, content_type="text/html; charset=utf-8")
        yield runs


def test_new_run(runs: Runs) -> None:
    """A run from its beginning to its end; nothing that it does to its directory goes unseen."""
    disk = runs.record({})
    assert disk.effects[f"fsync {RECORDS}"] >= 7
    assert disk.effects["SQL COMMIT"] >= disk.effects[f"fsync {RECORDS}"] + 5
    runs.resume_all(disk)


def test_longer_list(runs: Runs) -> None:
    """A finished run goes on with what its list has more by now."""
    files = runs.check(runs.new({}))
    runs.write_list([*LISTED, "/22", "/gone3", "/23", "/24", "/25"])
    runs.gives |= dict.fromkeys(("/22", "/23", "/24", "/25"), 1)
    runs.resume_all(runs.record(files))


def test_followed_pages(runs: Runs, tmp_path: Path) -> None:
    """Pages lead to others, in a group with those that they belong to: a page that gives no record leads on as well."""
    (tmp_path / "settings.yaml").write_text(SETTINGS.replace("{records", "{follow: [{css: a, limit: 12}], records"))
    runs.write_list(["/0", "/none", "/1", "/2", "/3"])
    runs.leads = {
        "/0": ["/4", "/5", "/gone1", "/0", "/3"],
        "/none": ["/6", "/4"],
        "/4": ["/missing", "/none"],
        "/missing": ["/7", "/many", "/barred"],
        "/7": ["/flaky", "/8"],
        "/8": ["/9", "/8"],
    }
    runs.resume_all(runs.record({}))


def test_retry(runs: Runs) -> None:
    """What failed is asked for again, and gives records now."""
    files = runs.check(runs.new({}))
    runs.gives |= {"/gone1": 1, "/gone2": 2, "/down": 1, "/missing": 1}
    runs.command = ["retry", "--quiet"]
    runs.resume_all(runs.record(files))


def test_resumed_run(runs: Runs) -> None:
    """A crash while what a crash left is put right."""
    states = [*runs.record({}).states.values()]
    for label in (f"replace {STATE}", f"write {RECORDS}", "within SQL COMMIT", "SQL close", f"replace {SUMMARY}"):
        runs.resume_all(runs.record([state for state in states if label in state.label][-1].files))


@pytest.mark.parametrize("effect", [f"write {RECORDS}", f"fsync {RECORDS}", "SQL COMMIT"])
def test_crash_after_an_error(runs: Runs, effect: str) -> None:
    """The disk fails a run, which then dies while it ends."""
    disk = Disk(runs.new({}), (effect, 3 if effect.startswith("fsync") else 7))
    with disk.attached():
        assert main([*runs.command, str(disk.out)]) == 1
    runs.resume_all(disk)


@pytest.mark.parametrize("late", [False, True], ids=["disk full", "I/O error that comes late"])
@pytest.mark.parametrize("resumed", [False, True], ids=["new", "resumed"])
def test_errors(runs: Runs, capsys: pytest.CaptureFixture[str], late: bool, resumed: bool) -> None:
    """Each effect fails once: the command ends with one line that says so, and the next time it goes on."""
    files: Files = {}
    runs.write_list(LISTED[8:18])
    disk = runs.record(files)
    if resumed:
        files = [state for state in disk.states.values() if f"write {RECORDS}" in state.label][-1].files
        disk = runs.record(files)
    for name, count in disk.effects.items():
        for number in range(count):
            asked = len(runs.calls)
            with Disk(runs.new(files), (name, number), late=late, keep=False).attached() as disk:
                status = main([*runs.command, str(disk.out)])
            said = capsys.readouterr().err
            assert (status, said.count("\n")) in ((0, 0), (1, 1), (2, 1)), f"{name} {number}: {said}"
            assert status < 2 or len(runs.calls) == asked, f"{name} {number}: {said}"
            runs.check(disk.out, f"{name} {number} failed: {said}")
            shutil.rmtree(disk.out)
