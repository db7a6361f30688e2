"""What is fetched for the pages' sake, robots.txt and lists, and what robots.txt has to say of a redirect."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from typing import Any, Final

import pytest
from responses import RequestsMock

from scraper.fetch import Fetcher, fetcher
from scraper.records import LIST, ROBOTS, Failure, Hop, Page, Target
from scraper.settings import load

URL: Final = "https://a.example/robots.txt"


@pytest.mark.parametrize("kind", [ROBOTS, LIST])
@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "application/pdf"])
def test_any_type_will_do(web: RequestsMock, client: Any, kind: str, content_type: str) -> None:
    """Neither the header nor the first bytes make it something that is not wanted, as they would a page."""
    web.get(URL, body=b"%PDF-1.7", content_type=content_type)
    assert client.page(URL, kind=kind).body == b"%PDF-1.7"


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("more", [-1, 0, 1, 300_000])
def test_of_a_long_robots_txt_the_beginning_counts(
    web: RequestsMock, open_client: Callable[..., Any], coding: str, more: int
) -> None:
    """However small pages have to be; only that much memory is taken."""
    whole = b"Disallow: /abcde\n" * 100_000
    whole = whole[: fetcher.ROBOTS_BODY + more]
    body = gzip.compress(whole) if coding else whole
    web.get(URL, body=body, headers={"Content-Encoding": coding} if coding else {})
    client = open_client(fetch={"max_body": "1KiB"})
    answer = client.fetch(URL, kind=ROBOTS)
    assert isinstance(answer, Page)
    assert answer.body == whole[: fetcher.ROBOTS_BODY]
    assert client.fetcher.budget.used == len(answer.body)
    client.fetcher.budget.release(len(answer.body))


@pytest.mark.parametrize(("size", "fits"), [(2000, True), (4096, True), (4097, False)])
def test_a_list_may_be_larger_than_a_page(
    web: RequestsMock, open_client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, size: int, fits: bool
) -> None:
    """Up to a limit of its own."""
    monkeypatch.setattr(fetcher, "LIST_BODY", 4096)
    web.get(URL, body=b"x" * size)
    client = open_client(fetch={"max_body": "1KiB"})
    if fits:
        assert len(client.page(URL, kind=LIST).body) == size
    else:
        assert client.failure(URL, kind=LIST).error == "body_too_large"


def test_a_list_may_be_as_large_as_a_page(
    web: RequestsMock, open_client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pages may be larger than lists are anyway."""
    monkeypatch.setattr(fetcher, "LIST_BODY", 1000)
    web.get(URL, body=b"x" * 2048)
    assert len(open_client(fetch={"max_body": "2KiB"}).page(URL, kind=LIST).body) == 2048


@pytest.mark.parametrize("most", [0, 10])
def test_redirects_of_robots_txt(web: RequestsMock, open_client: Callable[..., Any], most: int) -> None:
    """Five are followed, whatever holds for pages."""
    web.get(URL, status=302, headers={"Location": "/robots.txt"})
    failure = open_client(fetch={"max_redirects": most}).failure(URL, kind=ROBOTS)
    assert (failure.error, failure.message) == ("too_many_redirects", "more than 5 redirects")
    assert len(web.calls) == 6


# Redirects and what robots.txt says of them


@pytest.fixture
def fetch() -> Callable[..., Page | Hop | Failure]:
    """Fetch a URL, where robots.txt says so much of each."""

    def ask(url: str, said: dict[str, bool | None], **target: Any) -> Page | Hop | Failure:
        with Fetcher(load({"fetch": {"retries": 0}}), said.__getitem__) as made:
            answer = made.fetch(Target(url, url, "a.example", **target))
            if isinstance(answer, Page):
                made.budget.release(len(answer.body))
            return answer

    return ask


START: Final = "https://a.example/start"
END: Final = "https://a.example/end"


@pytest.fixture
def moved(web: RequestsMock) -> RequestsMock:
    """A page that redirects to another of its host."""
    web.get(START, status=302, headers={"Location": "/end"})
    return web


def test_a_redirect_that_is_allowed(moved: RequestsMock, fetch: Any) -> None:
    """It is followed at once."""
    moved.get(END, body=b"<h1>x</h1>", content_type="text/html")
    assert fetch(START, {END: True}).final_url == END


def test_a_redirect_that_is_not_allowed(moved: RequestsMock, fetch: Any) -> None:
    """It ends the page, which has been asked for once; nobody asks for what is barred."""
    failure = fetch(START, {END: False})
    assert (failure.error, failure.attempts, failure.retryable) == ("robots_disallowed", 1, False)
    assert END in failure.message
    assert len(moved.calls) == 1


def test_a_redirect_of_which_nothing_is_known(moved: RequestsMock, fetch: Any) -> None:
    """It goes back, as one to another host does, until robots.txt has come."""
    hop = fetch(START, {END: None})
    assert isinstance(hop, Hop)
    assert (hop.target.url, hop.target.href, hop.target.redirects) == (START, END, 1)
    assert len(moved.calls) == 1


@pytest.mark.parametrize("kind", [ROBOTS, LIST])
def test_redirects_of_others_are_not_judged(moved: RequestsMock, fetch: Any, kind: str) -> None:
    """What is no page is fetched wherever it is."""
    moved.get(END, body=b"x")
    assert fetch(START, {}, kind=kind).final_url == END


def test_another_host_is_not_judged_here(web: RequestsMock, fetch: Any) -> None:
    """The schedule does that in its turn."""
    web.get(START, status=302, headers={"Location": "https://b.example/"})
    assert fetch(START, {}).target.href == "https://b.example/"


# Hosts that cannot be reached


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_NONAME, "no"), socket.gaierror(socket.EAI_AGAIN, "no")])
def test_a_name_that_is_not_found(client: Any, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """Whether or not it may be found later."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    failure = client.failure("http://a.example/")
    assert (failure.error, failure.unreached) == ("dns_error", True)


@pytest.mark.parametrize("status", [404, 429, 503])
def test_who_answers_was_reached(web: RequestsMock, client: Any, status: int) -> None:
    """Whatever the answer."""
    web.get(URL, status=status)
    assert not client.failure(URL).unreached


def test_who_redirects_was_reached(moved: RequestsMock, client: Any) -> None:
    """Though there is no connection for what its answer leads to, on the same host."""
    moved.get(END, body=ConnectionRefusedError("no"))
    failure = client.failure(START)
    assert (failure.error, failure.unreached) == ("connect_error", False)
