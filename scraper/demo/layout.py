"""The frame around every page of the demo website: head, stylesheet, navigation, footer."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

NAME: Final = "Harbour & Quill"

_STYLE: Final = """
:root{color-scheme:light dark;--paper:#faf7f1;--card:#fff;--ink:#23201b;--soft:#6b645a;--line:#e4ddd0;--accent:#9a3b1f;
--star:#b7791f;--good:#2c6e49}
@media(prefers-color-scheme:dark){:root{--paper:#171614;--card:#211f1c;--ink:#ece7dd;--soft:#a79f92;--line:#37332d;
--accent:#f0a07f;--star:#e6b455;--good:#7fcf9f}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.6 system-ui,-apple-system,"Segoe UI",sans-serif}
h1,h2,h3,.brand{font-family:Georgia,"Iowan Old Style","Times New Roman",serif;line-height:1.2;text-wrap:balance}
h1{font-size:clamp(1.7rem,5vw,2.5rem);margin:.3em 0 .4em}
h2{font-size:1.4rem;margin:2.2rem 0 .9rem}
a{color:var(--accent);text-underline-offset:.18em}
.wrap{max-width:66rem;margin:0 auto;padding:0 1.1rem}
header.top{border-bottom:1px solid var(--line);background:var(--card)}
header.top .wrap{display:flex;flex-wrap:wrap;align-items:baseline;gap:.3rem 1.4rem;padding-block:.9rem}
.brand{font-size:1.3rem;font-weight:700;text-decoration:none;color:var(--ink)}
nav.main{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}
nav.main a{color:var(--soft);text-decoration:none}
nav.main a:hover{color:var(--accent)}
main.wrap{padding-block:1.2rem 3rem;min-height:70vh}
.breadcrumb{display:flex;flex-wrap:wrap;gap:.2rem .5rem;list-style:none;margin:0 0 1.1rem;padding:0;font-size:.9rem;
color:var(--soft)}
.breadcrumb li+li::before{content:"/";margin-right:.5rem;opacity:.6}
.lead{font-size:1.15rem;color:var(--soft);max-width:44rem}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(10.5rem,1fr));gap:1.1rem;padding:0;margin:0;
list-style:none}
.product_pod{background:var(--card);border:1px solid var(--line);border-radius:.7rem;overflow:hidden;display:flex;
flex-direction:column;height:100%}
.product_pod img{width:100%;height:auto;aspect-ratio:4/5;object-fit:cover;display:block}
.product_pod .about{padding:.8rem .9rem 1rem;display:flex;flex-direction:column;gap:.25rem;flex:1}
.product_pod h3{font-size:1.02rem;margin:0}
.product_pod h3 a{color:var(--ink);text-decoration:none}
.product_pod h3 a:hover{color:var(--accent)}
.product_pod p{margin:0}
.product_pod .price{margin-top:auto}
.price{font-weight:650;white-space:nowrap;font-variant-numeric:tabular-nums}
.star-rating{color:var(--star);letter-spacing:.08em;margin:0}
.stock{color:var(--good);margin:0}.stock.none{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.8rem;padding:0;margin:0;
list-style:none}
.tiles a{display:block;height:100%;padding:.9rem 1rem;background:var(--card);border:1px solid var(--line);
border-radius:.7rem;text-decoration:none;color:var(--ink)}
.tiles a:hover{border-color:var(--accent)}
.tiles small{display:block;color:var(--soft)}
article.product{display:grid;grid-template-columns:minmax(13rem,19rem) 1fr;gap:1rem 2.2rem;align-items:start}
article.product>img{width:100%;height:auto;border-radius:.7rem;border:1px solid var(--line)}
article.product h1{margin-top:0}
article.product .price{font-size:1.5rem;margin:.6rem 0 .2rem}
@media(max-width:38rem){article.product{grid-template-columns:1fr}article.product>img{max-width:15rem}
.grid{grid-template-columns:repeat(2,1fr);gap:.8rem}}
.tags{display:flex;flex-wrap:wrap;gap:.4rem;list-style:none;padding:0;margin:1rem 0}
.tag{border:1px solid var(--line);border-radius:1rem;padding:.1rem .75rem;font-size:.88rem;color:var(--soft)}
table{border-collapse:collapse;width:100%;max-width:30rem;font-size:.95rem}
th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:500;color:var(--soft)}
.pager{display:flex;justify-content:space-between;gap:1rem;margin-top:1.8rem}
.prose{max-width:42rem;font-size:1.06rem}
.byline{color:var(--soft);margin-top:0}
.list{padding:0;margin:0;list-style:none}
.list li{padding:.75rem 0;border-bottom:1px solid var(--line)}
.list small{color:var(--soft);display:block}
footer{border-top:1px solid var(--line);color:var(--soft);font-size:.92rem}
footer .wrap{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;padding-block:1.2rem}
""".strip()

_MENU: Final = (
    ("/categories", "Shop"), ("/articles", "Journal"), ("/sayings", "Sayings"), ("/about", "About"),
    ("/curiosities", "Curiosities"),
)  # fmt: skip


def page(
    title: str,
    body: str,
    *,
    base: str,
    path: str,
    description: str = "",
    lang: str = "en-GB",
    charset: str | None = "utf-8",
    data: Mapping[str, Any] | None = None,
) -> str:
    """A whole page around `body`.

    Args:
        title: plain text, for the tab.
        body: HTML for the main element.
        base: the site's URL, ending in a slash.
        path: the page's own path, for the canonical link.
        description: plain text for search engines.
        lang: language tag of the page.
        charset: what the meta element declares; None leaves that to the HTTP header.
        data: a JSON-LD object.
    """
    # The charset declaration has to lie within the first 1024 bytes (HTML Standard §4.2.5.4), so it comes first.
    head = [f'<meta charset="{charset}">'] if charset else []
    head += [
        f"<title>{escape(title)} – {escape(NAME)}</title>" if title != NAME else f"<title>{escape(NAME)}</title>",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="description" content="{escape(description or title)}">',
        f'<link rel="canonical" href="{escape(base + path.removeprefix("/"))}">',
        '<link rel="icon" href="/favicon.svg" type="image/svg+xml">',
        f"<style>{_STYLE}</style>",
    ]
    if data:
        # A `<` in the data must not end the script element.
        text = json.dumps({"@context": "https://schema.org", **data}, ensure_ascii=True).replace("<", "\\u003c")
        head.append(f'<script type="application/ld+json">{text}</script>')
    menu = "".join(f'<a href="{href}">{name}</a>' for href, name in _MENU)
    return f"""<!DOCTYPE html>
