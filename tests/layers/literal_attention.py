"""Contextual attention word for word, patch by patch: slow, and easy to compare with the paper."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.layers.padding import resize_nearest


def literal_attention(
    foreground: Tensor, background: Tensor, hole: Tensor, fuse: bool = True
) -> tuple[Tensor, Tensor]:
    """``1CHW`` and ``11hw`` -> features ``1CHW`` and weights [foreground, background]."""
    channels, height, width = foreground.shape[1:]
    h, w = height // 2, width // 2
    raw = functional.unfold(background, 4, padding=1, stride=2)  # 1, C*16, N
    raw = raw[0].T.reshape(h * w, channels, 4, 4)
    small_f, small_b = (resize_nearest(x, h, w) for x in (foreground, background))
    patches = functional.unfold(small_b, 3, padding=1)[0].T  # N, C*9
    patches = patches / patches.norm(dim=1, keepdim=True).clamp_min(1e-4)
    score = functional.unfold(small_f, 3, padding=1)[0].T @ patches.T

    if fuse:
        diagonal = torch.eye(3).to(score).view(1, 1, 3, 3)
        for rows, columns in ((h, w), (w, h)):
            score = functional.conv2d(score[None, None], diagonal, padding=1)[0, 0]
            score = score.reshape(rows, columns, rows, columns).permute(1, 0, 3, 2)
            score = score.reshape(h * w, h * w)

    touched = functional.unfold(hole, 3, padding=1)[0].sum(dim=0)
    valid = (touched == 0).to(score.dtype)
    weights = torch.softmax(score * valid * 10.0, dim=1) * valid
    maps = weights.T.reshape(1, h * w, h, w)
    return functional.conv_transpose2d(maps, raw, stride=2, padding=1) / 4.0, weights
