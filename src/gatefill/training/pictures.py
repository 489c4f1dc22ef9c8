"""Example images: input, output and attention of samples."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gatefill.attention_view import offset_colors
from gatefill.training.data.batch import Batch
from gatefill.training.objectives import Made

Picture = NDArray[np.uint8]
GAP = 4  # white pixels between frames


def sheet(batch: Batch, filled: Made, order: Literal["bgr", "rgb"]) -> Picture:
    """One row per sample: input, mask, coarse, refined, result, attention, original; ``HW3`` RGB.

    Columns that a method does not have are left out; a sketch is drawn into the mask's column.
    """
    size = (batch.image.shape[-1], batch.image.shape[-2])
    columns = [_frames(batch.known + batch.mask, order), _mask_frames(batch)]
    if filled.coarse is not None:
        columns.append(_frames(filled.coarse, order))
    columns += [_frames(filled.refined, order), _frames(batch.composite(filled.refined), order)]
    if filled.offsets is not None:
        maps = [offset_colors(each) for each in filled.offsets.permute(0, 2, 3, 1).cpu().numpy()]
        columns.append([_enlarged(each, size) for each in maps])
    columns.append(_frames(batch.image, order))
    rows = [np.hstack([_framed(frame) for frame in row]) for row in zip(*columns, strict=True)]
    return np.vstack(rows)


def png(picture: Picture) -> bytes:
    """Encode an image as PNG."""
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    return data.tobytes()


def jpeg(picture: Picture) -> bytes:
    """Encode an image as JPEG, a tenth of the size, for images that are kept."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    assert done
    return data.tobytes()


def _frames(frames: Tensor, order: Literal["bgr", "rgb"]) -> list[Picture]:
    frames = frames.flip(1) if order == "bgr" else frames
    levels = ((frames.clamp(-1.0, 1.0) + 1.0) * 127.5).round().byte()
    return list(levels.permute(0, 2, 3, 1).cpu().numpy())


def _mask_frames(batch: Batch) -> list[Picture]:
    """The mask in white; a sketch inside it in red."""
    gray = (batch.mask[:, 0] * 255).byte().cpu().numpy()
    frames = [np.repeat(plane[..., None], 3, axis=2) for plane in gray]
    if batch.sketch is not None:
        lines = (batch.sketch * batch.mask)[:, 0].bool().cpu().numpy()
        for frame, drawn in zip(frames, lines, strict=True):
            frame[drawn] = (220, 40, 40)
    return frames


def _enlarged(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _framed(picture: Picture) -> Picture:
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
