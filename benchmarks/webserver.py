"""An nginx of our own on loopback, so that the network and other people's servers are no part of the measurement."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ATTEMPTS = 3  # a port that was free a moment ago may be taken when nginx binds it
START_SECONDS = 10.0

# Everything nginx would write lies below its own prefix, so it runs beside an installed one, as root or not. gzip is
# off since the contestants' decompression is not what is compared. `user` only when root: the worker must
# read a temporary folder that nobody else may read. `pages` is a link, so that no folder's name needs quoting.
CONFIG = """\
{user}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    types {{ text/html html; }}
    default_type text/html;
    access_log off;
    gzip off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 300s;
    keepalive_requests 100000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
{listens}
{locations}
    }}
}}
"""


class ServerFailed(Exception):
    """nginx is missing or did not start; the message says which."""


@contextmanager
def serving(folder: Path, copies: int, prefix: Path, addresses: Sequence[str] = ("127.0.0.1",)) -> Iterator[str]:
    """Serve `folder` as /c0/ … /c{copies-1}/ while the block runs, on one or several of loopback's addresses.

    Gives the first one's origin, as in http://127.0.0.1:8123; the others have the same port.
    """
    server, port = _start(folder, copies, prefix, addresses)
    try:
        yield f"http://{addresses[0]}:{port}"
    finally:
        _stop(server)


def _start(folder: Path, copies: int, prefix: Path, addresses: Sequence[str]) -> tuple[subprocess.Popen[bytes], int]:
    program = _program()
    prefix.mkdir()
    (prefix / "pages").symlink_to(folder, target_is_directory=True)
    for _ in range(ATTEMPTS):
        port = _free_port()
        (prefix / "nginx.conf").write_text(_config(copies, port, addresses))
        server = _spawn(program, prefix)
        if _is_up(server, prefix / "nginx.pid"):
            return server, port
        _stop(server)
    raise ServerFailed("nginx did not start: " + (prefix / "stderr.log").read_text(errors="replace").strip())


def _program() -> str:
    """The path of nginx, also where an ordinary user's PATH lacks the system's folder for it."""
    found = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))
    if found is None:
        raise ServerFailed("nginx is not installed: `apt-get install nginx-light`")
    return found


def _config(copies: int, port: int, addresses: Sequence[str]) -> str:
    listens = "\n".join(f"        listen {address}:{port} backlog=1024;" for address in addresses)
    locations = "\n".join(f"        location /c{copy}/ {{ alias pages/; }}" for copy in range(copies))
    user = "user root;" if os.geteuid() == 0 else ""
    return CONFIG.format(user=user, listens=listens, locations=locations)


def _spawn(program: str, prefix: Path) -> subprocess.Popen[bytes]:
    with (prefix / "stderr.log").open("wb") as log:
        # The own session keeps a Ctrl-C from ending the server before the contestants that talk to it.
        return subprocess.Popen(
            [program, "-p", f"{prefix}/", "-c", "nginx.conf"], stdout=log, stderr=log, start_new_session=True
        )


def _is_up(server: subprocess.Popen[bytes], pid_file: Path) -> bool:
    """Whether nginx wrote its pid file, which it does after it has bound the port; false when it ended instead."""
    give_up = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < give_up:
        if pid_file.exists() and pid_file.read_text().strip() == str(server.pid):
            return True
        time.sleep(0.02)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
