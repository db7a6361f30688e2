"""Every format of a list: told by name or content, read as it comes, bad rows as failures with their place."""

from __future__ import annotations

import gzip
import io
import json
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import SourceError
from scraper.records import Failure, Page, Target
from scraper.source import Choice, open_sources
from scraper.source.bytestream import CHUNK, LONGEST, lines
from scraper.source.reading import Reading

URLS = ["https://a.example/1", "https://b.example/x?y=#z", "https://c.example/%20"]


def nothing(_: Target) -> Page | Failure:
    raise AssertionError("there is nothing to fetch")


class Drip(io.RawIOBase):
    """A stream that gives a few bytes at a time, as one does whose other end is slow."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self._size = size

    def read(self, size: int = -1) -> bytes:
        size = min(size if size >= 0 else len(self._data), self._size)
        data, self._data = self._data[:size], self._data[size:]
        return data


def read(
    content: str | bytes, path: str = "", *, form: str | None = None, column: str | None = None, step: int = 1 << 20
) -> list[Target | Failure]:
    """All entries of a list called l."""
    data = content.encode() if isinstance(content, str) else content
    return [*Reading(form, column).entries(Drip(data, step), "l", path, nothing)]


def urls(entries: list[Target | Failure]) -> list[str]:
    return [entry.url for entry in entries]


def said(entries: list[Target | Failure]) -> list[str]:
    """What is wrong with entries, in their order."""
    return [entry.message for entry in entries if isinstance(entry, Failure)]


BY_FORMAT: dict[str, str] = {
    "yaml": "urls:\n" + "".join(f"  - {url}\n" for url in URLS),
    "txt": "# three\n\n" + "".join(f"{url}\n" for url in URLS),
    "csv": "url\n" + "".join(f"{url}\n" for url in URLS),
    "tsv": "sku\turl\n" + "".join(f"1\t{url}\n" for url in URLS),
    "jsonl": "".join(f"{json.dumps({'url': url})}\n" for url in URLS),
    "sitemap": "<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
    + "".join(f"<url><loc>{url}</loc></url>" for url in URLS)
    + "</urlset>",
}


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", BY_FORMAT)
def test_each_format_by_its_content(form: str, packed: bool, step: int) -> None:
    """Whatever it is called, gzipped or not, and however it comes."""
    data = BY_FORMAT[form].encode()
    assert urls(read(gzip.compress(data) if packed else data, step=step)) == URLS


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ("yaml", "l.yml"), ("txt", "l.TXT"), ("csv", "l.csv.gz"), ("tsv", "l.tsv"), ("jsonl", "l.ndjson"),
        ("sitemap", "/a/sitemap.xml.GZ"),
    ],
)  # fmt: skip
def test_each_format_by_its_name(form: str, path: str) -> None:
    """Its suffix says so; gzip shows itself, whether the name says so or not."""
    assert urls(read(BY_FORMAT[form], path)) == URLS


def test_the_format_can_be_forced() -> None:
    """Against its name and its content."""
    assert urls(read("urls:\nhttps://a.example/", "l.yaml", form="txt")) == ["urls:", "https://a.example/"]
    assert said(read('"https://a.example/', "l.txt", form="jsonl"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# a comment\n- https://a.example/1\n", ["https://a.example/1"]),
        ("# a comment\nhttps://a.example/1\n", ["https://a.example/1"]),
        ("{urls: [https://a.example/1]}", ["https://a.example/1"]),
        ('{"urls": ["https://a.example/1"]}', ["https://a.example/1"]),
        ('["https://a.example/1"]', ["https://a.example/1"]),
        ('"https://a.example/1"\n"https://a.example/2"', ["https://a.example/1", "https://a.example/2"]),
        ("URL;Name\nhttps://a.example/1;x", ["https://a.example/1"]),
        ('"name","url"\n"x, y",https://a.example/1', ["https://a.example/1"]),
        ("url\n", []),
        ("", []),
        ("\n\n  \n", []),
    ],
)
def test_what_a_list_is_that_does_not_say(content: str, expected: list[str]) -> None:
    """By its first line that says something."""
    assert urls(read(content)) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-sig", "utf-16-be-sig"])
@pytest.mark.parametrize("form", ["txt", "csv", "jsonl", "yaml", "sitemap"])
def test_encodings(form: str, encoding: str) -> None:
    """By the byte order mark, in each format."""
    text = BY_FORMAT[form].replace("a.example/1", "a.example/ü漢")
    if encoding.endswith("-sig") and encoding.startswith("utf-16"):
        data = ("\ufeff" + text).encode(encoding.removesuffix("-sig"))
    else:
        data = text.encode(encoding)
    for step in (3, 1 << 20):
        assert urls(read(data, step=step)) == ["https://a.example/ü漢", *URLS[1:]]


def test_text() -> None:
    """Comments and blank lines are passed over; what is wrong has its line."""
    entries = read(
        "https://a.example/#part\r\n  https://b.example/   # the second\r\n\r\n#no\n  # no\nnonsense\n"
        "ftp://u:secret@c.example/\n\thttps://d.example/\t#x",
        form="txt",
    )
    assert urls(entries) == [
        "https://a.example/#part", "https://b.example/", "nonsense", "ftp://c.example/", "https://d.example/"
    ]  # fmt: skip
    assert said(entries) == [
        "l:6: not a valid URL: 'nonsense'",
        "l:7: not an http(s) URL: 'ftp://c.example/'",
    ]


def test_bytes_that_are_no_text() -> None:
    """A row that is not UTF-8 fails alone."""
    entries = read(b"https://a.example/\n\xff\xfe\xfd\nhttps://b.example/", form="txt")
    assert urls(entries)[::2] == ["https://a.example/", "https://b.example/"]
    assert said(entries) == ["l:2: the line is not UTF-8"]
    entries = read(b"url,x\nhttps://a.example/,\xff\nhttps://b.example/,1\n", form="csv")
    assert said(entries) == ["l:2: the line is not UTF-8"]
    assert isinstance(entries[1], Target)


def test_table() -> None:
    """Other columns are the input, as text; quoted cells may hold anything; a place is that of a row's first line."""
    entries = read(
        'sku, URL ,note,,sku\nA-7,https://a.example/,"two\nlines, ""quoted""",x,y\n'
        "012,nonsense,\n\nB,https://b.example/\nC\nD,https://c.example/,1,2,3,4\n",
        form="csv",
    )
    first, invalid, second, short, long = entries
    assert isinstance(first, Target)
    assert first.input == {"sku": "A-7", "note": 'two\nlines, "quoted"', "sku 2": "y"}
    assert isinstance(second, Target)
    assert second.input == {"sku": "B"}
    assert [entry.url for entry in (invalid, short, long)] == ["nonsense", "", "https://c.example/"]
    assert said(entries) == [
        "l:4: not a valid URL: 'nonsense'",
        "l:7: the entry is empty",
        "l:8: the row has 6 cells, more than the 5 that the first line names",
    ]


