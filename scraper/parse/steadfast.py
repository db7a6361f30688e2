"""Imported by the fork server alone: what ends the run must not end it, or its workers would die with it.

A terminal that hangs up, or a service manager, signals the whole process group. The fork server ignores SIGINT by
itself; the others are seen to here, since it offers no other place. Its children get them back.
"""

from __future__ import annotations

import os
import signal
from typing import Final

NAMES: Final = ("SIGTERM", "SIGHUP")


def _set(disposition: signal.Handlers) -> None:
    for name in NAMES:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), disposition)


_set(signal.SIG_IGN)
os.register_at_fork(after_in_child=lambda: _set(signal.SIG_DFL))
