"""What to say when a part of gatefill needs packages that the core install leaves out."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any


class MissingExtra(ImportError):  # noqa: N818 - says what is wrong, as a name
    """A package of an extra is not installed; the message ends with the pip line that adds it."""


# The package by whose presence an extra is known.
MODULES = {
    "torch": "torch",
    "train": "lightning_fabric",
    "compare": "torchmetrics",
    "outside": "patchmatch",
    "fid": "torch_fidelity",
    "serve": "fastapi",
    "batch": "pyarrow",
    "scale": "ray",
    "heif": "pillow_heif",
    "hub": "huggingface_hub",
    "notebook": "anywidget",
    "export": "onnx",
    "tensorflow": "tensorflow",
}


def installed(extra: str, *, module: str | None = None) -> bool:
    """Whether the packages of an extra are there; nothing is imported to find out.

    module: the one of the extra's packages that is asked for, where it may come without the others.
    """
    return find_spec(module or MODULES[extra]) is not None


def require(extra: str, what: str, *, module: str | None = None) -> None:
    """Raise MissingExtra unless the packages of `extra`, which `what` needs, are installed.

    module: the one of the extra's packages that is needed, where it has several that do not need
        each other.
    """
    module = module or MODULES[extra]
    if find_spec(module) is None:
        raise _missing(module, extra, what)


def need(module: str, extra: str, what: str) -> Any:
    """Import `module` of `extra`, which `what` needs, or raise MissingExtra.

    The message names the package that is missing: who has torch from elsewhere may still lack
    safetensors.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        raise _missing(problem.name, extra, what) from problem


def _missing(package: str | None, extra: str, what: str) -> MissingExtra:
    return MissingExtra(
        f'{what} needs {package}, which is not installed: pip install "gatefill[{extra}]"',
        name=package,
    )
