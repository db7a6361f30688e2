"""A test file as a user would write it: the network mocked by `responses`, and no socket opened."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import responses
from responses import matchers

import scraper
from scraper.testing import scrape  # noqa: F401  the fixture

SHOP = "https://shop.example/"
HTML = "<title>Shop</title><h1>Things</h1><a href='/a'>A</a>"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects anywhere, or looks up a name, fails the test (Unix sockets are multiprocessing's)."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        assert self.family == getattr(socket, "AF_UNIX", None), f"a test connects to {address}"
        connect(self, address)

    def no_lookup(*arguments: Any, **_: Any) -> None:
        raise AssertionError(f"a test looks up {arguments[0]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", no_lookup)


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    """The mock as users have it."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def test_default_settings(mocked: responses.RequestsMock) -> None:
    """With default settings, worker processes included, mocks answer."""
    mocked.get(SHOP, body=HTML, content_type="text/html; charset=utf-8")
    mocked.get(f"{SHOP}robots.txt", status=404)
    (record,) = scraper.scrape([SHOP])
    assert (record["title"], record["h1"], record["links"]) == ("Shop", "Things", ["https://shop.example/a"])
    assert (record["url"], record["status"]) == (SHOP, 200)


@responses.activate
def test_with_the_decorator() -> None:
    """The decorator that most people use; parsing inline."""
    responses.get(SHOP, body=HTML, content_type="text/html")
    (record,) = scraper.scrape([SHOP], fields={"t": "h1"}, parse_workers=0, robots=False)
    assert record["t"] == "Things"
    assert len(responses.calls) == 1
    assert responses.calls[0].request.headers["Accept-Encoding"]


def test_header_matcher(mocked: responses.RequestsMock) -> None:
    """Matchers see the headers of the list entry."""
    mocked.get(SHOP, body=HTML, content_type="text/html", match=[matchers.header_matcher({"X-Key": "7"})])
    entry = {"url": SHOP, "headers": {"X-Key": "7"}, "sku": "A"}
    (record,) = scraper.scrape([entry], fields={"t": "h1"}, parse_workers=0, robots=False)
    assert record["input"] == {"sku": "A"}


def test_query_matcher(mocked: responses.RequestsMock) -> None:
    """Matchers see the query."""
    mocked.get(SHOP, body=HTML, content_type="text/html", match=[matchers.query_param_matcher({"q": "a b"})])
    assert len(list(scraper.scrape([f"{SHOP}?q=a%20b"], parse_workers=0, robots=False))) == 1


@pytest.mark.parametrize("mocked_too", [True, False])
def test_robots_txt_is_a_request_like_any_other(mocked: responses.RequestsMock, mocked_too: bool) -> None:
    """Mocked, its rules hold; not mocked, nothing may be asked for, and the message says why."""
    mocked.get(SHOP, body=HTML, content_type="text/html")
    mocked.get(f"{SHOP}private", body=HTML, content_type="text/html")
    if mocked_too:
        mocked.get(f"{SHOP}robots.txt", body="User-agent: *\nDisallow: /private")
    failures: list[scraper.Failure] = []
    records = list(
        scraper.scrape([SHOP, f"{SHOP}private"], on_failure=failures.append, parse_workers=0, retries=0, delay=0)
    )
    assert len(records) == (1 if mocked_too else 0)
    assert {failure.error for failure in failures} == {"robots_disallowed" if mocked_too else "robots_unreachable"}
    assert mocked_too or "match any registered mock" in failures[0].message


def test_redirect(mocked: responses.RequestsMock) -> None:
    """A mocked redirect is followed, within the host and to another."""
    mocked.get(SHOP, status=302, headers={"Location": "/new"})
    mocked.get(f"{SHOP}new", status=301, headers={"Location": "https://other.example/"})
    mocked.get("https://other.example/", body=HTML, content_type="text/html")
    (record,) = scraper.scrape([SHOP], parse_workers=0, robots=False)
    assert record["final_url"] == "https://other.example/"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 404}, "http_error"),
        ({"body": ConnectionRefusedError("no")}, "connect_error"),
        ({"body": TimeoutError("slow")}, "timeout"),
        ({"body": b"%PDF-1.7", "content_type": "application/pdf"}, "not_html"),
    ],
)
def test_failures(mocked: responses.RequestsMock, answer: dict[str, Any], kind: str) -> None:
    """What a mock raises or answers becomes a failure of the right kind."""
    mocked.get(SHOP, **answer)
    failures: list[scraper.Failure] = []
    assert list(scraper.scrape([SHOP], on_failure=failures.append, parse_workers=0, retries=0, robots=False)) == []
    assert [failure.error for failure in failures] == [kind]


def test_retry_is_asked_again(mocked: responses.RequestsMock) -> None:
    """Answers in order: a 503, then the page."""
    mocked.get(SHOP, status=503)
    mocked.get(SHOP, body=HTML, content_type="text/html")
    assert len(list(scraper.scrape([SHOP], parse_workers=0, robots=False))) == 1
    assert len(mocked.calls) == 2


def test_the_fixture(mocked: responses.RequestsMock, scrape: Any) -> None:  # noqa: F811
    """The `scrape` fixture returns the records."""
    mocked.get(SHOP, body=HTML, content_type="text/html")
    assert scrape([SHOP], fields={"t": "h1"})[0]["t"] == "Things"


def test_the_fixture_fails_for_what_is_not_mocked(mocked: responses.RequestsMock, scrape: Any) -> None:  # noqa: F811
    """A request that no mock matches fails the test, by name."""
    with pytest.raises(pytest.fail.Exception, match=r"no mock matches https://shop\.example/"):
        scrape([SHOP])


def test_a_parser_that_workers_cannot_get() -> None:
    """A lambda cannot be sent to a process: one line that says what to do, and nothing is asked."""
    with pytest.raises(scraper.ParserError, match="parse_workers=0"):
        list(scraper.scrape([SHOP], parser=lambda page: {}))
