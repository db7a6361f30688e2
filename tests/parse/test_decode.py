"""Bytes to text: who decides the encoding, and what becomes of the bytes."""

from __future__ import annotations

import pytest

from scraper.parse.decode import PRESCAN, decode

UTF8, UTF16LE, UTF16BE = b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"
RUSSIAN = "Привет, мир! Сегодня хорошая погода, и мы идём гулять в парк."


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (UTF8 + b"<meta charset=koi8-r>\xc3\xa9", "text/html; charset=latin1", ("\xe9", "utf-8", "bom")),
        (UTF16LE + "é".encode("utf-16-le"), "text/html; charset=utf-8", ("é", "utf-16le", "bom")),
        (UTF16BE + "é".encode("utf-16-be"), None, ("é", "utf-16be", "bom")),
        (b"<meta charset=koi8-r>\xe9", "text/html; charset=windows-1252", ("é", "windows-1252", "http")),
        (b"<meta charset=koi8-r>\xe9", "text/html", ("И", "koi8-r", "meta")),
        (b"<meta charset=koi8-r>\xe9", None, ("И", "koi8-r", "meta")),
        (b"<meta charset=koi8-r>\xc3\xa9", "text/html; charset=bogus", ("ц╘", "koi8-r", "meta")),
        ("<p>日本語".encode(), None, ("日本語", "utf-8", "detected")),
        (b"<p>caf\xe9", None, ("café", "windows-1252", "detected")),
    ],
)
def test_precedence(body: bytes, content_type: str | None, expected: tuple[str, str, str]) -> None:
    """Byte order mark, then HTTP, then the page's own word, then what the bytes look like."""
    text, encoding, source = decode(body, content_type)
    assert text.endswith(expected[0])
    assert (encoding, source) == expected[1:]


@pytest.mark.parametrize(
    ("parameter", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("unicode-1-1-utf-8", "utf-8"),
        ("latin1", "windows-1252"),
        ("ISO-8859-1", "windows-1252"),
        ("us-ascii", "windows-1252"),
        ("iso_8859-1:1987", "windows-1252"),
        ("Shift_JIS", "shift_jis"),
        ("x-sjis", "shift_jis"),
        ("windows-31j", "shift_jis"),
        ("gb2312", "gbk"),
        ("gb_2312-80", "gbk"),
        ("ks_c_5601-1987", "euc-kr"),
        ("utf-16", "utf-16le"),
        ('"utf-8"', "utf-8"),
        ("'koi8-r'", "koi8-r"),
        ("koi8-r;boundary=x", "koi8-r"),
        (" koi8-r , x", "koi8-r"),
    ],
)
def test_labels(parameter: str, encoding: str) -> None:
    """Labels are those of the Encoding Standard §4.2, in any case, quoted or not; the name is what is told."""
    found = decode(b"<p>a", f"text/html; Charset={parameter}")
    assert (found.encoding, found.source) == (encoding, "http")


@pytest.mark.parametrize("label", ["bogus", "utf-7", "utf_8", "none", "é", "\x00", "x" * 10_000, "hex", "rot13"])
def test_bogus_labels(label: str) -> None:
    """What is no label in the standard counts as none, also where Python has a codec of that name."""
    assert decode("<p>ä".encode(), f"text/html; charset={label}") == ("<p>ä", "utf-8", "detected")


@pytest.mark.parametrize("content_type", ["", "text/html", "text/html; charset=", "text/html; charset=''", ";;;"])
def test_no_label(content_type: str) -> None:
    """A content type need not name a charset."""
    assert decode("<p>ä".encode(), content_type) == ("<p>ä", "utf-8", "detected")


@pytest.mark.parametrize("place", [0, PRESCAN - 30, PRESCAN - 10, PRESCAN, 5 * PRESCAN])
@pytest.mark.parametrize(
    "form", ["<meta charset=windows-1251>", "<meta http-equiv=content-type content='text/html; charset=cp1251'>"]
)
def test_meta_anywhere(place: int, form: str) -> None:
    """A declaration counts within the prescan, across its edge and behind it."""
    body = "<!-- " + "-" * place + "-->" + form + "<p>Привет"
    found = decode(body.encode("cp1251"), None)
    assert found == (body, "windows-1251", "meta")


def test_meta_cannot_mean_utf_16() -> None:
    """A page whose meta element could be read is no UTF-16 (HTML Standard §13.2.3.2, prescan)."""
    assert decode(b"<meta charset=utf-16>\xc3\xa4", None) == ("<meta charset=utf-16>ä", "utf-8", "meta")


@pytest.mark.parametrize("comment", [b"<!-- <meta charset=koi8-r> -->", b"<title charset=koi8-r>"])
def test_what_is_no_declaration(comment: bytes) -> None:
    """Only a meta element declares."""
    assert decode(comment + "ä".encode(), None).source == "detected"


@pytest.mark.parametrize(
    ("codec", "encoding", "text"),
    [
        ("cp1252", "windows-1252", "Größe, café, naïve – déjà vu"),
        ("shift_jis", "shift_jis", "これは日本語の文章です。漢字とカタカナを含みます。"),
        ("cp1251", "windows-1251", RUSSIAN),
        ("gbk", "gbk", "这是一个中文网页，用来测试编码检测。今天天气很好，我们去公园散步。"),
        ("euc-kr", "euc-kr", "이것은 한국어 문장입니다. 오늘은 날씨가 좋아서 공원에 갑니다."),
    ],
)
def test_old_encodings(codec: str, encoding: str, text: str) -> None:
    """The same text whether HTTP, the page or nobody names the encoding."""
    plain = f"<p>{text}</p>" * 5
    declared = f"<meta charset={encoding}>{plain}"
    assert decode(plain.encode(codec), f"text/html;charset={encoding}") == (plain, encoding, "http")
    assert decode(declared.encode(codec), None) == (declared, encoding, "meta")
    assert decode(plain.encode(codec), None) == (plain, encoding, "detected")


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        (b"a\xffb", "utf-8", "a\ufffdb"),
        (b"a\xe2\x82", "utf-8", "a\ufffd"),
        (b"\x80\x9f", "latin1", "€Ÿ"),
        (b"a\x81", "shift_jis", "a\ufffd"),
        (b"a\x00", "utf-16le", "a"),
        (b"a\x00b", "utf-16le", "a\ufffd"),
        (b"\xed\xa0\x80", "utf-8", "\ufffd\ufffd\ufffd"),
        (b"abc", "hz-gb-2312", "\ufffd"),
        (b"", "utf-8", ""),
    ],
)
def test_malformed(body: bytes, charset: str, expected: str) -> None:
    """Nothing raises: what is malformed is U+FFFD, as in a browser."""
    assert decode(body, f"text/html; charset={charset}").text == expected


@pytest.mark.parametrize("mark", [UTF8, UTF16LE, UTF16BE])
def test_nothing_but_a_mark(mark: bytes) -> None:
    """It is taken off."""
    assert decode(mark, None).text == ""


def test_nothing() -> None:
    """An empty body is an empty text."""
    assert decode(b"", None).text == ""
