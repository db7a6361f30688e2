"""Secrets of settings and lists, and cookies of servers, go to the servers that they are for, and into state.db: into
no other file, and onto no screen. Real processes, real files.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

#: What must not be found, by where it was given.
SECRETS: Final = {
    "FETCH_AUTH": "alice:fetch/auth+secret",
    "FETCH_HEADER": "fetch header secret",
    "HOST_AUTH": "host-auth-secret",
    "HOST_HEADER": "host.header.secret",
    "LIST_HEADER": "list-header-secret",
    "LIST_USER": "list-user-secret",
    "SERVER_COOKIE": "server-cookie-secret",
    "PROXY": "proxy-user-secret",
}
PARSER: Final = """
def parse(page):
    if "raises" in page.url:
        raise ValueError(f"{page!r} {page.url} {page.final_url} {vars(page).keys()}")
    if "exits" in page.url:
        raise SystemExit(page.url)
    yield {"seen": page.url} | ({"input": 1} if "reserved" in page.url else {})
"""


def traces() -> list[bytes]:
    """Every form in which a secret could stand somewhere."""
    found = []
    for secret in SECRETS.values():
        found += [secret.encode(), quote(secret, safe="").encode(), secret.rpartition(":")[2].encode()]
        found += [base64.b64encode(text.encode()).rstrip(b"=") for text in (secret, f":{secret}", f"me:{secret}")]
        found.append(base64.b64encode(b"me:" + secret.encode())[4:-4])
    return found


class Site:
    """A server that sets cookies, refuses, redirects and breaks; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                site.told.append((self.headers["Host"], self.path, dict(self.headers.items())))
                status = int(self.path[1:]) if self.path in ("/401", "/404", "/503") else 200
                location = site.location(self.path)
                body = b"<title>A page</title>"
                if self.path == "/broken":
                    self.wfile.write(b"nonsense\r\n\r\n")
                    self.close_connection = True
                    return
                self.send_response(302 if location else status)
                self.send_header("Content-Type", "image/png" if "picture" in self.path else "text/html")
                self.send_header("Set-Cookie", f"session={SECRETS['SERVER_COOKIE']}; Path=/")
                self.send_header("WWW-Authenticate", f'Basic realm="{SECRETS["LIST_USER"]}"')
                self.send_header("Content-Length", str(len(body) + 9 * ("short" in self.path)))
                if location:
                    self.send_header("Location", location)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = "short" in self.path

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def location(self, path: str) -> str | None:
        """Where a path redirects to."""
        return {
            "/other-host": f"http://localhost:{self.port}/landed",
            "/with-a-user": f"http://me:{SECRETS['LIST_USER']}@127.0.0.1:{self.port}/landed",
            "/to-no-url": f"http://me:{SECRETS['LIST_USER']}@[/",
            "/loop": "/loop",
        }.get(path)

    def sent(self, host: str, path: str) -> dict[str, str]:
        """The header of the last request for a path of a host."""
        return next(header for name, asked, header in reversed(self.told) if (name, asked) == (host, path))

    def close(self) -> None:
        """Join the server's thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, closed at the end of the test."""
    site = Site()
    yield site
    site.close()


@pytest.fixture
def said(tmp_path: Path) -> Callable[..., str]:
    """Run a command; what it says must hold no secret, nor may any file that it leaves."""

    def run(*arguments: str, status: int = 0) -> str:
        command = [sys.executable, "-m", "scraper", *arguments]
        environment = {**os.environ, **SECRETS, "PYTHONFAULTHANDLER": "1"}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60)
        assert done.returncode == status, done.stderr.decode()
        for output in (done.stdout, done.stderr):
            assert not [trace for trace in traces() if trace in output], output.decode()
        for path in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
            if not path.name.startswith("state.db"):
                held = path.read_bytes()
                assert not [trace for trace in traces() if trace in held], (path, held)
        return done.stdout.decode() + done.stderr.decode()

    return run