<html lang="{lang}">
<head>
{_lines(head)}
</head>
<body>
<header class="top"><div class="wrap">
<a class="brand" href="{base}">{escape(NAME)}</a><nav class="main">{menu}</nav>
</div></header>
<main class="wrap">
{body}
</main>
<footer><div class="wrap"><span>{escape(NAME)}, a shop that exists only on this machine.</span>
<a href="/delivery">Delivery</a> <a href="{base}sitemap.xml">Sitemap</a> <a href="/robots.txt">robots.txt</a>
</div></footer>
</body>
</html>
"""


def breadcrumb(*steps: tuple[str, str], here: str) -> str:
    """The way down to this page: (href, name) pairs, then the page's own name."""
    items = "".join(f'<li><a href="{escape(href)}">{escape(name)}</a></li>' for href, name in steps)
    return f'<ul class="breadcrumb">{items}<li aria-current="page">{escape(here)}</li></ul>'


def paragraphs(texts: Iterable[str]) -> str:
    """Plain texts as paragraphs."""
    return _lines(f"<p>{escape(text)}</p>" for text in texts)


def escape(text: str) -> str:
    """Text as HTML, for content and quoted attributes."""
    return html.escape(text, quote=True)


def slug(title: str) -> str:
    """An ASCII path segment made of a title; empty where the title has no Latin letters."""
    plain = unicodedata.normalize("NFKD", title.replace("’", "")).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)
