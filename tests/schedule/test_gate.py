"""What may be asked for: robots.txt first, what it allows, and what becomes of pages of which nothing may be asked."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from scraper.records import PAGE, ROBOTS, Failure, Hop, Outcome, Page, Target
from scraper.schedule import LIFETIME, Policy, Rules, Schedule
from scraper.schedule.exchange import Draw, StoredRobots

ORIGIN = "https://a"


def target(path: str = "/1", origin: str = ORIGIN, id_: int = 0) -> Target:
    url = f"{origin}{path}"
    return Target(url, url, origin.partition("://")[2].partition(":")[0], id=id_)


def page(one: Target, body: bytes = b"", status: int = 200) -> Page:
    return Page(one.url, one.href, status, "", [], body)


def failure(one: Target, error: str, status: int | None = None, *, retryable: bool = False, **more: Any) -> Failure:
    return Failure(one.url, error, f"{error} it is", status, one.attempts + 1, one.href, retryable=retryable, **more)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A schedule whose targets are fetched one after the other, on a clock of its own.

    Attributes:
        asked: what was asked for, in order, with the moment.
        ended: what ended without being asked for.
    """

    def __init__(self, answer: Callable[[Target], Page | Hop | Failure], **options: Any) -> None:
        self.clock = Clock()
        self.schedule = Schedule(
            options.pop("rules", lambda host: Rules(2, 0.0)),
            retries=options.pop("retries", 2),
            robots=Policy(("scraper",), 60.0),
            clock=self.clock,
            **options,
        )
        self._answer = answer
        self.asked: list[tuple[float, str]] = []
        self.failed: list[Failure] = []
        self.ended: list[Outcome] = []
        self.stored: list[StoredRobots] = []

    def run(self, *targets: Target) -> list[str]:
        """Fetch all; the URLs that were asked for."""
        before = len(self.asked)
        self.schedule.add(targets)
        while self.step():
            pass
        self.ended += self.schedule._ended
        self.schedule._ended = []
        return [href for _, href in self.asked[before:]]

    def step(self) -> bool:
        """One request, when it is time for it; False if there is nothing to ask for."""
        politeness = self.schedule._politeness
        while not politeness.is_ready(self.clock.now):
            change = politeness.next_change()
            if change == float("inf") or not politeness.waiting:
                return False
            self.clock.now = change
        one = self.schedule.take()
        assert one is not None
        self.asked.append((self.clock.now, one.href))
        self.finish(one, self._answer(one))
        return True

    def finish(self, one: Target, result: Page | Hop | Failure) -> None:
        """As the pipeline does it."""
        self.schedule.observe(one, result, 0.01)
        if isinstance(result, Hop):
            self.schedule.replace(one, result.target)
            return
        if isinstance(result, Failure) and self.schedule.retry(one, result):
            return
        if one.kind == ROBOTS:
            stored = self.schedule.learn(one, result)
            self.stored += [stored] if stored is not None else []
        elif isinstance(result, Failure):
            self.failed.append(result)
        self.schedule.done(one)

    def ends(self) -> dict[str, str]:
        """Failure kinds of what ended unasked, by URL."""
        return {each.url: each.failure.error for each in self.ended if each.failure is not None}


def with_robots(text: str | int, **others: Page | Failure) -> Callable[[Target], Page | Failure]:
    """A site of which every page is there, and whose robots.txt says this or gives this status."""

    def answer(one: Target) -> Page | Failure:
        if one.kind == PAGE:
            return page(one)
        if isinstance(text, int):
            return failure(one, "http_error", text, retryable=text in (408, 425, 429, 500, 502, 503, 504))
        return page(one, text.encode())

    return answer


