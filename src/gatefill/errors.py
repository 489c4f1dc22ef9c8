"""Errors and warnings as data: what a program can react to, and a sentence for people.

An error has a stable `code`, such as ``"mask.size"``, that never changes its meaning, a sentence
in plain English ('expected X, got Y'), and the `values` the sentence was made of, so that the
command line, the HTTP service and the page can say it in their own words and language. Only what
the caller gave can raise a `GatefillError`; a bare ValueError from inside is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, ClassVar


class GatefillError(ValueError):
    """Something that was given cannot be used. The base of all errors that callers can cause.

    Args:
        text: One sentence: what was expected, and what came.
        code: Stable name of the error, ``"area.detail"``; by default that of the class.
        **values: What the sentence was made of, by name; plain values that JSON can hold.
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
        # Worker processes hand errors over by pickle, which would lose code and values.
        return _remade, (type(self), str(self), self.code, self.values)


def _plain(value: Any) -> Any:
    """A value as JSON holds it: numpy's numbers as Python's, tuples as lists, paths as text."""
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
    """An option, a setting or a name that does not exist or is out of range."""

    default_code = "config"


class MaskError(GatefillError):
    """A mask, a sketch or a search region that does not fit its photo."""

    default_code = "mask"


class OutputError(GatefillError):
    """A file that cannot be written as asked."""

    default_code = "output"


class WeightsError(GatefillError):
    """Weights that are damaged, or of another network."""

    default_code = "weights"


class DataError(GatefillError):
    """Training or evaluation data that cannot be used."""

    default_code = "data"


@dataclass(frozen=True)
class Warning:
    """Something that the caller should know and that did not stop the work.

    ``str(warning)`` is its text.
    """

    code: str  # stable, "area.detail", such as "file.frames"
    text: str  # one sentence in plain English
    values: Mapping[str, Any] = field(default_factory=dict)  # what the sentence was made of

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """``code``, ``text`` and ``values``, as JSON takes them."""
        values = {name: _plain(value) for name, value in self.values.items()}
        return {"code": self.code, "text": self.text, "values": values}


def did_you_mean(given: str, known: Iterable[str], shown: Mapping[str, str] | None = None) -> str:
    """``"; did you mean a or b?"`` where known names are close to a given one, else ``""``.

    shown: what to write for a known name, where that is not the name itself.
    """
    known = [*known]
    for text in (given.lower().replace("-", "_"), given.lower().replace("_", "-")):
        if near := get_close_matches(text, known, n=3):
            return f"; did you mean {' or '.join((shown or {}).get(name, name) for name in near)}?"
    return ""
