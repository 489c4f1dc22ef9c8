"""Modules that come with an extra of the package, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtra(ImportError):  # noqa: N818 - it says what is missing
    """An extra of the package is not installed; the message gives the line that installs it."""


def need(module: str, extra: str, purpose: str) -> Any:
    """The module `module`, or MissingExtra with the line that installs `extra`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        raise MissingExtra(
            f'{purpose} needs {problem.name}: pip install "gatefill[{extra}]"'
        ) from problem
