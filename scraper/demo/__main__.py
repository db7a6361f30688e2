"""`python -m scraper.demo [--port N]`: serve the demo website until told to stop."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from scraper.demo.server import HOST, DemoServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the URL once it listens, then serve until SIGTERM, SIGINT or, if asked, the end of stdin.

    Returns:
        The exit status: 2 where the port cannot be had.
    """
    parser = argparse.ArgumentParser(prog="python -m scraper.demo", description="Serve the demo website on loopback.")
    parser.add_argument("--port", type=_port, default=0, help="port of 127.0.0.1; 0 takes any free one (default)")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when stdin reaches its end")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        server = DemoServer(options.port)
    except OSError as error:
        print(f"cannot serve at {HOST}:{options.port}: {error.strerror}", file=sys.stderr)
        return 2
    with server:
        if options.until_stdin_closes:
            threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
        print(server.url, flush=True)
        server.serve_forever(poll_interval=0.1)
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _leave(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(0)


def _watch_stdin(server: DemoServer) -> None:
    # Not sys.stdin: a daemon thread inside its lock makes the interpreter abort at exit.
    while os.read(0, 4096):
        pass
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
