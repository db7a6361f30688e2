"""URL lists: every entry comes out once, as a target or as a failure, and memory does not grow."""

from __future__ import annotations

import io
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scraper.errors import SourceError
from scraper.records import Failure, ListEnd, Page, Target
from scraper.source import default_name, iter_targets, open_sources
from scraper.source.yaml_list import read_yaml

A = Target("https://a.example/", "https://a.example/", "a.example")
B = Target("https://b.example/x#y", "https://b.example/x", "b.example")


def nothing(_: Target) -> Page | Failure:
    raise AssertionError("there is nothing to fetch")


def read(content: str | bytes, loader: Any = yaml.Loader) -> list[Target | Failure]:
    """All entries of a list called l.yaml."""
    return list(read_yaml(io.BytesIO(content.encode() if isinstance(content, str) else content), "l.yaml", loader))


@pytest.mark.parametrize("loader", [yaml.Loader, getattr(yaml, "CLoader", yaml.Loader)])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("urls:\n  - https://a.example/\n  - https://b.example/x#y\n", [A, B]),
        ("urls:\n- https://a.example/\n", [A]),
        ("- https://a.example/\n- https://b.example/x#y\n", [A, B]),
        ("[https://a.example/, 'https://b.example/x#y']", [A, B]),
        ("--- # a list\n- url: https://a.example/\n...\n", [A]),
        ("- !!str https://a.example/", [A]),
        ("- |-\n  https://a.example/", [A]),
        ("", []),
        ("# none yet\n", []),
        ("urls:\n", []),
        ("urls: []\n", []),
        ("[]", []),
        ("{}", []),
    ],
)
def test_shapes(loader: Any, text: str, expected: list[Target]) -> None:
    """A mapping with `urls`, or a bare sequence, in block or flow style."""
    assert read(text, loader) == expected


def test_further_keys() -> None:
    """They travel as `input` with core schema types; headers are text as written."""
    (target,) = read(
        "- url: https://a.example/\n  sku: A-7\n  land: NO\n  nr: 012\n  n: 12\n  at: 12:30\n  on: 2024-01-31\n"
        "  1: one\n  nest: {a: [1, 'x', null, {b: 1.5}]}\n  headers: {Accept-Language: fr, X-V: 1.10, X-B: 'q'}\n"
    )
    assert isinstance(target, Target)
    assert target.headers == {"Accept-Language": "fr", "X-V": "1.10", "X-B": "q"}
    assert target.input == {
        "sku": "A-7", "land": "NO", "nr": "012", "n": 12, "at": "12:30", "on": "2024-01-31", "1": "one",
        "nest": {"a": [1, "x", None, {"b": 1.5}]},
    }  # fmt: skip


@pytest.mark.parametrize("entry", ["{url: https://a.example/, headers: {}}", "{url: https://a.example/, headers: }"])
def test_empty_headers(entry: str) -> None:
    """No headers is no headers."""
    assert read(f"- {entry}") == [A]


