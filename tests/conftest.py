"""Shared by all tests: a small real HTTP server on loopback, and a runner for the command line."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

Answer = tuple[int, dict[str, str], bytes]


class Site:
    """A server whose answers are a function of the path; `hits` counts requests by path."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.hits: dict[str, int] = {}
        self._lock = threading.Lock()  # guards hits
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                with site._lock:
                    site.hits[self.path] = site.hits.get(self.path, 0) + 1
                status, headers, body = answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                pass  # a client that hangs up is part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def page(path: str) -> Answer:
    """A plain page that names its path."""
    return 200, {}, f"<title>{path}</title><h1>Page {path}</h1><a href='/next'>next</a>".encode()


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    """Start a `Site`; closed at the end of the test."""
    sites: list[Site] = []

    def start(answer: Callable[[str], Answer] = page) -> Site:
        sites.append(Site(answer))
        return sites[-1]

    yield start
    for site in sites:
        site.close()


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    """A site where every path is a plain page."""
    return serve()


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``python -m scraper`` with arguments, in the test's own folder."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scraper", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, **options)

    return run


@pytest.fixture
def write_list(tmp_path: Path) -> Callable[..., Path]:
    """Write a YAML list of URLs into the test's folder."""

    def write(urls: list[str], name: str = "urls.yaml") -> Path:
        path = tmp_path / name
        path.write_text("urls:\n" + "".join(f"  - {url}\n" for url in urls))
        return path

    return write
