"""DeepFill v2's network and training step word for word: slow, and easy to compare with the paper.

It reads the weights of our own network, and nothing else of it: no format of memory, no gradient of
its own, no batched attention.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gatefill.layers.padding import resize_nearest, same_padding
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Network
from tests.layers.literal_attention import literal_attention


class Row(NamedTuple):
    """A row of the paper's table of layers."""

    name: str
    stride: int = 1
    dilation: int = 1
    upsample: bool = False
    activation: str = "elu"


def _encoder(prefix: str) -> list[Row]:
    down = [Row("conv1"), Row("conv2_downsample", 2), Row("conv3"), Row("conv4_downsample", 2)]
    return [row._replace(name=prefix + row.name) for row in (*down, Row("conv5"))]


def _dilated(prefix: str) -> list[Row]:
    rates = ((7, 2), (8, 4), (9, 8), (10, 16))
    atrous = [Row(f"{prefix}conv{i}_atrous", dilation=rate) for i, rate in rates]
    return [Row(f"{prefix}conv6"), *atrous]


def _decoder(prefix: str) -> list[Row]:
    up = [Row("conv11"), Row("conv12"), Row("conv13_upsample", upsample=True), Row("conv14")]
    up += [Row("conv15_upsample", upsample=True), Row("conv16"), Row("conv17", activation="none")]
    return [row._replace(name=prefix + row.name) for row in up]


COARSE = [*_encoder(""), *_dilated(""), *_decoder("")]
HALLUCINATION = [*_encoder("x"), *_dilated("x")]
MATCHING = [*_encoder("pm"), Row("pmconv6", activation="relu")]
ATTENDED = [Row("pmconv9"), Row("pmconv10")]
DECODER = _decoder("all")


def literal_forward(network: DeepFillV2Network, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    """Coarse and refined frames of an unguided network with the default config."""
    weights = dict(network.named_parameters())

    def run(rows: list[Row], x: Tensor) -> Tensor:
        for row in rows:
            x = layer(x, row, weights[f"{row.name}.weight"], weights[f"{row.name}.bias"])
        return x

    ones = torch.ones_like(mask)
    masked = image * (1 - mask)
    coarse = torch.tanh(run(COARSE, torch.cat([masked, ones, mask], dim=1)))

    # the second stage sees the first one's result in the hole
    pasted = coarse * mask + masked
    hallucinated = run(HALLUCINATION, pasted)
    matched = run(MATCHING, pasted)
    height, width = mask.shape[-2:]
    small = resize_nearest(mask, height // 4, width // 4)
    small = resize_nearest(small, height // 8, width // 8)
    pasted_back = [
        literal_attention(matched[i : i + 1], matched[i : i + 1], small[i : i + 1])[0]
        for i in range(len(image))
    ]
    attended = run(ATTENDED, torch.cat(pasted_back))
    refined = torch.tanh(run(DECODER, torch.cat([hallucinated, attended], dim=1)))
    return coarse, refined


def layer(x: Tensor, row: Row, weight: Tensor, bias: Tensor) -> Tensor:
    """Pad as TensorFlow does, convolve, gate."""
    if row.upsample:
        x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
    kernel = weight.shape[-1]
    rows = same_padding(x.shape[-2], kernel, row.stride, row.dilation)
    columns = same_padding(x.shape[-1], kernel, row.stride, row.dilation)
    x = functional.pad(x, (*columns, *rows))
    x = functional.conv2d(x, weight, bias, row.stride, 0, row.dilation)
    if row.activation == "none":
        return x
    features, gates = x.chunk(2, dim=1)
    active = functional.relu(features) if row.activation == "relu" else functional.elu(features)
    return active * torch.sigmoid(gates)
