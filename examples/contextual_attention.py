"""Contextual attention step by step on a photo: match, attend, fuse, paste.

    python examples/contextual_attention.py            # writes out/contextual_attention.png

In the network the features are 96 channels learned in training. Here they are the colors of a
small photo, so that every step can be looked at. At the end the steps are compared with
`gatefill.layers.contextual_attention`, the layer that the networks use.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

import gatefill
from gatefill.layers.contextual_attention import contextual_attention
from gatefill.layers.padding import resize_nearest

HERE = Path(__file__).resolve().parent
SIZE = (128, 96)  # width x height of the feature map; a cell is 2x2 of its pixels
HOLE = (52, 40, 84, 60)  # left, top, right, bottom
QUERY = (25, 33)  # row and column of the cell whose attention is drawn


def match(features: Tensor) -> Tensor:
    """Step 1: how similar is each cell to each cell of the background?

    Args:
        features: ``1CHW``, H and W even.

    Returns:
        Scores ``[foreground cells, background cells]``. Patches of 3x3 cells are compared. Each
        background patch is divided by its norm, the foreground patch is not, as in the released
        code: a score is the cosine similarity times the foreground patch's norm.
    """
    height, width = features.shape[-2] // 2, features.shape[-1] // 2
    small = resize_nearest(features, height, width)
    patches = functional.unfold(small, 3, padding=1)[0].T  # cells, 9 C
    normalized = patches / patches.norm(dim=1, keepdim=True).clamp_min(1e-4)
    scores: Tensor = patches @ normalized.T
    return scores


def fuse(scores: Tensor, height: int, width: int) -> Tensor:
    """Step 2: prefer matches whose neighbors match side by side too.

    The score of (f, b) becomes the sum of (f - 1, b - 1), (f, b), (f + 1, b + 1): a convolution
    of the score matrix with a 3x3 identity. Once with the cells counted along rows, once along
    columns.
    """
    diagonal = torch.eye(3)[None, None]
    for rows, columns in ((height, width), (width, height)):
        scores = functional.conv2d(scores[None, None], diagonal, padding=1)[0, 0]
        grid = scores.view(rows, columns, rows, columns).permute(1, 0, 3, 2)
        scores = grid.reshape(height * width, height * width)
    return scores


def attend(scores: Tensor, hole: Tensor) -> Tensor:
    """Step 3: scores to weights, by a softmax over the background with a scale of ten.

    A background patch that touches the hole gets no weight.
    """
    touched = functional.unfold(hole, 3, padding=1)[0].amax(dim=0)
    valid = (touched == 0).float()
    return torch.softmax(10 * scores * valid, dim=1) * valid


def paste(weights: Tensor, features: Tensor) -> Tensor:
    """Step 4: rebuild each cell from patches of 4x4 pixels of the background, by weight.

    The patches lie two pixels apart, so that four of them overlap at each pixel: hence ``/ 4``.
    """
    height, width = features.shape[-2] // 2, features.shape[-1] // 2
    raw = functional.unfold(features, 4, padding=1, stride=2)[0].T
    raw = raw.reshape(height * width, features.shape[1], 4, 4)
    maps = weights.T.reshape(1, height * width, height, width)
    return functional.conv_transpose2d(maps, raw, stride=2, padding=1) / 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("out/contextual_attention.png"))
    output: Path = parser.parse_args().output

    photo = np.asarray(Image.open(HERE / "photos/forest1.jpg").convert("RGB").resize(SIZE))
    mask = np.zeros(photo.shape[:2], bool)
    left, top, right, bottom = HOLE
    mask[top:bottom, left:right] = True

    # The coarse network fills the hole first: attention needs something to match with.
    coarse = gatefill.load("deepfill_v2")(photo, mask).coarse
    assert coarse is not None
    colors = torch.from_numpy(np.array(coarse.pixels)).permute(2, 0, 1)[None].float() / 127.5 - 1
    mean = colors.mean(dim=(2, 3), keepdim=True)
    features = colors - mean
    height, width = features.shape[-2] // 2, features.shape[-1] // 2
    hole = resize_nearest(torch.from_numpy(mask)[None, None].float(), height, width)

    scores = match(features)
    fused = fuse(scores, height, width)
    weights, fused_weights = attend(scores, hole), attend(fused, hole)

    layer = contextual_attention(features, features, hole)
    difference = (paste(fused_weights, features) - layer.features).abs().max()
    print(f"largest difference from the layer: {float(difference):.1e}")
    assert difference < 1e-3

    query = QUERY[0] * width + QUERY[1]
    hole_pixels = torch.from_numpy(mask)

    def filled(weights: Tensor) -> Image.Image:
        found = torch.where(hole_pixels, paste(weights, features) + mean, colors)
        return _picture(found)

    panels = {
        "photo and hole": _picture(torch.where(hole_pixels, torch.ones(()), colors)),
        "coarse result, one cell": _marked(_picture(colors), [QUERY]),
        "1. match: similarity": _heat(scores[query].view(height, width)),
        "3. attend, without 2": _heat(weights[query].view(height, width)),
        "3. attend, with 2. fuse": _heat(fused_weights[query].view(height, width)),
        "4. paste": filled(fused_weights),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    _sheet(panels).save(output)
    print(output)


def _picture(colors: Tensor) -> Image.Image:
    """``13HW`` in [-1, 1] as a picture."""
    pixels = ((colors[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255)
    return Image.fromarray(pixels.numpy().astype(np.uint8)).resize(
        (384, 288), Image.Resampling.NEAREST
    )


def _heat(values: Tensor) -> Image.Image:
    """``HW`` from its least to its largest value: black, red, yellow, white."""
    share = (values - values.min()) / (values.max() - values.min())
    channels = [(3 * share - start).clamp(0, 1) for start in range(3)]
    pixels = (torch.stack(channels, dim=-1) * 255).numpy().astype(np.uint8)
    return _marked(Image.fromarray(pixels).resize((384, 288), Image.Resampling.NEAREST), [QUERY])


def _marked(picture: Image.Image, cells: list[tuple[int, int]]) -> Image.Image:
    draw = ImageDraw.Draw(picture)
    for row, column in cells:
        x, y = 6 * column + 3, 6 * row + 3
        draw.rectangle((x - 8, y - 8, x + 8, y + 8), outline=(0, 255, 255), width=2)
    return picture


def _sheet(panels: dict[str, Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (3 * 392, 2 * 312), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (title, picture) in enumerate(panels.items()):
        x, y = i % 3 * 392 + 4, i // 3 * 312
        draw.text((x, y + 4), title, fill="black", font_size=14)
        sheet.paste(picture, (x, y + 22))
    return sheet


if __name__ == "__main__":
    main()
