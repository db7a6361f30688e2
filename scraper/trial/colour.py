"""Colours for a terminal: of JSON, and of what selectors matched. They are added after text was made safe to print."""

from __future__ import annotations

import re
from typing import Final

import click

_TOKEN: Final = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)'
)
_COLOURS: Final = {"key": "blue", "text": "green", "number": "cyan", "word": "magenta"}


def json(text: str) -> str:
    """JSON with names, texts, numbers and words in colours of their own."""
    return _TOKEN.sub(lambda found: click.style(found[0], fg=_COLOURS[found.lastgroup or "word"]), text)


def dim(text: str) -> str:
    """What matters less."""
    return click.style(text, dim=True) if text else text


def warn(text: str) -> str:
    """What found nothing."""
    return click.style(text, fg="yellow")


def wrong(text: str) -> str:
    """What failed."""
    return click.style(text, fg="red")
