"""Options that a verb shares with another verb."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar, get_type_hints

Verb = TypeVar("Verb", bound=Callable[..., Any])


def with_options_of(other: Callable[..., Any], without: Collection[str]) -> Callable[[Verb], Verb]:
    """Give a verb the options of another verb, except some, in place of its ``**options``.

    Their defaults and descriptions are copied. Options of the same name that the verb defines
    itself take precedence.
    """

    def widen(verb: Verb) -> Verb:
        own = inspect.signature(verb)
        names = [name for name in own.parameters if name != "options"]
        taken = [
            parameter
            for name, parameter in inspect.signature(other).parameters.items()
            if name not in without
            and name not in names
            and parameter.kind is parameter.KEYWORD_ONLY
        ]
        parameters = [own.parameters[name] for name in names] + taken
        types = get_type_hints(verb, include_extras=True) | {
            parameter.name: get_type_hints(other, include_extras=True)[parameter.name]
            for parameter in taken
        }
        types.pop("options", None)
        told = _paragraphs(other)
        lines = [f"{each.name}\n    {told[each.name]}" for each in taken if each.name in told]
        verb.__doc__ = inspect.cleandoc(verb.__doc__ or "") + "\n" + "\n".join(lines)
        verb.__annotations__ = types
        verb.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        return verb

    return widen


def _paragraphs(verb: Callable[..., Any]) -> dict[str, str]:
    """Return the description of each parameter in a numpy-style docstring."""
    _, _, section = inspect.cleandoc(verb.__doc__ or "").partition("Parameters\n----------\n")
    found = re.findall(r"^(\w+)\n((?:    .*\n?)+)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def side_of(text: str) -> int | None:
    """Parse a square such as ``"256x256"`` or ``"256"`` to its side; None for anything else."""
    match = re.fullmatch(r"([1-9]\d{0,8})(?:x(\d+))?", text)
    return int(match[1]) if match and match[2] in (None, match[1]) else None
