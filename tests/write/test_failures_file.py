"""failures.jsonl: one line a failed URL, replaced as a whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scraper import atomic
from scraper.errors import RunError
from scraper.records import Failure
from scraper.write import write_failures
from scraper.write.failures import FAILURES, failure_line

FULL = Failure(
    "https://a.example/ü", "http_error", 'the server answered "429"\n', 429, 4, "https://a.example/%C3%BC",
    "2026-11-23T10:00:00.000Z", retryable=True, pause=7.5,
)  # fmt: skip
BARE = Failure("https://a.example/2", "timeout", "too slow", failed_at="2026-11-23T10:00:01.000Z")


def urls(directory: Path) -> list[str]:
    """Of the file's lines, in order."""
    return [json.loads(line)["url"] for line in (directory / FAILURES).read_bytes().splitlines()]


def some(number: int) -> Iterator[Failure]:
    return (Failure(f"https://a.example/{each}", "timeout", "too slow") for each in range(number))


def test_line() -> None:
    """Seven keys in their order, null for what there is not, UTF-8, and nothing that is only for the way."""
    assert failure_line(FULL).decode() == (
        '{"url":"https://a.example/ü","error":"http_error","message":"the server answered \\"429\\"\\n",'
        '"status":429,"attempts":4,"final_url":"https://a.example/%C3%BC","failed_at":"2026-11-23T10:00:00.000Z"}\n'
    )
    assert failure_line(BARE) == (
        b'{"url":"https://a.example/2","error":"timeout","message":"too slow",'
        b'"status":null,"attempts":1,"final_url":null,"failed_at":"2026-11-23T10:00:01.000Z"}\n'
    )


def test_order(tmp_path: Path) -> None:
    """As they are given, many of them, one a line; an empty file where there are none."""
    write_failures(tmp_path, some(3000))
    assert urls(tmp_path) == [f"https://a.example/{number}" for number in range(3000)]
    write_failures(tmp_path, [])
    assert (tmp_path / FAILURES).read_bytes() == b""
    assert [each.name for each in tmp_path.iterdir()] == [FAILURES]


def test_readers_see_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """Not a moment without the file, nor with a part of it; who has it open reads on in the old one."""
    write_failures(tmp_path, [FULL])
    before = (tmp_path / FAILURES).read_bytes()
    seen: list[bytes] = []

    def watched() -> Iterator[Failure]:
        for each in some(2000):
            seen.append((tmp_path / FAILURES).read_bytes())
            yield each

    with (tmp_path / FAILURES).open("rb") as reader:
        write_failures(tmp_path, watched())
        assert reader.read() == before
    assert set(seen) == {before}
    assert len(urls(tmp_path)) == 2000


def fail_to_read() -> Iterator[Failure]:
    """A state whose disk fails it after some rows."""
    yield from some(1500)
    raise RunError("cannot read the state")


def test_old_content_stays_when_the_state_fails(tmp_path: Path) -> None:
    """The state's own words come through; nothing half-written is left."""
    write_failures(tmp_path, [FULL, BARE])
    with pytest.raises(RunError, match="cannot read the state"):
        write_failures(tmp_path, fail_to_read())
    assert urls(tmp_path) == [FULL.url, BARE.url]
    assert [each.name for each in tmp_path.iterdir()] == [FAILURES]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_old_content_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Whichever step the disk refuses: the old file is whole, the new one is gone, and one line says why."""
    write_failures(tmp_path, [FULL])

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    failures: Iterator[Failure] = some(10)
    if call == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    elif call == "replace":
        monkeypatch.setattr(Path, "replace", refuse)
    else:
        failures = map(refuse, failures)  # type: ignore[arg-type]
    with pytest.raises(RunError) as told:
        write_failures(tmp_path, failures, sync=True)
    assert str(told.value) == f"cannot write {tmp_path / FAILURES}: No space left on device"
    assert urls(tmp_path) == [FULL.url]
    assert [each.name for each in tmp_path.iterdir()] == [FAILURES]


def test_leftover_of_a_killed_process(tmp_path: Path) -> None:
    """A half-written new file is written over, not appended to."""
    (tmp_path / f"{FAILURES}.new").write_bytes(b"x" * 10_000)
    write_failures(tmp_path, [BARE])
    assert (tmp_path / FAILURES).read_bytes() == failure_line(BARE)
    assert [each.name for each in tmp_path.iterdir()] == [FAILURES]


@pytest.mark.parametrize("sync", [False, True])
def test_power_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sync: bool) -> None:
    """Where asked for, the content is on the disk before the name leads to it, and then the directory is."""
    done: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        status = os.fstat(descriptor)
        folder = stat.S_ISDIR(status.st_mode)
        done.append("directory" if folder else f"file of {status.st_size}")
        fsync(descriptor)

    def renamed(source: Path, place: Path) -> Path:
        done.append("rename")
        return rename(source, place)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write_failures(tmp_path, [BARE], sync=sync)
    size = len(failure_line(BARE))
    assert done == ([f"file of {size}", "rename", "directory"] if sync else ["rename"])


def test_directories_that_cannot_be_synced(tmp_path: Path) -> None:
    """Some systems and file systems refuse that; it is no reason to end."""
    atomic.sync_directory(tmp_path / "none")


def test_no_directory(tmp_path: Path) -> None:
    """One line, not a traceback."""
    with pytest.raises(RunError, match="No such file"):
        write_failures(tmp_path / "none", [BARE])
