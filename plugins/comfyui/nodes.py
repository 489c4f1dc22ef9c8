"""The node Inpaint: IMAGE and MASK in, IMAGE out.

ComfyUI's conventions: an IMAGE is a float tensor ``BHWC`` in [0, 1], a MASK a float tensor ``BHW``
or ``HW`` in [0, 1] with 1 = hole.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

import numpy as np
import torch

import gatefill

CATEGORY = "image/inpainting"


class GatefillInpaint:
    """Fill the masked part of each image of a batch; all other pixels stay bit-identical."""

    CATEGORY = CATEGORY
    FUNCTION = "fill"
    RETURN_TYPES = ("IMAGE",)
    DESCRIPTION = "Removes what the mask covers. Everything else comes back unchanged."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """What the node's sockets and fields are."""
        names = [name for name, info in gatefill.METHODS.items() if _without_weights(info)]
        return {
            "required": {
                "image": ("IMAGE",),
                "mask": ("MASK",),
                "method": (names, {"default": "hybrid"}),
                "grow": ("INT", {"default": 4, "min": 0, "max": 1000, "tooltip": "pixels"}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 2**64 - 1}),
            },
            "optional": {
                "weights": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "a gatefill weights file, or hf://owner/name@commit",
                    },
                ),
                "search": ("MASK", {"tooltip": "where texture may be copied from"}),
            },
        }

    def fill(
        self,
        image: torch.Tensor,
        mask: torch.Tensor,
        method: str = "hybrid",
        grow: int = 0,
        seed: int = 0,
        weights: str = "",
        search: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor]:
        """Fill a batch.

        Args:
            image: ``BHWC``, C of 1, 3 or 4 (RGB and alpha, which stays as it is).
            mask: ``BHW`` or ``HW``, above 0.5 = hole; one for all images, or one for each. Of
                another size it is stretched. ComfyUI gives an empty one of 64x64 for a photo
                without alpha: then the image is returned as it is.
            method: One of `gatefill.METHODS`.
            grow: Pixels by which the hole is widened.
            seed: Another seed gives another fill.
            weights: Path of a weights file, or an address on the hub; with ``"hybrid"`` they steer
                PatchMatch, with any other method they fill alone. Empty: those that ship.
            search: Like `mask`; where methods that copy may copy from.

        Returns:
            The filled batch, of the image's shape, type and device.
        """
        alone = bool(weights) and method != "hybrid"  # then the file says which method it is
        inpaint = _loaded(None if alone else method, weights).seeded(seed)
        masks = _for_each(mask, len(image), "mask")
        searches = None if search is None else _for_each(search, len(image), "search")
        progress = _progress(len(image))
        filled = image.clone()
        for number, pixels in enumerate(image):
            options: dict[str, Any] = {"grow": grow, "resize_mask": True}
            if searches is not None:
                options["search"] = searches[number]
            hole = masks[number]
            if hole.any():
                colors = pixels[..., :3].float().clamp(0, 1).cpu().numpy()
                result = inpaint(colors, hole, progress=progress(number), **options)
                found = np.asarray(result, np.float32) / result.photo.max_value
                found = found.reshape(*found.shape[:2], -1)
                target = torch.from_numpy(result.mask).to(image.device)
                values = torch.from_numpy(found).to(image.device, image.dtype)
                filled[number, ..., : colors.shape[2]][target] = values[target]
            progress(number)(1.0)
        return (filled,)


def _without_weights(info: gatefill.MethodInfo) -> bool:
    return not info.takes_weights or info.shipped is not None


@lru_cache(maxsize=2)
def _loaded(method: str | None, weights: str) -> gatefill.Inpainter:
    device = "cuda" if weights and torch.cuda.is_available() else "cpu"
    return gatefill.load(method, weights=weights or None, device=device)


def _for_each(mask: torch.Tensor, count: int, name: str) -> list[Any]:
    """A bool array ``HW`` for each image."""
    arrays = mask.detach().cpu().numpy() > 0.5
    if arrays.ndim == 2:
        arrays = arrays[None]
    if arrays.ndim != 3 or len(arrays) not in (1, count):
        raise ValueError(
            f"expected a {name} of shape HW, 1HW or {count}HW for {count} images, "
            f"got {tuple(mask.shape)}"
        )
    return [arrays[0]] * count if len(arrays) == 1 else list(arrays)


def _progress(count: int) -> Any:
    """For each image what reports to ComfyUI's bar, and stops when the user cancels."""
    try:
        bar = importlib.import_module("comfy.utils").ProgressBar(1000)
        check = importlib.import_module(
            "comfy.model_management"
        ).throw_exception_if_processing_interrupted
    except ModuleNotFoundError:  # outside of ComfyUI
        return lambda _: lambda _: None

    def of_image(number: int) -> Any:
        def report(done: float) -> None:
            check()
            bar.update_absolute(round(1000 * (number + done) / count))

        return report

    return of_image


NODE_CLASS_MAPPINGS: dict[str, type] = {"GatefillInpaint": GatefillInpaint}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {"GatefillInpaint": "Inpaint (gatefill)"}
