"""Politeness on the wire: real runs against several hosts on loopback, judged by what the servers saw."""

from __future__ import annotations

import itertools
import json
import selectors
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

#: Seconds by which a server may notice a request later than it came, on a machine that has other work.
NOTICE: Final = 0.03

Answer = Callable[[str, str], "bytes | None"]


class Seen(NamedTuple):
    """A request that a server saw: when it came, when its answer went, and how many were under way with it."""

    path: str
    came: float
    busy: int


class Hosts:
    """One server thread for many hosts, all on one port of 127.0.0.x; answers take `latency` seconds.

    Attributes:
        seen: requests by host, in order.
    """

    def __init__(self, count: int, answer: Answer, latency: float) -> None:
        self.seen: dict[str, list[Seen]] = defaultdict(list)
        self._answer = answer
        self._latency = latency
        self._busy: dict[str, int] = defaultdict(int)
        self._due: list[tuple[float, socket.socket, str, str]] = []
        self._selector = selectors.DefaultSelector()
        self.port = 0
        self.names = [f"127.0.0.{number}" for number in range(2, 2 + count)]
        for name in self.names:
            listener = socket.create_server((name, self.port), backlog=128)
            self.port = listener.getsockname()[1]
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ, None)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def url(self, host: int, path: str) -> str:
        return f"http://{self.names[host]}:{self.port}{path}"

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            wait = min([0.05, *(due[0] - time.monotonic() for due in self._due)])
            for key, _ in self._selector.select(max(wait, 0)):
                assert isinstance(key.fileobj, socket.socket)
                if key.data is None:
                    connection, _ = key.fileobj.accept()
                    self._selector.register(connection, selectors.EVENT_READ, connection.getsockname()[0])
                else:
                    self._read(key.fileobj, key.data)
            now = time.monotonic()
            for due in [due for due in self._due if due[0] <= now]:
                self._due.remove(due)
                self._reply(*due[1:])

    def _read(self, connection: socket.socket, host: str) -> None:
        data = connection.recv(65536)
        if not data:
            self._selector.unregister(connection)
            connection.close()
            return
        path = data.split(b" ", 2)[1].decode()
        self._busy[host] += 1
        self.seen[host].append(Seen(path, time.monotonic(), self._busy[host]))
        self._due.append((time.monotonic() + self._latency, connection, host, path))

    def _reply(self, connection: socket.socket, host: str, path: str) -> None:
        self._busy[host] -= 1
        body = self._answer(host, path)
        if body is None:
            body = f"<title>{path}</title>".encode()
        if not body.startswith(b"HTTP/1.1 "):
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n"
            body = head % len(body) + body
        connection.sendall(body)


@pytest.fixture
def hosts() -> Iterator[Callable[..., Hosts]]:
    """Start `Hosts`; closed at the end of the test."""
    started: list[Hosts] = []

    def start(count: int, answer: Answer = lambda host, path: None, latency: float = 0.0) -> Hosts:
        started.append(Hosts(count, answer, latency))
        return started[-1]

    yield start
    for each in started:
        each.close()


