"""What `scraper status` tells of a run, from its summary.json alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scraper.errors import UsageError
from scraper.watch import status
from scraper.watch.status import FILE, SILENT, describe, read
from scraper.watch.summary import Summary, UrlCounts

#: So long before or after the time at which a run counts as silent that no slow machine matters.
MARGIN = 10.0


def ago(seconds: float) -> str:
    """The moment so many seconds before this one, as summaries have it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def summary(**changes: Any) -> Summary:
    """A run that goes on, with a bit of everything."""
    values: dict[str, Any] = {
        "urls": UrlCounts(total=12_000, ok=4_000, empty=12, failed=1_500, pending=6_500, duplicate=3),
        "failures": {"dns_error": 2, "http_error": 1_400, "timeout": 98},
        "statuses": {"200": 4_000, "404": 1_400},
        "records": 8_123,
        "seconds": 55.0,
        "pages_per_second": 100.0,
        "running": True,
        "eta_seconds": 65.2,
        "output": "output/urls",
        "finished_at": ago(0),
    }
    return Summary(**{**values, **changes})


def write(directory: Path, what: Summary) -> None:
    (directory / FILE).write_bytes(what.to_json())


def test_read(tmp_path: Path) -> None:
    """All that the run wrote, and nothing in its directory is touched or needed besides."""
    written = summary()
    write(tmp_path, written)
    assert read(tmp_path) == written
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("seconds", "running"), [(SILENT - MARGIN, True), (SILENT + MARGIN, False), (-3600, True), (None, False)]
)
@pytest.mark.parametrize("nonsense", ["", "then"])
def test_silence_means_death(tmp_path: Path, seconds: float | None, running: bool, nonsense: str) -> None:
    """A killed run cannot say that it stopped; that it has said nothing for long tells it."""
    write(tmp_path, summary(finished_at=nonsense if seconds is None else ago(seconds)))
    found = read(tmp_path)
    assert found.running is running
    assert found.eta_seconds == (65.2 if running else None)
    assert found.urls == summary().urls


def test_a_stopped_run_may_be_silent(tmp_path: Path) -> None:
    """However long ago it stopped, it is told as it was written."""
    written = summary(running=False, complete=True, finished_at=ago(10**8))
    write(tmp_path, written)
    assert read(tmp_path) == written


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"urls": 3}', b'{"running": "yes"}', b"\xff\xfe"])
def test_damaged(tmp_path: Path, content: bytes) -> None:
    """One line with the name of the file."""
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(UsageError) as told:
        read(tmp_path)
    assert str(told.value).startswith(f"cannot read {tmp_path / FILE}: ")
    assert "\n" not in str(told.value)


def test_missing(tmp_path: Path) -> None:
    """No run there, or no such directory at all: the same advice."""
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageError, match="name the directory of a run") as told:
            read(place)
        assert str(told.value).startswith(f"{place} holds no run")


def test_unreadable(tmp_path: Path) -> None:
    """Something of that name that is no file, or a way there that leads through one."""
    (tmp_path / FILE).mkdir()
    for place in (tmp_path, tmp_path / FILE):
        with pytest.raises(UsageError, match=r"cannot read|holds no run"):
            read(place)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match=r"cannot read .*Not a directory"):
        read(file)


def test_in_words() -> None:
    """The whole text, of a run that goes on."""
    assert describe(summary()) == (
        "output/urls: running, 46% done\n"
        "4,000 ok (12 empty), 1,500 failed, 6,500 pending of 12,000 URLs; 3 duplicates\n"
        "failures: http_error 1,400, timeout 98, dns_error 2\n"
        "8,123 records, 100.0 pages/s, about 0:01:05 to go"
    )


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"running": True}, "output/urls: running, 46% done"),
        ({"running": False}, "output/urls: stopped; the same command resumes it, 46% done"),
        ({"running": False, "complete": True}, "output/urls: complete"),
        ({"urls": UrlCounts()}, "output/urls: running"),
    ],
)
def test_states(changes: dict[str, Any], first: str) -> None:
    """Running, stopped or complete; a share only of what is known and not all."""
    assert describe(summary(**changes)).splitlines()[0] == first


def test_what_there_is_not_is_not_told() -> None:
    """No failures, no duplicates, no time to go."""
    plain = summary(urls=UrlCounts(total=2, ok=1, pending=1), failures={}, records=1, eta_seconds=None)
    assert describe(plain).splitlines()[1:] == [
        "1 ok (0 empty), 0 failed, 1 pending of 2 URLs",
        "1 records, 100.0 pages/s",
    ]


def test_almost_there() -> None:
    """No time to go is a time, too."""
    assert describe(summary(eta_seconds=0.0)).endswith("about 0:00:00 to go")


def test_it_is_the_file_that_runs_write() -> None:
    """The name is said twice, so that `status` needs none of what writes."""
    from scraper.write.rundir import SUMMARY

    assert status.FILE == SUMMARY
