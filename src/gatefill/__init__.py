"""gatefill fills any hole in any photo, and trains the networks that do it.

    import gatefill

    inpaint = gatefill.load()
    result = inpaint("photo.jpg", "mask.png")
    result.save("filled.jpg")

`gatefill.methods` is the package with the methods. The table that lists them is
``gatefill.methods.METHODS``, also available as ``gatefill.METHODS``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatefill import methods
    from gatefill.batches import batch
    from gatefill.errors import (
        ConfigError,
        DataError,
        GatefillError,
        MaskError,
        OutputError,
        Warning,
        WeightsError,
    )
    from gatefill.extras import MissingExtra
    from gatefill.images import ImageError, Photo, read_photo
    from gatefill.inpainter import Inpainter
    from gatefill.loading import inpaint, load
    from gatefill.methods import METHODS, MethodInfo
    from gatefill.methods.hybrid import HybridConfig
    from gatefill.methods.network import NetworkOptions
    from gatefill.methods.patchmatch import PatchMatchConfig
    from gatefill.notebook import widget
    from gatefill.photo_attention import PhotoAttention
    from gatefill.result import Result

__version__ = "0.2.0"

# docs/python.md lists them all.
__all__ = [
    "METHODS",
    "ConfigError",
    "DataError",
    "GatefillError",
    "HybridConfig",
    "ImageError",
    "Inpainter",
    "MaskError",
    "MethodInfo",
    "MissingExtra",
    "NetworkOptions",
    "OutputError",
    "PatchMatchConfig",
    "Photo",
    "PhotoAttention",
    "Result",
    "Warning",
    "WeightsError",
    "__version__",
    "batch",
    "inpaint",
    "load",
    "methods",
    "read_photo",
    "widget",
]

# Where each public name lives. They are imported at first use, so that `import gatefill` (and
# `gatefill --version`) costs nothing.
_HOMES = {
    "METHODS": "gatefill.methods",
    "ConfigError": "gatefill.errors",
    "DataError": "gatefill.errors",
    "GatefillError": "gatefill.errors",
    "HybridConfig": "gatefill.methods.hybrid",
    "ImageError": "gatefill.images",
    "Inpainter": "gatefill.inpainter",
    "MaskError": "gatefill.errors",
    "MethodInfo": "gatefill.methods",
    "MissingExtra": "gatefill.extras",
    "NetworkOptions": "gatefill.methods.network",
    "OutputError": "gatefill.errors",
    "PatchMatchConfig": "gatefill.methods.patchmatch",
    "Photo": "gatefill.images",
    "PhotoAttention": "gatefill.photo_attention",
    "Result": "gatefill.result",
    "Warning": "gatefill.errors",
    "WeightsError": "gatefill.errors",
    "batch": "gatefill.batches",
    "inpaint": "gatefill.loading",
    "load": "gatefill.loading",
    "read_photo": "gatefill.images",
    "widget": "gatefill.notebook",
}


def __getattr__(name: str) -> Any:
    if name == "methods":
        return import_module("gatefill.methods")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'gatefill' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
