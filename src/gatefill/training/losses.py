"""Losses as pure functions of tensors; images are ``B3HW`` in [-1, 1], masks ``B1HW``, 1 = hole."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.errors import ConfigError


def hinge_discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of the discriminator's values (arXiv 1806.03589, equation 3), halved and averaged.

    As in the released code: ``0.5 mean(relu(1 - real)) + 0.5 mean(relu(1 + fake))``; initially 1.
    """
    return 0.5 * (1.0 - real).relu().mean() + 0.5 * (1.0 + fake).relu().mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """Hinge loss of the generator: ``-mean(fake)``."""
    return -fake.mean()


def l1(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference over all elements."""
    return (found - wanted).abs().mean()


def discount(mask: Tensor, gamma: float = 0.9) -> Tensor:
    """Weights that decrease with the distance from the border of the hole's box (arXiv 1801.07892).

    In the box of H x W around each hole, ``max(gamma^min(i, H - i), gamma^min(j, W - j))`` inside
    the hole; 0 elsewhere.

    Args:
        mask: ``B1HW``, 1 = hole.
        gamma: Discount factor per pixel.

    Returns:
        ``B1HW``.
    """
    weights = torch.zeros_like(mask)
    for b, (top, bottom, left, right) in enumerate(hole_boxes(mask)):
        rows = _to_edge(bottom - top, mask.device)
        columns = _to_edge(right - left, mask.device)
        nearest = torch.minimum(rows[:, None], columns[None, :])
        weights[b, 0, top:bottom, left:right] = gamma**nearest
    return weights * mask


def discount_of_square(mask: Tensor, side: int, gamma: float = 0.9) -> Tensor:
    """Weights of DeepFill v1's released code, which include a ring of known pixels.

    There, every hole lies in a square of fixed size S, of which up to a quarter stays known at the
    borders; the weights belong to the square around the center of the hole:
    ``max(gamma^min(i, S - i), gamma^min(j, S - j))``, 0 outside.

    Args:
        mask: ``B1HW``, 1 = hole.
        side: Side S of the square, in pixels.
        gamma: Discount factor per pixel.

    Returns:
        ``B1HW``.
    """
    weights = torch.zeros_like(mask)
    nearest = torch.minimum(_to_edge(side, mask.device)[:, None], _to_edge(side, mask.device))
    for b, (top, left) in enumerate(hole_corners(mask, side)):
        weights[b, 0, top : top + side, left : left + side] = gamma**nearest
    return weights


def gradient_penalty(score: Tensor, image: Tensor, mask: Tensor | None = None) -> Tensor:
    """``mean((|d score / d image| - 1)^2)``, with the gradient inside the hole only (WGAN-GP).

    Args:
        score: ``B1``, computed from `image`.
        image: ``B3HW``, which requires a gradient.
        mask: ``B1HW``, 1 = hole; None: the gradient of all pixels counts.

    Returns:
        A scalar.
    """
    (gradient,) = torch.autograd.grad(score.sum(), image, create_graph=True)
    energy = gradient.square() if mask is None else gradient.square() * mask
    # The gradient of the root is not finite at 0.
    norm = (energy.flatten(1).sum(1) + 1e-12).sqrt()
    return (norm - 1.0).square().mean()


def gram(features: Tensor) -> Tensor:
    """Gram matrix of channels over C H W: ``BCHW`` -> ``BCC`` (arXiv 1804.07723)."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat[0].numel()


def perceptual_loss(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the mean absolute difference of features; found, wanted: ``BCHW`` each."""
    return torch.stack([l1(a, b) for a, b in zip(found, wanted, strict=True)]).sum()


def style_loss(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the mean absolute difference of Gram matrices of features ``BCHW``."""
    return torch.stack([l1(gram(a), gram(b)) for a, b in zip(found, wanted, strict=True)]).sum()


def variation_loss(image: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of neighbors in the hole dilated by one pixel (arXiv 1804.07723).

    image: ``BCHW``. mask: ``B1HW``, 1 = hole.
    """
    region = functional.max_pool2d(mask, 3, 1, 1)
    across = (image[..., 1:] - image[..., :-1]).abs() * region[..., 1:] * region[..., :-1]
    down = (image[:, :, 1:] - image[:, :, :-1]).abs() * region[:, :, 1:] * region[:, :, :-1]
    return (across.sum() + down.sum()) / image.numel()


def near_boundary(mask: Tensor, reach: int) -> Tensor:
    """Return weights: 1 up to half the reach from a straight border of the hole, 0 beyond reach.

    Args:
        mask: ``B1HW``, 1 = hole.
        reach: Distance from the border in pixels.

    Returns:
        ``B1HW``.
    """
    side = 2 * reach + 1
    known = 1 - mask
    for window, around in (((side, 1), (reach, 0)), ((1, side), (0, reach))):
        known = functional.avg_pool2d(known, window, 1, around, count_include_pad=False)
    return (4 * known).clamp(max=1.0)


def hole_boxes(mask: Tensor) -> list[tuple[int, int, int, int]]:
    """Box (top, bottom, left, right), half-open, of each hole; the whole image without a hole."""
    height, width = mask.shape[-2:]
    boxes = []
    for plane in (mask[:, 0] > 0).cpu():
        rows, columns = plane.any(dim=1).nonzero(), plane.any(dim=0).nonzero()
        if len(rows):
            boxes.append((int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1))
        else:
            boxes.append((0, height, 0, width))
    return boxes


def hole_corners(mask: Tensor, side: int) -> list[tuple[int, int]]:
    """Corner (top, left) of a square of `side` pixels around each hole, inside the image."""
    height, width = mask.shape[-2:]
    if side > min(height, width):
        raise ConfigError(
            f"expected a patch of at most {min(height, width)} pixels, got {side}",
            code="tensor.shape",
        )
    return [
        (
            min(max((top + bottom - side) // 2, 0), height - side),
            min(max((left + right - side) // 2, 0), width - side),
        )
        for top, bottom, left, right in hole_boxes(mask)
    ]


def random_corners(mask: Tensor, side: int) -> Tensor:
    """Corners of squares of `side` pixels, each around a random pixel of the sample's hole.

    The squares lie inside the image: around its center without a hole, at (0, 0) if the image is
    not larger. The function does not synchronize with the device.

    Args:
        mask: ``B1HW``, 1 = hole.
        side: Side in pixels.

    Returns:
        ``B2`` int64: (top, left).
    """
    height, width = mask.shape[-2:]
    hole = mask.flatten(1) > 0
    drawn = (torch.rand(hole.shape, device=mask.device) * hole).argmax(1)
    drawn = torch.where(hole.any(1), drawn, height // 2 * width + width // 2)
    top, left = (
        (at - side // 2).clamp(0, max(length - side, 0))
        for at, length in ((drawn // width, height), (drawn % width, width))
    )
    return torch.stack([top, left], dim=1)


def patches(frames: Tensor, corners: Tensor | Sequence[tuple[int, int]], side: int) -> Tensor:
    """Crop a square of each sample at its corner, all samples at once.

    Args:
        frames: ``BCHW``.
        corners: (top, left) of each sample.
        side: Side in pixels; a smaller side of the frame is not cropped.

    Returns:
        ``BC`` side side.
    """
    channels, height, width = frames.shape[1:]
    at = torch.as_tensor(corners, device=frames.device)
    tall, wide = min(side, height), min(side, width)
    rows = at[:, :1] + torch.arange(tall, device=frames.device)
    columns = at[:, 1:] + torch.arange(wide, device=frames.device)
    places = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    cut = frames.flatten(2).gather(2, places[:, None].expand(-1, channels, -1))
    return cut.view(-1, channels, tall, wide)


def _to_edge(length: int, device: torch.device) -> Tensor:
    """``min(i, length - i)`` for i from 0 on, as the released code counts."""
    i = torch.arange(length, device=device, dtype=torch.float32)
    return torch.minimum(i, length - i)


def places_of(inside: Tensor) -> Tensor:
    """Return the positions of the true values in `inside`, flattened."""
    return inside.flatten().nonzero()[:, 0]


def chosen(x: Tensor, places: Tensor) -> Tensor:
    """Select the rows of `x` at positions, with a faster gradient than ``x[inside]``.

    The gradient of an index by a boolean mask sorts all indices on a GPU, as they could repeat.

    Args:
        x: ``N...``.
        places: int64 from `places_of`, all different.
    """
    return x.index_select(0, places)