def status(line: str, *headers: str, body: str = "") -> bytes:
    fields = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {line}\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def summary(directory: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((directory / "summary.json").read_bytes())
    return read


def failures(directory: Path) -> dict[str, str]:
    listed = (json.loads(line) for line in (directory / "failures.jsonl").read_bytes().splitlines())
    return {row["url"]: row["error"] for row in listed}


@pytest.mark.parametrize("order", ["sorted", "in rounds"])
def test_gaps_and_concurrency(hosts: Any, cli: Any, write_list: Any, tmp_path: Path, order: str) -> None:
    """Starts are `delay` apart, robots.txt included, and never more than `per_host` at once, in whatever order."""
    delay, per_host, pages = 0.15, 2, 6
    site = hosts(5, latency=0.25)
    urls = [site.url(host, f"/{number}") for host in range(5) for number in range(pages)]
    if order == "in rounds":
        urls.sort(key=lambda url: url.rpartition("/")[2])
    limits = ("--delay", str(delay), "--per-host", str(per_host), "--fetch-workers", "12", "--allow-private")
    result = cli("run", write_list(urls), "-o", "out", "--parse-workers", "0", *limits)
    assert result.returncode == 0, result.stderr
    assert summary(tmp_path / "out")["urls"]["ok"] == 5 * pages
    for seen in site.seen.values():
        assert len(seen) == pages + 1
        assert seen[0].path == "/robots.txt"
        gaps = [later.came - earlier.came for earlier, later in itertools.pairwise(seen)]
        assert min(gaps) >= delay - NOTICE, gaps
        assert max(each.busy for each in seen) <= per_host
    assert max(each.busy for seen in site.seen.values() for each in seen) == 2, "the limit was never reached"


def test_hosts_of_their_own_kind(hosts: Any, cli: Any, write_list: Any, tmp_path: Path) -> None:
    """Settings for one host: another delay, and another number of requests at once."""
    site = hosts(2, latency=0.1)
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        f"politeness: {{delay: 0, robots: false}}\nhosts: {{{site.names[1]}: {{delay: 0.3, per_host: 1}}}}"
    )
    urls = [site.url(host, f"/{number}") for host in range(2) for number in range(4)]
    result = cli("run", write_list(urls), "-s", str(settings), "-o", "out", "--allow-private")
    assert result.returncode == 0, result.stderr
    slow = site.seen[site.names[1]]
    assert min(later.came - earlier.came for earlier, later in itertools.pairwise(slow)) >= 0.3 - NOTICE
    assert max(each.busy for each in slow) == 1
    assert "robots.txt was not asked for" in result.stderr
    assert summary(tmp_path / "out")["robots"] is False


def test_robots_txt_of_each_host(hosts: Any, cli: Any, write_list: Any, tmp_path: Path) -> None:
    """What forbids, what is not there, what fails, what redirects; each host by its own."""
    answers = {
        "127.0.0.2": b"\xef\xbb\xbfUser-agent: *\r\nDisallow: /no\r\n",
        "127.0.0.3": status("404 Not Found", body="<h1>no such page</h1>"),
        "127.0.0.4": status("500 Oops"),
        "127.0.0.5": b"<!DOCTYPE html><p>Disallow: /",
        "127.0.0.6": b"User-agent: *\nCrawl-delay: 3600\n",
    }
    site = hosts(6, lambda host, path: answers.get(host) if path == "/robots.txt" else None)
    answers["127.0.0.7"] = status("301 Moved", f"Location: http://127.0.0.2:{site.port}/robots.txt")
    urls = [site.url(host, path) for host in range(6) for path in ("/yes", "/no")]
    run = ("run", write_list(urls), "-o", "out", "--delay", "0", "--retries", "1", "--allow-private")
    result = cli(*run)
    assert result.returncode == 0, result.stderr
    ended = failures(tmp_path / "out")
    assert ended == {
        site.url(0, "/no"): "robots_disallowed",
        site.url(2, "/yes"): "robots_unreachable",
        site.url(2, "/no"): "robots_unreachable",
        site.url(4, "/yes"): "robots_disallowed",
        site.url(4, "/no"): "robots_disallowed",
        site.url(5, "/no"): "robots_disallowed",
    }
    assert [each.path for each in site.seen["127.0.0.4"]] == ["/robots.txt"] * 2
    assert {each.path for each in site.seen["127.0.0.6"]} == {"/robots.txt"}
    assert (tmp_path / "out/failures.jsonl").read_text().count("asks for 3600 s") == 2
    # What was learned is kept with the run: only what could not be had is asked for again.
    before = {host: len(seen) for host, seen in site.seen.items()}
    answers["127.0.0.4"] = status("404 Not Found")
    result = cli("retry", "out", "--only", "robots_unreachable,robots_disallowed")
    assert result.returncode == 0, result.stderr
    assert failures(tmp_path / "out") == {url: kind for url, kind in ended.items() if kind == "robots_disallowed"}
    assert [each.path for each in site.seen["127.0.0.4"]][2:][0] == "/robots.txt"
    assert {host for host, seen in site.seen.items() if len(seen) > before[host]} == {"127.0.0.4"}


