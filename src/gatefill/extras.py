"""The error for optional packages that are missing, and the checks that raise it."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec
from typing import Any


class MissingExtra(ImportError):  # noqa: N818 - the name says what is wrong
    """A package of an optional extra is not installed; the message ends with the pip command."""


# The package whose presence shows that an extra is installed.
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
    """Return whether the packages of an extra are installed, without importing them.

    Args:
        extra: Name of the extra, such as ``"train"``.
        module: Look for this package of the extra only.
    """
    return find_spec(module or MODULES[extra]) is not None


def require(extra: str, what: str, *, module: str | None = None) -> None:
    """Raise MissingExtra unless the packages of an extra are installed.

    Args:
        extra: Name of the extra, such as ``"train"``.
        what: The feature that needs them, for the message.
        module: Look for this package of the extra only.

    Raises:
        MissingExtra: If they are not installed.
    """
    module = module or MODULES[extra]
    if find_spec(module) is None:
        raise _missing(module, extra, what)


def need(module: str, extra: str, what: str) -> Any:
    """Import a module of an optional extra.

    Args:
        module: Name of the module.
        extra: Name of the extra that installs it.
        what: The feature that needs it, for the message.

    Returns:
        The module.

    Raises:
        MissingExtra: If a package is missing. The message names it: someone who installed torch in
            another way may still lack safetensors.
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


_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry off.

    Its official packages keep an identifier of the device in the user's cache and report to their
    maker, unless a variable of the environment forbids it at the first import. An onnxruntime that
    was imported before, and a variable that is set, are the choice of whoever did that.

    Returns:
        The module.
    """
    if "onnxruntime" in sys.modules or _NO_TELEMETRY in os.environ:
        return importlib.import_module("onnxruntime")
    os.environ[_NO_TELEMETRY] = "1"
    try:
        return importlib.import_module("onnxruntime")
    finally:
        os.environ.pop(_NO_TELEMETRY, None)  # the choice is made once in a process
