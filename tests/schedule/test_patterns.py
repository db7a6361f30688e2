"""Path patterns by RFC 9309 §2.2.2 and §2.2.3: what they match, how long they are, what a hostile one costs."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scraper.schedule.patterns import joined, longest, subject


def matches(pattern: str, target: str) -> bool:
    return longest(joined([pattern]), subject(target)) > 0


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
    ("pattern", "length"),
    [("/a", 2), ("/%61", 2), ("/ツ", 10), ("/%e3%83%84", 10), ("/a?", 3), ("/a%3F", 3), ("/a*$", 4), ("/%2A", 4)],
)
def test_length_counts_octets_of_the_usual_spelling(pattern: str, length: int) -> None:
    """However the file spells it: a letter is one octet, a quoted one three."""
    assert longest(joined([pattern]), subject(pattern.removesuffix("*$"))) == length


def test_longest_of_several() -> None:
    """The longest that matches, in whatever order they came."""
    names = ["/", "/abcd", "/a", "/*c", "/abcx"]
    assert longest(joined(names), subject("/abcd")) == 5
    assert longest(joined(reversed(names)), subject("/abce")) == 3
    assert longest(joined(names), subject("/x")) == 1
    assert longest(joined([]), subject("/x")) == 0


def test_only_what_can_match_is_kept() -> None:
    """In one spelling each."""
    assert joined(["", "a", "$", "/a***b", "/%61*b", "http://a.example/"]) == "/a*b"


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
    hostile = joined(
        ["/" + "*a" * 250_000 + "$", "/" + "*" * 500_000 + "b"] + ["/" + "*a" * n + "b$" for n in range(900)]
    )
    start = time.process_time()
    assert longest(hostile, subject("/" + "a" * 2_000)) == 0
    assert time.process_time() - start < 5
