"""What both engines need for XPath: a look at the names an expression uses, and results of every kind as a list."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from scraper.parse.engines import SelectorError

_LITERAL: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_CALL: Final = re.compile(r"(?<![\w.:-])(?!(?:node|text|comment|processing-instruction)\s*\()([\w-]+(?::[\w-]+)?)\s*\(")
#: A name with a prefix; axes have two colons.
_PREFIX: Final = re.compile(r"(?<![\w.:-])([A-Za-z_][\w-]*):(?=[A-Za-z_*])")
_VARIABLE: Final = re.compile(r"\$\s*([\w:-]+)")
#: Words that may stand before a bracket and are no functions.
_OPERATORS: Final = frozenset({"and", "or", "div", "mod"})
_UNKNOWN: Final = ("unknown function", "Unregistered function", "Undefined namespace prefix", "undefined namespace")


def check_names(expression: str, evaluate: Callable[[str], object]) -> None:
    """See that all that `expression` names is there, since evaluating it finds only what it comes to.

    A function is there if calling it without arguments gives another error, or none.

    Args:
        expression: an XPath expression.
        evaluate: evaluates one in a document without content; raises `SelectorError`.

    Raises:
        SelectorError: a variable, a prefix or a function is not there.
    """
    code = _LITERAL.sub("''", expression)
    if variable := _VARIABLE.search(code):
        raise SelectorError(f"there is no variable ${variable[1]}")
    for name in dict.fromkeys(_CALL.findall(code)):
        if name in _OPERATORS:
            continue
        try:
            evaluate(f"{name}()")
        except SelectorError as error:
            if any(said in str(error) for said in _UNKNOWN):
                raise SelectorError(f"there is no function {name}()") from None
    calls = {name.partition(":")[0] for name in _CALL.findall(code) if ":" in name}
    for prefix in dict.fromkeys(_PREFIX.findall(code)):
        if prefix not in calls:
            raise SelectorError(f"there is no namespace prefix {prefix!r}; write *[local-name()='…']")


def as_texts(found: Any) -> list[Any]:
    """A list of what was found; a number, truth value or text alone is one text, as XPath's ``string()`` has it."""
    if isinstance(found, list):
        return found
    if isinstance(found, bool):
        return ["true" if found else "false"]
    if isinstance(found, float):
        return [str(int(found)) if found.is_integer() else "NaN" if math.isnan(found) else repr(found)]
    return [str(found)]
