"""Partial Convolution and Global & Local networks of other programs: keys and configs.

- mmagic (https://github.com/open-mmlab/mmagic), ``configs/partial_conv`` and
  ``configs/global_local``.
- pytorch-inpainting-with-partial-conv (https://github.com/naoto0804), the widely used port.
- GLCIC-PyTorch (https://github.com/otenim/GLCIC-PyTorch), the completion network.

Differences from the papers are fields of the networks' configs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gatefill.checkpoints.fit import expect_names
from gatefill.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from gatefill.methods.networks.global_local import GlobalLocalConfig
    from gatefill.methods.networks.partial_conv import PartialConvConfig

    State = dict[str, Tensor]

# The layers of Global & Local in the order of the paper's table, as grouped in gatefill's network.
GLOBAL_LOCAL_LAYERS = (
    *(f"encoder.{number}" for number in range(6)),
    *(f"dilated.{number}" for number in range(4)),
    *(f"decoder.{number}" for number in range(7)),
)
_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def is_mmagic_partial_conv(names: Iterable[str]) -> bool:
    """Return whether these are keys of mmagic's Partial Convolution."""
    return "generator.encoder.enc1.conv.weight_mask_updater" in set(names)


def is_mmagic_global_local(names: Iterable[str]) -> bool:
    """Return whether these are keys of mmagic's Global & Local."""
    found = set(names)
    return {
        "generator.encoder.enc1.conv.weight",
        "generator.dilation_neck.dilation_convs.0.conv.weight",
    } <= found


def is_partial_conv_port(names: Iterable[str]) -> bool:
    """Return whether these are keys of pytorch-inpainting-with-partial-conv."""
    return "enc_1.conv.input_conv.weight" in set(names)


def is_glcic(names: Iterable[str]) -> bool:
    """Return whether these are keys of GLCIC-PyTorch's completion network."""
    return {"conv1.weight", "bn1.weight", "deconv13.weight"} <= set(names)


def from_mmagic_partial_conv(arrays: Mapping[str, Tensor]) -> tuple[PartialConvConfig, State]:
    """Convert mmagic's Partial Convolution: the same network with other names and BGR input."""
    from gatefill.methods.networks.partial_conv import PartialConvConfig

    state = {}
    for name, value in arrays.items():
        if not name.startswith("generator.") or name.endswith("weight_mask_updater"):
            continue
        layer = re.sub(r"^generator\.(encoder|decoder)\.", "", name)
        state[layer.replace(".conv.", ".").replace(".bn.", ".norm.")] = value
    levels = _levels(state)
    return PartialConvConfig(
        width=_width(state, "enc1.weight"), levels=levels, channel_order="bgr"
    ), state


def from_partial_conv_port(arrays: Mapping[str, Tensor]) -> tuple[PartialConvConfig, State]:
    """Convert the weights of pytorch-inpainting-with-partial-conv.

    It divides by the number of known pixels, where the paper divides by their share of the window:
    its weights divided by the size of the window are those of the paper's form. Its input is
    normalized by ImageNet's mean and deviation.
    """
    from gatefill.methods.networks.partial_conv import PartialConvConfig

    state = {}
    for name, value in arrays.items():
        if name.endswith("mask_conv.weight"):
            continue
        ours = re.sub(r"^(enc|dec)_", r"\1", name)
        ours = ours.replace(".conv.input_conv.", ".").replace(".bn.", ".norm.")
        if name.endswith("input_conv.weight") and value.ndim == 4:
            value = value / value[0].numel()
        state[ours] = value
    if "enc1.weight" in state:  # the port's first layer has no bias
        state.setdefault("enc1.bias", state["enc1.weight"].new_zeros(len(state["enc1.weight"])))
    return PartialConvConfig(
        width=_width(state, "enc1.weight"), levels=_levels(state), normalization="imagenet"
    ), state


def from_mmagic_global_local(arrays: Mapping[str, Tensor]) -> tuple[GlobalLocalConfig, State]:
    """Convert mmagic's Global & Local: BGR in [-1, 1], a clip for the sigmoid, 0 in the hole."""
    from gatefill.methods.networks.global_local import GlobalLocalConfig

    theirs = (
        *(f"generator.encoder.enc{number}" for number in range(1, 7)),
        *(f"generator.dilation_neck.dilation_convs.{number}" for number in range(4)),
        *(f"generator.decoder.dec{number}" for number in range(1, 8)),
    )
    layers = {name: (f"{name}.conv", f"{name}.bn") for name in theirs}
    own = {name: value for name, value in arrays.items() if name.startswith("generator.")}
    state = _global_local(own, list(layers.values()), order=(0, 1))
    width = _width(state, "encoder.0.0.weight")
    return GlobalLocalConfig(width=width, output="clip", channel_order="bgr"), state


def from_glcic(arrays: Mapping[str, Tensor]) -> tuple[GlobalLocalConfig, State]:
    """Convert GLCIC-PyTorch's network, with batch normalization after the ReLU.

    The mean training color, which fills the hole, is not in the file but in the program's
    config.json (``mpv``): that of Places2, published by its authors, is used.
    """
    from gatefill.methods.networks.global_local import GlobalLocalConfig

    layers = [
        (f"{'deconv' if number in (13, 15) else 'conv'}{number}", f"bn{number}")
        for number in range(1, 18)
    ]
    state = _global_local(arrays, layers, order=(0, 2))
    width = _width(state, "encoder.0.0.weight")
    return GlobalLocalConfig(
        width=width, mean=(0.4560, 0.4472, 0.4155), norm_after_relu=True
    ), state


def _global_local(
    arrays: Mapping[str, Tensor], layers: list[tuple[str, str]], order: tuple[int, int]
) -> State:
    """Rename weights.

    layers: Their names of convolution and normalization, in the order of `GLOBAL_LOCAL_LAYERS`.
    order: Positions of convolution and normalization in gatefill's blocks.
    """
    names: dict[str, str] = {}
    for (convolution, norm), ours in zip(layers, GLOBAL_LOCAL_LAYERS, strict=True):
        last = ours == GLOBAL_LOCAL_LAYERS[-1]
        block = ours if last else f"{ours}.{order[0]}"
        for part in ("weight", "bias"):
            names[f"{convolution}.{part}"] = f"{block}.{part}"
        if not last:
            names |= {f"{norm}.{part}": f"{ours}.{order[1]}.{part}" for part in _NORM}
    found = dict(arrays)
    for convolution, _ in layers:  # a convolution before a normalization may have no bias
        weight = found.get(f"{convolution}.weight")
        if weight is not None and weight.ndim == 4:
            channels = weight.shape[1 if "deconv" in convolution or _doubles(convolution) else 0]
            found.setdefault(f"{convolution}.bias", weight.new_zeros(channels))
    expect_names(found, names)
    return {names[name]: value for name, value in found.items()}


def _doubles(convolution: str) -> bool:
    """Return whether a layer of mmagic is a deconvolution, with output channels second."""
    return convolution in ("generator.decoder.dec3.conv", "generator.decoder.dec5.conv")


def _levels(state: Mapping[str, Tensor]) -> int:
    return sum(bool(re.fullmatch(r"enc\d+\.weight", name)) for name in state)


def _width(state: Mapping[str, Tensor], name: str) -> int:
    """Return the channels of the first layer. Raises WeightsError for other dimensions."""
    weight = state.get(name)
    if weight is None or weight.ndim != 4:
        got = "none" if weight is None else list(weight.shape)
        raise WeightsError(
            f"expected a first layer of 4 dimensions, got {got}", code="weights.foreign"
        )
    return int(weight.shape[0])
