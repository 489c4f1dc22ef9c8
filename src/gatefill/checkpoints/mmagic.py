"""DeepFill v2 of OpenMMLab's mmagic (once mmediting): recognized, and said why it does not fit.

https://github.com/open-mmlab/mmagic, ``configs/deepfillv2``. It has the paper's layers by and
large, but is another network: no set of weights for it gives the same picture in ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

# Where each difference shows in the weights: key, axis, our size there at full width, and words.
_SHOWN = (
    (
        "generator.stage2.encoder_conv.enc1.conv.conv.weight",
        1,
        3,
        "its refinement net is fed {got} channels (ones and mask too), ours {ours}",
    ),
    (
        "generator.stage2.decoder.dec1.conv.conv.weight",
        0,
        192,
        "its refinement decoder starts with {got} channels before the gate, ours with {ours}",
    ),
    (
        "generator.stage1.decoder.dec7.conv.conv.weight",
        0,
        3,
        "its last layers are gated ({got} channels before the gate), ours plain ({ours})",
    ),
)
# What the weights do not show, but the configs in its repository say.
_TOLD = (
    "it pads by reflection",
    "its attention shuts holes out with -inf and divides by the true overlap of patches",
    "its layer before the attention has ELU for ReLU",
)


def is_mmagic(names: Iterable[str]) -> bool:
    """Whether these are keys of mmagic's two-stage DeepFill networks."""
    return any(name.startswith("generator.stage1.encoder.enc1.") for name in names)


def differences(state: Mapping[str, NDArray[Any]]) -> list[str]:
    """What keeps these weights from running in our DeepFill v2, in words."""
    if "generator.stage1.encoder.enc1.conv.conv.weight" not in state:
        return ["it is a DeepFill v1: its convolutions have no gate"]
    shown = [
        words.format(got=state[key].shape[axis], ours=ours)
        for key, axis, ours, words in _SHOWN
        if key in state and state[key].shape[axis] != ours
    ]
    return [*shown, *_TOLD]
