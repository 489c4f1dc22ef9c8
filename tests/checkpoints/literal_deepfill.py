"""mmagic's DeepFill v1 and v2, written from their description, on its own names of weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

State = dict[str, Tensor]
STRIDES = (1, 2, 1, 2, 1, 1)
ENCODERS = {  # channels over the width of the first layer
    "stage1.encoder": (1, 2, 2, 4, 4, 4),
    "stage2.encoder_conv": (1, 1, 2, 2, 4, 4),
    "stage2.encoder_attention": (1, 1, 2, 4, 4, 4),
}
DECODER = (4, 4, 2, 2, 1, 0.5)


def random_deepfill(version: int, width: int) -> State:
    """Weights that keep the signal's size. Version 2 has gates and a wider second decoder."""
    torch.manual_seed(0)
    state: State = {}

    def add(name: str, into: int, out: int, kernel: int = 3) -> None:
        conv = f"generator.{name}.conv" + (".conv" if version == 2 else "")
        deviation = (2 / (into * kernel**2)) ** 0.5
        rows = out * (2 if version == 2 else 1)
        weight = torch.randn(rows, into, kernel, kernel) * deviation
        state[f"{conv}.weight"] = weight * (1.7 if version == 2 else 1.0)
        state[f"{conv}.bias"] = torch.randn(rows) * 0.1

    for encoder, factors in ENCODERS.items():
        into = 5
        for number, factor in enumerate(factors, 1):
            add(f"{encoder}.enc{number}", into, factor * width, 5 if number == 1 else 3)
            into = factor * width
    for stage in (1, 2):
        for number in range(4):
            add(f"stage{stage}.dilation_neck.dilation_convs.{number}", 4 * width, 4 * width)
        into = 4 * width * stage
        wide = width if stage == 1 or version == 1 else 4 * width // 3
        for number, factor in enumerate(DECODER, 1):
            add(f"stage{stage}.decoder.dec{number}", into, int(factor * wide))
            into = int(factor * wide)
        add(f"stage{stage}.decoder.dec7", into, 3)
    for number in (1, 2):
        add(f"stage2.contextual_attention_neck.conv{number}", 4 * width, 4 * width)
    key = "generator.stage2.contextual_attention_neck.contextual_attention.fuse_kernel"
    state[key] = torch.eye(3).view(1, 1, 3, 3)
    return state


def deepfill(state: State, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Both frames, of an image in [-1, 1] and its hole."""
    gated = any(name.endswith("enc1.conv.conv.weight") for name in state)

    def layer(name: str, x: Tensor, stride: int = 1, dilation: int = 1, act: bool = True) -> Tensor:
        conv = f"generator.{name}.conv" + (".conv" if gated else "")
        weight, bias = state[f"{conv}.weight"], state[f"{conv}.bias"]
        reach = dilation * (weight.shape[-1] // 2)
        x = functional.pad(x, (reach,) * 4, mode="reflect")
        x = functional.conv2d(x, weight, bias, stride=stride, dilation=dilation)
        if not gated:
            return functional.elu(x) if act else x
        feature, gate = x.chunk(2, 1)
        return (functional.elu(feature) if act else feature) * torch.sigmoid(gate)

    def encoded(name: str, x: Tensor) -> Tensor:
        for number, stride in enumerate(STRIDES, 1):
            x = layer(f"{name}.enc{number}", x, stride)
        return x

    def dilated(name: str, x: Tensor) -> Tensor:
        for number in range(4):
            x = layer(f"{name}.dilation_convs.{number}", x, dilation=2 ** (number + 1))
        return x

    def decoded(name: str, x: Tensor) -> Tensor:
        for number in range(1, 8):
            x = layer(f"{name}.dec{number}", x, act=number < 7)
            if number in (2, 4):
                x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return torch.tanh(x) if gated else x.clamp(-1, 1)

    masked = image * (1 - mask)
    rest = [torch.ones_like(mask), mask]
    x = encoded("stage1.encoder", torch.cat([masked, *rest], 1))
    coarse = decoded("stage1.decoder", dilated("stage1.dilation_neck", x))
    x = torch.cat([coarse * mask + masked, *rest], 1)
    conv = dilated("stage2.dilation_neck", encoded("stage2.encoder_conv", x))
    attended = attention(encoded("stage2.encoder_attention", x), mask[..., ::4, ::4])
    for number in (1, 2):
        attended = layer(f"stage2.contextual_attention_neck.conv{number}", attended)
    return coarse, decoded("stage2.decoder", torch.cat([conv, attended], 1))


def attention(x: Tensor, mask: Tensor) -> Tensor:
    """Contextual attention of ``1CHW`` with itself: fused, without the patches that touch the hole,
    divided by how many patches overlap."""
    _, channels, height, width = x.shape
    h, w = height // 2, width // 2
    small, hole = x[..., ::2, ::2], mask[..., ::2, ::2]
    places = functional.unfold(small, 3, padding=1)[0].T  # one row per cell
    background = places / places.norm(dim=1, keepdim=True).clamp_min(1e-4)
    score = places @ background.T
    for rows, columns in ((h, w), (w, h)):
        score = functional.conv2d(score[None, None], torch.eye(3)[None, None], padding=1)[0, 0]
        grid = score.view(rows, columns, rows, columns).permute(1, 0, 3, 2)
        score = grid.reshape(h * w, h * w)
    touched = functional.unfold(hole, 3, padding=1)[0].sum(0) > 0
    score[:, touched] = -torch.inf
    weights = torch.softmax(10 * score, 1)
    patches = functional.unfold(x, 4, padding=1, stride=2)[0].T
    pasted = functional.fold((weights @ patches).T[None], (height, width), 4, padding=1, stride=2)
    overlap = functional.fold(
        torch.ones(1, channels * 16, h * w), (height, width), 4, padding=1, stride=2
    )
    return pasted / overlap