@pytest.mark.parametrize(
    ("entry", "url", "part"),
    [
        ("nonsense", "nonsense", "not a valid URL"),
        ("ftp://a.example/", "ftp://a.example/", "not an http(s) URL"),
        ("ftp://u:hunter2@a.example/", "ftp://a.example/", "not an http(s) URL"),
        ("https://u:hunter2@a.example:99999/", "https://a.example:99999/", "not a valid URL"),
        (r"https:\\u:hunter2@a.example:99999", "https:\\\\a.example:99999", "not a valid URL"),
        ("u:hunter2@a.example/x", "a.example/x", "not a valid URL"),
        ("mailto:someone@a.example", "mailto:someone@a.example", "not an http(s) URL"),
        ("'https://'", "https://", "not a valid URL"),
        ("", "", "empty"),
        ("' '", " ", "empty"),
        ("12", "12", "not a valid URL"),
        ("[https://a.example/]", '["https://a.example/"]', "must be a URL or a mapping"),
        ("{sku: A-7}", '{"sku":"A-7"}', "has no url"),
        ("{}", "{}", "has no url"),
        ("{url: 12}", "12", "its url is not text"),
        ("{url: }", "null", "its url is not text"),
        ("{url: [a]}", '["a"]', "its url is not text"),
        ("{url: nonsense}", "nonsense", "not a valid URL"),
        ("{url: https://a.example/, headers: x}", "https://a.example/", "headers must be a mapping"),
        ("{url: https://u:hunter2@a.example/, headers: [x]}", "https://a.example/", "headers must be a mapping"),
        ('{url: https://a.example/, headers: {X-A: "b\\r\\nC: hunter2"}}', "https://a.example/", '"X-A" holds a line'),
        ('{url: https://a.example/, headers: {X-A: "b\\x7f"}}', "https://a.example/", '"X-A" holds a line break'),
        ('{url: https://a.example/, headers: {"X\\nA": b}}', "https://a.example/", '"X\\nA"'),
        ("{url: https://a.example/, headers: {X A: b}}", "https://a.example/", '"X A"'),
        ("{url: https://a.example/, headers: {X: [hunter2]}}", "https://a.example/", '"X" must be text'),
        ("{url: https://a.example/, headers: {X: 漢}}", "https://a.example/", "beyond Latin-1"),
        ("{url: https://a.example/, sku: 1, sku: 2}", "https://a.example/", "repeated key 'sku'"),
        ("{url: https://a.example/, a: {b: 1, b: 2}}", "https://a.example/", "repeated key 'a.b'"),
    ],
)
def test_invalid_entries(entry: str, url: str, part: str) -> None:
    """An entry that gives no target is a failure with its place, and the list goes on; no secret is told."""
    first, failure, last = read(f"- https://a.example/\n- {entry}\n- https://b.example/x#y\n")
    assert (first, last) == (A, B)
    assert isinstance(failure, Failure)
    assert (failure.url, failure.error, failure.attempts) == (url, "invalid_url", 0)
    assert failure.message.startswith("l.yaml:2: ")
    assert part in failure.message
    assert "hunter2" not in failure.message
    assert "\n" not in failure.message


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@a.example/x", "https://a.example/x"),
        ("HTTPS://u:p@A.example", "HTTPS://A.example"),
        (r"https:\\u:p@a.example\x", r"https:\\a.example\x"),
        ("https:u:p@a.example", "https:a.example"),
        ("https:///u:p@a.example/", "https:///a.example/"),
        ("https://u:p@@a.example/x@y", "https://a.example/x@y"),
    ],
)
def test_userinfo(url: str, shown: str) -> None:
    """Userinfo becomes the `Authorization` value and leaves the spelling, however oddly it is written."""
    (target,) = iter_targets([url])
    assert isinstance(target, Target)
    assert target.url == shown
    assert target.authorization is not None
    assert target.authorization.startswith("Basic ")
    assert "@a" not in target.href