@pytest.fixture
def files(tmp_path: Path, site: Site) -> dict[str, Any]:
    """Settings with a secret in each place that takes one, and a list with failures of many kinds."""
    (tmp_path / "shop.py").write_text(PARSER)
    settings = {
        "fetch": {
            "auth": "env:FETCH_AUTH",
            "headers": {"X-Key": "env:FETCH_HEADER"},
            "cookies": True,
            "retries": 0,
            "allow_private": True,
            "max_redirects": 2,
        },
        "hosts": {"localhost": {"auth": "env:HOST_AUTH", "headers": {"X-Host": "env:HOST_HEADER"}}},
        "politeness": {"delay": 0, "adaptive": False},
        "parse": {"parser": "shop.py:parse", "workers": 1},
    }
    (tmp_path / "settings.yaml").write_text(json.dumps(settings))
    here = f"127.0.0.1:{site.port}"
    paths = "1 2 raises exits reserved 404 503 401 broken short picture other-host with-a-user to-no-url loop"
    entries: list[dict[str, Any]] = [{"url": f"http://{here}/{path}"} for path in paths.split()]
    entries += [{"url": f"http://localhost:{site.port}/{path}"} for path in ("own", "404")]
    entries.append({"url": f"http://{here}/listed", "headers": {"X-List": SECRETS["LIST_HEADER"]}, "sku": 7})
    entries.append({"url": f"http://me:{SECRETS['LIST_USER']}@{here}/user"})
    entries.append({"url": f"http://me:{SECRETS['LIST_USER']}@:99999/"})
    (tmp_path / "urls.yaml").write_text(json.dumps({"urls": entries}))
    return {"count": len(entries), "settings": settings}


def test_run_retry_status_and_try(site: Site, files: dict[str, Any], said: Callable[..., str], tmp_path: Path) -> None:
    """Nothing is told by any command, but to the servers."""
    said("run", "urls.yaml", "-s", "settings.yaml", "-o", "out", "--log-json")
    said("retry", "out")
    said("run", "urls.yaml", "-s", "settings.yaml", "-o", "out")
    said("status", "out")
    said("status", "out", "--json")
    said("try", f"http://me:{SECRETS['LIST_USER']}@127.0.0.1:{site.port}/1", "-s", "settings.yaml")
    said("try", f"http://127.0.0.1:{site.port}/raises", "-s", "settings.yaml", status=1)
    said("run", "urls.yaml", "-s", "settings.yaml", "-o", "-", "--quiet")
    said("run", "urls.yaml", "-s", "settings.yaml", "-o", "out", "--restart", "--quiet")
    for path in tmp_path.rglob("state.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    here, other = f"127.0.0.1:{site.port}", f"localhost:{site.port}"
    basic = "Basic " + base64.b64encode(SECRETS["FETCH_AUTH"].encode()).decode()
    assert site.sent(here, "/1")["Authorization"] == basic
    assert site.sent(here, "/1")["X-Key"] == SECRETS["FETCH_HEADER"]
    assert site.sent(here, "/listed")["X-List"] == SECRETS["LIST_HEADER"]
    assert site.sent(other, "/own")["Authorization"] == f"Bearer {SECRETS['HOST_AUTH']}"
    assert site.sent(other, "/own")["X-Host"] == SECRETS["HOST_HEADER"]
    assert "Authorization" not in site.sent(other, "/landed")  # not its port's own, and not the first host's
    assert "X-List" not in site.sent(here, "/1")
    cookies = {header.get("Cookie") for _, _, header in site.told}
    assert cookies == {None, f"session={SECRETS['SERVER_COOKIE']}"}
    lines = (tmp_path / "out/records.jsonl").read_text("utf-8").splitlines()
    failed = (tmp_path / "out/failures.jsonl").read_text("utf-8").splitlines()
    assert len(lines) + len(failed) == files["count"]


@pytest.mark.parametrize("place", ["settings", "environment"])
def test_a_proxy_that_fails(
    site: Site, said: Callable[..., str], tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its password goes to the proxy, not into what is said of it."""
    proxies = [f"http://me:{SECRETS['PROXY']}@127.0.0.1:{port}" for port in (site.port, 1, 99999)]
    for number, proxy in enumerate(proxies):
        flags = ["--set", f"fetch.proxy={proxy}"] if place == "settings" else []
        if place == "environment":
            monkeypatch.setenv("http_proxy", proxy)
            monkeypatch.setenv("https_proxy", proxy)
        urls = ["http://a.example/1", "https://b.example/2"]
        common = ["--allow-private", "--no-robots", "--retries", "0", "--delay", "0", *flags]
        said("run", *urls, "-o", f"out/{number}", *common)
        if number == 0:
            said("try", urls[0], *common)
    asked = [header for host, _, header in site.told if host == "a.example"]
    assert asked
    assert all(header["Proxy-Authorization"].startswith("Basic ") for header in asked)


def test_umask(site: Site, tmp_path: Path) -> None:
    """Files of a run are the user's to share as they like; the state is not."""
    command = [sys.executable, "-m", "scraper", "run", f"http://127.0.0.1:{site.port}/1", "-o", "out/deep"]
    code = (
        f"import os, sys; os.umask(0o027); os.execv({sys.executable!r}, {[*command, '--allow-private', '--quiet']!r})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out/deep").iterdir()}
    assert modes.pop("state.db") == 0o600
    assert set(modes.values()) == {0o640}
    assert stat.S_IMODE((tmp_path / "out/deep").stat().st_mode) == 0o750
