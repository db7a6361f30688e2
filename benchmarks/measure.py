"""Run one command to its end and print its wall-clock time and the CPU time of its whole process tree, as JSON.

A process of its own for each measurement, for one reason: a parent's resource usage covers only children that were
waited for, and a fork server or a worker pool may leave processes that nobody waits for. Here they come back to this
process (a "child subreaper", prctl(2)), so that no CPU second goes uncounted, and a process that never ends is noticed.

    python measure.py TIMEOUT COMMAND...     # the command's own output goes to stderr
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
STRAGGLER_SECONDS = 30.0


def main() -> int:
    """Measure the command of the command line; the exit code is the command's own."""
    timeout, command = float(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _adopt_orphans()
    started = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, process_group=0)
    tidy = False
    try:
        code = child.wait(timeout)
        seconds = time.perf_counter() - started
        tidy = _reap_orphans(time.monotonic() + STRAGGLER_SECONDS)
    except subprocess.TimeoutExpired:
        sys.exit(f"not done after {timeout:.0f} s")
    finally:
        if not tidy:
            _kill_group(child.pid)
    if not tidy:
        sys.exit(f"left processes behind that were still there {STRAGGLER_SECONDS:.0f} s after its end")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"seconds": seconds, "cpu_user": used.ru_utime, "cpu_system": used.ru_stime}))
    return code if code >= 0 else 128 - code


def _adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent ended. Linux only; elsewhere their CPU time goes uncounted."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_orphans(give_up: float) -> bool:
    """Wait for whatever the command left running; false when something still ran at `give_up` (monotonic seconds)."""
    while time.monotonic() < give_up:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            time.sleep(0.01)
    return False


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
