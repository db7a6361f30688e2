"""Who may fetch what by RFC 9309, section by section; then what no standard foresees, and protego by itself."""

from __future__ import annotations

import codecs
import pickle
import random
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from scraper.schedule.robots import ALLOW_ALL, MAX_SIZE, Robots, product_tokens
from scraper.urls import split

AGENTS = ("concurrent-scraper", "scraper")

BAR = "Disallow: /\n"
SIMPLE = "User-agent: *\nDisallow: /a\n"

#: RFC 9309 §5.1, Simple Example.
RFC_5_1 = """\
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""

#: RFC 9309 §5.2, Longest Match.
RFC_5_2 = """\
User-Agent: foobot
Allow: /example/page/
Disallow: /example/page/disallowed.gif
"""


def allows(file: str | bytes, path: str = "/a", agents: tuple[str, ...] = AGENTS) -> bool:
    """What the file says of ``https://a.example`` plus `path`."""
    content = file.encode() if isinstance(file, str) else file
    return Robots.parse(content, agents).allows(split(f"https://a.example{path}").href)


def delay(file: str) -> float | None:
    return Robots.parse(file.encode(), AGENTS).crawl_delay


# fmt: off
GROUPS = [
    # id, robots.txt, whether /a may be fetched
    ("ours", "User-agent: scraper\n" + BAR, False),
    ("our other name", "User-agent: concurrent-scraper\n" + BAR, False),
    ("everybody", "User-agent: *\n" + BAR, False),
    ("somebody else", "User-agent: other\n" + BAR, True),
    ("any case", "USER-AGENT: ScRaPeR\n" + BAR, False),
    ("a prefix of our name is another", "User-agent: sc\n" + BAR, True),
    ("and so is what ours is a prefix of", "User-agent: scraper-pro\n" + BAR, True),
    ("and its last word", "User-agent: super-scraper\n" + BAR, True),
    ("version", "User-agent: scraper/1.0\n" + BAR, False),
    ("words behind", "User-agent: scraper (all versions)\n" + BAR, False),
    ("digits end a name", "User-agent: scraper2\n" + BAR, False),
    ("name not at the start", "User-agent: Mozilla/5.0 (compatible; scraper/1.0)\n" + BAR, True),
    ("star in a name", "User-agent: *scraper\n" + BAR, True),
    ("no name", "User-agent:\n" + BAR, True),
    ("no name ends the names before it", "User-agent: *\nDisallow: /b\nUser-agent:\n" + BAR, True),
    ("star and digits", "User-agent: *1\n" + BAR, True),
    ("ours shadows everybody's", "User-agent: *\nDisallow: /\n\nUser-agent: scraper\nDisallow: /b\n", True),
    ("also when it comes first", "User-agent: scraper\nDisallow: /b\n\nUser-agent: *\nDisallow: /\n", True),
    ("also when it is empty", "User-agent: *\nDisallow: /\n\nUser-agent: scraper\n", True),
    ("also when it only asks for a delay", "User-agent: *\nDisallow: /\nUser-agent: scraper\nCrawl-delay: 1", True),
    ("other's does not", "User-agent: other\nDisallow: /b\n\nUser-agent: *\nDisallow: /\n", False),
    ("merged", "User-agent: scraper\nDisallow: /b\nUser-agent: x\nDisallow: /c\nUser-agent: scraper\n" + BAR, False),
    ("both our names merged", "User-agent: scraper\nDisallow: /b\nUser-agent: concurrent-scraper\n" + BAR, False),
    ("everybody's merged", "User-agent: *\nDisallow: /b\nUser-agent: x\nDisallow: /c\nUser-agent: *\n" + BAR, False),
    ("several names", "User-agent: other\nUser-agent: scraper\nUser-agent: third\n" + BAR, False),
    ("ours and everybody's as one", "User-agent: *\nUser-agent: scraper\n" + BAR, False),
    ("empty lines do not part", "User-agent: scraper\n\n\nUser-agent: other\n\n# so\n\nDisallow: /b\n\n" + BAR, False),
    ("names after rules are new", "User-agent: scraper\nDisallow: /b\nUser-agent: other\n" + BAR, True),
    ("after empty rules too", "User-agent: scraper\nDisallow:\nUser-agent: other\n" + BAR, True),
    ("rules before all names", BAR + "User-agent: *\nDisallow: /b\n", True),
    # §2.2.4: other records
    ("sitemap between names", "User-agent: scraper\nSitemap: https://a/s.xml\nUser-agent: other\n" + BAR, False),
    ("unknown between names", "User-agent: scraper\nFoo: bar\nUser-agent: other\n" + BAR, False),
    ("unknown between rules", "User-agent: scraper\nDisallow: /b\nFoo: bar\nSitemap: x\n" + BAR, False),
    ("delay before rules", "User-agent: scraper\nCrawl-delay: 5\n" + BAR, False),
    ("delay ends the names", "User-agent: *\nCrawl-delay: 5\n\nUser-agent: bad\n" + BAR, True),
    ("other records alone", "Sitemap: https://a/s.xml\nHost: a\nFoo: bar\n", True),
]
# fmt: on