@pytest.mark.parametrize(
    ("header", "column", "found"),
    [
        ("url,link", None, "1"), ("Url,link", None, "1"), ("url,link", "link", "2"), ("url,Link", "link", "2"),
        ("link,LINK", "LINK", "2"), ("a,url", "url", "2"),
    ],
)  # fmt: skip
def test_column(header: str, column: str | None, found: str) -> None:
    """As it is written, else in whatever case."""
    (entry,) = read(f"{header}\nhttps://a.example/1,https://a.example/2\n", form="csv", column=column)
    assert entry.url == f"https://a.example/{found}"


def test_no_such_column() -> None:
    """One line that says which there are."""
    with pytest.raises(SourceError, match=r"^l:1: the table has no column 'url'; .*--column: link, sku$"):
        read("link,sku\nx,y\n", form="csv")
    with pytest.raises(SourceError, match="no column 'page'"):
        read("url,sku\nx,y\n", form="csv", column="page")
    for form in ("yaml", "txt", "sitemap"):
        with pytest.raises(SourceError, match="leave --column out"):
            read(BY_FORMAT[form], form=form, column="url")


def test_a_cell_without_an_end() -> None:
    """A quote that nobody closes spoils what comes behind it, up to a limit, and no more."""
    entries = read('url,x\nhttps://a.example/,"' + "y\n" * 100_000 + "https://b.example/,z\n", form="csv")
    assert re.fullmatch(
        r"l:2: the row, up to line 65\d\d\d, cannot be read: .* is a quote not closed\?", said(entries)[0]
    )
    assert entries[-1].url == "https://b.example/"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('https://a.example/,"y', "l:2: the row cannot be read: a quote is not closed"),
        ('https://a.example/,"x"y', "l:2: the row cannot be read: ',' expected after '\"'"),
    ],
)
def test_quotes_that_do_not_fit(row: str, message: str) -> None:
    """Nobody guesses what was meant."""
    assert said(read(f"url,x\n{row}\n", form="csv")) == [message]


