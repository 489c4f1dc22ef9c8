"""Tables of the weights' names in deepfillv2-pytorch.

https://github.com/nipponjo/deepfillv2-pytorch, files ``states_*.pth``: a dict whose entry ``G`` is
the generator's state dict. There are two kinds. *TF-ported* files contain the official weights with
the official layer names. *Re-trained* files contain weights that the port trained itself, for the
same layers with other names. Kernels are ``OIHW`` in all of them and in gatefill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from gatefill.checkpoints.fit import expect_names

Value = TypeVar("Value")

# Buffer of the re-trained network for the fuse step of contextual attention; not a weight.
FUSE_BUFFER = "stage2.contextual_attention.fuse_weight"

_COARSE = (
    *("conv1", "conv2_downsample", "conv3", "conv4_downsample", "conv5", "conv6"),
    *("conv7_atrous", "conv8_atrous", "conv9_atrous", "conv10_atrous", "conv11", "conv12"),
    *("conv13_upsample", "conv14", "conv15_upsample", "conv16", "conv17"),
)
_HALLUCINATION = (
    *("xconv1", "xconv2_downsample", "xconv3", "xconv4_downsample", "xconv5", "xconv6"),
    *("xconv7_atrous", "xconv8_atrous", "xconv9_atrous", "xconv10_atrous"),
)
_ATTENTION = (
    *("pmconv1", "pmconv2_downsample", "pmconv3", "pmconv4_downsample", "pmconv5", "pmconv6"),
    *("pmconv9", "pmconv10"),
)
_DECODER = (
    *("allconv11", "allconv12", "allconv13_upsample", "allconv14", "allconv15_upsample"),
    *("allconv16", "allconv17"),
)
LAYERS = _COARSE + _HALLUCINATION + _ATTENTION + _DECODER

_DOWN = (
    "down_block1.conv1_downsample",
    "down_block1.conv2",
    "down_block2.conv1_downsample",
    "down_block2.conv2",
)
_UP = (
    "up_block1.conv1_upsample",
    "up_block1.conv2",
    "up_block2.conv1_upsample",
    "up_block2.conv2",
    "conv_to_rgb",
)
# The layers of the re-trained network in the order of LAYERS.
_BLOCKS = (
    *(f"stage1.{name}" for name in ("conv1", *_DOWN)),
    *(f"stage1.conv_bn{number}" for number in range(1, 8)),
    *(f"stage1.{name}" for name in _UP),
    *("stage2.conv_conv1", *(f"stage2.conv_{name}" for name in _DOWN)),
    *(f"stage2.conv_conv_bn{number}" for number in range(1, 6)),
    *("stage2.ca_conv1", *(f"stage2.ca_{name}" for name in _DOWN)),
    *("stage2.ca_conv_bn1", "stage2.ca_conv_bn4", "stage2.ca_conv_bn5"),
    *("stage2.conv_bn6", "stage2.conv_bn7"),
    *(f"stage2.{name}" for name in _UP),
)


def ported_names() -> dict[str, str]:
    """Return the map from keys in a TF-ported file to gatefill's keys, for all 84 weights."""
    return _names(zip(LAYERS, LAYERS, strict=True))


def retrained_names() -> dict[str, str]:
    """Return the map from keys in a re-trained file to gatefill's keys, for all 84 weights."""
    return _names(zip(_BLOCKS, LAYERS, strict=True))


def is_ported(keys: Iterable[str]) -> bool:
    """Return whether these are keys of a TF-ported file."""
    return {"conv1.conv.weight", "conv13_upsample.conv.conv.weight"} <= set(keys)


def is_retrained(keys: Iterable[str]) -> bool:
    """Return whether these are keys of a re-trained file."""
    return {"stage1.conv1.conv.weight", "stage2.ca_conv1.conv.weight"} <= set(keys)


def renamed(state: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    """Rename the keys of `state` by the table `names`; the inverted table renames them back.

    Raises WeightsError naming keys that are missing or unknown.
    """
    expect_names(state, names)
    return {names[key]: value for key, value in state.items()}


def _names(layers: Iterable[tuple[str, str]]) -> dict[str, str]:
    names = {}
    for theirs, ours in layers:
        # In the port, an upsampling layer is a module around a gated convolution.
        inner = ".conv.conv" if ours.endswith("_upsample") else ".conv"
        for part in ("weight", "bias"):
            names[f"{theirs}{inner}.{part}"] = f"{ours}.{part}"
    return names