@pytest.mark.parametrize(("file", "expected"), [row[1:] for row in GROUPS], ids=[row[0] for row in GROUPS])
def test_groups(file: str, expected: bool) -> None:
    """§2.2.1 and §2.2.4: which groups are meant for us."""
    assert allows(file) is expected


# fmt: off
FORMS = [
    # id, robots.txt, whether /a may be fetched
    ("nothing", b"", True),
    ("LF", b"User-agent: *\nDisallow: /a\n", False),
    ("CRLF", b"User-agent: *\r\nDisallow: /a$\r\n", False),
    ("CR", b"User-agent: *\rDisallow: /a$\r", False),
    ("mixed", b"User-agent: x\r\r\nUser-agent: *\n\rDisallow: /a$", False),
    ("no line end at the end", b"User-agent: *\nDisallow: /a", False),
    ("no other line ends", "User-agent: *\nAllow: /\u2028Disallow: /a\x0bDisallow: /a\x85Disallow: /a".encode(), True),
    ("no spaces", b"user-agent:*\ndisallow:/a", False),
    ("many", b" \t User-agent \t : \t * \t \n \t Disallow \t : \t /a$ \t ", False),
    ("comments", b"# hello\nUser-agent: * # all\n#Disallow: /b\nDisallow: /a$ # hidden\n", False),
    ("comment in a comment", b"User-agent: *\n# Disallow: /a # Disallow: /a", True),
    ("comment ends a path", b"User-agent: *\nDisallow: /a#b", False),
    ("UTF-8 mark", codecs.BOM_UTF8 + b"User-agent: *\nDisallow: /a", False),
    ("UTF-16 little", codecs.BOM_UTF16_LE + SIMPLE.encode("utf-16-le"), False),
    ("UTF-16 big", codecs.BOM_UTF16_BE + SIMPLE.encode("utf-16-be"), False),
    ("UTF-16 cut", (codecs.BOM_UTF16_LE + (SIMPLE + "X").encode("utf-16-le"))[:-1], False),
    ("garbage in UTF-16", b"\xff\xfe\xfd\nUser-agent: *\n\xe9: \xe9\nDisallow: /a", True),
    ("no UTF-8 before", b"# \xe9t\xe9\nUser-agent: *\nDisallow: /a", False),
    ("NULs", b"\0\0\nUser-agent: *\n\0\nDisallow: /a\n\0", False),
    ("NUL in a path", b"User-agent: *\nDisallow: /a\0", True),
    ("garbage", bytes(range(256)) * 9, True),
    ("HTML", b"<!DOCTYPE html>\n<html>\n<title>Not found</title>\n<p>User-agent: *\nDisallow: /", True),
    ("JSON", b'{"error": "not found"}', True),
    # spellings that protego understands
    ("no colon", b"User-agent *\nDisallow /a", False),
    ("two words", b"User agent: *\nDisallow: /a", False),
    ("one word", b"useragent: *\nDisallow: /a", False),
    *((word, f"User-agent: *\n{word}: /a".encode(), False)
      for word in ("dissallow", "dissalow", "disalow", "diasllow", "disallaw")),
    ("unknown spelling", b"User-agent: *\nDissssallow: /a\nDisallowed: /a", True),
    ("letters that fold to ASCII", "User-agent: *\nDi\u017fallow: /a".encode(), True),
    ("bare words", b"User-agent: *\nDisallow\nAllow\nCrawl-delay\nDisallow: /a\nUser-agent", False),
]
# fmt: on


@pytest.mark.parametrize(("file", "expected"), [row[1:] for row in FORMS], ids=[row[0] for row in FORMS])
def test_forms(file: bytes, expected: bool) -> None:
    """§2.2 and §2.3: line ends, white space, comments, encodings, and bodies that are no robots.txt."""
    assert allows(file) is expected


