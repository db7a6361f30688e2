"""The writer: groups, whole lines, nothing lost, and errors that say what happened."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from scraper.errors import RunError, UsageError
from scraper.records import Attempt, Failure, Outcome
from scraper.write import StreamWriter, Writer, appendfile, writer
from scraper.write.writer import GROUP_BYTES, GROUP_PAGES, GROUP_SECONDS, RECORDS

URL = "https://a.example/"


def record(number: int, lines: int = 1) -> Outcome:
    content = b"".join(b'{"n":%d,"l":%d}\n' % (number, line) for line in range(lines))
    return Outcome(f"{URL}{number}", lines, content, id=number)


def failed(number: int) -> Outcome:
    return Outcome(f"{URL}{number}", failure=Failure(f"{URL}{number}", "timeout", "too slow"), id=number)


def rows(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [msgspec.json.decode(line) for line in content.splitlines()]


class State:
    """Remembers what was committed to it, and how large the file was at that moment."""

    def __init__(self, directory: Path) -> None:
        self.lock = threading.RLock()
        self.lengths: dict[str, int] = {}
        self.ended: list[int] = []
        self.attempts: dict[int, int] = {}
        self.commits: list[tuple[int, int]] = []
        self.seconds = 0.0
        self.broken = False
        self._directory = directory

    def commit(
        self, outcomes: list[Outcome], attempts: Mapping[int, int], lengths: Mapping[str, int], seconds: float
    ) -> None:
        if self.broken:
            raise RunError("cannot write the state")
        self.lengths = dict(lengths)
        self.ended += [outcome.id for outcome in outcomes]
        self.attempts.update(attempts)
        self.seconds = seconds
        self.commits.append((lengths[RECORDS], (self._directory / RECORDS).stat().st_size))


@pytest.fixture
def state(tmp_path: Path) -> State:
    """An empty one."""
    return State(tmp_path)


class Clock:
    """What the writer takes for the time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until it is turned."""
    standing = Clock()
    monkeypatch.setattr(writer, "time", standing)
    return standing


@pytest.fixture
def fsyncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the files at each fsync."""
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    return sizes


def test_group_is_committed_by_number(tmp_path: Path, state: State, clock: Clock) -> None:
    """Nothing is written until the group is full, then all of it; the state learns the new length after that."""
    with Writer(tmp_path, state) as out:
        out.add([record(number) for number in range(GROUP_PAGES - 1)])
        assert rows(tmp_path / RECORDS) == state.commits == []
        out.add([record(GROUP_PAGES - 1), record(GROUP_PAGES)], 12.5)
        assert len(rows(tmp_path / RECORDS)) == GROUP_PAGES + 1
        assert state.ended == list(range(GROUP_PAGES + 1))
        assert state.seconds == 12.5
    size = (tmp_path / RECORDS).stat().st_size
    assert state.commits == [(size, size)]


def test_group_is_committed_by_size(tmp_path: Path, state: State, clock: Clock) -> None:
    """Few pages may hold a lot."""
    with Writer(tmp_path, state) as out:
        out.add([Outcome(URL, 1, b"x" * (GROUP_BYTES - 1) + b"\n", id=1)])
        assert state.ended == [1]


@pytest.mark.parametrize("first", [record(1), failed(1), Attempt(1, 1)])
def test_group_is_committed_by_time(tmp_path: Path, state: State, clock: Clock, first: Outcome | Attempt) -> None:
    """When its first entry has waited long enough, whatever it is and whatever came after it."""
    with Writer(tmp_path, state) as out:
        out.add([])
        out.add([first])
        clock.now += GROUP_SECONDS * 0.75
        out.add([failed(2)])
        assert state.commits == []
        clock.now += GROUP_SECONDS * 0.25
        out.add([])
        assert len(state.commits) == 1
        assert 2 in state.ended
        clock.now += GROUP_SECONDS * 0.75
        out.add([record(3)])
        out.add([])
        assert len(state.commits) == 1, "the next group's time begins with its first entry"


def test_attempts(tmp_path: Path, state: State) -> None:
    """Of pages that will be asked again: the last number counts."""
    with Writer(tmp_path, state) as out:
        out.add([Attempt(1, 1), Attempt(2, 1), Attempt(1, 2)])
    assert state.attempts == {1: 2, 2: 1}
    assert state.ended == []


def test_close_commits_the_rest(tmp_path: Path, state: State, clock: Clock) -> None:
    """And closes the file; closing again does no harm."""
    before = psutil.Process().num_fds()
    with Writer(tmp_path, state) as out:
        out.add([record(1, 3), failed(2), record(3, 0)])
    out.close()
    assert rows(tmp_path / RECORDS) == [{"n": 1, "l": 0}, {"n": 1, "l": 1}, {"n": 1, "l": 2}]
    assert state.ended == [1, 2, 3]
    assert psutil.Process().num_fds() == before


def test_committed_even_when_the_caller_fails(tmp_path: Path, state: State) -> None:
    """Leaving by an exception keeps what was added."""

    def fail() -> None:
        with Writer(tmp_path, state) as out:
            out.add([record(1)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert len(rows(tmp_path / RECORDS)) == len(state.ended) == 1


def test_appends_to_what_was_committed(tmp_path: Path, state: State) -> None:
    """What is behind that, a torn line of a killed process for one, goes."""
    for number in range(3):
        with Writer(tmp_path, state) as out:
            out.add([record(number)])
        with (tmp_path / RECORDS).open("ab") as file:
            file.write(b'{"n":99}\n{"n":')
    with Writer(tmp_path, state):
        assert [row["n"] for row in rows(tmp_path / RECORDS)] == [0, 1, 2]


def test_shorter_than_committed(tmp_path: Path, state: State) -> None:
    """Somebody has edited it: refused, and not touched."""
    state.lengths = {RECORDS: 6}
    (tmp_path / RECORDS).write_bytes(b"short")
    with pytest.raises(UsageError, match="has 5 bytes, but 6 were committed"):
        Writer(tmp_path, state)
    assert (tmp_path / RECORDS).read_bytes() == b"short"


@pytest.mark.parametrize(("fsync", "expected"), [(True, [14, 28]), (False, [])])
def test_fsync_follows_the_lines(
    tmp_path: Path, state: State, fsyncs: list[int], fsync: bool, expected: list[int]
) -> None:
    """Once a group, after the lines and before the state, and only where there are lines; or never, if so asked."""
    for _ in range(2):
        with Writer(tmp_path, state, fsync=fsync) as out:
            fsyncs.clear()
            out.add([record(1), record(2, 0)])
            out.close()
            assert fsyncs == expected[:1]
            del expected[:1]
    with Writer(tmp_path, state) as out:
        fsyncs.clear()
        out.add([failed(3)])
    assert fsyncs == []


@pytest.fixture
def hectic() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hectic")
def test_many_threads(tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line whole and once, a page's lines together, whoever adds them; the state never lags behind."""
    monkeypatch.setattr(writer, "GROUP_PAGES", 3)
    with Writer(tmp_path, state, fsync=False) as out:

        def add(first: int) -> None:
            for number in range(first, first + 300):
                out.add([record(number, 3), failed(number + 10_000)])
                out.add([])

        threads = [threading.Thread(target=add, args=(300 * place,)) for place in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [(row["n"], row["l"]) for row in rows(tmp_path / RECORDS)]
    pages = [found[place : place + 3] for place in range(0, len(found), 3)]
    assert sorted(pages) == [[(number, line) for line in range(3)] for number in range(2400)]
    assert sorted(state.ended) == [*range(2400), *range(10_000, 12_400)]
    assert all(committed == size for committed, size in state.commits)
    assert out.seconds > 0


@pytest.mark.parametrize("when", ["add", "close"])
@pytest.mark.parametrize("what", ["write", "half a write", "fsync", "state"])
def test_full_disk(tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch, what: str, when: str) -> None:
    """A `RunError` that says so, once; the state knows nothing of the group, and no half a line is seen."""
    before = psutil.Process().num_fds()
    out = Writer(tmp_path, state)
    out.add([record(0)])
    out._commit(0)
    write = os.write

    def full(descriptor: int, data: memoryview | None = None) -> int:
        if data is not None and what == "half a write" and len(data) > 20:
            return write(descriptor, data[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    state.broken = what == "state"
    monkeypatch.setattr(appendfile.os, "fsync" if what == "fsync" else "write", write if what == "state" else full)

    def end() -> None:
        out.add([record(number) for number in range(1, GROUP_PAGES + (when == "add"))])
        out.close()

    with pytest.raises(RunError, match="cannot write the state" if what == "state" else "No space left on device"):
        end()
    monkeypatch.undo()
    state.broken = False
    out.add([record(5000)])
    out.close()
    assert state.ended == [0]
    assert len(rows(tmp_path / RECORDS)) == 1 or what == "state"
    assert psutil.Process().num_fds() == before


def test_file_that_cannot_be_opened(tmp_path: Path, state: State) -> None:
    """A `UsageError` that names the directory, or a `RunError` where a run has begun; nothing stays open."""
    (tmp_path / RECORDS).mkdir()
    before = psutil.Process().num_fds()
    with pytest.raises(UsageError, match=str(tmp_path)):
        Writer(tmp_path, state)
    state.lengths = {RECORDS: 1}
    with pytest.raises(RunError, match=str(tmp_path)):
        Writer(tmp_path, state)
    assert psutil.Process().num_fds() == before


class Stream(io.BytesIO):
    """Counts flushes; breaks like a pipe whose reader has left, if told to."""

    flushes = 0
    broken = False

    def flush(self) -> None:
        self.flushes += 1
        if self.broken:
            raise BrokenPipeError(32, "Broken pipe")


def test_stream_gets_records_at_once() -> None:
    """Each batch is written and flushed; failures are not records; the stream stays open."""
    stream = Stream()
    with StreamWriter(stream) as out:
        out.add([record(1), failed(2), record(3, 2)])
        assert stream.getvalue().count(b"\n") == 3
        assert stream.flushes == 1
    assert not stream.closed


def test_stream_whose_reader_left() -> None:
    """The broken pipe itself, on which a command ends without a word."""
    stream = Stream()
    stream.broken = True
    out = StreamWriter(stream)
    with pytest.raises(BrokenPipeError):
        out.add([record(1)])
