"""One worker process as its owner thread sees it: started, asked, killed, replaced."""

from __future__ import annotations

import contextlib
import importlib
import mmap
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Final

from scraper.errors import WorkerStartError
from scraper.parse import worker
from scraper.parse.extract import Plan, Verdict
from scraper.parse.gauge import Gauge
from scraper.records import Page

#: Name of every worker process; `scraper.api` refuses to start a run inside one.
NAME: Final = "scraper-parse"

#: Seconds a worker may take from its start to its first message: a parser may import half the world.
START_LIMIT: Final = 120.0

#: A worker that dies of a signal while it holds this share of the memory it may have is taken to have died of that.
NEARLY: Final = 0.8

ADVICE: Final = (
    "a parse worker ended before it was ready{how}; a script that starts a run needs the guard\n"
    '    if __name__ == "__main__":\n'
    "around the call, since each worker imports the script anew (or use parse_workers=0)"
)

#: multiprocessing's own bookkeeping (`Process.start` polls all other children) is not safe for threads.
_bookkeeping: Final = threading.Lock()


class WorkerDied(Exception):
    """The worker ended in the middle of a batch.

    Attributes:
        in_hand: index of the page it was parsing, -1 if none.
        kind: ``parse_timeout`` or ``parse_crashed``.
    """

    def __init__(self, in_hand: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.in_hand = in_hand
        self.kind = kind


class WorkerProcess:
    """A started worker. `ask` is for one thread, the owner; `overdue` and `kill` are for any.

    Attributes:
        pid: the process's id, known also when it has ended.
        pages: how many it has parsed.
    """

    def __init__(self, context: BaseContext, plan: Plan, gauge: Gauge) -> None:
        """Start a process; returns at once, `greet` waits for it."""
        self._gauge = gauge
        self._memory = plan.memory
        self._base = self._peak = 0  # bytes of address space: once ready, and the most seen since
        self._fate: str | None = None
        self._asked: float | None = None
        self.pages = 0
        gauge.reset()
        self._pipe, theirs = context.Pipe()
        process: Any = context.Process(  # type: ignore[attr-defined]
            target=worker.main, args=(theirs, gauge, plan), name=NAME, daemon=True
        )
        self._process = process
        try:
            with _bookkeeping:
                process.start()
        except BaseException:
            self._pipe.close()
            raise
        finally:
            theirs.close()
        self.pid = int(process.pid)

    def greet(self) -> worker.Hello:
        """Wait until the worker is ready.

        Raises:
            WorkerStartError: it ended before.
        """
        try:
            if self._pipe.poll(START_LIMIT):
                hello = worker.decode_hello(self._pipe.recv_bytes())
                self._base = self._peak = _address_space(self.pid)
                return hello
            how = f" within {START_LIMIT:.0f} s"
        except (EOFError, OSError):
            how = ""
        self.kill("parse_crashed")
        self.close()
        raise WorkerStartError(ADVICE.format(how=how))

    def ask(self, batch: list[Page]) -> Iterator[list[Verdict]]:
        """Send a batch; yields verdicts as they come, until all have come. `batch` is empty once it is sent.

        Raises:
            WorkerDied: it did not live to finish.
        """
        missing = len(batch)
        self._asked = time.monotonic()
        try:
            self._send(batch)
            batch.clear()
            while missing:
                verdicts = worker.decode_verdicts(self._pipe.recv_bytes())
                self._asked = time.monotonic()
                missing -= len(verdicts)
                self.pages += len(verdicts)
                yield verdicts
        except (EOFError, OSError):
            raise self._died() from None
        finally:
            self._asked = None

    def _send(self, batch: list[Page]) -> None:
        for message in worker.encode_batch(batch):
            self._pipe.send_bytes(message)

    def overdue(self, now: float, limit: float) -> bool:
        """Whether the page in hand, or sending and receiving, takes longer than `limit` seconds."""
        asked = self._asked
        return asked is not None and now - max(asked, self._gauge.since) > limit

    def weigh(self) -> None:
        """Take note of the memory it holds; to be called every now and then while it is busy."""
        self._peak = max(self._peak, _address_space(self.pid))

    def kill(self, fate: str) -> None:
        """End it now; `fate` is the failure kind that it dies of."""
        self._fate = self._fate or fate
        with contextlib.suppress(OSError, AttributeError, ValueError):  # the last: the owner has closed it meanwhile
            self._process.kill()

    def close(self) -> None:
        """End it in good order: its pipe closes, it leaves, it is waited for."""
        self._pipe.close()
        with _bookkeeping:
            self._process.join(5)
            if self._process.exitcode is None:
                self._process.kill()
                self._process.join(5)
            self._process.close()

    def _died(self) -> WorkerDied:
        self._pipe.close()
        with _bookkeeping:
            self._process.join(1)
            if self._process.exitcode is None:  # it closed its pipe but lives on
                self._process.kill()
                self._process.join(5)
            status = self._process.exitcode
            self._process.close()
        if self._fate == "parse_timeout":
            return WorkerDied(self._gauge.in_hand, "parse_timeout", "")
        # Native code that is refused memory seldom says so: it aborts, or reads what it did not get.
        full = self._peak - self._base > NEARLY * self._memory and status is not None and status < 0
        return WorkerDied(self._gauge.in_hand, "parse_crashed", "memory limit" if full else _cause_of_death(status))


def _address_space(pid: int) -> int:
    """Bytes of address space of a process; 0 where that cannot be told."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[0]) * mmap.PAGESIZE
    except (OSError, IndexError, ValueError):
        return 0


def _cause_of_death(status: int | None) -> str:
    if status == worker.OUT_OF_MEMORY:
        return "memory limit"
    if status is not None and status < 0:
        with contextlib.suppress(ValueError):
            return f"the parse worker was ended by {signal.Signals(-status).name}"
    return f"the parse worker ended with status {status}"


def start_context(plan: Plan) -> BaseContext:
    """The start method: a fork server that has imported what parsing needs, else spawn; never a fork beside threads."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    modules = ["scraper.parse.steadfast", "scraper.parse.worker"]
    if plan.parser is not None or plan.engine == "beautifulsoup":
        modules += ["bs4", "lxml.etree"]
    else:
        modules.append("scraper.parse.engines.turbo")
    context.set_forkserver_preload(modules)
    return context


class Helpers:
    """The fork server and multiprocessing's resource tracker: ended with the last of the runs that started them."""

    def __init__(self) -> None:
        self._server = _helper("multiprocessing.forkserver", "_forkserver")
        self._tracker = _helper("multiprocessing.resource_tracker", "_resource_tracker")
        with _bookkeeping:
            # Runs may overlap: what is shared by all keeps the count, and what was there before the first of them.
            users, found = getattr(self._server, _USERS, (0, None))
            if users == 0:
                found = _pid(self._server, "_forkserver_pid"), _pid(self._tracker, "_pid")
            setattr(self._server, _USERS, (users + 1, found))

    def close(self) -> None:
        """Stop what was not there before and nobody else uses."""
        with _bookkeeping, contextlib.suppress(AttributeError, OSError):
            users, (server, tracker) = getattr(self._server, _USERS)
            setattr(self._server, _USERS, (users - 1, (server, tracker)))
            if users > 1 or multiprocessing.active_children():
                return
            if server is None and _pid(self._server, "_forkserver_pid") is not None:
                self._server._stop()
            # Semaphores and shared memory are what the tracker tracks; where neither was ever imported it has nothing.
            used = {"multiprocessing.synchronize", "multiprocessing.shared_memory"} & set(sys.modules)
            if tracker is None and not used:
                if (started := _pid(self._tracker, "_pid")) is not None:
                    # Else it is waited for as long as a child lives that a parser has left behind, which has its pipe.
                    os.kill(started, signal.SIGKILL)
                self._tracker._stop()


#: Attribute of the fork server that counts the runs which use it.
_USERS: Final = "_scraper_users"


def _helper(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name, None)


def _pid(helper: Any, attribute: str) -> int | None:
    return getattr(helper, attribute, None)
