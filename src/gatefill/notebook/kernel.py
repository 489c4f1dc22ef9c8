"""The kernel side of the widget: fills what is painted, and keeps the fills in effect."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import PIL.Image
import traitlets
from numpy.typing import NDArray

import gatefill
from gatefill.errors import GatefillError
from gatefill.geometry import Box
from gatefill.images import Photo
from gatefill.inpainter import Inpainter

_HERE = Path(__file__).parent
_EDITOR = Path(gatefill.__file__).parent / "server" / "web"
# The modules of the editor that `widget.js` imports; their own imports are added.
_ENTRIES = ("photo.js", "tools.js", "scene.js", "view.js", "input.js", "texts/en.js", "texts/ko.js")
_IMPORT = re.compile(r'^import .*? from "\./([\w/]+\.js)";$', re.MULTILINE)
_OFTEN = 0.1  # seconds between two reports of progress


def _sources() -> dict[str, str]:
    """Return the editor's modules that the widget needs, by name."""
    found: dict[str, str] = {}
    pending = list(_ENTRIES)
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = (_EDITOR / name).read_text("utf-8")
            folder = name.rpartition("/")[0]
            pending += [f"{folder}/{path}".lstrip("/") for path in _IMPORT.findall(found[name])]
    return found


def _script() -> str:
    """Return the widget's JavaScript module, with the sources of the editor's modules in it."""
    script = (_HERE / "widget.js").read_text("utf-8")
    return f"const SOURCES = {json.dumps(_sources(), ensure_ascii=False)};\n{script}"


class InpaintWidget(anywidget.AnyWidget):
    """The editor for one photo. Created by `widget`.

    Attributes:
        fills: Number of fills in effect; undoing one in the notebook reduces it.
    """

    _esm = _script()
    _css = (_HERE / "widget.css").read_text("utf-8")

    fills = traitlets.Int(0).tag(sync=True)
    height = traitlets.Int(480).tag(sync=True)
    _image = traitlets.Bytes(b"").tag(sync=True)

    def __init__(self, inpainter: Inpainter, photo: Photo, height: int = 480) -> None:
        """Show a photo.

        Args:
            inpainter: The inpainter that fills.
            photo: The photo; it is not changed.
            height: Height of the widget in CSS pixels.
        """
        self.inpainter = inpainter
        self.original = photo
        self._patches: list[tuple[Box, NDArray[Any], NDArray[np.bool_]]] = []
        whole = Box(0, 0, photo.height, photo.width)
        super().__init__(height=height, _image=_encoded(photo, whole))
        self.on_msg(self._receive)

    @property
    def photo(self) -> Photo:
        """The photo with all fills in effect and its metadata; `Photo.save` writes it."""
        pixels = self.original.pixels.copy()
        for box, patch, _ in self._patches[: self.fills]:
            pixels[box.slices] = patch
        return self.original.replaced(pixels)

    @property
    def array(self) -> NDArray[Any]:
        """The pixels of `photo`: ``HW`` for gray, else ``HW3`` RGB; uint8 or uint16."""
        pixels = self.photo.pixels
        return pixels[..., 0] if pixels.shape[2] == 1 else pixels

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Bool ``HW``, True where a fill in effect changed the photo."""
        found = np.zeros((self.original.height, self.original.width), bool)
        for box, _, hole in self._patches[: self.fills]:
            found[box.slices] |= hole
        return found

    def _receive(self, _: Any, message: dict[str, Any], buffers: list[bytes]) -> None:
        """Handle a message: report the fills in effect, or fill the hole in the buffer."""
        if message.get("kind") == "open":
            self.send(*self._in_effect(message.get("view")))
        if message.get("kind") != "fill":
            return
        try:
            answer, files = self._filled(message, buffers)
        except GatefillError as error:
            answer, files = {"kind": "failed", "text": error.text}, []
        except Exception as error:  # the browser waits for a response
            answer = {"kind": "failed", "text": f"{type(error).__name__}: {error}"}
            self.send(answer)
            raise
        self.send(answer, files)

    def _in_effect(self, view: Any) -> tuple[dict[str, Any], list[bytes]]:
        """Return the fills in effect, for a view that is opened later."""
        pixels, files, places = self.original.pixels.copy(), [], []
        for box, patch, _ in self._patches[: self.fills]:
            pixels[box.slices] = patch
            files.append(_encoded(self.original.replaced(pixels), box))
            places.append({"left": box.left, "top": box.top})
        return {"kind": "opened", "view": view, "places": places}, files

    def _filled(
        self, message: dict[str, Any], buffers: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        with PIL.Image.open(io.BytesIO(buffers[0])) as drawn:
            painted = np.asarray(drawn.convert("RGBA"))[..., 3] > 127
        top, left = int(message["top"]), int(message["left"])
        mask = np.zeros((self.original.height, self.original.width), bool)
        mask[top : top + painted.shape[0], left : left + painted.shape[1]] = painted
        result = self.inpainter(self.photo, mask, progress=self._progress())
        box = Box(top, left, top + painted.shape[0], left + painted.shape[1])
        # A new fill discards the fills that were undone.
        self._patches = self._patches[: self.fills]
        self._patches.append((box, result.photo.pixels[box.slices].copy(), painted))
        self.fills = len(self._patches)
        answer = {
            "kind": "filled",
            "left": left,
            "top": top,
            "seconds": result.seconds,
            "model": result.method,
            "warnings": [each.text for each in result.warnings],
        }
        return answer, [_encoded(result.photo, box)]

    def _progress(self) -> Callable[[float], None]:
        last = 0.0

        def report(share: float) -> None:
            nonlocal last
            if time.monotonic() - last > _OFTEN:
                last = time.monotonic()
                self.send({"kind": "progress", "share": share})

        return report


def _encoded(photo: Photo, box: Box) -> bytes:
    """Encode a part of a photo as PNG with 8 bits, for display."""
    pixels = np.rint(photo.rgb(box) * 255).astype(np.uint8)
    if photo.alpha is not None:
        alpha = np.rint(photo.alpha[box.slices] * (255 / photo.max_value)).astype(np.uint8)
        pixels = np.dstack([pixels, alpha])
    written = io.BytesIO()
    PIL.Image.fromarray(pixels).save(written, "PNG", compress_level=1)
    return written.getvalue()
