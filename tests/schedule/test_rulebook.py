"""Rules by origin: known for a while, kept within bounds, and targets that wait for them."""

from __future__ import annotations

import pytest

from scraper.records import ROBOTS, Target
from scraper.schedule import rulebook
from scraper.schedule.robots import Robots
from scraper.schedule.rulebook import Rule, Rulebook, Verdict

FOREVER = float("inf")


def target(path: str) -> Target:
    return Target(f"https://a{path}", f"https://a{path}", "a")


def rule(text: str = "", size: int = 0) -> Rule:
    return Rule(Robots.parse(text.encode(), ("x",)), None, size, FOREVER)


def test_holding() -> None:
    """The first one that waits has it asked for; all are given back, in their order, when it has come."""
    book = Rulebook()
    one, two = target("/1"), target("/2")
    asked = book.hold("https://a", one)
    assert asked == Target("https://a/robots.txt", "https://a/robots.txt", "a", kind=ROBOTS)
    assert book.hold("https://a", two) is None
    assert book.learn("https://a", rule()) == [one, two]
    assert book.learn("https://a", rule()) == []


def test_judging() -> None:
    """By the rules, or by a verdict on all of them."""
    some = rule("User-agent: *\nDisallow: /no\nCrawl-delay: 3")
    assert some.judge("https://a/yes") is None
    refused = some.judge("https://a/no/1")
    assert refused is not None
    assert refused.error == "robots_disallowed"
    assert some.delay == 3
    verdict = Verdict("robots_unreachable", "gone")
    assert Rule(None, verdict, 0, FOREVER).judge("https://a/yes") is verdict
    assert Rule(None, None, 0, FOREVER).judge("https://a/no") is None


def test_what_is_known_expires() -> None:
    """At its time."""
    book = Rulebook()
    book.learn("https://a", Rule(None, None, 0, 10.0))
    assert book.known("https://a", 9.9) is not None
    assert book.known("https://a", 10.0) is None
    assert book.known("https://b", 0.0) is None


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number and by size; what was learned last stays, and so do those who wait."""
    monkeypatch.setattr(rulebook, "KEPT", 3)
    monkeypatch.setattr(rulebook, "KEPT_BYTES", 100)
    book = Rulebook()
    book.hold("https://waiting", target("/"))
    for number in range(5):
        book.learn(f"https://{number}", rule(size=10))
    assert [book.known(f"https://{number}", 0) is not None for number in range(5)] == [False, False, True, True, True]
    book.learn("https://4", rule(size=80))
    assert [book.known(f"https://{number}", 0) is not None for number in range(5)] == [False, False, True, True, True]
    book.learn("https://5", rule(size=1000))
    assert book.known("https://5", 0) is not None
    assert book.known("https://4", 0) is None
    assert len(book.learn("https://waiting", rule())) == 1
