"""Methods of other packages as references, with gatefill's interface."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

from gatefill.extras import require
from gatefill.methods import Fill, Method, MethodInfo
from gatefill.methods.base import Image, Mask, Progress, check_frame
from gatefill.methods.registry import unknown_method

RADIUS = 3  # neighborhood of Telea and Navier-Stokes, pixels, as in OpenCV's samples
BLANK = 127  # gray level in the hole of inputs
PATCH_RADIUS = 3  # PyPatchMatch's patch_size is a radius: patches of 7x7, as in its examples

OUTSIDE: dict[str, MethodInfo] = {
    name: MethodInfo(
        name=name,
        title=title,
        paper=paper,
        semantic=False,
        non_local=non_local,
        free_form=True,
        user_guided=False,
        needs=needs,
    )
    for name, title, paper, non_local, needs in (
        ("telea", "Telea (OpenCV)", "Telea, J. Graphics Tools 2004", False, ()),
        ("navier_stokes", "Navier-Stokes (OpenCV)", "Bertalmio et al., CVPR 2001", False, ()),
        ("biharmonic", "Biharmonic (scikit-image)", "Damelin & Hoang, 2018", False, ("outside",)),
        ("pypatchmatch", "PyPatchMatch", "Barnes et al., SIGGRAPH 2009", True, ("outside",)),
    )
}
"""The four properties follow the paper's first table: none recognizes what photos show."""


def create_outside(name: str) -> Method:
    """Create a reference by name, one of `OUTSIDE`.

    Raises MissingExtra (an ImportError) with the pip command if its package is not installed.
    """
    if name == "telea":
        return OpenCV(OUTSIDE[name], cv2.INPAINT_TELEA)
    if name == "navier_stokes":
        return OpenCV(OUTSIDE[name], cv2.INPAINT_NS)
    if name == "biharmonic":
        return Biharmonic()
    if name == "pypatchmatch":
        return PyPatchMatch()
    raise unknown_method(name, OUTSIDE, "a reference")


def package_version(name: str) -> str:
    """Return the package of a reference, and its version."""
    package = {"biharmonic": "scikit-image", "pypatchmatch": "pypatchmatch"}.get(name)
    return f"{package} {version(package)}" if package else f"OpenCV {cv2.__version__}"


class OpenCV:
    """`cv2.inpaint`, which propagates colors from the boundary inwards."""

    def __init__(self, info: MethodInfo, flag: int) -> None:
        self.info = info
        self._flag = flag

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,  # noqa: ARG002 - it cannot tell
        *,
        search: Mask | None = None,
    ) -> Fill:
        check_frame(self.info, image, mask, sketch, search)
        # OpenCV depends slightly on pixels in the hole, which must not be visible.
        blank = np.where(mask[..., None], np.uint8(BLANK), _bytes(image))
        filled = cv2.inpaint(blank, mask.astype(np.uint8), RADIUS, self._flag)
        return Fill(_floats(filled))


class Biharmonic:
    """`skimage.restoration.inpaint_biharmonic`: the smoothest surface through the known pixels."""

    info = OUTSIDE["biharmonic"]

    def __init__(self) -> None:
        require("outside", "biharmonic", module="skimage")

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,  # noqa: ARG002 - it cannot tell
        *,
        search: Mask | None = None,
    ) -> Fill:
        from skimage.restoration import inpaint_biharmonic

        check_frame(self.info, image, mask, sketch, search)
        filled = inpaint_biharmonic(image, mask, channel_axis=-1)
        return Fill(np.clip(filled, 0, 1).astype(np.float32))


class PyPatchMatch:
    """PyPatchMatch 2, a widely used native PatchMatch, with the same seed for every photo."""

    info = OUTSIDE["pypatchmatch"]

    def __init__(self, seed: int = 0) -> None:
        require("outside", "pypatchmatch")
        self._seed = seed

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,  # noqa: ARG002 - it cannot tell
        *,
        search: Mask | None = None,
    ) -> Fill:
        # Imported by name, since mypy would find a script in benchmarks/ instead.
        patchmatch = import_module("patchmatch")
        check_frame(self.info, image, mask, sketch, search)
        patchmatch.set_random_seed(self._seed)
        return Fill(_floats(patchmatch.inpaint(_bytes(image), mask, patch_size=PATCH_RADIUS)))


def _bytes(image: Image) -> Any:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _floats(picture: Any) -> Image:
    floats: Image = picture.astype(np.float32) / np.float32(255)
    return floats
