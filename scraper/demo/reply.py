"""What the demo website answers to one path: plain data, which the server turns into bytes on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        body: as sent, in the page's own charset, without content coding.
        status: HTTP status.
        content_type: value of the `Content-Type` header.
        headers: further headers.
        delay: seconds the server lets pass before it answers.
        fails_first: the first request of a server's life gets a 500 instead.
        compressed: the body with gzip coding, for clients that accept it.
        languages: other bodies by primary language tag, chosen by `Accept-Language`.
        keys: further keys of this page's entry in the URL list.
        listed: whether the URL list names it; pictures and the like are not pages.
    """

    body: bytes
    status: int = 200
    content_type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    fails_first: bool = False
    compressed: bytes | None = None
    languages: Mapping[str, bytes] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    listed: bool = True

    @property
    def is_html(self) -> bool:
        """Whether the body is a web page."""
        return self.content_type.startswith("text/html")
