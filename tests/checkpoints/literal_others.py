"""Other programs' Partial Convolution and Global & Local, written from their descriptions.

Each takes a state dict with the program's own names and does with it what the program does: plain
loops over layers, no code of ours.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

State = dict[str, Tensor]
KERNELS = {1: 7, 2: 5, 3: 5}


def random_partial_conv(width: int, levels: int, names: str) -> State:
    """Weights of a partial convolution U-Net: ``names`` is "mmagic" or "port"."""
    torch.manual_seed(0)
    widths = [3] + [width * min(2**level, 8) for level in range(levels)]
    state: State = {}
    for level in range(1, levels + 1):
        rows = {
            "enc": (widths[level - 1], widths[level], KERNELS.get(level, 3)),
            "dec": (widths[level] + widths[level - 1], widths[level - 1], 3),
        }
        for part, (into, out, kernel) in rows.items():
            full = {"enc": "encoder", "dec": "decoder"}[part]
            if names == "mmagic":
                layer, conv = f"generator.{full}.{part}{level}", "conv"
                state[f"{layer}.conv.weight_mask_updater"] = torch.ones(out, into, kernel, kernel)
            else:
                layer, conv = f"{part}_{level}", "conv.input_conv"
                state[f"{layer}.conv.mask_conv.weight"] = torch.ones(out, into, kernel, kernel)
            weight = torch.randn(out, into, kernel, kernel) * (2 / (into * kernel**2)) ** 0.5
            # The port divides by the number of known pixels: its weights are that much larger.
            state[f"{layer}.{conv}.weight"] = weight * (
                1 if names == "mmagic" else into * kernel**2
            )
            if level == 1 and (names == "mmagic" or part == "dec"):
                state[f"{layer}.{conv}.bias"] = torch.randn(out) * 0.1
            if level > 1:
                state |= random_norm(f"{layer}.bn", out)
    return state


def random_norm(name: str, width: int) -> State:
    """A batch normalization that has seen something."""
    return {
        f"{name}.weight": torch.rand(width) + 0.5,
        f"{name}.bias": torch.randn(width) * 0.2,
        f"{name}.running_mean": torch.randn(width) * 0.2,
        f"{name}.running_var": torch.rand(width) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def normed(x: Tensor, state: State, name: str) -> Tensor:
    mean, var, scale, shift = (
        state[f"{name}.{part}"].view(1, -1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift


def partial_conv(state: State, image: Tensor, mask: Tensor, names: str) -> Tensor:
    """The frame of a U-Net of partial convolutions.

    image: what the program sees, with the hole at any value; mask: 1 = hole.
    """
    levels = sum(name.endswith("_updater") or name.endswith("mask_conv.weight") for name in state)
    levels //= 2

    def layer(
        part: str, level: int, x: Tensor, known: Tensor, stride: int
    ) -> tuple[Tensor, Tensor]:
        full = {"enc": "encoder", "dec": "decoder"}[part]
        base = f"generator.{full}.{part}{level}" if names == "mmagic" else f"{part}_{level}"
        conv = f"{base}.conv" if names == "mmagic" else f"{base}.conv.input_conv"
        weight, bias = state[f"{conv}.weight"], state.get(f"{conv}.bias")
        padding = weight.shape[-1] // 2
        ones = torch.ones_like(weight)
        count = functional.conv2d(known, ones, stride=stride, padding=padding)
        x = functional.conv2d(x * known, weight, stride=stride, padding=padding)
        window = weight[0].numel() if names == "mmagic" else 1
        x = x * window / count.clamp_min(1)
        if bias is not None:
            x = x + bias.view(1, -1, 1, 1)
        known = (count > 0).float()
        x = x * known
        if level > 1:
            x = normed(x, state, f"{base}.bn")
        if part == "enc":
            x = x.clamp_min(0)
        elif level > 1:
            x = torch.where(x > 0, x, 0.2 * x)
        return x, known

    x, known = image, (1 - mask).repeat(1, 3, 1, 1)
    kept = [(x, known)]
    for level in range(1, levels + 1):
        kept.append(layer("enc", level, *kept[-1], stride=2))
    x, known = kept[-1]
    for level in range(levels, 0, -1):
        x, known = (part.repeat_interleave(2, 2).repeat_interleave(2, 3) for part in (x, known))
        x = torch.cat([x, kept[level - 1][0]], 1)
        known = torch.cat([known, kept[level - 1][1]], 1)
        x, known = layer("dec", level, x, known, stride=1)
    return x


def global_local_rows(width: int) -> list[tuple[int, int, int, int, int, bool]]:
    """In, out, kernel, stride, dilation, and whether it is a deconvolution, of all 17 layers."""
    one, two, four = width, 2 * width, 4 * width
    rows = [(4, one, 5, 1, 1, False), (one, two, 3, 2, 1, False), (two, two, 3, 1, 1, False)]
    rows += [(two, four, 3, 2, 1, False), *[(four, four, 3, 1, 1, False)] * 2]
    rows += [(four, four, 3, 1, rate, False) for rate in (2, 4, 8, 16)]
    rows += [*[(four, four, 3, 1, 1, False)] * 2, (four, two, 4, 2, 1, True)]
    rows += [(two, two, 3, 1, 1, False), (two, one, 4, 2, 1, True)]
    return [*rows, (one, one // 2, 3, 1, 1, False), (one // 2, 3, 3, 1, 1, False)]


def global_local_names(names: str) -> list[tuple[str, str]]:
    """Convolution and normalization of each of the layers."""
    if names == "glcic":
        return [(f"{'de' if n in (13, 15) else ''}conv{n}", f"bn{n}") for n in range(1, 18)]
    layers = [f"generator.encoder.enc{n}" for n in range(1, 7)]
    layers += [f"generator.dilation_neck.dilation_convs.{n}" for n in range(4)]
    layers += [f"generator.decoder.dec{n}" for n in range(1, 8)]
    return [(f"{layer}.conv", f"{layer}.bn") for layer in layers]


def random_global_local(width: int, names: str) -> State:
    torch.manual_seed(0)
    state: State = {}
    rows = zip(global_local_rows(width), global_local_names(names), strict=True)
    for (into, out, kernel, _, _, deconvolution), (conv, norm) in rows:
        shape = (into, out) if deconvolution else (out, into)
        fan = into * kernel**2 / (4 if deconvolution else 1)
        state[f"{conv}.weight"] = torch.randn(*shape, kernel, kernel) * (2 / fan) ** 0.5
        last = out == 3
        if names == "glcic" or last:  # mmagic has no bias before a normalization
            state[f"{conv}.bias"] = torch.randn(out) * 0.1
        if not last:
            state |= random_norm(norm, out)
    return state


def global_local(state: State, image: Tensor, mask: Tensor, names: str) -> Tensor:
    """The frame of a Global & Local: of mmagic in [-1, 1], of GLCIC in [0, 1]."""
    width = state[f"{global_local_names(names)[0][0]}.weight"].shape[0]
    mean = torch.tensor([0.4560, 0.4472, 0.4155]).view(1, 3, 1, 1)
    x = image * (1 - mask) + (mean * mask if names == "glcic" else 0)
    x = torch.cat([x, mask], 1)
    rows = zip(global_local_rows(width), global_local_names(names), strict=True)
    for (_, out, kernel, stride, dilation, deconvolution), (conv, norm) in rows:
        weight, bias = state[f"{conv}.weight"], state.get(f"{conv}.bias")
        if deconvolution:
            x = functional.conv_transpose2d(x, weight, bias, stride=2, padding=1)
        else:
            padding = dilation * (kernel // 2)
            x = functional.conv2d(x, weight, bias, stride, padding, dilation)
        if out == 3:
            break
        if names == "glcic":
            x = normed(x.clamp_min(0), state, norm)
        else:
            x = normed(x, state, norm).clamp_min(0)
    return torch.sigmoid(x) if names == "glcic" else x.clamp(-1, 1)
