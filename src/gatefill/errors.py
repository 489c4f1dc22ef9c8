"""Errors and warnings as data: a stable code for programs, and a sentence for people.

An error has a stable `code`, such as ``"mask.size"``, whose meaning never changes; a sentence in
plain English ('expected X, got Y'); and the `values` in that sentence, so that the command line,
the HTTP service and the editor can phrase it themselves, in other languages too. A `GatefillError`
is always caused by the caller's input; any other ValueError raised inside the package is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, ClassVar


class GatefillError(ValueError):
    """An input that cannot be used. The base class of all errors that a caller can cause.

    Args:
        text: One sentence: what was expected, and what was given.
        code: Stable name of the error, ``"area.detail"``; by default that of the class.
        **values: The values in the sentence, by name; only types that JSON can hold.
    """

    default_code: ClassVar[str] = "input"

    def __init__(self, text: str, *, code: str | None = None, **values: Any) -> None:
        super().__init__(text)
        self.code = code or self.default_code
        self.values = {name: _plain(value) for name, value in values.items()}

    @property
    def text(self) -> str:
        """The sentence."""
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes send errors by pickle, which would lose the code and the values.
        return _remade, (type(self), str(self), self.code, self.values)


def _plain(value: Any) -> Any:
    """Convert to JSON types: numpy scalars to Python's, tuples to lists, paths to text."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, PurePath):
        return str(value)
    return value.item() if callable(getattr(value, "item", None)) else value


def _remade(kind: type[GatefillError], text: str, code: str, values: dict[str, Any]) -> Any:
    error = kind.__new__(kind)
    GatefillError.__init__(error, text, code=code, **values)
    return error


class ConfigError(GatefillError):
    """An option, setting or name that does not exist or is out of range."""

    default_code = "config"


class MaskError(GatefillError):
    """A mask, sketch or search region that does not fit its photo."""

    default_code = "mask"


class OutputError(GatefillError):
    """An output file that cannot be written as requested."""

    default_code = "output"


class WeightsError(GatefillError):
    """Weights that are damaged, or that belong to another network."""

    default_code = "weights"


class DataError(GatefillError):
    """Training or evaluation data that cannot be used."""

    default_code = "data"


@dataclass(frozen=True)
class Warning:
    """Something the caller should know that did not stop the work.

    ``str(warning)`` is its text.
    """

    code: str  # stable, "area.detail", such as "file.frames"
    text: str  # one sentence in plain English
    values: Mapping[str, Any] = field(default_factory=dict)  # the values in the sentence, by name

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """Return ``code``, ``text`` and ``values`` in types that JSON can hold."""
        values = {name: _plain(value) for name, value in self.values.items()}
        return {"code": self.code, "text": self.text, "values": values}


def did_you_mean(given: str, known: Iterable[str], shown: Mapping[str, str] | None = None) -> str:
    """Suggest known names that are close to a misspelled one.

    Args:
        given: The name as it was given.
        known: The names that exist.
        shown: What to write for a known name, where that differs from the name.

    Returns:
        ``"; did you mean a or b?"``, or ``""`` if no known name is close.
    """
    known = [*known]
    for text in (given.lower().replace("-", "_"), given.lower().replace("_", "-")):
        if near := get_close_matches(text, known, n=3):
            return f"; did you mean {' or '.join((shown or {}).get(name, name) for name in near)}?"
    return ""