# fmt: off
RULES = [
    # id, rules for everybody, path, whether it may be fetched
    ("default", "Disallow: /b", "/a", True),
    ("forbidden", "Disallow: /a", "/a/b", False),
    ("case counts", "Disallow: /A", "/a", True),
    ("empty disallow", "Disallow:", "/a", True),
    ("empty disallow takes nothing back", "Disallow: /a\nDisallow:", "/a", False),
    ("empty allow", "Disallow: /\nAllow:", "/a", False),
    ("allow alone", "Allow: /b", "/a", True),
    ("longest allows", "Disallow: /a\nAllow: /a/b", "/a/b/c", True),
    ("longest forbids", "Allow: /a\nDisallow: /a/b", "/a/b/c", False),
    ("longest, not last", "Allow: /a/b\nDisallow: /a", "/a/b/c", True),
    ("tie allows", "Disallow: /a\nAllow: /a", "/a", True),
    ("tie allows, whatever the spelling", "Disallow: /%61\nAllow: /a", "/a", True),
    ("tie of two kinds", "Disallow: /*b\nAllow: /ab", "/ab", True),
    ("star counts as an octet", "Allow: /ab\nDisallow: /*bc", "/abc", False),
    ("octets, not letters", "Disallow: /ツ\nAllow: /*abcd", "/ツabcd", False),
    ("query", "Disallow: /*?", "/a?b", False),
    ("query not there", "Disallow: /*?", "/a", True),
    ("root only", "Disallow: /\nAllow: /$", "/", True),
    ("and nothing below", "Disallow: /\nAllow: /$", "/a", False),
    ("allowed index.html is not /", "Disallow: /\nAllow: /index.html", "/", False),
    ("robots.txt itself", "Disallow: /", "/robots.txt", True),
    ("even by name", "Disallow: /robots.txt", "/robots.txt", True),
    ("not with a query", "Disallow: /", "/robots.txt?a", False),
    ("nor elsewhere", "Disallow: /", "/a/robots.txt", False),
    # the table of §2.2.2
    ("row 1", "Disallow: /foo/bar?baz=quz", "/foo/bar?baz=quz", False),
    ("row 2", "Disallow: /foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", False),
    ("row 3", "Disallow: /foo/bar/ツ", "/foo/bar/%E3%83%84", False),
    ("row 4", "Disallow: /foo/bar/%E3%83%84", "/foo/bar/ツ", False),
    ("row 5", "Disallow: /foo/bar/%62%61%7A", "/foo/bar/baz", False),
    # the tables of §2.2.3
    ("#", "Allow: / # comment", "/a", True),
    ("$", "Disallow: /this/path/exactly$", "/this/path/exactly", False),
    ("$ exactly", "Disallow: /this/path/exactly$", "/this/path/exactly/not", True),
    ("*", "Disallow: /this/*/exactly", "/this/path/exactly", False),
    ("%2A", "Disallow: /path/file-with-a-%2A.html", "/path/file-with-a-*.html", False),
    ("%2A is no *", "Disallow: /path/file-with-a-%2A.html", "/path/file-with-a-b.html", True),
    ("%24", "Disallow: /path/foo-%24", "/path/foo-$", False),
    ("%24 is no $", "Disallow: /path/foo-%24", "/path/foo-", True),
]
# fmt: on


