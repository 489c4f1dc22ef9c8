"""Modules that come with an extra of the package, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from gatefill.extras import MissingExtra


def need(module: str, extra: str, purpose: str) -> Any:
    """The module `module`, or MissingExtra with the line that installs `extra`.

    Other than `gatefill.extras.require` it names the package that is missing: who has torch from
    elsewhere may still lack safetensors.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        raise MissingExtra(
            f"{purpose} needs {problem.name}, which is not installed: "
            f'pip install "gatefill[{extra}]"',
            name=problem.name,
        ) from problem