@pytest.mark.parametrize(
    ("content", "start"),
    [
        ("urls:\n- https://a.example/\nother: 1\n", "l.yaml:3:1: unknown key 'other'"),
        ("url: https://a.example/\n", "l.yaml:1:1: unknown key 'url'"),
        ("urls: []\nurls: []\n", "l.yaml:2:1: repeated key 'urls'"),
        ("urls: https://a.example/", "l.yaml:1:7: a list of URLs is needed here, not 'https://a.example/'"),
        ("urls: {a: b}", "l.yaml:1:7: a list of URLs is needed here"),
        ("https://a.example/", "l.yaml:1:1: a list of URLs is needed here, not 'https://a.example/'"),
        ("- *a", "l.yaml:1:3: aliases are not supported"),
        ("- &a https://a.example/", "l.yaml:1:3: anchors are not supported"),
        ("- {url: https://a.example/, x: *a}", "l.yaml:1:32: aliases are not supported"),
        ("urls: *a", "l.yaml:1:7: aliases are not supported"),
        ("urls: &a [b]", "l.yaml:1:7: anchors are not supported"),
        ("- !!python/object/apply:os.system [x]", "l.yaml:1:3: tag '!!python/object/apply:os.system'"),
        ("- https://a.example/\n--- \n- b\n", "l.yaml:2:1: a second document"),
        ("- {url: https://a.example/, x: " + "[" * 100 + "]" * 100 + "}", "l.yaml:1:131: nested deeper"),
        ("- https://a.example/\n- 'x\n", "l.yaml:3:1: not valid YAML"),
        ("- https://a.example/\n\t- b", "l.yaml:2:1: not valid YAML"),
        (b"- https://a.example/\n- \xff\xfe", "l.yaml:2:3: not text in UTF-8 or UTF-16"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "l.yaml:1:1: not text in UTF-8 or UTF-16"),
        (bytes(64), "l.yaml:1:1: not text in UTF-8 or UTF-16"),
    ],
)
def test_malformed_lists(content: str | bytes, start: str) -> None:
    """What makes the whole list unreadable is one line with file, line and column."""
    with pytest.raises(SourceError) as caught:
        read(content, getattr(yaml, "CLoader", yaml.Loader))
    assert str(caught.value).startswith(start)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(encoding: str) -> None:
    """UTF-8, with a byte order mark too, and UTF-16 with one."""
    text = "- https://a.example/é\n"
    content = text.encode(encoding) if encoding != "utf-16-le" else b"\xff\xfe" + text.encode(encoding)
    (target,) = read(content, getattr(yaml, "CLoader", yaml.Loader))
    assert isinstance(target, Target)
    assert target.url == "https://a.example/é"
    assert target.href == "https://a.example/%C3%A9"


def test_sources_in_order(tmp_path: Path) -> None:
    """Files with and without suffix, and literal URLs in any case, follow each other."""
    (tmp_path / "one.yml").write_text("- https://a.example/\n")
    (tmp_path / "two").write_text("urls: [https://b.example/x#y]\n")
    found = list(open_sources([str(tmp_path / "one.yml"), "HTTPS://C.example", str(tmp_path / "two"), "http://:1/"]))
    assert found[0] == A
    assert found[1] == Target("HTTPS://C.example", "https://c.example/", "c.example")
    assert found[2] == B
    assert isinstance(found[3], Failure)
    assert found[3].message.startswith("command line: ")


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input; its errors are told as such."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"- https://a.example/\n- *x\n")))
    entries = iter(open_sources(["-"]))
    assert next(entries) == A
    with pytest.raises(SourceError, match=r"^stdin:2:3: aliases"):
        next(entries)


@pytest.mark.parametrize(
    "name", ["missing.yaml", ".", "missing.csv", "list.txt", "urls.yaml.gz", "a\0b", "www.example.com"]
)
def test_unusable_sources_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Before the first entry is asked for, one line that begins with the path."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        open_sources(["https://a.example/", name])
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


def test_no_entry_at_all(tmp_path: Path) -> None:
    """Empty lists are an error only if all of them are empty."""
    (tmp_path / "empty.yaml").write_text("urls:\n")
    empty = str(tmp_path / "empty.yaml")
    with pytest.raises(SourceError, match="no entry at all"):
        list(open_sources([empty, empty]))
    with pytest.raises(SourceError, match="no entry at all"):
        list(open_sources([]))
    assert list(open_sources([empty, "https://a.example/"])) == [A]


def test_iterables() -> None:
    """Texts, mappings, ready targets, and what is none of these, lazily."""
    ready = Target("x", "https://x.example/", "x.example", attempts=2)
    items: list[Any] = [
        "https://a.example/",
        {"url": "https://b.example/x#y", "headers": {"X-N": 3, "X-T": True}, "n": 1, 2: (1, 2)},
        ready,
        12,
        None,
        {"url": "https://a.example/", "x": object()},
        "https://\ud800.example/",
    ]
    first, second, third, *failures = iter_targets(items)
    assert first == A
    assert isinstance(second, Target)
    assert (second.headers, second.input) == ({"X-N": "3", "X-T": "true"}, {"n": 1, "2": [1, 2]})
    assert third is ready
    assert all(isinstance(failure, Failure) for failure in failures)
    assert [failure.url for failure in failures] == ["12", "null", "https://a.example/", "https://\ud800.example/"]
    assert [failure.message.partition(":")[0] for failure in failures if isinstance(failure, Failure)] == [
        "item 4", "item 5", "item 6", "item 7",
    ]  # fmt: skip

    def endless() -> Iterator[str]:
        while True:
            yield "https://a.example/"

    assert next(iter(iter_targets(endless()))) == A