def test_robots_txt_comes_first() -> None:
    """Once for each origin, before its first page; what it forbids is never asked for, and ends as a failure."""
    site = Site(with_robots("User-agent: *\nDisallow: /private"))
    asked = site.run(target("/1"), target("/private/2", id_=7), target("/3"))
    assert asked == [f"{ORIGIN}/robots.txt", f"{ORIGIN}/1", f"{ORIGIN}/3"]
    (ended,) = site.ended
    assert (ended.id, ended.status) == (7, None)
    assert ended.failure == Failure(
        f"{ORIGIN}/private/2", "robots_disallowed", "its robots.txt does not allow this page", attempts=0
    )  # fmt: skip
    assert site.run(target("/4"), target("/private")) == [f"{ORIGIN}/4"]
    assert len(site.ended) == 2


def test_each_origin_has_its_own() -> None:
    """Another scheme or port: other rules, though the host takes one turn after the other."""
    site = Site(with_robots("User-agent: *\nAllow: /"), rules=lambda host: Rules(2, 1.0))
    asked = site.run(target(), target("/1", "http://a"), target("/1", "http://a:8080"))
    assert sorted(asked) == sorted(
        f"{origin}/{path}" for origin in (ORIGIN, "http://a", "http://a:8080") for path in ("robots.txt", "1")
    )
    moments = [moment for moment, _ in site.asked]
    assert moments == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "it counts as any request does"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 410, 418, 425, 451, 304, 300])
def test_no_robots_txt_allows_all(status: int) -> None:
    """RFC 9309 §2.3.1.3; it is not asked for a second time either."""
    site = Site(with_robots(status))
    assert site.run(target()) == [f"{ORIGIN}/robots.txt", f"{ORIGIN}/1"]
    assert site.stored == [StoredRobots(ORIGIN, site.stored[0].fetched, None)]


@pytest.mark.parametrize("error", ["too_many_redirects", "bad_redirect"])
def test_redirects_that_lead_nowhere_allow_all(error: str) -> None:
    """RFC 9309 §2.3.1.2."""
    site = Site(lambda one: page(one) if one.kind == PAGE else failure(one, error, 301))
    assert site.run(target()) == [f"{ORIGIN}/robots.txt", f"{ORIGIN}/1"]


@pytest.mark.parametrize(
    ("error", "status", "retryable"),
    [
        ("http_error", 500, True),
        ("http_error", 503, True),
        ("http_error", 429, True),
        ("http_error", 501, False),
        ("timeout", None, True),
        ("connect_error", None, True),
        ("dns_error", None, True),
        ("protocol_error", None, True),
        ("truncated_body", 200, True),
        ("bad_encoding", 200, False),
    ],
)
def test_what_cannot_be_had_forbids_all_for_now(error: str, status: int | None, retryable: bool) -> None:
    """RFC 9309 §2.3.1.4; after as many attempts as anything that may pass, and it is not kept for another session."""
    site = Site(
        lambda one: page(one) if one.kind == PAGE else failure(one, error, status, retryable=retryable), retries=2
    )
    attempts = 3 if retryable else 1
    assert site.run(target("/1"), target("/2")) == [f"{ORIGIN}/robots.txt"] * attempts
    assert site.ends() == {f"{ORIGIN}/1": "robots_unreachable", f"{ORIGIN}/2": "robots_unreachable"}
    assert all(each.failure is not None and error in each.failure.message for each in site.ended)
    assert all(each.status is None for each in site.ended), "that of robots.txt is not a page's"
    assert site.stored == []
    assert site.run(target("/3")) == []


@pytest.mark.parametrize("error", ["dns_error", "tls_error", "blocked_address"])
def test_what_pages_would_share_is_their_end(error: str) -> None:
    """A name that does not exist, say: no second attempt helps, and a page's own request would end like that."""
    site = Site(lambda one: failure(one, error))
    assert site.run(target()) == [f"{ORIGIN}/robots.txt"]
    assert site.ends() == {f"{ORIGIN}/1": error}


