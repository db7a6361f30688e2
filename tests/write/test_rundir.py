"""The directory of a run: what may begin where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scraper.errors import RunError, UsageError
from scraper.write.rundir import STATE, SUMMARY, Hold, check, holds_run, prepare, write_summary

FILES = [STATE, "records.jsonl", "failures.jsonl", SUMMARY]


@pytest.mark.parametrize("place", ["new", "new/deeper/still", "."])
def test_free_places(tmp_path: Path, place: str) -> None:
    """A directory that does not exist is made, with those above it; an empty one is taken."""
    check(tmp_path / place)
    assert list(tmp_path.iterdir()) == []
    prepare(tmp_path / place, restart=False).close()
    assert (tmp_path / place).is_dir()


def test_other_files_are_no_obstacle(tmp_path: Path) -> None:
    """They stay where they are."""
    (tmp_path / "notes.txt").write_text("mine")
    prepare(tmp_path, restart=False).close()
    prepare(tmp_path, restart=True).close()
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", FILES)
def test_a_run_is_not_overwritten(tmp_path: Path, name: str) -> None:
    """Whatever a run has left, a new one does not begin there, and nothing is touched."""
    (tmp_path / name).write_text("precious")
    assert holds_run(tmp_path)
    with pytest.raises(UsageError, match="has just begun a run"):
        prepare(tmp_path, restart=False)
    assert (tmp_path / name).read_text() == "precious"


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second learns who holds it; when the first is done, it may have it."""
    with Hold(tmp_path), pytest.raises(UsageError, match=f"in use by process {os.getpid()};"):
        Hold(tmp_path)
    (tmp_path / STATE).write_text("precious")
    with Hold(tmp_path), pytest.raises(UsageError, match="in use"):
        prepare(tmp_path, restart=True)
    assert (tmp_path / STATE).read_text() == "precious"
    Hold(tmp_path).close()


def test_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """Another place would do for a new run; one that has begun goes on when the place can be written again."""
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(UsageError, match="name another place with -o"):
        Hold(tmp_path)
    (tmp_path / STATE).write_text("precious")
    with pytest.raises(RunError, match="the same command goes on"):
        Hold(tmp_path)


def test_a_left_lock_file_locks_nothing(tmp_path: Path) -> None:
    """It is the kernel's lock that counts, not what the file says."""
    (tmp_path / "run.lock").write_text("1\n")
    Hold(tmp_path).close()


def test_restart_moves_the_run_aside(tmp_path: Path) -> None:
    """Under a dated name, a different one each time; never deleted."""
    directory = tmp_path / "books"
    for number in range(4):
        check(directory)
        prepare(directory, restart=True).close()
        assert [path.name for path in directory.iterdir()] == ["run.lock"]
        (directory / "records.jsonl").write_text(str(number))
    names = {path.name: (path / "records.jsonl").read_text() for path in tmp_path.iterdir()}
    assert sorted(names.values()) == ["0", "1", "2", "3"]
    assert names["books"] == "3"
    assert all(name == "books" or name.startswith("books.20") for name in names)


def test_restart_of_nothing(tmp_path: Path) -> None:
    """Is a start."""
    prepare(tmp_path / "new", restart=True).close()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_file_is_no_directory(tmp_path: Path, below: str) -> None:
    """Nor does anything fit below one."""
    (tmp_path / "file").write_text("")
    place = Path(f"{tmp_path}/file{below}")
    for refuse in (check, lambda directory: prepare(directory, restart=True)):
        with pytest.raises(UsageError, match="file is not a directory"):
            refuse(place)


def test_name_that_is_too_long(tmp_path: Path) -> None:
    """The system's reason, in one line."""
    for refuse in (check, lambda directory: prepare(directory, restart=False)):
        with pytest.raises(UsageError, match="File name too long"):
            refuse(tmp_path / ("x" * 300))


def test_link_to_nowhere(tmp_path: Path) -> None:
    """Nothing can be made there."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at all")
    with pytest.raises(UsageError, match="cannot write into"):
        prepare(tmp_path / "link", restart=False).close()


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before anything is fetched, for the nearest directory there is."""
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))
    with pytest.raises(UsageError, match="permission denied"):
        check(tmp_path / "a" / "b")
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]


def test_summary_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader sees the old one until the new one is there; no other file is left."""
    write_summary(tmp_path, b"old")
    seen = []
    replace = Path.replace

    def look(self: Path, destination: Path) -> Path:
        seen.append((destination.read_bytes(), self.read_bytes()))
        return replace(self, destination)

    monkeypatch.setattr(Path, "replace", look)
    write_summary(tmp_path, b"new")
    assert seen == [(b"old", b"new")]
    assert [path.name for path in tmp_path.iterdir()] == [SUMMARY]
    assert (tmp_path / SUMMARY).read_bytes() == b"new"
