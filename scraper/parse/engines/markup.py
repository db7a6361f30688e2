"""BeautifulSoup's tree as markup, by the letter of the HTML Standard §13.3."""

from __future__ import annotations

from typing import Final

from bs4.element import CData, Comment, Doctype, NavigableString, ProcessingInstruction, Tag

_VOID: Final = frozenset(
    {"area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr"}
    | {"img", "input", "keygen", "link", "meta", "param", "source", "track", "wbr"}
)
#: Elements whose text is written as it is; noscript is not among them, since its content is parsed without scripts.
_RAW: Final = frozenset({"style", "script", "xmp", "iframe", "noembed", "noframes", "plaintext"})
#: A line feed at their very beginning is none of their text when they are parsed: hence another one before it.
_LOSE_A_LINE: Final = frozenset({"pre", "textarea", "listing"})


def serialise(root: Tag) -> str:
    """The element and all below it. No recursion: pages nest without limit."""
    pieces: list[str] = []
    stack: list[object] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Tag):
            pieces.append(_start(node))
            if node.name not in _VOID:
                stack.append(f"</{node.name}>")
                if node.name in _LOSE_A_LINE and str(next(iter(node.contents), "")).startswith("\n"):
                    pieces.append("\n")
                stack.extend(reversed(node.contents))
        elif isinstance(node, NavigableString):
            pieces.append(_string(node))
        else:
            pieces.append(str(node))
    return "".join(pieces)


def _start(tag: Tag) -> str:
    name = tag.name
    attributes = [
        f' {key}="{_attribute(" ".join(value) if isinstance(value, list) else str(value))}"'
        for key, value in tag.attrs.items()
    ]
    return f"<{name}{''.join(attributes)}>"


def _string(node: NavigableString) -> str:
    if isinstance(node, Comment):
        return f"<!--{node}-->"
    if isinstance(node, Doctype):
        return f"<!DOCTYPE {node.partition(' ')[0]}>"
    if isinstance(node, ProcessingInstruction):
        return f"<?{node}>"
    parent = node.parent
    if parent is not None and parent.name in _RAW and not isinstance(node, CData):
        return str(node)
    return _escaped(str(node)).replace("<", "&lt;").replace(">", "&gt;")


def _attribute(value: str) -> str:
    # The standard has escaped < and > there since 2025.
    return _escaped(value).replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("\xa0", "&nbsp;")
