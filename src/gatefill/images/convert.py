"""From any array or PIL image to planes: upright colour ``HWC`` and alpha ``HW`` at one depth."""

from __future__ import annotations

import io
import logging
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gatefill.images.meta import first_line
from gatefill.images.source import ImageError

logger = logging.getLogger(__name__)

Pixels: TypeAlias = NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16."""


class Planes(NamedTuple):
    """Colour ``HWC`` with C = 1 (grey) or 3 (RGB), and alpha ``HW`` of the same dtype or None."""

    colour: Any
    alpha: Any


def from_array(array: NDArray[Any], label: str) -> Planes:
    """Split ``HW``, ``HW1``, ``HW2``, ``HW3`` or ``HW4`` into colour and alpha; any dtype."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
        raise ImageError(
            f"{label}: expected an array HW, HW1 (grey), HW2 (grey, alpha), HW3 (RGB) or "
            f"HW4 (RGBA), got shape {array.shape}"
        )
    if array.size == 0:
        raise ImageError(f"{label}: expected at least one pixel, got shape {array.shape}")
    channels = array.shape[2]
    if channels in (2, 4):
        return Planes(array[..., : channels - 1], array[..., channels - 1])
    return Planes(array, None)


def tensor_to_array(tensor: Any, label: str) -> NDArray[Any]:
    """A torch tensor ``HW``, ``CHW`` or ``1CHW`` as an array ``HW`` or ``HWC``."""
    try:
        tensor = tensor.detach().cpu()
        # Half-precision kinds, some of which numpy does not have, become float32.
        array = np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
    except Exception as error:
        raise ImageError(f"{label}: the tensor cannot be read: {first_line(error)}") from error
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        return array
    if array.ndim != 3 or array.shape[0] not in (1, 3, 4):
        raise ImageError(
            f"{label}: expected a tensor HW, CHW or 1CHW with 1, 3 or 4 channels, "
            f"got shape {tuple(tensor.shape)}"
        )
    return np.moveaxis(array, 0, -1)


def to_depth(array: NDArray[Any], label: str, *, float_bits: int = 8) -> Any:
    """`array` as uint8 or uint16: bool, uint8 and uint16 exactly, float in [0, 1] rounded.

    Wider integers pass where they fit in 16 bits. `float_bits` (8 or 16) is the depth for floats.
    """
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "u" and size <= 2:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # also where there is a NaN
            raise ImageError(
                f"{label}: expected float values in [0, 1], got {low:.4g} to {high:.4g}; "
                "save it with 8 or 16 bits"
            )
        most = (1 << float_bits) - 1
        return np.rint(array * most).astype(np.uint8 if float_bits == 8 else np.uint16)
    if array.dtype in (np.uint32, np.int32) and array.min() >= 0 and array.max() <= 65535:
        return array.astype(np.uint16)
    raise ImageError(
        f"{label}: expected 8 or 16 bits per channel or float in [0, 1], "
        f"got {array.dtype}" + (f" from {array.min()} to {array.max()}" if kind in "iu" else "")
    )


def from_pil(image: PIL.Image.Image, label: str) -> tuple[Planes, bool]:
    """The planes of a PIL image of any mode, and whether its ICC profile still holds for them."""
    mode = image.mode
    profile_holds = True
    if mode in ("CMYK", "LAB"):
        image, profile_holds = _to_srgb(image, label), False
    elif mode in ("P", "PA") or "transparency" in image.info:
        clear = "transparency" in image.info or mode == "PA"
        if mode in ("1", "L"):
            image = image.convert("L").convert("LA")
        elif not mode.startswith("I"):
            image = image.convert("RGBA" if clear else "RGB")
    elif mode in ("1", "La", "RGBa", "RGBX", "YCbCr", "HSV"):
        image = image.convert({"1": "L", "La": "LA", "RGBa": "RGBA"}.get(mode, "RGB"))
    if image.mode not in ("L", "LA", "RGB", "RGBA") and image.mode[0] not in "IF":
        raise ImageError(f"{label}: images of mode {mode} are not supported; convert it to RGB")
    colour, alpha = from_array(np.asarray(image), label)
    if image.mode == "F":
        logger.warning("%s: its float values are rounded to 16 bits", label)
    colour = to_depth(colour, label, float_bits=16)
    return Planes(colour, alpha), profile_holds


def _to_srgb(image: PIL.Image.Image, label: str) -> PIL.Image.Image:
    """A CMYK or Lab image in sRGB, through its ICC profile where it has a usable one."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    try:
        if image.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif profile:
            source = ImageCms.getOpenProfile(io.BytesIO(profile)).profile
        else:
            return image.convert("RGB")
        converted = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        assert converted is not None
        return converted
    except ImageCms.PyCMSError as error:
        if image.mode == "LAB":
            raise
        logger.warning("%s: its ICC profile cannot be used (%s)", label, first_line(error))
        return image.convert("RGB")


def upright(array: Any, orientation: int) -> Any:
    """``HW...`` as EXIF `orientation` (1 to 8) says it is to be seen."""
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def turned_back(array: Any, orientation: int) -> Any:
    """The opposite of `upright`: ``HW...`` as a file of EXIF `orientation` (1 to 8) stores it."""
    return upright(array, {6: 8, 8: 6}.get(orientation, orientation))