@pytest.mark.parametrize(("rules", "path", "expected"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
def test_rules(rules: str, path: str, expected: bool) -> None:
    """§2.2.2 and §2.2.3: which rule decides."""
    assert allows(f"User-agent: *\n{rules}\n", path) is expected


@pytest.mark.parametrize(
    ("file", "agent", "path", "expected"),
    [
        (RFC_5_1, "anybot", "/a.gif", False),
        (RFC_5_1, "anybot", "/example/", False),
        (RFC_5_1, "anybot", "/publications/", True),
        (RFC_5_1, "anybot", "/publications/a.gif", True),
        (RFC_5_1, "foobot", "/", False),
        (RFC_5_1, "foobot", "/example/page.html", True),
        (RFC_5_1, "foobot", "/example/allowed.gif", True),
        (RFC_5_1, "foobot", "/example/a.gif", False),
        (RFC_5_1, "barbot", "/example/page.html", False),
        (RFC_5_1, "bazbot", "/example/page.html", False),
        (RFC_5_1, "bazbot", "/example/a.gif", True),
        (RFC_5_1, "quxbot", "/example/a.gif", True),
        (RFC_5_2, "foobot", "/example/page/", True),
        (RFC_5_2, "foobot", "/example/page/disallowed.gif", False),
    ],
)
def test_examples_of_the_standard(file: str, agent: str, path: str, expected: bool) -> None:
    """§5.1 and §5.2."""
    assert allows(file, path, (agent,)) is expected


def test_a_path_in_another_charset_means_itself() -> None:
    """Octets that are no UTF-8 are compared as they are, and match no others."""
    file = b"User-agent: *\nDisallow: /caf\xe9\n"
    assert not allows(file, "/caf%E9")
    assert allows(file, "/caf%E8")
    assert allows(file, "/café")


def filled(line: str, size: int) -> str:
    """A file of `size` bytes that begins for everybody and goes on with comments up to `line`."""
    start = "User-agent: *\n"
    return start + "#" * (size - len(start) - len(line) - 1) + "\n" + line


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (filled("Disallow: /a", MAX_SIZE), False),
        (filled("Disallow: /a", MAX_SIZE) + "\n#", False),
        (filled("Disallow: /a", MAX_SIZE) + "\r\n#", False),
        (filled("Disallow: /a", MAX_SIZE) + "b", True),
        (filled("Disallow: /a\n", MAX_SIZE) + "Allow: /a", False),
        (filled("", MAX_SIZE) + "Disallow: /a", True),
        ("User-agent: *\nDisallow: /" + "a" * MAX_SIZE, True),
    ],
    ids=["just fits", "then more", "then CRLF", "cut in two", "up to there", "too late", "one long line"],
)
def test_limit(file: str, expected: bool) -> None:
    """§2.5: the first 500 KiB count, and no half line."""
    assert allows(file) is expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("User-agent: *\nCrawl-delay: 5", 5.0),
        ("User-agent: *\nCrawl-delay: 0.5\nDisallow: /", 0.5),
        ("User-agent: *\nDisallow: /a\ncrawl delay 2 # s", 2.0),
        ("User-agent: *\nCrawl-delay: 0", 0.0),
        ("User-agent: *\nCrawl-delay: 1\nCrawl-delay: 3\nCrawl-delay: 2", 3.0),
        ("User-agent: *\nCrawl-delay: 3\nCrawl-delay: never", 3.0),
        ("User-agent: *\nCrawl-delay: 9\nUser-agent: scraper\nCrawl-delay: 1", 1.0),
        ("User-agent: *\nCrawl-delay: 9\nUser-agent: scraper\nDisallow: /", None),
        ("User-agent: scraper\nCrawl-delay: 1\nUser-agent: concurrent-scraper\nCrawl-delay: 2", 2.0),
        ("User-agent: other\nCrawl-delay: 5", None),
        ("Crawl-delay: 5\nUser-agent: *", None),
        *(
            (f"User-agent: *\nCrawl-delay: {value}", None)
            for value in ("", "-1", "nan", "inf", "1e999", "5s", "1,5", "٪")
        ),
    ],
)
def test_crawl_delay(file: str, expected: float | None) -> None:
    """Of the groups that are ours, the largest; what is no delay is none."""
    assert delay(file) == expected


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (None, ("concurrent-scraper", "scraper")),
        ("NewsBot/2.1 (+https://a.example)", ("newsbot",)),
        ("  News_Bot", ("news_bot",)),
        ("bot2000/1", ("bot",)),
        ("Mozilla/5.0 (compatible; NewsBot/2.1; +https://a.example)", ("newsbot", "mozilla")),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; NewsBot/2.1) Chrome/9",
            ("newsbot", "mozilla"),
        ),
        ("Mozilla/5.0 (Compatible;mozilla)", ("mozilla",)),
        ("Mozilla/5.0 (compatible; 42)", ("mozilla",)),
        ("Mozilla/5.0 (X11; Linux x86_64)", ("mozilla",)),
        ("42/1.0", ()),
        ("(hidden)", ()),
        ("", ()),
    ],
)
def test_product_tokens(user_agent: str | None, expected: tuple[str, ...]) -> None:
    """§2.2.1: the names by which a site may mean us, the most telling first."""
    assert product_tokens(user_agent) == expected


def test_without_a_name_everybody_is_us() -> None:
    """No token: the groups for * apply, and nobody's else."""
    assert not allows("User-agent: *\nDisallow: /a\nUser-agent: other\nDisallow: /b", "/a", ())
    assert allows("User-agent: 42\nDisallow: /", "/a", ("",))


def test_names_are_taken_in_any_case() -> None:
    """The caller's tokens too."""
    assert not allows("User-agent: newsbot\nDisallow: /", "/a", ("NewsBot",))


@pytest.mark.parametrize(
    "file", ["", "User-agent: *\nDisallow:", "User-agent: *\nAllow: /", "User-agent: x\nDisallow: /", "<html>"]
)
def test_what_forbids_nothing_is_one_object(file: str) -> None:
    """A million hosts without rules take no memory."""
    assert Robots.parse(file.encode(), AGENTS) is ALLOW_ALL
    assert ALLOW_ALL.allows("https://a.example/")
    assert ALLOW_ALL.crawl_delay is None


