"""A parse worker: one process that turns batches of pages into verdicts until its pipe closes.

Imports what parsing needs and nothing else; neither requests nor the run's files are known here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import forkserver, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from scraper import unheard
from scraper.errors import ParserError
from scraper.parse.extract import BadPlan, Extractor, Plan, Verdict
from scraper.parse.gauge import Gauge
from scraper.parse.problems import Problem
from scraper.records import Page

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: Exit status of a worker that ran out of the memory it may have.
OUT_OF_MEMORY: Final = 86

#: Bytes from which on a body travels in a message of its own.
LARGE_BODY: Final = 1 << 18

#: Verdicts wait for company this long, in seconds, before they are sent.
FLUSH_AFTER: Final = 0.05


class Hello(Struct, frozen=True):
    """A worker's first message: ready, unless one of these is set.

    Attributes:
        problems: what in the record description does not compile.
        parser_error: why the user's parser cannot be imported.
    """

    problems: list[Problem] = []
    parser_error: str | None = None


encode_hello = msgspec.msgpack.Encoder().encode
decode_hello = msgspec.msgpack.Decoder(Hello).decode
_pack_batch = msgspec.msgpack.Encoder().encode
_unpack_batch = msgspec.msgpack.Decoder(tuple[list[int], list[Page]]).decode
encode_verdicts = msgspec.msgpack.Encoder().encode
decode_verdicts = msgspec.msgpack.Decoder(list[Verdict]).decode


def encode_batch(pages: list[Page]) -> list[bytes]:
    """A batch as messages: one for all its pages, and one for each large body, which would be there twice else.

    Pickled where a list entry holds an integer beyond MessagePack's 64 bits.
    """
    apart = [index for index, page in enumerate(pages) if len(page.body) >= LARGE_BODY]
    bodies = [pages[index].body for index in apart]
    if apart:
        pages = [msgspec.structs.replace(page, body=b"") if len(page.body) >= LARGE_BODY else page for page in pages]
    try:
        return [_pack_batch((apart, pages)), *bodies]
    except OverflowError:
        return [pickle.dumps((apart, pages)), *bodies]


def decode_batch(receive: Callable[[], bytes]) -> list[Page]:
    """The pages of the messages that `encode_batch` made; MessagePack has no tuple that begins as a pickle does."""
    message = receive()
    apart, pages = pickle.loads(message) if message.startswith(pickle.PROTO) else _unpack_batch(message)
    for index in apart:
        pages[index] = msgspec.structs.replace(pages[index], body=receive())
    return pages


def main(pipe: Connection[bytes, bytes], gauge: Gauge, plan: Plan) -> None:
    """Entry point of the process.

    Args:
        pipe: batches come in, verdicts go out.
        gauge: where it tells which page of the batch is in hand, and since when.
        plan: what to extract.
    """
    _end_with_the_run()
    ignore_signals()
    os.dup2(2, 1)  # a parser's print() must not end up among the records on stdout
    sys.stdout, sys.stderr = unheard.stream(1), unheard.stream(2)
    if hasattr(os, "register_at_fork"):  # a parser's child must not hold the pipe: its owner would not see this one die
        os.register_at_fork(after_in_child=pipe.close)
    try:
        extractor = _greet(pipe, plan)
        if extractor is not None:
            _limit_memory(plan.memory)
            _serve(pipe, gauge, extractor)
    except (EOFError, OSError):
        pass  # the run is over
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(0)  # not waiting for threads that a parser has left


def ignore_signals() -> None:
    """What ends the run reaches its whole process group, and means the main process: it drains, then ends the others.

    By a handler where a parser's own children, say a browser, should still end: those get the default back.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _unmoved)


def _unmoved(*_: object) -> None:
    pass


def _greet(pipe: Connection[bytes, bytes], plan: Plan) -> Extractor | None:
    extractor = None
    try:
        extractor = Extractor(plan)
        hello = Hello()
    except BadPlan as error:
        hello = Hello(problems=error.problems)
    except ParserError as error:
        hello = Hello(parser_error=str(error))
    pipe.send_bytes(encode_hello(hello))
    return extractor


def _serve(pipe: Connection[bytes, bytes], gauge: Gauge, extractor: Extractor) -> None:
    while True:
        batch = decode_batch(pipe.recv_bytes)
        verdicts: list[Verdict] = []
        flushed = time.monotonic()
        for index, page in enumerate(batch):
            gauge.take(index)
            verdicts.append(extractor(page, index))
            now = gauge.put_down()
            if now - flushed > FLUSH_AFTER:
                pipe.send_bytes(encode_verdicts(verdicts))
                verdicts, flushed = [], now
        if verdicts:
            pipe.send_bytes(encode_verdicts(verdicts))


def _limit_memory(size: int) -> None:
    """Let the address space grow by `size` bytes at most, from where it is now that everything is imported."""
    try:
        import resource

        held = int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = held + size if hard == resource.RLIM_INFINITY else min(held + size, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (ImportError, OSError, ValueError):
        pass  # no such limit on this system


def _end_with_the_run() -> None:
    """Die when the main process does, also in the middle of a page.

    On Linux the kernel sends SIGKILL when the parent dies. The parent is the fork server, which ends when nobody holds
    its "alive" pipe any more, and every worker inherits an end of that: it is closed here, or sleeping workers would
    keep the server, and so themselves, alive. Elsewhere a thread waits for the main process.
    """
    parent = os.getppid()
    if sys.platform == "linux" and _leave_fork_server():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    else:
        threading.Thread(target=_exit_after_parent, name="parent-watch", daemon=True).start()


def _leave_fork_server() -> bool:
    """Close the inherited end of the fork server's pipe; False where there is no fork server."""
    server: Any = getattr(forkserver, "_forkserver", None)
    descriptor = getattr(server, "_forkserver_alive_fd", None)
    if descriptor is None:
        return False
    os.close(descriptor)
    server._forkserver_alive_fd = None
    return True


def _exit_after_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