@pytest.mark.parametrize(("content", "place"), [(bytes(64), "1:1"), ("- é\n- ü".encode() + b"\xff\n", "2:4")])
def test_what_is_no_text_at_all(tmp_path: Path, content: bytes, place: str) -> None:
    """Taken for YAML, and told of with its place."""
    (tmp_path / "l").write_bytes(content)
    with pytest.raises(SourceError, match=f"l:{place}: not text in UTF-8 or UTF-16"):
        list(open_sources([str(tmp_path / "l")]))


def test_names_that_come_again() -> None:
    """None of the cells is lost."""
    (entry,) = read("a,url,a,A,a,a 2\n1,https://a.example/,2,3,4,5\n", form="csv")
    assert isinstance(entry, Target)
    assert entry.input == {"a": "1", "a 3": "2", "A": "3", "a 4": "4", "a 2": "5"}


def test_a_password_where_names_should_be() -> None:
    """A table without names begins with a URL."""
    with pytest.raises(SourceError) as told:
        read("https://me:secret@a.example/,x\n", form="csv")
    assert "a.example" in str(told.value)
    assert "secret" not in str(told.value)


def test_json_lines() -> None:
    """As in YAML: a URL or an object; anything else is a bad row."""
    entries = read(
        '"https://a.example/"\n{"url": "https://b.example/", "sku": 7, "headers": {"X-A": "1"}}\n\n'
        '{"sku": 1}\n[1]\n{broken\n{"url": 5}\nnull\n',
        form="jsonl",
    )
    assert entries[1] == Target(
        "https://b.example/", "https://b.example/", "b.example", headers={"X-A": "1"}, input={"sku": 7}
    )
    assert [message.partition(": ")[0] for message in said(entries)] == ["l:4", "l:5", "l:6", "l:7", "l:8"]
    assert "not JSON" in said(entries)[2]
    (entry,) = read('{"link": "https://a.example/", "url": "x", "n": 1}', form="jsonl", column="link")
    assert entry == Target("https://a.example/", "https://a.example/", "a.example", input={"url": "x", "n": 1})


def test_a_line_beyond_measure() -> None:
    """It fails alone, and is not kept in memory."""
    long = b"x" * (3 * LONGEST)
    entries = read(b"https://a.example/\n" + long + b"\r\nhttps://b.example/\n" + long, form="txt", step=CHUNK)
    assert urls(entries) == ["https://a.example/", "", "https://b.example/", ""]
    assert [message.partition(": ")[0] for message in said(entries)] == ["l:2", "l:4"]


@given(st.lists(st.sampled_from(["", "a", "bc", "ü"]), max_size=8), st.data())
def test_lines_whatever_ends_them(words: list[str], data: st.DataObject) -> None:
    """In whatever pieces they come, ends of two characters included."""
    ends = [data.draw(st.sampled_from(["\n", "\r\n", "\r"])) for _ in words]
    text = "".join(word + end for word, end in zip(words, ends, strict=True)).encode()
    expected = text.splitlines()
    for size in (1, 2, 3, 100):
        assert [*lines(Drip(text, size))] == [*enumerate(expected, start=1)]


@given(st.binary(max_size=300), st.sampled_from([*BY_FORMAT, None]), st.sampled_from([None, "url"]))
def test_any_bytes(content: bytes, form: str | None, column: str | None) -> None:
    """Entries, or one line that says what is wrong; nothing else, and an end."""
    for data in (content, gzip.compress(content), gzip.compress(content)[:-5]):
        messages = [""]
        try:
            messages = said(read(data, form=form, column=column))
        except SourceError as error:
            messages = [str(error)]
        assert all("\n" not in message and message.startswith("l") for message in messages)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(b"https://a.example/\n" * 1000)[:-12], "ends too early"),
        (gzip.compress(b"https://a.example/\n" * 1000)[:40] + b"nonsense" * 20, "damaged"),
        (b"\x1f\x8bnonsense", "damaged"),
        (b"\x1f\x8b", "ends too early"),
    ],
    ids=["cut", "spoilt", "no gzip", "magic only"],
)
def test_damaged_gzip(data: bytes, message: str) -> None:
    """Said in one line."""
    with pytest.raises(SourceError, match=f"^l: .*{message}"):
        read(data, form="txt")


