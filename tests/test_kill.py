"""`kill -9` of the main process: no worker outlives the run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

PARSERS = {
    "computing": "    while True: pass\n",
    "sleeping": "    import time\n    time.sleep(600)\n",
    "ignoring signals": (
        "    import signal, time\n"
        "    for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(n, signal.SIG_IGN)\n"
        "    while True: time.sleep(600)\n"
    ),
}


def lives(process: psutil.Process) -> bool:
    """Whether it still runs; a dead orphan that init has yet to wait for does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
@pytest.mark.parametrize("body", PARSERS.values(), ids=list(PARSERS))
def test_workers_die_with_the_run(site: Any, write_list: Any, tmp_path: Path, body: str) -> None:
    """Two seconds after the main process was killed, neither workers nor helpers are left, busy or not."""
    flag = tmp_path / "busy"
    (tmp_path / "rogue.py").write_text(f"def parse(page):\n    open({str(flag)!r}, 'w').close()\n{body}")
    listed = write_list([f"{site.url}/{i}" for i in range(50)])
    command = [
        sys.executable,
        "-m",
        "scraper",
        "run",
        str(listed),
        "-o",
        "o",
        "--delay",
        "0",
        "--parser",
        "rogue.py:parse",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 20
    while not flag.exists() and time.monotonic() < limit:
        assert process.poll() is None
        psutil.wait_procs([], timeout=0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.kill()
    process.wait()
    limit = time.monotonic() + 2
    while (left := [child for child in children if lives(child)]) and time.monotonic() < limit:
        psutil.wait_procs(left, timeout=0.05)
    assert left == []
