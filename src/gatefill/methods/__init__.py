"""The methods and their common interface; modules are imported when a name is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gatefill.extras import MissingExtra
from gatefill.methods.registry import (
    METHODS,
    MethodInfo,
    create,
    default_config,
    info_of,
    steered_by,
)

if TYPE_CHECKING:
    from gatefill.methods.base import Attention, Fill, Method, composite

__all__ = [
    "METHODS",
    "Attention",
    "Fill",
    "Method",
    "MethodInfo",
    "MissingExtra",
    "composite",
    "create",
    "default_config",
    "info_of",
    "steered_by",
]


def __getattr__(name: str) -> Any:
    # `base` needs numpy, which the table and thus the command line's help texts do not.
    if name in __all__:
        value = getattr(import_module("gatefill.methods.base"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'gatefill.methods' has no attribute {name!r}")
