"""Other people's methods as references, by their own packages, behind the interface of ours."""

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

RADIUS = 3  # pixels that Telea and Navier-Stokes look at around each pixel, as OpenCV's samples do
BLANK = 127  # what stands in the hole meanwhile
PATCH_RADIUS = 3  # PyPatchMatch's patch_size is a radius: patches of 7x7, as its examples have

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
"""The four properties follow the paper's first table: none knows what photos show."""


def create_outside(name: str) -> Method:
    """The reference of that name, one of `OUTSIDE`.

    Raises MissingExtra (an ImportError) with the pip line where its package is not installed.
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
    """The package behind a reference, and its version."""
    package = {"biharmonic": "scikit-image", "pypatchmatch": "pypatchmatch"}.get(name)
    return f"{package} {version(package)}" if package else f"OpenCV {cv2.__version__}"


class OpenCV:
    """`cv2.inpaint`, which spreads what lies around the hole inwards."""

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
        # It takes some notice of what stands in the hole, which nobody may see.
        blank = np.where(mask[..., None], np.uint8(BLANK), _bytes(image))
        filled = cv2.inpaint(blank, mask.astype(np.uint8), RADIUS, self._flag)
        return Fill(_floats(filled))


class Biharmonic:
    """`skimage.restoration.inpaint_biharmonic`: the smoothest surface through what is known."""

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
    """PyPatchMatch 2, the widely used native PatchMatch; the same seed for every photo."""

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
        # By name, since mypy would take a script in benchmarks/ for it.
        patchmatch = import_module("patchmatch")
        check_frame(self.info, image, mask, sketch, search)
        patchmatch.set_random_seed(self._seed)
        return Fill(_floats(patchmatch.inpaint(_bytes(image), mask, patch_size=PATCH_RADIUS)))


def _bytes(image: Image) -> Any:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _floats(picture: Any) -> Image:
    floats: Image = picture.astype(np.float32) / np.float32(255)
    return floats
