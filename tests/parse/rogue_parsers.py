"""Parsers that misbehave when a page asks them to; named to the workers as ``FILE.py:FUNCTION``.

A page's body is a word that says what its parser does; any other body is a good page, which gives one record.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def parse(page: Any) -> Any:
    """Do what the body says."""
    deed = DEEDS.get(page.body.decode("latin-1"))
    return {"number": int(page.url.rpartition("/")[2])} if deed is None else deed(page)


def kill_itself(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def segfault(_: Any) -> None:
    ctypes.string_at(1)


def sleep(_: Any) -> None:
    print("asleep", flush=True)
    time.sleep(3600)


def tell_and_sleep(page: Any) -> None:
    Path(page.input["fifo"]).write_text("here")
    time.sleep(3600)


def stop(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def spin(_: Any) -> None:
    print("busy", flush=True)
    while True:
        pass


def gobble(_: Any) -> None:
    bytearray(1 << 34)


def gobble_bit_by_bit(_: Any) -> None:
    hoard: list[bytes] = []
    while True:
        hoard.append(bytes(1 << 20))


def exit_early(_: Any) -> None:
    sys.exit("no more")


def raise_late(_: Any) -> Iterator[dict[str, Any]]:
    yield {"number": 1}
    yield {"number": 2}
    raise ValueError("the third\nis bad")


def circle(_: Any) -> dict[str, Any]:
    ring: list[Any] = []
    ring.append(ring)
    return {"ring": ring}


def open_file(_: Any) -> dict[str, Any]:
    with Path(__file__).open() as file:
        return {"file": file}


def modules(_: Any) -> dict[str, Any]:
    return {"modules": sorted(sys.modules)}


def interrupt_itself(page: Any) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGINT)
    return {"pid": os.getpid()}


def printing(_: Any) -> dict[str, Any]:
    print("a word from the parser", flush=True)
    os.write(1, b"and one more\n")
    return {}


def surrogate(_: Any) -> dict[str, Any]:
    return {"text": "a\ud800b", "\udfff": ["\ud83d\ude00"]}


DEEDS: dict[str, Callable[[Any], Any]] = {
    "kill": kill_itself,
    "segfault": segfault,
    "sleep": sleep,
    "tell and sleep": tell_and_sleep,
    "spin": spin,
    "stop": stop,
    "gobble": gobble,
    "gobble bit by bit": gobble_bit_by_bit,
    "exit": exit_early,
    "raise late": raise_late,
    "circle": circle,
    "lambda": lambda _: {"call": lambda: None},
    "open file": open_file,
    "text": lambda _: "just text",
    "number": lambda _: 7,
    "list of text": lambda _: [{"a": 1}, "b"],
    "reserved": lambda _: [{"a": 1}, {"status": 2}],
    "nothing": lambda _: None,
    "no records": lambda _: [],
    "two": lambda _: [{"a": 1}, {"a": 2}],
    "modules": modules,
    "interrupt": interrupt_itself,
    "print": printing,
    "pid": lambda _: {"pid": os.getpid()},
    "input": lambda page: {"given": page.input},
    "surrogate": surrogate,
}
