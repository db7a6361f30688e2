"""The demo website's odd pages: what a scraper meets on the real web and has to get right."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Final

from scraper.demo.layout import breadcrumb, escape, page, paragraphs
from scraper.demo.reply import HTML, Reply

SLOW: Final = 0.8

_GROUPS: Final = (
    ("Pages that fail the first time", tuple(f"/curiosity/flaky-{n}" for n in (1, 2, 3))),
    ("Pages that take their time", tuple(f"/curiosity/slow-{n}" for n in (1, 2, 3))),
    ("Compressed pages", ("/curiosity/gzip-1", "/curiosity/gzip-2")),
    ("Old encodings", ("/curiosity/latin-1", "/curiosity/shift-jis")),
    ("A page in two languages", ("/curiosity/welcome",)),
    ("Redirects", ("/old/shop", "/old/journal", "/chain/1")),
    ("Not a web page", ("/curiosity/brochure.pdf",)),
    ("Off limits by robots.txt", ("/private/ledger",)),
    ("Dead ends", ("/gone/1", "/gone/2", "/gone/3")),
)

LATIN_1: Final = (
    "Crème brûlée costs £3.50 at the Café de l'Été",
    "À la carte: soufflé, pâté, jalapeños, smörgås and a naïve façade of sugar. Half a portion (½) is 2 £.",
)
SHIFT_JIS: Final = (
    "港の本屋",
    "朝はやく、灯台のそばの小さな店があきます。棚には地図とランプと、まだ誰も読んでいない詩集があります。",
)
FRENCH: Final = ("Bienvenue au port", "La boutique ouvre à l’aube et ferme quand le chat s’endort.")
_ENGLISH: Final = ("Welcome to the harbour", "The shop opens at dawn and closes when the cat falls asleep.")


def curious_pages(base: str) -> Iterator[tuple[str, Reply]]:
    """Every odd path with what it answers; `base` is the site's URL."""
    yield "/curiosities", _overview(base)
    for number in (1, 2, 3):
        flaky, slow, gone = f"/curiosity/flaky-{number}", f"/curiosity/slow-{number}", f"/gone/{number}"
        text = "The first visitor of the day finds this door stuck (500); everyone after walks in."
        yield flaky, Reply(_plain(base, flaky, f"The sticking door, number {number}", text), fails_first=True)
        text = "This page is carried up from the cellar on foot. It is never late, but it is never early either."
        yield slow, Reply(_plain(base, slow, f"The slow page, number {number}", text), delay=SLOW)
        text = "Whatever stood here has been sold, moved or imagined."
        yield gone, Reply(_plain(base, gone, "Not on our shelves", text), status=404)
    yield from _encoded(base)
    yield from _redirects(base)
    yield "/curiosity/brochure.pdf", Reply(_pdf("Harbour and Quill, autumn brochure"), content_type="application/pdf")
    text = "The shop's own accounts. robots.txt asks crawlers to leave them alone."
    yield "/private/ledger", Reply(_plain(base, "/private/ledger", "The ledger", text))


def missing(base: str) -> Reply:
    """What any path without a page answers."""
    body = '<h1>No such page</h1><p>Try the <a href="/">front page</a>.</p>'
    return Reply(page("No such page", body, base=base, path="/").encode(), status=404)


def _overview(base: str) -> Reply:
    groups = "".join(f'<h2>{name}</h2><ul class="list">{"".join(map(_item, paths))}</ul>' for name, paths in _GROUPS)
    lead = "What a scraper meets on the real web and has to get right."
    body = f'{breadcrumb(("/", "Home"), here="Curiosities")}<h1>Curiosities</h1><p class="lead">{lead}</p>{groups}'
    return Reply(page("Curiosities", body, base=base, path="/curiosities", description=lead).encode())


def _item(path: str) -> str:
    return f'<li><a href="{path}">{path}</a></li>'


def _encoded(base: str) -> Iterator[tuple[str, Reply]]:
    for number in (1, 2):
        path = f"/curiosity/gzip-{number}"
        body = _plain(
            base, path, f"Pressed flowers, number {number}", "Folded flat for the journey, unfolded on arrival."
        )
        yield path, Reply(body, compressed=gzip.compress(body, mtime=0))
    path = "/curiosity/latin-1"
    text = _text(base, path, *LATIN_1, charset=None)
    yield path, Reply(_legacy(text, "iso-8859-1"), content_type="text/html; charset=ISO-8859-1")
    path = "/curiosity/shift-jis"
    text = _text(base, path, *SHIFT_JIS, charset="shift_jis", lang="ja")
    yield path, Reply(_legacy(text, "shift_jis"), content_type="text/html")
    path = "/curiosity/welcome"
    french = _text(base, path, *FRENCH, lang="fr").encode()
    yield path, Reply(_plain(base, path, *_ENGLISH), languages={"fr": french})


def _legacy(text: str, charset: str) -> bytes:
    """Encode; what the charset lacks (the frame's dash, say) becomes a character reference."""
    return text.encode(charset, "xmlcharrefreplace")


def _redirects(base: str) -> Iterator[tuple[str, Reply]]:
    yield "/old/shop", _redirect(301, "../categories")
    yield "/old/journal", _redirect(302, f"{base}articles")
    yield "/chain/1", _redirect(301, "2")
    yield "/chain/2", _redirect(302, f"{base}chain/3")
    yield "/chain/3", _redirect(308, "/about")


def _redirect(status: int, location: str) -> Reply:
    body = f'<!DOCTYPE html><title>Moved</title><p>Moved <a href="{location}">here</a>.</p>\n'
    return Reply(body.encode(), status=status, content_type=HTML, headers=(("Location", location),))


def _plain(base: str, path: str, title: str, text: str) -> bytes:
    return _text(base, path, title, text).encode()


def _text(base: str, path: str, title: str, text: str, *, charset: str | None = "utf-8", lang: str = "en-GB") -> str:
    body = (
        f"{breadcrumb(('/', 'Home'), ('/curiosities', 'Curiosities'), here=title)}"
        f'<article class="prose"><h1>{escape(title)}</h1>{paragraphs([text])}</article>'
    )
    return page(title, body, base=base, path=path, description=text, charset=charset, lang=lang)


def _pdf(text: str) -> bytes:
    """A one-page PDF 1.4 file (ISO 32000-1 §7.5) with one line of text."""
    stream = f"BT /F1 18 Tf 40 90 Td ({text}) Tj ET".encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 160] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>",
    )
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        size, table, size, len(out)
    )  # fmt: skip
    return bytes(out)
