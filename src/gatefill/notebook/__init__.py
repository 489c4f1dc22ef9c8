"""The editor in a notebook: paint over a photo, fill, and get the result as an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatefill.extras import need
from gatefill.images import Photo, Source

if TYPE_CHECKING:
    from gatefill.notebook.kernel import InpaintWidget

__all__ = ["widget"]


def widget(
    photo: Source | Photo, method: str | None = None, *, height: int = 480, **options: Any
) -> InpaintWidget:
    """Create an editor for one photo, for JupyterLab, VS Code, Colab or another host of anywidget.

    Args:
        photo: Path, bytes, PIL image, array ``HW``, ``HW3``, ``HW4`` (uint8, uint16, or float in
            [0, 1]) or torch tensor ``CHW``.
        method: One of `METHODS`, or an address of weights. Default: the default method.
        height: Height of the widget in CSS pixels.
        **options: Options of `load`, such as `weights` and `device`.

    Returns:
        The widget, which is displayed if it is the last line of a cell. `InpaintWidget.array` are
        the pixels it shows; `InpaintWidget.photo` also has the metadata, and can be saved.

    Raises:
        MissingExtra: (an ImportError) If anywidget is not installed.
        GatefillError: If the photo cannot be read, or the method cannot be loaded.
    """
    need("anywidget", "notebook", "the widget")
    from gatefill.loading import load
    from gatefill.notebook.kernel import InpaintWidget

    inpainter = load(method, **options)
    return InpaintWidget(inpainter, inpainter.read(photo), height)
