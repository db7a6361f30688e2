"""SIGINT, SIGTERM and SIGHUP while a run goes on: the first drains it, the second stops it at once."""

from __future__ import annotations

import os
import signal
from types import FrameType

import click


class Signals:
    """Counts signals instead of dying of them: the first drains the run, the second stops it at once.

    Attributes:
        number: of the first one; SIGTERM also for a terminal that hung up. 0 as long as none has come.
    """

    _NUMBERS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.number = 0
        self._again = False
        self._heeded = False

    def __enter__(self) -> Signals:
        numbers: list[int] = [*self._NUMBERS]
        self._terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]
        hangup = getattr(signal, "SIGHUP", None)
        if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:  # nohup's promise is kept
            numbers.append(hangup)
        self._former = {number: signal.signal(number, self._catch) for number in numbers}
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
        if number not in self._NUMBERS:
            self._hang_up()
            if self.number:
                return  # the shell and the kernel may both have sent one: that is nobody's impatience
            number = signal.SIGTERM
        if self._again:
            os._exit(128 + self.number)  # even ending at once takes too long for somebody
        if self.number or not self._heeded:  # before anything was fetched there is nothing to wait for
            self.number = number
            self._again = True
            raise StopNow(128 + number)
        self.number = number

    def _hang_up(self) -> None:
        """Nothing can be said to a terminal that is gone; trying to would be an error."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in self._terminals:
            os.dup2(nowhere, descriptor)
        os.close(nowhere)


class StopNow(SystemExit):
    """The second signal."""
