"""Pages kept on disk: what `scraper try --save` writes, and what it, and users' test cases, read again."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from scraper import records
from scraper.errors import UsageError
from scraper.fetch.content import essence_of

#: What stands beside the body: where it came from.
META: Final = ".meta.json"

_NOT_IN_NAME: Final = re.compile(r"[^\w.-]+", re.ASCII)
_SUFFIXES: Final = {"application/json": ".json", "text/xml": ".xml", "application/xml": ".xml", "text/plain": ".txt"}
LONGEST_NAME: Final = 100
#: Headers of somebody's session, which is nobody else's business: saved pages are committed, and passed on.
_SECRET: Final = ("set-cookie", "set-cookie2")


class Meta(Struct, omit_defaults=True):
    """Where a saved page came from; all of it may be missing.

    Attributes: as those of `records.Page`.
    """

    url: str = ""
    final_url: str = ""
    status: int = 200
    fetched_at: str = ""
    headers: list[tuple[str, str]] = []
    input: dict[str, Any] | None = None
    type: str | None = None


UNKNOWN: Final = Meta()


def save(page: records.Page, folder: Path) -> Path:
    """Write the body as it came, content-decoded, and its `Meta` beside it.

    Args:
        page: what was fetched.
        folder: made if need be.

    Returns:
        The body's path; a page of the same URL that is there already is replaced.

    Raises:
        UsageError: it cannot be written.
    """
    content_type = next((value for name, value in page.headers if name.lower() == "content-type"), None)
    path = folder / (_name(page.url) + _SUFFIXES.get(essence_of(content_type), ".html"))
    headers = [(name, value) for name, value in page.headers if name.lower() not in _SECRET]
    meta = Meta(page.url, page.final_url, page.status, page.fetched_at, headers, page.input, page.type)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page.body)
        meta_path(path).write_bytes(msgspec.json.format(msgspec.json.encode(meta), indent=2) + b"\n")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}; choose another folder to save to") from None
    return path


def read(path: Path, unknown: Meta = UNKNOWN) -> records.Page:
    """A saved page, or any HTML file, also gzipped.

    Args:
        path: of the body.
        unknown: what to say of a page without `Meta`: by default that its URL is that of the file, fetched now.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        body = path.read_bytes()
        if path.suffix == ".gz":
            body = gzip.decompress(body)
        meta = _read_meta(meta_path(path))
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}; give a URL, or the path of a saved page") from None
    url = meta.url or unknown.url or path.resolve().as_uri()
    fetched_at = meta.fetched_at or unknown.fetched_at or records.now()
    final_url = meta.final_url or url
    return records.Page(url, final_url, meta.status, fetched_at, meta.headers, body, meta.input, type=meta.type)


def meta_path(path: Path) -> Path:
    """Where the `Meta` of a saved page is."""
    return beside(path, META)


def beside(path: Path, suffix: str) -> Path:
    """The file of a saved page's name, with another suffix."""
    return path.with_name(path.name.removesuffix(".gz").rpartition(".")[0] + suffix)


def _read_meta(path: Path) -> Meta:
    if not path.exists():
        return Meta()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Meta)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}; mend it, or remove it") from None


def _name(url: str) -> str:
    parts = urlsplit(url)
    where = f"{parts.hostname or ''}{parts.path.rstrip('/')}{'_' + parts.query if parts.query else ''}"
    return _NOT_IN_NAME.sub("_", where.removesuffix(".html"))[:LONGEST_NAME].strip("_.") or "page"
