"""Converts arrays, tensors and PIL images to planes: color ``HWC``, alpha ``HW``."""

from __future__ import annotations

import io
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gatefill.errors import Warning
from gatefill.images.meta import first_line
from gatefill.images.notes import profile_unusable, rounded
from gatefill.images.source import ImageError

Pixels: TypeAlias = NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16."""


class Planes(NamedTuple):
    """Color ``HWC`` with C = 1 (gray) or 3 (RGB), and alpha ``HW`` of the same dtype or None."""

    color: Any
    alpha: Any


def from_array(array: NDArray[Any], label: str) -> Planes:
    """Split an array of any dtype into color and alpha.

    Args:
        array: ``HW``, ``HW1``, ``HW2`` (gray, alpha), ``HW3`` or ``HW4``. Channels may also come
            first, as in ``1HW`` and ``3HW`` if W is more than 4; a batch of one image, such as
            ``1HW3``, counts as that image.
        label: Name of the image in messages.

    Raises:
        ImageError: For any other shape.
    """
    found = channels_last(array)
    if found is None:
        raise ImageError(
            f"{label}: expected an array HW, HW1 (gray), HW2 (gray, alpha), HW3 (RGB) or "
            f"HW4 (RGBA), got shape {array.shape}",
            code="image.shape",
            shape=list(array.shape),
        )
    if found.size == 0:
        raise ImageError(
            f"{label}: expected at least one pixel, got shape {array.shape}", code="image.empty"
        )
    channels = found.shape[2]
    if channels in (2, 4):
        return Planes(found[..., : channels - 1], found[..., channels - 1])
    return Planes(found, None)


def channels_last(array: NDArray[Any]) -> NDArray[Any] | None:
    """Return the array of one image as ``HWC`` with 1 to 4 channels; None for other shapes."""
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        return array[..., None]
    if array.ndim != 3:
        return None
    if array.shape[2] in (1, 2, 3, 4):
        return array
    return np.moveaxis(array, 0, -1) if array.shape[0] in (1, 3, 4) else None


def tensor_to_array(tensor: Any, label: str) -> NDArray[Any]:
    """Convert a torch tensor ``HW``, ``CHW`` or ``1CHW`` to an array ``HW`` or ``HWC``."""
    try:
        tensor = tensor.detach().cpu()
        # Half-precision types, some of which numpy does not have, become float32.
        array = np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
    except (RuntimeError, TypeError) as error:  # a dtype or a device without numpy
        raise ImageError(
            f"{label}: the tensor cannot be read: {first_line(error)}", code="image.tensor"
        ) from error
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        return array
    if array.ndim != 3 or array.shape[0] not in (1, 3, 4):
        raise ImageError(
            f"{label}: expected a tensor HW, CHW or 1CHW with 1, 3 or 4 channels, "
            f"got shape {tuple(tensor.shape)}",
            code="image.shape",
            shape=list(tensor.shape),
        )
    return np.moveaxis(array, 0, -1)


def to_depth(array: NDArray[Any], label: str, *, float_bits: int = 8, deep: bool = False) -> Any:
    """Convert to uint8 or uint16: bool, uint8 and uint16 exactly, float in [0, 1] rounded.

    Args:
        array: Any shape.
        label: Name of the image in messages.
        float_bits: Bit depth for floats, 8 or 16.
        deep: Whether other integers get 16 bits even if their values fit in 8.

    Returns:
        An array of the same shape.

    Raises:
        ImageError: If the values are out of range, or the dtype cannot hold pixels.
    """
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind == "u" and size <= 2:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if kind == "f":
        return _quantized(array, label, float_bits)
    if kind not in "iu":
        raise ImageError(
            f"{label}: expected 8 or 16 bits per channel or float in [0, 1], got {array.dtype}",
            code="image.dtype",
            dtype=str(array.dtype),
        )
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > 65535:
        raise ImageError(
            f"{label}: expected 8 or 16 bits per channel or float in [0, 1], "
            f"got {array.dtype} from {low} to {high}",
            code="image.range",
            low=low,
            high=high,
        )
    return array.astype(np.uint8 if high <= 255 and not deep else np.uint16)


OVERSHOOT = 2.0**-7
"""Allowed deviation of floats from [0, 1]: one ulp at 1 of bfloat16, the coarsest type read."""


def check_range(array: NDArray[Any], label: str) -> None:
    """Raise ImageError unless floats are in [0, 1], with a tolerance for rounding."""
    low, high = float(array.min()), float(array.max())
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):  # true for NaN as well
        raise ImageError(
            f"{label}: expected float values in [0, 1], got {low:.4g} to {high:.4g}; "
            "save it with 8 or 16 bits",
            code="image.range",
            low=repr(low),
            high=repr(high),
        )


def _quantized(array: NDArray[Any], label: str, bits: int) -> NDArray[Any]:
    """Round floats in [0, 1] to integers of 8 or 16 bits."""
    check_range(array, label)
    levels = np.empty(array.shape, np.uint8 if bits == 8 else np.uint16)
    # Row by row, in a float type that represents all levels: half floats end at 65504.
    for row, target in zip(array, levels, strict=True):
        values = np.asarray(row, np.float64) * ((1 << bits) - 1)
        target[...] = np.rint(np.clip(values, 0, (1 << bits) - 1))
    return levels


class FromPil(NamedTuple):
    """The content of a PIL image."""

    planes: Planes
    profile_holds: bool  # whether the ICC profile still applies to the planes
    warnings: tuple[Warning, ...]


def from_pil(image: PIL.Image.Image, label: str) -> FromPil:
    """Convert a PIL image of any mode to planes."""
    mode = image.mode
    said: list[Warning] = []
    if mode in ("CMYK", "LAB"):
        image = _to_srgb(image, label, said)
    elif mode in ("P", "PA") or "transparency" in image.info:
        clear = "transparency" in image.info or mode == "PA"
        if mode in ("1", "L"):
            image = image.convert("L").convert("LA")
        elif not mode.startswith("I"):
            image = image.convert("RGBA" if clear else "RGB")
    elif mode in ("1", "La", "RGBa", "RGBX", "YCbCr", "HSV"):
        image = image.convert({"1": "L", "La": "LA", "RGBa": "RGBA"}.get(mode, "RGB"))
    if image.mode not in ("L", "LA", "RGB", "RGBA") and image.mode[0] not in "IF":
        raise ImageError(
            f"{label}: images of mode {mode} are not supported; convert it to RGB",
            code="image.mode",
            mode=mode,
        )
    color, alpha = from_array(np.asarray(image), label)
    if image.mode == "F":
        said.append(rounded(label))
    # Pillow scales the values of files to 16 bits, but not those of images made from arrays.
    color = to_depth(color, label, float_bits=16, deep=image.format is not None)
    return FromPil(Planes(color, alpha), mode not in ("CMYK", "LAB"), tuple(said))


def _to_srgb(image: PIL.Image.Image, label: str, said: list[Warning]) -> PIL.Image.Image:
    """Convert a CMYK or Lab image to sRGB, through its ICC profile if it has a usable one."""
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
        said.append(profile_unusable(label, error))
        return image.convert("RGB")


def upright(array: Any, orientation: int) -> Any:
    """Apply the EXIF `orientation`, 1 to 8, to ``HW...``."""
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def turned_back(array: Any, orientation: int) -> Any:
    """Undo `upright`: return ``HW...`` as a file with this EXIF `orientation` stores it."""
    return upright(array, {6: 8, 8: 6}.get(orientation, orientation))
