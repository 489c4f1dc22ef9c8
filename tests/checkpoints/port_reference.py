"""deepfillv2-pytorch's forward, spelled out plainly from its modules, to compare ours with.

Slow and literal on purpose; `plain` is a dict of official layer name -> (weight, bias).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

Plain = Mapping[str, tuple[Tensor, Tensor]]
RATES = {"7": 2, "8": 4, "9": 8, "10": 16}


def forward(plain: Plain, image: Tensor, mask: Tensor, *, ported: bool) -> tuple[Tensor, Tensor]:
    """Both stages' outputs of a ``13HW`` image in [-1, 1], for either kind of the port."""

    def branch(x: Tensor, names: str) -> Tensor:
        for name in names.split():
            x = layer(plain, x, name, ported)
        return x

    down = "{0}conv1 {0}conv2_downsample {0}conv3 {0}conv4_downsample {0}conv5 {0}conv6"
    dilated = " {0}conv7_atrous {0}conv8_atrous {0}conv9_atrous {0}conv10_atrous"
    up = " {0}conv11 {0}conv12 {0}conv13_upsample {0}conv14 {0}conv15_upsample {0}conv16 {0}conv17"
    ones = torch.ones_like(mask)
    masked = image * (1 - mask)
    first = torch.tanh(branch(torch.cat([masked, ones, mask], 1), (down + dilated + up).format("")))
    x = first * mask + masked
    hallucinated = branch(x, (down + dilated).format("x"))
    matched = attend(branch(x, down.format("pm")), mask, ported)
    attended = branch(matched, "pmconv9 pmconv10")
    both = torch.cat([hallucinated, attended], 1)
    return first, torch.tanh(branch(both, up.format("all")))


def layer(plain: Plain, x: Tensor, name: str, ported: bool) -> Tensor:
    weight, bias = plain[name]
    kernel = weight.shape[-1]
    rate = RATES[name.partition("conv")[2].removesuffix("_atrous")] if "atrous" in name else 1
    stride = 2 if "downsample" in name else 1
    if name.endswith("upsample"):
        x = x.repeat_interleave(2, -1).repeat_interleave(2, -2)
    span = rate * (kernel - 1)
    if ported:  # TensorFlow's SAME for even sizes
        total = span + 1 - stride
        before, after = total // 2, total - total // 2
    else:
        before = after = span // 2
    x = functional.pad(x, (before, after, before, after))
    x = functional.conv2d(x, weight, bias, stride=stride, dilation=rate)
    if name.endswith("conv17"):
        return x
    feature, gate = x.chunk(2, dim=1)
    activation = functional.relu if name == "pmconv6" else functional.elu
    return activation(feature) * torch.sigmoid(gate)


def attend(x: Tensor, mask: Tensor, ported: bool) -> Tensor:
    height, width = x.shape[-2:]
    raw = functional.unfold(x, 4, stride=2, padding=1)[0]
    small, hole = shrunk(x, 2, ported), shrunk(mask, 8, ported)
    h, w = small.shape[-2:]
    patches = functional.unfold(small, 3, padding=1)[0].T
    scores = (patches / patches.norm(dim=1, keepdim=True).clamp_min(1e-4)) @ patches.T
    if not ported:  # fuse: the port switches it off for the ported weights
        for _ in range(2):
            scores = diagonal_sum(scores).view(h, w, h, w).permute(1, 0, 3, 2)
            scores = scores.reshape(h * w, h * w)
            h, w = w, h
    valid = (functional.unfold(hole, 3, padding=1)[0].sum(0) == 0).float()[:, None]
    weights = torch.softmax(10 * scores * valid, dim=0) * valid
    return functional.fold((raw @ weights)[None], (height, width), 4, stride=2, padding=1) / 4


def diagonal_sum(scores: Tensor) -> Tensor:
    padded = functional.pad(scores, (1, 1, 1, 1))
    return scores + padded[:-2, :-2] + padded[2:, 2:]


def shrunk(x: Tensor, by: int, ported: bool) -> Tensor:
    if not ported:
        return x[..., ::by, ::by]
    rows, columns = (
        torch.linspace(0, side - 1, side // by).add(0.5).floor().long() for side in x.shape[-2:]
    )
    return x[..., rows, :][..., columns]
