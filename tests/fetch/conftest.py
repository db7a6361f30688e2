"""A fetcher to ask, with targets made the way a list's entries become targets."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses
from responses import RequestsMock

from scraper.fetch import Fetcher
from scraper.records import Failure, Hop, Page, Target
from scraper.settings import load
from scraper.urls import split, without_userinfo

#: What the surroundings of a test run may hold and no test wants.
_ENVIRONMENT = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle")


class Client:
    """A `Fetcher` that is asked for URLs; each method also says what it expects."""

    def __init__(self, **settings: Any) -> None:
        fetch = {"timeout": 5, "connect_timeout": 2, "workers": 2, "allow_private": True, **settings.pop("fetch", {})}
        self.fetcher = Fetcher(load({"fetch": fetch, **settings}))

    def fetch(self, url: str, **target: Any) -> Page | Hop | Failure:
        """The answer for `url`; `target` gives further attributes of the `Target`."""
        parts = split(url)
        keys = {"authorization": parts.authorization, **target}
        return self.fetcher.fetch(Target(without_userinfo(url), parts.href, parts.host, **keys))

    def page(self, url: str, **target: Any) -> Page:
        """The page at `url`; its memory is given back."""
        answer = self.fetch(url, **target)
        assert isinstance(answer, Page), answer
        self.fetcher.budget.release(len(answer.body))
        return answer

    def hop(self, url: str, **target: Any) -> Target:
        """Where `url` redirects to, on another host."""
        answer = self.fetch(url, **target)
        assert isinstance(answer, Hop), answer
        return answer.target

    def failure(self, url: str, **target: Any) -> Failure:
        """Why `url` gives no page; nothing of it stays in memory."""
        answer = self.fetch(url, **target)
        assert isinstance(answer, Failure), answer
        assert self.fetcher.budget.used == 0
        return answer


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no CA bundle but those a test sets."""
    for name in _ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def open_client() -> Iterator[Callable[..., Client]]:
    """Make clients with settings of their own; closed at the end of the test."""
    clients: list[Client] = []

    def make(**settings: Any) -> Client:
        clients.append(Client(**settings))
        return clients[-1]

    yield make
    for client in clients:
        client.fetcher.close()


@pytest.fixture
def client(open_client: Callable[..., Client]) -> Client:
    """A client with the settings' defaults and short timeouts."""
    return open_client()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that would be opened fails the test."""

    def refuse(*arguments: Any) -> None:
        pytest.fail(f"a socket was opened: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def web(no_network: None) -> Iterator[RequestsMock]:
    """The mocked network; every mock must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock
