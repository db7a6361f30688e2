"""SIGINT and SIGTERM while a run goes on: the first drains it, the second stops it at once."""

from __future__ import annotations

import os
import signal
from types import FrameType

import click


class Signals:
    """Counts SIGINT and SIGTERM instead of dying of them: the first drains the run, the second stops it at once."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.number = 0
        self._again = False
        self._heeded = False

    def __enter__(self) -> Signals:
        self._former = {number: signal.signal(number, self._catch) for number in self._NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def caught(self) -> bool:
        """Whether one has come.

        Raises:
            SystemExit: a second one has, and what its handler raised was lost where exceptions cannot be raised.
        """
        self._heeded = True
        if self._again:
            raise StopNow(128 + self.number)
        return self.number != 0

    def announce(self) -> None:
        """Say what happens now."""
        click.echo("\nstopping: waiting for what is in flight; again stops at once", err=True)

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        if self._again:
            os._exit(128 + self.number)  # even ending at once takes too long for somebody
        if self.number or not self._heeded:  # before anything was fetched there is nothing to wait for
            self.number = number
            self._again = True
            raise StopNow(128 + number)
        self.number = number


class StopNow(SystemExit):
    """The second signal."""