def test_redirects_mind_the_rules(hosts: Any, cli: Any, write_list: Any, tmp_path: Path) -> None:
    """Within a host in place, to another one after its robots.txt; forbidden places are never asked for."""

    def answer(host: str, path: str) -> bytes | None:
        if path == "/robots.txt":
            return b"User-agent: *\nDisallow: /no"
        there = {"/in": "/yes", "/in-no": "/no/1", "/out": f"{other}/yes", "/out-no": f"{other}/no/2"}
        return status("302 Found", f"Location: {there[path]}") if path in there else None

    site = hosts(2, answer)
    other = f"http://{site.names[1]}:{site.port}"
    urls = [site.url(0, path) for path in ("/in", "/in-no", "/out", "/out-no")]
    result = cli("run", write_list(urls), "-o", "out", "--delay", "0", "--allow-private")
    assert result.returncode == 0, result.stderr
    assert failures(tmp_path / "out") == {urls[1]: "robots_disallowed", urls[3]: "robots_disallowed"}
    assert [each.path for each in site.seen[site.names[1]]] == ["/robots.txt", "/yes"]
    assert not any("/no" in each.path and each.path.startswith("/no") for each in site.seen[site.names[0]])


def test_a_host_that_is_not_there(hosts: Any, cli: Any, write_list: Any, tmp_path: Path) -> None:
    """Its many pages end together, after a few attempts, while the other host's go on."""
    site = hosts(1)
    gone = [f"http://127.0.0.9:{site.port}/{number}" for number in range(3000)]
    there = [site.url(0, f"/{number}") for number in range(20)]
    limits = ("--delay", "0", "--no-robots", "--retries", "1", "--allow-private", "--parse-workers", "0")
    limits += ("--set", "politeness.max_delay=0.4")  # its pauses need not grow any longer here
    result = cli("run", write_list([*gone, *there]), "-o", "out", *limits)
    assert result.returncode == 0, result.stderr
    run = summary(tmp_path / "out")
    assert run["failures"] == {"connect_error": 3000}
    assert run["urls"]["ok"] == 20
    requests = {each["host"]: each["requests"] for each in run["hosts"]["busiest"]}
    assert requests[site.names[0]] == 20
    assert requests["127.0.0.9"] < 20


def test_refusals_slow_a_host_down(hosts: Any, cli: Any, write_list: Any, tmp_path: Path) -> None:
    """429 with Retry-After: nobody asks that host before; the others are not kept waiting; the summary names it."""
    refused: list[str] = []

    def answer(host: str, path: str) -> bytes | None:
        if host == "127.0.0.2" and not refused:
            refused.append(path)
            return status("429 Too Many Requests", "Retry-After: 1")
        return None

    site = hosts(2, answer)
    urls = [site.url(host, f"/{number}") for host in range(2) for number in range(4)]
    limits = ("--delay", "0.05", "--per-host", "1", "--no-robots", "--allow-private", "--parse-workers", "0")
    result = cli("run", write_list(urls), "-o", "out", *limits)
    assert result.returncode == 0, result.stderr
    run = summary(tmp_path / "out")
    assert run["urls"]["ok"] == 8
    first, second, *_ = site.seen["127.0.0.2"]
    assert second.came - first.came >= 1.0 - NOTICE
    assert site.seen["127.0.0.3"][-1].came < second.came
    assert [(each["host"], each["refusals"]) for each in run["hosts"]["refusing"]] == [("127.0.0.2", 1)]
