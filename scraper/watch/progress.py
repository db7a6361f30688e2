"""Progress on stderr: a bar on a terminal, a plain line every ten seconds elsewhere, or nothing."""

from __future__ import annotations

import shutil
import threading
import time
from typing import Final, NamedTuple, TextIO

from tqdm import tqdm

from scraper import terminal
from scraper.counters import Counters
from scraper.watch.prospect import Prospect

#: Seconds between lines where stderr is no terminal, and between redraws where it is one.
LINE_EVERY: Final = 10.0
DRAW_EVERY: Final = 0.1

#: From this many columns on there is room for the times as well.
WIDE: Final = 110


#: Nothing can be told of what is to come.
UNKNOWN: Final = Prospect()


class Load(NamedTuple):
    """How busy the stages are at this moment.

    Attributes:
        fetching, fetchers: fetch threads with a request in flight, of how many.
        queued: fill of the queue between fetch and parse, 0 to 1.
        parsing, parsers: parse workers with a page in hand, of how many.
        listed: the whole list has been read, so the total is known.
    """

    fetching: int
    fetchers: int
    queued: float
    parsing: int
    parsers: int
    listed: bool

    def __str__(self) -> str:
        return f"fetch {self.fetching}/{self.fetchers} · queue {self.queued:.0%} · parse {self.parsing}/{self.parsers}"


class Silent:
    """Shows nothing."""

    def update(self, counters: Counters, load: Load, prospect: Prospect = UNKNOWN) -> None:
        """Take note of how things stand; draws only when it is time to."""

    def close(self) -> None:
        """Leave the terminal in order."""


class Lines(Silent):
    """One plain line every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began = self._last = time.monotonic()

    def update(self, counters: Counters, load: Load, prospect: Prospect = UNKNOWN) -> None:
        now = time.monotonic()
        if now - self._last < LINE_EVERY:
            return
        self._last = now
        total = f" of {counters.total:,}" if load.listed else ""
        rate = counters.done / (now - self._began)
        left = f", {_left(prospect)}" if load.listed and prospect.seconds is not None else ""
        print(
            f"{counters.done:,}{total} pages, {rate:.1f}/s, ok {counters.ok:,}, failed {counters.failed:,}, "
            f"{load}{left}",
            file=self._stream,
            flush=True,
        )


class _Bar(tqdm):  # type: ignore[type-arg]
    """tqdm without its monitor thread, and without the multiprocessing lock that it would make."""

    monitor_interval = 0

    def __str__(self) -> str:
        # Cut here, since tqdm leaves a line without a bar as it is, and one that wraps is never drawn over.
        return super().__str__()[: shutil.get_terminal_size().columns]


class Bar(Silent):
    """tqdm's bar; a running count while the list is still being read."""

    def __init__(self, stream: TextIO) -> None:
        _Bar.set_lock(threading.RLock())
        self._bar = _Bar(total=None, file=stream, unit="", dynamic_ncols=True, mininterval=0, leave=True)
        self._last = 0.0
        self._state: tuple[Counters, Load | None, Prospect] = Counters(), None, UNKNOWN
        self._draw()

    def update(self, counters: Counters, load: Load, prospect: Prospect = UNKNOWN) -> None:
        self._state = counters, load, prospect
        now = time.monotonic()
        if now - self._last >= DRAW_EVERY:
            self._last = now
            self._draw()

    def close(self) -> None:
        if self._bar.disable:  # closed already
            return
        if self._state[1] is None:
            self._bar.leave = False  # nothing came of it: what is said next stands alone
        else:
            self._draw()
        self._bar.close()

    def _draw(self) -> None:
        bar = self._bar
        counters, load, prospect = self._state
        wide = shutil.get_terminal_size().columns >= WIDE
        known = load is not None and load.listed
        bar.total = counters.total if known else None
        counts = "{percentage:3.0f}%{gauge} {n_fmt}/{total_fmt}" if known else "{n_fmt} pages"
        remaining = "?" if prospect.seconds is None else tqdm.format_interval(prospect.seconds)
        times = f" [{{elapsed}}<{remaining}]" if known else " [{elapsed}]"
        layout = (counts + times if wide else counts) + " {rate_fmt}{postfix}"
        bar.bar_format = layout.replace("{gauge}", "|{bar}|" if wide else "")
        bar.n = counters.done
        last = f" · last {terminal.line(prospect.host)}" if known and prospect.host else ""
        bar.postfix = f"ok {counters.ok} · failed {counters.failed} · {load or 'starting'}{last}"
        bar.refresh()


def _left(prospect: Prospect) -> str:
    """What is to come, in words."""
    left = f"{tqdm.format_interval(prospect.seconds or 0)} to go"
    return f"{left}, last {terminal.line(prospect.host)}" if prospect.host else left


def choose(stream: TextIO, *, quiet: bool) -> Silent:
    """The kind of progress that fits `stream`."""
    if quiet:
        return Silent()
    return Bar(stream) if stream.isatty() else Lines(stream)
