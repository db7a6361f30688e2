"""Near misses: how much of a selector that finds nothing still matches, and what is called nearly the same."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from scraper import paths

#: Counts what a selector matches; a selector that does not compile matches nothing.
Count = Callable[[str], int]

_CLOSING: Final = {"(": ")", "[": "]", '"': '"', "'": "'"}
_COMBINATORS: Final = " >+~"
_SIMPLE_NAME: Final = re.compile(r"([.#])((?:[\w-]|\\.|[^\x00-\x7f])+)")


def of_css(selector: str, count: Count, names: Callable[[], dict[str, set[str]]]) -> str:
    """What of a CSS selector still matches.

    Args:
        selector: finds nothing.
        count: of the matches of another one.
        names: the page's class names by ``.`` and its ids by ``#``.
    """
    said = []
    for whole in _split(selector, ","):
        steps = _steps(whole)
        kept = next((steps[:n] for n in range(len(steps) - 1, 0, -1) if count("".join(steps[:n]).strip())), [])
        step = steps[len(kept)]
        matching = "".join(kept).strip()
        found = [f"{matching} matches {count(matching):,}"] if kept else []
        found += _within(matching, step, count)
        found += _called_alike(step, names())
        if not kept:
            ends = ("".join(steps[n:]).lstrip(_COMBINATORS) for n in range(1, len(steps)))
            found += [f"{end} matches {number:,} elsewhere" for end in ends if (number := count(end))][:1]
        said.append("; ".join(found) or f"nothing of {whole.strip()} matches")
    return ", or ".join(said)


def of_xpath(expression: str, count: Count) -> str:
    """What of an XPath expression still matches: its first steps, and the next one without its conditions."""
    steps = _slashed(expression)
    kept = next((steps[:n] for n in range(len(steps) - 1, 0, -1) if count("".join(steps[:n]))), [])
    matching = "".join(kept)
    found = [f"{matching} matches {count(matching):,}"] if kept else []
    bare = matching + _split(steps[len(kept)], "[")[0]
    if bare != matching + steps[len(kept)] and (number := count(bare)):
        found.append(f"without its condition, {bare} matches {number:,}")
    return "; ".join(found) or f"nothing of {expression} matches"


def of_path(path: str, value: Any) -> str:
    """How far a path leads into data, and which keys are there."""
    keys = paths.split(path)
    for length in range(len(keys) - 1, -1, -1):
        found = next(paths.walk(value, keys[:length]), None)
        if found is not None:
            break
    else:
        return "there is no data"
    there = found[0] if isinstance(found, list) and found else found
    known = list(there) if isinstance(there, dict) else []
    where = ".".join(keys[:length]) or "the data"
    near = difflib.get_close_matches(keys[length], known, 1)
    if near:
        return f"{where} has no {keys[length]!r}; did you mean {near[0]!r}?"
    if known:
        return f"{where} has {', '.join(map(repr, known[:8]))}{' …' if len(known) > 8 else ''}"
    return f"{where} is {'an empty list' if found == [] else 'a ' + type(there).__name__}"


def of_name(name: str, known: Iterable[str]) -> str:
    """Names that are there and nearly the same."""
    near = difflib.get_close_matches(name.lower(), list(known), 3, 0.5)
    return f"did you mean {' or '.join(near)}?" if near else "nothing is called nearly so"


def _within(matching: str, step: str, count: Count) -> list[str]:
    """What a step matches with one of its parts left out; or by itself, anywhere."""
    combinator, compound = step[: len(step) - len(step.lstrip(_COMBINATORS))], step.lstrip(_COMBINATORS).strip()
    simples = _simples(compound)
    found = []
    for index, simple in enumerate(simples):
        rest = "".join(simples[:index] + simples[index + 1 :])
        number = count(f"{matching}{combinator}{rest}".strip()) if rest else 0
        if number:
            found.append(f"without {simple}, {f'{matching}{combinator}{rest}'.strip()} matches {number:,}")
    if matching and (number := count(compound)):
        found.append(f"{compound} matches {number:,} elsewhere")
    return found[:2]


def _called_alike(step: str, names: dict[str, set[str]]) -> list[str]:
    """Names in the page for the names of a step that are not in the page."""
    found = []
    for kind, name in _SIMPLE_NAME.findall(re.sub(r"\[[^]]*\]|\([^)]*\)", "", step)):
        if name not in names[kind]:
            near = difflib.get_close_matches(name, sorted(names[kind]), 1)
            found += [f"did you mean {kind}{near[0]}?"] if near else []
    return found


def _steps(selector: str) -> list[str]:
    """A complex selector cut before its combinators, which stay with what follows them."""
    pieces = [piece for piece in _split_any(selector.strip(), _COMBINATORS, keep=True) if piece]
    steps: list[str] = []
    combinator = ""
    for piece in pieces:
        if piece in _COMBINATORS:
            combinator = piece if combinator in ("", " ") or piece != " " else combinator
        else:
            shown = f" {combinator} " if combinator.strip() else combinator
            steps.append(shown + piece if steps else piece)
            combinator = ""
    return steps


def _simples(compound: str) -> list[str]:
    """A compound selector's parts: ``p``, ``.price``, ``[href]``, ``:not(.x)``."""
    cuts = [0]
    for index, character in _outside(compound):
        if index and (character in ".#[" or (character == ":" and compound[index - 1] != ":")):
            cuts.append(index)
    return [compound[start:end] for start, end in zip(cuts, [*cuts[1:], len(compound)], strict=True)]


def _slashed(expression: str) -> list[str]:
    """An XPath expression cut before its steps."""
    cuts = [0]
    for index, character in _outside(expression):
        if character == "/" and index and expression[index - 1] != "/":
            cuts.append(index)
    return [expression[start:end] for start, end in zip(cuts, [*cuts[1:], len(expression)], strict=True)]


def _split(text: str, separator: str) -> list[str]:
    return _split_any(text, separator, keep=False)


def _split_any(text: str, separators: str, *, keep: bool) -> list[str]:
    """Text cut at what stands outside of brackets and quotes."""
    pieces, start = [], 0
    for index, character in _outside(text):
        if character in separators:
            pieces += [text[start:index], character] if keep else [text[start:index]]
            start = index + 1
    return [*pieces, text[start:]]


def _outside(text: str) -> Iterable[tuple[int, str]]:
    """Characters that stand outside of brackets and quotes; an opening bracket is outside, a closing one is not."""
    closers: list[str] = []
    for index, character in enumerate(text):
        if closers and character == closers[-1]:
            closers.pop()
            continue
        if not closers:
            yield index, character
        if character in _CLOSING and not (closers and closers[-1] in "\"'"):
            closers.append(_CLOSING[character])
