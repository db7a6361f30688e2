"""Many bombs at once, and many large pages: a run holds no more memory than it may."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MB = 1_000_000
MEMORY = 32 << 20
BODY = 4 << 20
AT_ONCE = 48

#: A run as the command starts it, which then tells the most memory that its main process has held.
RUN = """
import sys
from pathlib import Path
from scraper.cli import main
code = main(sys.argv[1:])
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")).split()[1])
sys.exit(code)
"""


def coded(coding: str, data: bytes) -> bytes:
    """`data` with a window as large as the coding allows."""
    if coding == "br":
        packer = brotli.Compressor(quality=4, lgwin=24)
        return bytes(packer.process(data) + packer.finish())
    if coding == "zstd":
        level, window = zstd.CompressionParameter.compression_level, zstd.CompressionParameter.window_log
        return zstd.compress(data, options={level: 1, window: 23})
    return zlib.compress(data, 6, wbits=31)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and all of 127.0.0.0/8")
@pytest.mark.parametrize("kind", ["gzip", "br", "zstd", "br, br", "pages"])
def test_memory_is_bounded(stage: Any, tmp_path: Path, kind: str) -> None:
    """`fetch.memory` and 100 MB for everything else, though all bodies come at the same moment."""
    body = b"<!doctype html><title>Large</title>".ljust(BODY if kind == "pages" else 16 * BODY)
    header = "" if kind == "pages" else f"Content-Encoding: {kind}\r\n"
    for coding in kind.split(", ") if header else ():
        body = coded(coding, body)
    answer = (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{header}Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    together = threading.Barrier(AT_ONCE)

    def throw(wire: Any) -> None:
        wire.request()
        together.wait(20)
        wire.send(answer)

    origin = stage.add("thrower", throw)
    stage.start()
    (tmp_path / "urls.txt").write_text("".join(f"{origin}/{number}\n" for number in range(AT_ONCE)))
    command = [sys.executable, "-c", RUN, "run", "urls.txt", "-o", "out", "--quiet", "--allow-private", "--no-robots"]
    command += ["--delay", "0", "--per-host", str(AT_ONCE), "--fetch-workers", str(AT_ONCE), "--parse-workers", "1"]
    command += ["--set", f"fetch.memory={MEMORY}", "--set", f"fetch.max_body={BODY}", "--retries", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    expected = {"ok": AT_ONCE} if kind == "pages" else {"body_too_large": AT_ONCE}
    assert {"ok": summary["urls"]["ok"], **summary["failures"]} == {"ok": 0, **expected}
    assert int(done.stdout) * 1024 < MEMORY + 100 * MB
