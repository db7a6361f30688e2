"""What the answer to a request for robots.txt means (RFC 9309 §2.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scraper.records import Failure, Page
from scraper.schedule.robots import MAX_SIZE, Robots
from scraper.schedule.rulebook import LIFETIME, Rule, Verdict

#: Failures without any exchange by HTTP that no second attempt mends: the pages of the origin would end the same way.
_SHARED = frozenset({"dns_error", "tls_error", "blocked_address"})

#: Nothing could be had where the answer led to (§2.3.1.2).
_NOWHERE = frozenset({"too_many_redirects", "bad_redirect"})


class Policy(NamedTuple):
    """How robots.txt is obeyed.

    Attributes:
        agents: product tokens that mean this crawler.
        max_delay: seconds of the longest Crawl-delay that it puts up with.
    """

    agents: Sequence[str]
    max_delay: float


def is_unavailable(failure: Failure) -> bool:
    """Whether there is no robots.txt, so that everything is allowed: a status of 3xx or 4xx, but not 429 (§2.3.1.3)."""
    if failure.error in _NOWHERE:
        return True
    return failure.error == "http_error" and failure.status != 429 and 300 <= (failure.status or 0) < 500


def content_of(result: Page | Failure) -> bytes | None:
    """The rules in an answer that settles the matter; None if there are none."""
    return result.body[:MAX_SIZE] if isinstance(result, Page) else None


def rule_of(content: bytes | None, policy: Policy, now: float, *, age: float = 0.0, own_delay: bool = False) -> Rule:
    """What a robots.txt says to this crawler.

    Args:
        content: its bytes; None if there is none.
        policy: how it is obeyed.
        now: the moment.
        age: seconds since it was fetched.
        own_delay: the settings say how often its host is asked, so that its Crawl-delay does not count.
    """
    until = now + LIFETIME - age
    if content is None:
        return Rule(None, None, 0, until)
    robots = Robots.parse(content, policy.agents)
    delay = robots.crawl_delay or 0.0
    if own_delay or delay <= policy.max_delay:
        return Rule(robots, None, len(content), until)
    message = (
        f"its robots.txt asks for {delay:g} s between two requests; politeness.max_delay is {policy.max_delay:g} s"
    )
    return Rule(None, Verdict("robots_disallowed", message), 0, until)


def refusal_of(failure: Failure, now: float) -> Rule:
    """What it means that robots.txt could not be had: nothing may be asked for now (§2.3.1.4)."""
    if failure.error in _SHARED and not failure.retryable:
        return Rule(None, Verdict(failure.error, failure.message), 0, now + LIFETIME)
    message = f"its robots.txt cannot be had: {failure.error}: {failure.message}"
    return Rule(None, Verdict("robots_unreachable", message), 0, now + LIFETIME)
