"""Path patterns by RFC 9309 §2.2.2 and §2.2.3: what they match, how long they are, what a hostile one costs."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scraper.schedule.robots import Robots
from scraper.urls import split


def allows(rules: list[str], target: str) -> bool:
    file = "\n".join(["User-agent: *", *rules]).encode("utf-8", "surrogateescape")
    return Robots.parse(file, ()).allows(split("https://a.example" + target).href)


def matches(pattern: str, target: str) -> bool:
    return not allows([f"Disallow: {pattern}"], target)


@pytest.mark.parametrize(
    ("pattern", "target", "expected"),
    [
        # a pattern is a prefix, in the case it is written
        ("/", "/", True),
        ("/", "/a?b", True),
        ("/a", "/ab", True),
        ("/a", "/A", False),
        ("/a/", "/a", False),
        ("/a?b=", "/a?b=1", True),
        ("/a?", "/a", False),
        ("//", "/a", False),
        # what no path can match
        ("", "/", False),
        ("a", "/a", False),
        ("$", "/", False),
        ("http://a.example/a", "/a", False),
        # §2.2.3: * and $
        ("*", "/", True),
        ("*.gif", "/a/b.gif?c", True),
        ("/*", "/", True),
        ("/a*", "/a", True),
        ("/a*c", "/abc", True),
        ("/a*c", "/ab", False),
        ("/a***c", "/abbc", True),
        ("/a*b*a", "/aba", True),
        ("/ab*ba", "/aba", False),
        ("/*ab*b", "/ab", False),
        ("/*ab*b", "/abb", True),
        ("/*?*=", "/a?b=c", True),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/a$", "/a?", False),
        ("/$", "/", True),
        ("/$", "/a", False),
        ("/*.php$", "/a.php", True),
        ("/*.php$", "/a.php.php", True),
        ("/*.php$", "/a.php?b", False),
        ("/a*$", "/abc", True),
        ("/*a$", "/ba$", False),
        # §2.2.3: the same two as plain characters; a $ that is not at the end is one
        ("/a$b", "/a$bc", True),
        ("/a$b", "/a", False),
        ("/a$", "/a$b", False),
        ("/a$", "/a$", False),
        ("/a$$", "/a$", True),
        ("/a%24", "/a$b", True),
        ("/a%24", "/a%24b", True),
        ("/a%24", "/a", False),
        ("/a%24$", "/a$", True),
        ("/a%2A", "/a*", True),
        ("/a%2a", "/a%2A", True),
        ("/a%2A", "/ab", False),
        ("/a*", "/a%2A", True),
        # §2.2.2: unreserved characters, quoted or not
        ("/%62%61%7A", "/baz", True),
        ("/baz", "/%62%61%7a", True),
        ("/~a", "/%7Ea", True),
        ("/%7ea", "/~a", True),
        ("/%2e", "/.a", True),
        # reserved ones by the letter
        ("/a?b=https://c", "/a?b=https%3A%2F%2Fc", True),
        ("/a?b=https%3a%2f%2fc", "/a?b=https://c", True),
        ("/a%3Fb", "/a?b", True),
        ("/*%2Fb", "/?a=%2fb", True),
        ("/a%23b", "/a%23b", True),
        # neither
        ("/a b", "/a%20b", True),
        ("/a|b", "/a%7Cb", True),
        ("/a%7cb", "/a|b", True),
        ("/a+b", "/a%20b", False),
        # octets that are no ASCII
        ("/ツ", "/%E3%83%84", True),
        ("/%e3%83%84", "/%E3%83%84", True),
        ("/%E8", "/%E9", False),
        ("/\udce9", "/%E9", True),
        # % that quotes nothing
        ("/100%", "/100%", True),
        ("/100%", "/100%25", True),
        ("/%zz", "/%zz", True),
        ("/%2*", "/%2", True),
        ("/%2541", "/A", False),
        ("/%2541", "/%2541", True),
        ("/a%0Ab", "/a%0ab", True),
        ("/a%00", "/a%00b", True),
    ],
)
def test_matching(pattern: str, target: str, expected: bool) -> None:
    """One pattern, one path."""
    assert matches(pattern, target) is expected


@pytest.mark.parametrize(
    ("shorter", "longer", "target"),
    [
        ("/", "/a", "/a"),
        ("/", "/*", "/a"),
        ("/ab", "/*bc", "/abc"),
        ("/ab", "/ab$", "/ab"),
        ("/%61", "/*b", "/ab"),
        ("/%61%62", "/*bc", "/abc"),
        ("/a***b", "/*b*c", "/abc"),
        ("/*abcd", "/ツ", "/ツabcd"),
        ("/*abcd", "/%e3%83%84", "/ツabcd"),
        ("/a%2fb", "/*b/c", "/a/b/c"),
        ("/*/b/", "/a%2Fb/c", "/a/b/c"),
        # a departure: what is neither letter, digit nor one of -._/= counts three octets, quoted or not
        ("/abc", "/*?", "/abc?d"),
        ("/*bcd", "/%3F*d", "/?abcd"),
    ],
)
def test_the_longer_pattern_decides(shorter: str, longer: str, target: str) -> None:
    """Length counts octets of the normal spelling, however the file spells it, and in whatever order it comes."""
    assert allows([f"Allow: {longer}", f"Disallow: {shorter}"], target)
    assert not allows([f"Allow: {shorter}", f"Disallow: {longer}"], target)
    assert not allows([f"Disallow: {longer}", f"Allow: {shorter}"], target)


@pytest.mark.parametrize("page", ["/index.html", "/a/index.html", "/*/index.html", "/a/%69ndex.html"])
def test_an_allowed_index_page_allows_no_more_than_itself(page: str) -> None:
    """Neither the folder nor another page; a rule longer by two still counts, by one it is a tie: a departure."""
    assert not allows(["Disallow: /", f"Allow: {page}"], "/")
    assert not allows(["Disallow: /", f"Allow: {page}"], "/a/")
    assert not allows(["Disallow: /", f"Allow: {page}"], "/a/index.htm")
    assert allows(["Disallow: /", f"Allow: {page}"], page.replace("*", "b") + "?c")
    assert not allows([f"Allow: {page}", f"Disallow: {page}56"], page.replace("*", "b") + "56")
    assert allows([f"Allow: {page}", f"Disallow: {page}5"], page.replace("*", "b") + "56")


@given(st.text("ab*$/", max_size=9).map("/".__add__), st.text("ab/", max_size=12).map("/".__add__))
@example("/*ab*ab$", "/abab")
@example("/*ab$", "/aab")
@example("/a*$", "/a")
def test_as_a_regular_expression_would(pattern: str, target: str) -> None:
    """Taking each stretch where it first occurs loses no match that trying all places would find."""
    text = pattern.removesuffix("$")
    expression = ".*".join(map(re.escape, text.split("*"))) + ("" if text == pattern else "$")
    assert matches(pattern, target) is bool(re.match(expression, target))


def test_hostile_patterns_take_no_time() -> None:
    """Patterns on which a backtracking matcher stays for years: many stars, and one that is nothing but stars."""
    target = "/" + "a" * 2_000
    start = time.process_time()
    assert not matches("/" + "*a" * 240_000 + "$", "/b")
    assert not matches("/" + "*a" * 240_000 + "b", target)
    assert not matches("/" + "*" * 500_000 + "b", target)
    assert allows(["Disallow: /" + "*a" * n + "b$" for n in range(690)], target)
    assert time.process_time() - start < 10
