"""gatefill fills any hole in any photo, and trains the networks that do it.

    import gatefill

    inpaint = gatefill.load()
    result = inpaint("photo.jpg", "mask.png")
    result.save("filled.jpg")

`gatefill.methods` is the package of methods; ``gatefill.methods.METHODS`` is the table of them,
also at hand as ``gatefill.METHODS``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatefill import methods
    from gatefill.batches import batch
    from gatefill.inpainter import Inpainter, load
    from gatefill.methods import METHODS
    from gatefill.result import Result

__version__ = "0.1.0"

__all__ = ["METHODS", "Inpainter", "Result", "__version__", "batch", "load", "methods"]

# Where each public name lives. They are imported at first use, so that `import gatefill` (and
# `gatefill --version`) costs nothing.
_HOMES = {
    "METHODS": "gatefill.methods",
    "Inpainter": "gatefill.inpainter",
    "Result": "gatefill.result",
    "batch": "gatefill.batches",
    "load": "gatefill.inpainter",
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
