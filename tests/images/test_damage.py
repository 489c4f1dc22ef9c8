"""A damaged file is the user's; a fault of gatefill's own stays what it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest

import gatefill.images.decode
import gatefill.images.encode
import gatefill.images.jpeg_write
import gatefill.images.meta
import gatefill.images.read
from gatefill.images import ImageError, read_photo
from tests.images.helpers import exif_block, pil_file, smooth

PIXELS = smooth(16, 24, 3)
JPEG = pil_file(PIL.Image.fromarray(PIXELS), "JPEG", exif=exif_block())


def misspelled(*_: Any) -> Any:
    return np.zeros(3).dtyp  # type: ignore[attr-defined]


def of_other_shapes(*_: Any) -> Any:
    return np.zeros((3, 4)) + np.zeros((4, 3))


def of_other_depths(*_: Any) -> Any:
    return np.dstack([np.zeros((2, 2)), np.zeros((3, 3))])  # raised in numpy's own Python code


def without_memory(*_: Any) -> Any:
    raise MemoryError


FAULTS = {
    misspelled: AttributeError,
    of_other_shapes: ValueError,
    of_other_depths: ValueError,
    without_memory: MemoryError,
}
PLACES: dict[str, tuple[Any, str, Callable[[], object]]] = {
    "decode": (gatefill.images.decode, "_upright", lambda: read_photo(JPEG)),
    "size": (gatefill.images.jpeg_read, "without_bombs", lambda: gatefill.images.size_of(JPEG)),
    "exif": (gatefill.images.meta, "_directory", lambda: read_photo(JPEG)),
    "read": (
        gatefill.images.read,
        "with_info",
        lambda: read_photo(PIL.Image.open(io.BytesIO(JPEG))),
    ),
    "encode": (gatefill.images.encode, "to_pil", lambda: read_photo(PIXELS).encoded("WEBP")),
    "blocks": (gatefill.images.jpeg_write, "_decoded", lambda: read_photo(JPEG).encoded("JPEG")),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_of_our_own_is_not_blamed_on_the_file(
    place: str, fault: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, work = PLACES[place]
    work()  # as it is, it works
    # The fault counts as ours by the module it is raised in.
    namespace = {"np": np, "__name__": module.__name__}
    source = type(fault)(fault.__code__, namespace)
    monkeypatch.setattr(module, name, source)
    with pytest.raises(FAULTS[fault]) as caught:
        work()
    assert not isinstance(caught.value, ImageError)


def test_what_a_library_says_of_a_file_is_blamed_on_the_file() -> None:
    with pytest.raises(ImageError, match="corrupt JPEG"):
        read_photo(JPEG[:200])
    lazy = PIL.Image.open(io.BytesIO(JPEG[:-20]))
    with pytest.raises(ImageError, match="cannot be read"):
        read_photo(lazy)
    with pytest.raises(ImageError, match="cannot be written as WEBP"):
        read_photo(np.zeros((1, 17_000, 3), np.uint8)).encoded("WEBP")