@pytest.mark.parametrize("items", ["https://a.example/", b"x", {"url": "https://a.example/"}])
def test_a_single_one_is_no_iterable(items: Any) -> None:
    """A text is not a list of letters, nor a mapping a list of its keys."""
    with pytest.raises(SourceError, match="give a list of URLs"):
        iter_targets(items)


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (["config/urls.yaml"], "urls"),
        (["a.b.yml", "c.yaml"], "a.b"),
        (["list"], "list"),
        (["a/urls.csv.gz"], "urls"),
        (["b.c.YAML.GZ"], "b.c"),
        ([".yaml"], "yaml"),
        (["list.gz"], "list"),
        (["https://Shop.example/sitemap.xml"], "shop.example"),
        (["-"], "stdin"),
        (["https://u:p@Shop.example:8080/x"], "shop.example"),
        (["http://[::1]:80/"], "1"),
        (["http://bücher.example/"], "xn--bcher-kva.example"),
        (["https://a.example/", "urls.yaml"], "urls"),
        (["https://", "https://b.example/"], "b.example"),
        (["https://"], "run"),
        ([".."], "run"),
        ([], "run"),
    ],
)
def test_default_name(args: list[str], name: str) -> None:
    """The first list's name without suffix, else the first host, safe as a file name."""
    assert default_name(args) == name


class Generated(io.RawIOBase):
    """A list of `count` entries that exists only while it is read."""

    def __init__(self, count: int) -> None:
        self.lines = (f"- https://a.example/{number}\n".encode() for number in range(count))
        self.rest = b"urls:\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self.rest) < len(buffer) and (line := next(self.lines, None)):
            self.rest += line
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def peak(count: int) -> int:
    """Bytes that reading a list of `count` entries took at most."""
    tracemalloc.start()
    try:
        assert sum(isinstance(entry, Target) for entry in read_yaml(io.BufferedReader(Generated(count)), "l")) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_list() -> None:
    """30,000 entries take what 100 take, give or take the read buffer."""
    peak(100)  # what is allocated once
    assert peak(30_000) < peak(100) + 200_000


def test_leaving_early_closes_the_file(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """A generator that is closed half-way leaves no open file."""
    path = tmp_path / "l.yaml"
    path.write_text("- https://a.example/\n" * 10)
    entries = iter(open_sources([str(path)]))
    next(entries)
    entries.close()  # type: ignore[attr-defined]  # it is a generator
    del entries
    assert not [warning for warning in recwarn if issubclass(warning.category, ResourceWarning)]


def test_lists_that_were_read_before(tmp_path: Path) -> None:
    """One that is as it was is left out, but not behind one that has changed; an equal time or size says nothing."""
    names = []
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(f"- https://{name}.example/\n")
        names.append(str(tmp_path / name))
    ends = [item for item in open_sources(names).read({}, nothing) if isinstance(item, ListEnd)]
    known = {end.name: end.stamp for end in ends if end.stamp is not None}
    assert open_sources(names).are_unchanged(known)
    modified = (tmp_path / "b").stat().st_mtime_ns
    (tmp_path / "b").write_text("- https://d.example/\n")
    os.utime(tmp_path / "b", ns=(modified, modified))
    lists = open_sources(names)
    assert not lists.are_unchanged(known)
    again = list(lists.read(known, nothing))
    assert [item.unread for item in again if isinstance(item, ListEnd)] == [True, False, False]
    assert [item.url for item in again if isinstance(item, Target)] == ["https://d.example/", "https://c.example/"]
