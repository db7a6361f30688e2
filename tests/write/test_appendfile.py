"""A file in step with the state: what is behind its committed length never happened."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from scraper.errors import RunError, UsageError
from scraper.write.appendfile import AppendFile

WHOLE = b'{"a":1}\n{"b":2}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.jsonl"


def fail_with(number: int) -> Any:
    """A system call that fails."""

    def call(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("exists", [False, True])
def test_new_file(path: Path, exists: bool) -> None:
    """It is there at once, and grows by what is appended; what it held uncommitted goes."""
    if exists:
        path.write_bytes(WHOLE)
    file = AppendFile(path, 0)
    assert (file.name, file.length, path.read_bytes()) == ("records.jsonl", 0, b"")
    file.append(b"one\n")
    file.append(b"")
    file.append(b"three\n")
    file.sync()
    assert (file.length, path.read_bytes()) == (10, b"one\nthree\n")
    file.close()
    file.close()


@pytest.mark.parametrize("committed", range(len(WHOLE) + 1))
def test_cut_back_to_what_was_committed(path: Path, committed: int) -> None:
    """Whatever a killed process wrote behind that: it is gone, what is before stays, and new lines follow it."""
    path.write_bytes(WHOLE)
    file = AppendFile(path, committed)
    assert path.read_bytes() == WHOLE[:committed]
    file.append(b"new\n")
    file.close()
    assert path.read_bytes() == WHOLE[:committed] + b"new\n"
    assert file.length == committed + 4


def test_a_cut_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Power loss must not bring back what was cut off, behind lines that were written since."""
    sizes: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (sizes.append(os.fstat(descriptor).st_size), fsync(descriptor)))
    path.write_bytes(WHOLE)
    AppendFile(path, 8).close()
    assert sizes == [8]


@pytest.mark.parametrize("found", [None, 0, 1, len(WHOLE) - 1])
def test_shorter_than_committed(path: Path, found: int | None) -> None:
    """Records are missing, be it the whole file: no session may go on as if they were there."""
    if found is not None:
        path.write_bytes(WHOLE[:found])
    with pytest.raises(UsageError, match="something else has changed it") as told:
        AppendFile(path, len(WHOLE))
    said = str(told.value)
    assert said.startswith(f"{path} has {found or 0} bytes, but {len(WHOLE)} were committed")
    assert "put it back as it was" in said
    assert "--restart" in said
    assert "\n" not in said
    assert (path.read_bytes() if path.exists() else b"") == WHOLE[: found or 0]


def test_put_back(path: Path) -> None:
    """As the advice says: with the file in its place again the run goes on."""
    path.write_bytes(WHOLE)
    aside = path.with_name("aside")
    path.rename(aside)
    with pytest.raises(UsageError):
        AppendFile(path, len(WHOLE))
    aside.replace(path)
    AppendFile(path, len(WHOLE)).close()
    assert path.read_bytes() == WHOLE


@pytest.mark.parametrize(("committed", "kind"), [(0, UsageError), (5, RunError)])
def test_what_cannot_be_opened(path: Path, committed: int, kind: type[Exception]) -> None:
    """For a new run it is bad usage; for one that has gone on already, the end of this session."""
    path.mkdir()
    with pytest.raises(kind, match="cannot write into") as told:
        AppendFile(path, committed)
    assert type(told.value) is kind
    assert str(path.parent) in str(told.value)


def test_what_cannot_be_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be appended then; the file is let go of."""
    path.write_bytes(WHOLE)
    closed: list[int] = []
    close = os.close
    monkeypatch.setattr(os, "ftruncate", fail_with(errno.EPERM))
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), close(descriptor)))
    with pytest.raises(RunError, match=f"cannot write {path}: Operation not permitted"):
        AppendFile(path, 3)
    assert len(closed) == 1
    assert path.read_bytes() == WHOLE


def test_the_system_writes_in_bits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that took only a part is gone on with."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    file = AppendFile(path, 0)
    file.append(WHOLE)
    file.close()
    assert path.read_bytes() == WHOLE
    assert file.length == len(WHOLE)


def test_a_failed_append_can_be_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The length counts only what was appended as a whole; the cut removes the rest."""
    file = AppendFile(path, 0)
    file.append(b"one\n")
    write = os.write
    room = [3]

    def fill_up(descriptor: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= (written := write(descriptor, data[: room[0]]))
        return written

    monkeypatch.setattr(os, "write", fill_up)
    with pytest.raises(OSError, match="No space left"):
        file.append(WHOLE)
    assert (file.length, path.read_bytes()) == (4, b'one\n{"a')
    file.cut(file.length)
    assert (file.length, path.read_bytes()) == (4, b"one\n")
    room[0] = 100
    file.append(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    file.close()


def test_a_cut_that_fails_is_left_to_the_next_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error that made it necessary is the one to be told."""
    file = AppendFile(path, 0)
    file.append(WHOLE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", fail_with(errno.EIO))
        file.cut(8)
    assert file.length == 8
    file.close()
    AppendFile(path, 8).close()
    assert path.read_bytes() == WHOLE[:8]