def test_rules_take_little_more_memory_than_the_file() -> None:
    """And others' rules none; protego's objects do not stay for long."""
    lines = "".join(f"Disallow: /section-{number}/*.pdf$\n" for number in range(30))
    robots = Robots.parse(f"User-agent: *\n{lines}User-agent: x\n{lines * 50}".encode(), AGENTS)
    assert sum(sys.getsizeof(getattr(robots, name)) for name in robots.__slots__) < len(lines) + 200
    assert not robots.allows("https://a.example/section-3/a.pdf")
    assert pickle.loads(pickle.dumps(robots)) == robots


def test_huge_files_are_decided_soon() -> None:
    """500 KiB of rules on which regular expressions would never end, and as many plain ones."""
    hostile = b"User-agent: *\n" + b"".join(b"Disallow: /%s*b%d$\n" % (b"*a" * 30, n) for n in range(10_000))
    plain = b"User-agent: *\n" + b"".join(b"Disallow: /b%d\n" % n for n in range(100_000))
    start = time.process_time()
    assert allows(hostile, "/" + "a" * 2_000)
    assert allows(plain, "/a")
    assert time.process_time() - start < 5


@given(
    st.binary()
    | st.lists(
        st.sampled_from(
            [
                b"user-agent:",
                b"*",
                b"disallow",
                b":",
                b"/%",
                b"$",
                b"\n",
                b"\xef\xbb\xbf",
                b"\xff\xfe",
                b"\0",
                b"crawl-delay:",
                b"1",
                b"\xed\xa0\x80",
            ]
        )
    ).map(b"".join)
)
def test_no_bytes_raise(content: bytes) -> None:
    """Whatever the server sends: an answer, whether a page may be fetched, and the delay is a delay."""
    robots = Robots.parse(content, AGENTS)
    assert robots.allows("https://a.example/%ff?%") in (True, False)
    assert robots.crawl_delay is None or 0 <= robots.crawl_delay < float("inf")


RULE_LINES = st.sampled_from(
    [
        "Disallow: /",
        "Disallow: /a",
        "Allow: /a",
        "Allow: /ab$",
        "Disallow: /*b",
        "Disallow:",
        "Crawl-delay: 1",
        "Crawl-delay: 2",
    ]
)
NAMES = st.sampled_from(["*", "scraper", "Scraper/2", "concurrent-scraper", "other", "sc"])
FILES = st.lists(st.tuples(st.lists(NAMES, min_size=1), st.lists(RULE_LINES, min_size=1)))


@given(FILES, st.randoms(use_true_random=False))
def test_order_means_nothing(groups: list[tuple[list[str], list[str]]], chance: random.Random) -> None:
    """Groups, the names of a group and its rules, each in any order, say the same."""

    def written() -> bytes:
        lines = (line for names, rules in groups for line in [*(f"User-agent: {name}" for name in names), *rules])
        return "\n".join(lines).encode()

    before = Robots.parse(written(), AGENTS)
    chance.shuffle(groups)
    for names, rules in groups:
        chance.shuffle(names)
        chance.shuffle(rules)
    assert Robots.parse(written(), AGENTS) == before


#: Where protego by itself does as it does here: $ and index.html have a meaning of its own there, ~ is one octet, and
#: octets that are no UTF-8 are all the same.
PIECES = st.sampled_from(
    ["a", "b", "/", "/", "ab", ".", "-", "=", "?", ":", "%61", "%3a", "%2e", "ü", "%C3%BC", "%c3%bc", "%20"]
)
PATTERNS = st.lists(PIECES | st.just("*"), max_size=6).map("".join).filter(lambda text: "**" not in text)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Allow", "Disallow"]), st.sampled_from("/*"), PATTERNS, st.sampled_from(["", "", "$"])
        ),
        max_size=6,
    ),
    st.lists(PIECES, max_size=8).map("".join),
)
def test_protego_agrees(rules: list[tuple[str, str, str, str]], path: str) -> None:
    """On ordinary rules and paths, the verdict is what it would be if protego read the file."""
    lines = [f"{kind}: {(start + rest).replace('**', '*')}{end}" for kind, start, rest, end in rules]
    file = "\n".join(["User-agent: *", *lines])
    href = split(f"https://a.example/{path}").href
    assert Robots.parse(file.encode(), AGENTS).allows(href) is Protego.parse(file).can_fetch(href, "scraper")