def test_gzip_of_several_members() -> None:
    """One after the other, with padding behind, as tape archives and logs have it."""
    data = b"".join(gzip.compress(f"{url}\n".encode()) for url in URLS) + bytes(512)
    for step in (1, 100, 1 << 20):
        assert urls(read(data, form="txt", step=step)) == URLS


class Endless(io.RawIOBase):
    """Lines that are made when they are read."""

    def __init__(self, count: int, first: bytes, line: bytes, last: bytes = b"") -> None:
        self._parts = iter([first, *(line for _ in range(count)), last])

    def read(self, size: int = -1) -> bytes:
        return next((part for part in self._parts if part), b"")


@pytest.mark.parametrize(
    ("form", "first", "line", "last"),
    [
        ("txt", b"", b"https://a.example/\n" * 100, b""),
        ("csv", b"url,x\n", b"https://a.example/,1\n" * 100, b""),
        ("jsonl", b"", b'{"url":"https://a.example/","x":1}\n' * 100, b""),
        ("sitemap", b"<urlset>", b"<url><loc>https://a.example/</loc><lastmod>x</lastmod></url>\n" * 100, b"</urlset>"),
    ],
)
def test_memory_does_not_grow_with_the_list(form: str, first: bytes, line: bytes, last: bytes) -> None:
    """Ten times the entries take what the first took."""

    def peak(count: int) -> int:
        stream = Endless(count, first, line, last)
        tracemalloc.start()
        try:
            entries = Reading(form, None).entries(stream, "l", "", nothing)
            assert sum(1 for _ in entries) == 100 * count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    assert peak(100) < peak(10) + 300_000


def test_stdin_that_trickles_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry is there as soon as its line is, in a format that nobody has named."""
    given_out: list[str] = []

    def parts() -> Iterator[bytes]:
        for number in range(3):
            given_out.append(str(number))
            yield f"https://a.example/{number}\n".encode()

    class Slow:
        def __init__(self) -> None:
            self._parts = parts()

        def read(self, _: int) -> bytes:
            return next(self._parts, b"")

    class Stdin:
        buffer = Slow()

    monkeypatch.setattr("sys.stdin", Stdin())
    entries = iter(open_sources(["-"]))
    assert next(entries).url == "https://a.example/0"
    assert given_out == ["0"]


def test_files_of_several_formats(tmp_path: Path) -> None:
    """One after the other, each by its own name."""
    names = []
    for form, suffix in (("txt", ".txt"), ("csv", ".csv.gz"), ("sitemap", ".xml")):
        path = tmp_path / f"l{suffix}"
        data = BY_FORMAT[form].encode()
        path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
        names.append(str(path))
    lists = open_sources([*names, "https://d.example/"])
    assert [entry.url for entry in lists] == [*URLS * 3, "https://d.example/"]


def test_lists_that_were_read_before(tmp_path: Path) -> None:
    """Known by the bytes of the file, gzipped or not, whatever stands behind the last entry."""
    path = tmp_path / "l.txt.gz"
    path.write_bytes(gzip.compress(b"https://a.example/\n") + bytes(100_000))
    items: list[Any] = [*open_sources([str(path)]).read({}, nothing)]
    known = {items[-1].name: items[-1].stamp}
    assert items[-1].stamp.size == path.stat().st_size
    assert open_sources([str(path)]).are_unchanged(known)
    path.write_bytes(gzip.compress(b"https://a.example/\n") + bytes(99_999) + b"\1")
    assert not open_sources([str(path)]).are_unchanged(known)


def test_choices_are_checked() -> None:
    """One line for each that is of no use."""
    Choice("csv", "link", 1, 1, -5).check()
    for choice in (
        Choice(input_format="xls"), Choice(limit=0), Choice(sample=-1), Choice(limit=True), Choice(seed="x")  # type: ignore[arg-type]
    ):  # fmt: skip
        with pytest.raises(Exception, match="must be"):
            choice.check()