def test_a_transient_failure_of_robots_txt_passes() -> None:
    """As any other: after a while it is asked for once more, and the pages have waited."""
    answers = iter([503, 200])

    def answer(one: Target) -> Page | Failure:
        if one.kind == PAGE or next(answers) == 200:
            return page(one)
        return failure(one, "http_error", 503, retryable=True)

    site = Site(answer)
    assert site.run(target()) == [f"{ORIGIN}/robots.txt", f"{ORIGIN}/robots.txt", f"{ORIGIN}/1"]
    assert site.asked[1][0] >= 0.25
    assert site.ended == []


@pytest.mark.parametrize(
    ("delay", "gaps"), [("0.1", [1.0, 1.0]), ("5", [5.0, 5.0]), ("60", [60.0, 60.0]), ("nonsense", [1.0, 1.0])]
)
def test_crawl_delay_raises_the_delay(delay: str, gaps: list[float]) -> None:
    """Up to `max_delay`; a smaller one changes nothing."""
    site = Site(with_robots(f"User-agent: *\nCrawl-delay: {delay}"), rules=lambda host: Rules(2, 1.0))
    site.run(target("/1"), target("/2"), target("/3"))
    moments = [moment for moment, href in site.asked if "robots" not in href]
    assert [later - earlier for earlier, later in pairwise(moments)] == gaps


def test_a_crawl_delay_beyond_the_limit_skips_the_host() -> None:
    """The message says what it asks for, and what the limit is."""
    site = Site(with_robots("User-agent: *\nCrawl-delay: 61"))
    assert site.run(target()) == [f"{ORIGIN}/robots.txt"]
    (ended,) = site.ended
    assert ended.failure is not None
    assert ended.failure.error == "robots_disallowed"
    assert "61 s" in ended.failure.message
    assert "politeness.max_delay is 60 s" in ended.failure.message


@pytest.mark.parametrize("delay", ["5", "1000"])
def test_a_delay_of_the_users_own_overrides_the_crawl_delay(delay: str) -> None:
    """Settings for this very host say more than its robots.txt; its other rules count all the same."""
    rules = Rules(2, 1.0, fixed=True)
    site = Site(with_robots(f"User-agent: *\nCrawl-delay: {delay}\nDisallow: /2"), rules=lambda host: rules)
    site.run(target("/1"), target("/2"), target("/3"))
    assert [moment for moment, _ in site.asked] == [0.0, 1.0, 2.0]
    assert len(site.ended) == 1


def test_it_is_good_for_a_day() -> None:
    """Then it is asked for anew, before the next page; one that was kept counts from when it was fetched."""
    site = Site(with_robots("User-agent: *\nDisallow: /2"))
    assert len(site.run(target())) == 2
    site.clock.now = LIFETIME - 1
    assert site.run(target()) == [f"{ORIGIN}/1"]
    site.clock.now = LIFETIME
    assert site.run(target()) == [f"{ORIGIN}/robots.txt", f"{ORIGIN}/1"]
    other = Site(with_robots(""))
    other.schedule.recall([StoredRobots(ORIGIN, 1000.0, b"User-agent: *\nDisallow: /2")], 1000.0 + LIFETIME - 5)
    assert other.schedule.unknown_origins([f"{ORIGIN}/x", "https://b/"]) == {"https://b"}
    assert other.run(target("/1"), target("/2")) == [f"{ORIGIN}/1"]
    other.clock.now = 5
    assert other.run(target("/1")) == [f"{ORIGIN}/robots.txt", f"{ORIGIN}/1"]


def test_a_redirect_to_another_host_minds_its_rules() -> None:
    """It waits for that host's robots.txt; where that forbids the page, it says where it came to that."""

    def answer(one: Target) -> Page | Hop | Failure:
        if one.kind == ROBOTS:
            return page(one, b"User-agent: *\nDisallow: /no")
        if one.host == "a":
            path = one.href.removeprefix(ORIGIN)
            return Hop(msgspec.structs.replace(one, href=f"https://b{path}", host="b", redirects=1))
        return page(one)

    site = Site(answer)
    asked = site.run(target("/yes"), target("/maybe?/no"), target("/2"))
    assert asked.count("https://b/robots.txt") == 1
    assert {"https://b/yes", "https://b/2"} < set(asked)
    site = Site(lambda one: answer(one) if one.kind == PAGE or one.host == "b" else page(one))
    site.run(target("/no"))
    (ended,) = site.ended
    assert ended.failure is not None
    assert (ended.url, ended.failure.final_url, ended.failure.error) == (
        f"{ORIGIN}/no", "https://b/no", "robots_disallowed",
    )  # fmt: skip


