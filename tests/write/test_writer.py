"""The writer: groups, whole lines, nothing lost, and errors that say what happened."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from scraper.errors import RunError, UsageError
from scraper.records import Failure, Outcome
from scraper.write import StreamWriter, Writer, writer
from scraper.write.writer import FAILURES, GROUP_PAGES, GROUP_SECONDS, RECORDS, failure_line

URL = "https://a.example/"


def record(number: int, lines: int = 1) -> Outcome:
    return Outcome(f"{URL}{number}", lines, b"".join(b'{"n":%d,"l":%d}\n' % (number, line) for line in range(lines)))


def failed(number: int) -> Outcome:
    return Outcome(f"{URL}{number}", failure=Failure(f"{URL}{number}", "timeout", "too slow"))


def rows(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [msgspec.json.decode(line) for line in content.splitlines()]


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


def test_group_is_committed_by_number(tmp_path: Path, clock: Clock) -> None:
    """Nothing is written until the group is full, then all of it."""
    with Writer(tmp_path) as out:
        out.add([record(number) for number in range(GROUP_PAGES - 1)])
        assert rows(tmp_path / RECORDS) == []
        out.add([record(GROUP_PAGES - 1), record(GROUP_PAGES)])
        assert len(rows(tmp_path / RECORDS)) == GROUP_PAGES + 1


@pytest.mark.parametrize("by", ["tick", "add"])
def test_group_is_committed_by_time(tmp_path: Path, clock: Clock, by: str) -> None:
    """When its first outcome has waited long enough, whatever came after it."""
    with Writer(tmp_path) as out:
        out.tick()
        out.add([record(1)])
        clock.now += GROUP_SECONDS * 0.75
        out.add([failed(2)])
        out.tick()
        assert rows(tmp_path / RECORDS) == rows(tmp_path / FAILURES) == []
        clock.now += GROUP_SECONDS * 0.25
        if by == "tick":
            out.tick()
        else:
            out.add([])
        assert len(rows(tmp_path / RECORDS)) == len(rows(tmp_path / FAILURES)) == 1
        clock.now += GROUP_SECONDS * 0.75
        out.add([record(3)])
        out.tick()
        assert len(rows(tmp_path / RECORDS)) == 1, "the next group's time begins with its first outcome"


def test_close_commits_the_rest(tmp_path: Path, clock: Clock) -> None:
    """And closes the files; closing again does no harm."""
    before = psutil.Process().num_fds()
    with Writer(tmp_path) as out:
        out.add([record(1, 3), failed(2), record(3, 0)])
    out.close()
    assert rows(tmp_path / RECORDS) == [{"n": 1, "l": 0}, {"n": 1, "l": 1}, {"n": 1, "l": 2}]
    assert [row["url"] for row in rows(tmp_path / FAILURES)] == [f"{URL}2"]
    assert psutil.Process().num_fds() == before


def test_committed_even_when_the_caller_fails(tmp_path: Path) -> None:
    """Leaving by an exception keeps what was added."""

    def fail() -> None:
        with Writer(tmp_path) as out:
            out.add([record(1)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert len(rows(tmp_path / RECORDS)) == 1


def test_appends(tmp_path: Path) -> None:
    """What is in the files stays."""
    for number in range(3):
        with Writer(tmp_path) as out:
            out.add([record(number), failed(number)])
    assert [row["n"] for row in rows(tmp_path / RECORDS)] == [0, 1, 2]
    assert len(rows(tmp_path / FAILURES)) == 3


@pytest.mark.parametrize(("fsync", "expected"), [(True, [14, 28]), (False, [])])
def test_fsync_follows_the_lines(tmp_path: Path, fsyncs: list[int], fsync: bool, expected: list[int]) -> None:
    """Once a group and file, after the flush, and only where there is something new; or never, if so asked."""
    for _ in range(2):
        with Writer(tmp_path, fsync=fsync) as out:
            out.add([record(1), record(2, 0)])
    assert fsyncs == expected


@pytest.fixture
def hectic() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hectic")
def test_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line whole and once, a page's lines together, whoever adds them."""
    monkeypatch.setattr(writer, "GROUP_PAGES", 3)
    with Writer(tmp_path, fsync=False) as out:

        def add(first: int) -> None:
            for number in range(first, first + 300):
                out.add([record(number, 3), failed(number)])
                out.tick()

        threads = [threading.Thread(target=add, args=(300 * place,)) for place in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [(row["n"], row["l"]) for row in rows(tmp_path / RECORDS)]
    pages = [found[place : place + 3] for place in range(0, len(found), 3)]
    assert sorted(pages) == [[(number, line) for line in range(3)] for number in range(2400)]
    assert len({row["url"] for row in rows(tmp_path / FAILURES)}) == 2400
    assert out.seconds > 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("name", [RECORDS, FAILURES])
@pytest.mark.parametrize("when", ["add", "tick", "close"])
def test_full_disk(tmp_path: Path, clock: Clock, name: str, when: str) -> None:
    """A `RunError` that says so, once, and no descriptor stays open; closing after that does no harm."""
    (tmp_path / name).symlink_to("/dev/full")
    before = psutil.Process().num_fds()
    out = Writer(tmp_path)
    out.add([record(1), failed(2)])
    full = [record(number) for number in range(GROUP_PAGES)]
    clock.now += GROUP_SECONDS if when == "tick" else 0
    commit = {"add": lambda: out.add(full), "tick": out.tick, "close": out.close}[when]
    with pytest.raises(RunError, match="No space left on device"):
        commit()
    out.close()
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize("name", [RECORDS, FAILURES])
def test_files_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    """A `UsageError` that names the directory; nothing stays open."""
    (tmp_path / name).mkdir()
    before = psutil.Process().num_fds()
    with pytest.raises(UsageError, match=str(tmp_path)):
        Writer(tmp_path)
    assert psutil.Process().num_fds() == before


def test_failure_line() -> None:
    """Seven keys in this order, in UTF-8, whatever the texts hold."""
    line = failure_line(
        Failure(f"{URL}ü", "http_error", "a\nb\ud800", 503, 3, f"{URL}x", "2026-01-01T00:00:00.000Z", True)
    )
    assert line.count(b"\n") == 1
    assert list(msgspec.json.decode(line).items()) == [
        ("url", f"{URL}ü"),
        ("error", "http_error"),
        ("message", "a\nb\ufffd"),
        ("status", 503),
        ("attempts", 3),
        ("final_url", f"{URL}x"),
        ("failed_at", "2026-01-01T00:00:00.000Z"),
    ]


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
        out.tick()
    assert not stream.closed


def test_stream_whose_reader_left() -> None:
    """The broken pipe itself, on which a command ends without a word."""
    stream = Stream()
    stream.broken = True
    out = StreamWriter(stream)
    with pytest.raises(BrokenPipeError):
        out.add([record(1)])
