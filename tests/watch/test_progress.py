"""Progress: a bar on a terminal, lines elsewhere, or nothing."""

from __future__ import annotations

import io
import os
import shutil
import threading

import pytest

from scraper.counters import Counters
from scraper.records import Failure, Outcome
from scraper.watch import progress
from scraper.watch.progress import DRAW_EVERY, LINE_EVERY, WIDE, Bar, Lines, Load, Silent, choose


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


class Clock:
    """What the module takes for the time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until it is turned."""
    standing = Clock()
    monkeypatch.setattr(progress, "time", standing)
    return standing


@pytest.fixture(params=[80, WIDE - 1, WIDE, 200])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The terminal's width."""
    size = os.terminal_size((request.param, 24))
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_: size)
    monkeypatch.setenv("COLUMNS", str(request.param))
    width: int = request.param
    return width


def counted(ok: int, failed: int = 0, total: int = 5000) -> Counters:
    counters = Counters()
    counters.total = total
    for number in range(ok + failed):
        url = f"https://a.example/{number}"
        counters.add(Outcome(url, 1, failure=Failure(url, "timeout", "") if number >= ok else None))
    return counters


def load(*, listed: bool = True) -> Load:
    return Load(37, 40, 0.254, 2, 8, listed)


@pytest.mark.parametrize(
    ("stream", "quiet", "kind"),
    [
        (Terminal(), False, Bar),
        (Terminal(), True, Silent),
        (io.StringIO(), False, Lines),
        (io.StringIO(), True, Silent),
    ],
)
def test_choice(stream: io.StringIO, quiet: bool, kind: type[Silent]) -> None:
    """By what the stream is, and by whether anybody wants to know."""
    chosen = choose(stream, quiet=quiet)
    chosen.close()
    assert type(chosen) is kind


def test_silent() -> None:
    """Says nothing."""
    stream = Terminal()
    silent = choose(stream, quiet=True)
    silent.update(counted(3), load())
    silent.close()
    assert stream.getvalue() == ""


def test_load() -> None:
    """How busy the stages are, in a few words."""
    assert str(load()) == "fetch 37/40 · queue 25% · parse 2/8"


def test_lines_come_every_so_often(clock: Clock) -> None:
    """The first after ten seconds, the next after ten more, and none between."""
    stream = io.StringIO()
    lines = Lines(stream)
    for _ in range(200):
        clock.now += LINE_EVERY / 40
        lines.update(counted(10), load())
    lines.close()
    assert stream.getvalue().count("\n") == 5


@pytest.mark.parametrize(("listed", "total"), [(True, " of 5,000"), (False, "")])
def test_line(clock: Clock, listed: bool, total: str) -> None:
    """Pages, the rate since the start, good and bad ones; the total once the whole list is known."""
    stream = io.StringIO()
    lines = Lines(stream)
    clock.now += 2 * LINE_EVERY
    lines.update(counted(1198, 2), load(listed=listed))
    assert stream.getvalue() == (
        f"1,200{total} pages, 60.0/s, ok 1,198, failed 2, fetch 37/40 · queue 25% · parse 2/8\n"
    )


def test_bar_with_a_known_total(clock: Clock, columns: int) -> None:
    """A share, the counts and the load; on a wide terminal the times as well; never wider than the terminal."""
    stream = Terminal()
    bar = Bar(stream)
    bar.update(counted(1198, 2), load())
    last = stream.getvalue().rpartition("\r")[2].rstrip()
    bar.close()
    assert " 24%" in last
    assert "1200/5000" in last
    assert "ok 1198 · failed 2" in last
    assert ("<" in last) == (columns >= WIDE)
    assert len(last) <= columns


def test_bar_while_the_list_is_read(clock: Clock, columns: int) -> None:
    """A running count without a share, whatever is known so far."""
    stream = Terminal()
    bar = Bar(stream)
    bar.update(counted(1198, 2), load(listed=False))
    last = stream.getvalue().rpartition("\r")[2]
    bar.close()
    assert last.startswith("1200 pages")
    assert "%|" not in last
    assert "5000" not in last


def test_bar_is_drawn_every_so_often(clock: Clock) -> None:
    """At once, then ten times a second at most."""
    stream = Terminal()
    bar = Bar(stream)
    assert "starting" in stream.getvalue()
    drawn = stream.getvalue().count("\r")
    for _ in range(64):
        clock.now += DRAW_EVERY / 8
        bar.update(counted(1), load())
    assert stream.getvalue().count("\r") - drawn == pytest.approx(8, abs=1)
    bar.close()


def test_bar_ends_with_the_last_state(clock: Clock) -> None:
    """Also when the last outcomes came right after a drawing; the cursor is left on a new line."""
    stream = Terminal()
    bar = Bar(stream)
    bar.update(counted(1), load())
    bar.update(counted(5000), load())
    bar.close()
    assert "5000/5000" in stream.getvalue().rpartition("\r")[2]
    assert stream.getvalue().endswith("\n")


def test_bar_that_never_came_to_anything(clock: Clock) -> None:
    """An error at the start is said on a line that is clear; closing again does no harm."""
    stream = Terminal()
    bar = Bar(stream)
    bar.close()
    bar.close()
    assert stream.getvalue().rpartition("\r")[2] == ""
    assert "\n" not in stream.getvalue()


def test_bar_of_nothing(clock: Clock) -> None:
    """An empty list is no division by zero."""
    bar = Bar(Terminal())
    bar.update(counted(0, total=0), load())
    bar.close()


def test_bar_starts_no_thread(clock: Clock) -> None:
    """tqdm's monitor stays away."""
    bar = Bar(Terminal())
    assert [thread for thread in threading.enumerate() if type(thread).__module__.startswith("tqdm")] == []
    bar.close()