def test_a_robots_txt_that_is_elsewhere() -> None:
    """It may redirect to another host: its rules are the first one's, and it needs no robots.txt of its own."""

    def answer(one: Target) -> Page | Hop:
        if one.kind == ROBOTS and one.host == "a":
            return Hop(msgspec.structs.replace(one, href="https://cdn/robots.txt", host="cdn", redirects=1))
        return page(one, b"User-agent: *\nDisallow: /2")

    site = Site(answer)
    assert site.run(target("/1"), target("/2")) == [f"{ORIGIN}/robots.txt", "https://cdn/robots.txt", f"{ORIGIN}/1"]
    assert site.stored[0].origin == ORIGIN


def test_permit() -> None:
    """For redirects within a host: what is known at once, and what has to be found out."""
    site = Site(with_robots("User-agent: *\nDisallow: /2"))
    assert site.schedule.permit(f"{ORIGIN}/1") is None
    site.run(target())
    assert site.schedule.permit(f"{ORIGIN}/1") is True
    assert site.schedule.permit(f"{ORIGIN}/2") is False
    assert site.schedule.permit("http://a/1") is None
    assert Schedule(lambda host: Rules(1, 0.0), retries=0).permit("http://a/1") is True


def test_a_lost_host_takes_its_pages_with_it() -> None:
    """After a few requests, not one for each: what waits, what was to be retried, and what comes later."""

    def answer(one: Target) -> Page | Failure:
        return page(one) if one.kind == ROBOTS else failure(one, "connect_error", retryable=True, unreached=True)

    site = Site(answer, retries=2)
    pages = [target(f"/{number}", id_=number) for number in range(1000)]
    assert len(site.run(*pages)) < 12
    assert site.clock.now >= 15
    assert len(site.failed) + len(site.ended) == 1000
    assert {each.failure.error for each in site.ended if each.failure is not None} == {"connect_error"}
    assert len({each.id for each in site.ended}) == len(site.ended)
    assert all("given up" in each.failure.message for each in site.ended if each.failure is not None)
    assert site.schedule.waiting == 0


def test_a_host_that_comes_back_is_not_lost() -> None:
    """A pause may be all that it needs."""
    answers = iter(range(100))

    def answer(one: Target) -> Page | Failure:
        if one.kind == ROBOTS or next(answers) >= 5:
            return page(one)
        return failure(one, "connect_error", retryable=True, unreached=True)

    site = Site(answer, retries=2)
    site.run(*(target(f"/{number}") for number in range(50)))
    assert site.ended == []
    assert site.failed == []


def test_drawn_pages_of_a_host_that_was_lost_meanwhile() -> None:
    """What is still in the state ends the same way as soon as it is drawn."""
    site = Site(lambda one: page(one) if one.kind == ROBOTS else failure(one, "timeout", unreached=True), retries=0)
    schedule = site.schedule
    schedule.expect([(1, 5000)])
    schedule.finish()
    drawn = 0
    while not schedule._is_over():
        if not (schedule._ended or schedule._is_wanting(site.clock.now)):
            assert site.step()
            continue
        work = schedule.work()
        assert work is not None
        if work.ended:
            site.ended += work.ended
            schedule.delivered(len(work.ended))
        if work.wants:
            last = min(drawn + work.most, 5000)
            targets = [target(f"/{number}", id_=number) for number in range(drawn, last)]
            schedule.fill([Draw(1, "a", targets, [], last, last == 5000)])
            drawn = last
    assert len(site.failed) + len(site.ended) == 5000
    assert len(site.asked) < 12
