"""DeepFill v1 and v2 of OpenMMLab's mmagic (formerly mmediting): keys and configs.

https://github.com/open-mmlab/mmagic, ``configs/deepfillv1`` and ``configs/deepfillv2``. The layers
are those of the papers; other differences are fields of gatefill's configs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gatefill.checkpoints.fit import expect_names
from gatefill.checkpoints.pytorch_port import LAYERS
from gatefill.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    State = dict[str, Tensor]

_ENCODER = tuple(f"enc{number}" for number in range(1, 7))
_DILATED = tuple(f"dilation_convs.{number}" for number in range(4))
_DECODER = tuple(f"dec{number}" for number in range(1, 8))
# mmagic's layers, in the order of gatefill's.
THEIRS = (
    *(f"stage1.encoder.{name}" for name in _ENCODER),
    *(f"stage1.dilation_neck.{name}" for name in _DILATED),
    *(f"stage1.decoder.{name}" for name in _DECODER),
    *(f"stage2.encoder_conv.{name}" for name in _ENCODER),
    *(f"stage2.dilation_neck.{name}" for name in _DILATED),
    *(f"stage2.encoder_attention.{name}" for name in _ENCODER),
    "stage2.contextual_attention_neck.conv1",
    "stage2.contextual_attention_neck.conv2",
    *(f"stage2.decoder.{name}" for name in _DECODER),
)
FUSE_BUFFER = "stage2.contextual_attention_neck.contextual_attention.fuse_kernel"

# The behavior of mmagic as fields of gatefill's configs.
HABITS: dict[str, Any] = {
    "padding": "reflect",
    "resizing": "floor",
    "mask_steps": 1,
    "match_activation": "elu",
    "exclude_invalid": True,
    "even_borders": True,
    "channel_order": "bgr",
}


def is_mmagic(names: Iterable[str]) -> bool:
    """Return whether these are keys of mmagic's two-stage DeepFill networks."""
    return any(name.startswith("generator.stage1.encoder.enc1.") for name in names)


def from_mmagic(arrays: Mapping[str, Tensor]) -> tuple[str, Any, State]:
    """Return the method, the config and the weights with gatefill's names."""
    from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config
    from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config

    prefix = "generator."
    found = {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix) and name != prefix + FUSE_BUFFER
    }
    gated = "stage1.encoder.enc1.conv.conv.weight" in found
    inner = ".conv.conv" if gated else ".conv"
    names = {
        f"{theirs}{inner}.{part}": f"{ours}.{part}"
        for theirs, ours in zip(THEIRS, LAYERS, strict=True)
        for part in ("weight", "bias")
    }
    expect_names(found, names)
    state = {names[name]: value for name, value in found.items()}
    gates = 2 if gated else 1
    width = _channels(state, "conv1.weight") // gates
    if not gated:
        return "deepfill_v1", DeepFillV1Config(width=width, **HABITS), state
    config = DeepFillV2Config(
        width=width,
        decoder_width=_channels(state, "allconv15_upsample.weight") // gates,
        refinement_mask=True,
        gated_output=True,
        **HABITS,
    )
    return "deepfill_v2", config, state


def _channels(state: Mapping[str, Tensor], name: str) -> int:
    weight = state[name]
    if weight.ndim != 4:
        raise WeightsError(
            f"expected {name} with 4 dimensions, got {list(weight.shape)}", code="weights.foreign"
        )
    return int(weight.shape[0])
