"""Converts weights of other programs, recognized by their keys, to gatefill's format.

torch and TensorFlow are imported by the functions that need them, so that the command line and
`gatefill.checkpoints` can be imported without them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gatefill.checkpoints import mmagic, other_networks, pytorch_port, tensorflow
from gatefill.checkpoints.fit import expect_finite, expect_shapes
from gatefill.checkpoints.native import (
    MAX_FILE_BYTES,
    NOT_STATED,
    Provenance,
    WeightsInfo,
    is_safetensors,
    read_header,
    save_weights,
)
from gatefill.checkpoints.networks import shapes_of
from gatefill.errors import GatefillError, OutputError, WeightsError
from gatefill.extras import need
from gatefill.methods.registry import network_entry

if TYPE_CHECKING:
    from torch import Tensor

    from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config

Kind = Literal[
    "official",
    "ported",
    "retrained",
    "mmagic",
    "mmagic_partial_conv",
    "mmagic_global_local",
    "partial_conv_port",
    "glcic",
]

TITLES: dict[Kind, str] = {
    "official": "official TensorFlow checkpoint",
    "ported": "official weights as ported by deepfillv2-pytorch",
    "retrained": "weights trained with deepfillv2-pytorch",
    "mmagic": "mmagic DeepFill",
    "mmagic_partial_conv": "mmagic Partial Convolution",
    "mmagic_global_local": "mmagic Global & Local",
    "partial_conv_port": "weights trained with pytorch-inpainting-with-partial-conv",
    "glcic": "weights trained with GLCIC-PyTorch",
}


@dataclass(frozen=True)
class Foreign:
    """A network of another program, with the names of gatefill."""

    kind: Kind
    method: str
    config: Any  # config of the method's network
    state: dict[str, Tensor]
    step: int | None


def kind_of(names: Iterable[str]) -> Kind | None:
    """Return the program whose weights have these keys; None if it is unknown."""
    names = set(names)
    if "inpaint_net/conv1/kernel" in names:
        return "official"
    if pytorch_port.is_ported(names):
        return "ported"
    if pytorch_port.is_retrained(names):
        return "retrained"
    if mmagic.is_mmagic(names):
        return "mmagic"
    if other_networks.is_mmagic_partial_conv(names):
        return "mmagic_partial_conv"
    if other_networks.is_mmagic_global_local(names):
        return "mmagic_global_local"
    if other_networks.is_partial_conv_port(names):
        return "partial_conv_port"
    return "glcic" if other_networks.is_glcic(names) else None


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    data: str = NOT_STATED,
    license: str = NOT_STATED,
) -> WeightsInfo:
    """Convert the generator of another program to a gatefill weights file.

    Args:
        source: A TensorFlow checkpoint (folder, prefix or ``.index`` file) or a ``.pth`` file.
        target: The file to write, ending in ``.safetensors``.
        data: Name of the training data, stored in the file.
        license: License of the weights, stored in the file.

    Returns:
        The header of the new file.

    Raises:
        OutputError: If `target` has another suffix.
        WeightsError: If the source is of another program, does not fit its network, or is damaged.
        OSError: If a file cannot be read or written.
        MissingExtra: (an ImportError) If torch or TensorFlow is needed and not installed.
    """
    if Path(target).suffix != ".safetensors":
        raise OutputError(
            f"expected an output name ending in .safetensors, got {target}",
            code="output.suffix",
            file=str(target),
            known=[".safetensors"],
        )
    if not Path(target).parent.is_dir():
        raise FileNotFoundError(f"no folder {Path(target).parent} to write into")
    foreign = read_foreign(source)
    provenance = Provenance(
        source=f"converted from {Path(source).resolve().name}, {TITLES[foreign.kind]}",
        step=foreign.step,
        data=data,
        license=license,
    )
    # GLCIC-PyTorch blends its output into the photo, as in the paper; the other programs do not.
    finish = foreign.kind == "glcic"
    save_weights(target, foreign.method, foreign.config, foreign.state, provenance, finish=finish)
    return read_header(target)


def read_foreign(path: str | os.PathLike[str]) -> Foreign:
    """Read the generator in another program's file; sources and errors are those of `convert`."""
    need("torch", "torch", "reading weights")
    content = _read(path)
    kind = kind_of(content.arrays)
    name = Path(path).name
    if kind is None:
        some = ", ".join(list(content.arrays)[:3]) or "nothing"
        raise WeightsError(
            "expected weights of DeepFill v2 (official, deepfillv2-pytorch or mmagic), DeepFill v1 "
            "(mmagic), Partial Convolution (mmagic or pytorch-inpainting-with-partial-conv) or "
            f"Global & Local (mmagic or GLCIC-PyTorch), but {name} holds {some[:200]}",
            code="weights.foreign",
            file=name,
        )
    try:
        method, config, state = _ours(kind, content.arrays)
        found = {name: tuple(value.shape) for name, value in state.items()}
        expect_shapes(found, shapes_of(network_entry(method).load("network"), config))
        expect_finite(state)
    except GatefillError as problem:
        values = problem.values | {"file": name}
        raise WeightsError(
            f"{name}, {TITLES[kind]}: {problem}", code=problem.code, **values
        ) from None
    return Foreign(kind, method, config, state, content.step)


@dataclass(frozen=True)
class _Found:
    """The arrays of a file under their original names."""

    arrays: dict[str, Any]  # numpy arrays or torch tensors
    step: int | None


def _read(path: str | os.PathLike[str]) -> _Found:
    """Read all arrays at `path`."""
    if tensorflow.is_checkpoint(path):
        prefix = tensorflow.checkpoint_prefix(path)
        return _Found(tensorflow.read_variables(path), tensorflow.checkpoint_step(prefix))
    if Path(path).is_dir():
        tensorflow.checkpoint_prefix(path)  # raises an error that names the missing files
    if not Path(path).is_file():
        raise FileNotFoundError(f"no weights at {path}")
    if is_safetensors(path):
        read_header(path)
        raise WeightsError(
            f"{Path(path).name} is in gatefill's format already",
            code="weights.ours_already",
            file=Path(path).name,
        )
    return _read_torch(Path(path))


def _read_torch(path: Path) -> _Found:
    """Read the tensors of a ``.pth`` file without running code in it."""
    import torch

    if path.stat().st_size > MAX_FILE_BYTES:
        raise WeightsError(
            f"{path.name} has more than the limit of {MAX_FILE_BYTES} bytes",
            code="weights.too_large",
            file=path.name,
            most=MAX_FILE_BYTES,
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # torch raises several types here, with advice to unpickle, which must never be done.
        raise WeightsError(
            f"expected a file of tensors written by torch.save, but {path.name} "
            "is damaged or holds something else",
            code="weights.damaged",
            file=path.name,
        ) from None
    step = content.get("n_iter") if isinstance(content, dict) else None
    # The containers of deepfillv2-pytorch, mmagic, and others such as ports of other networks.
    for key in ("G", "state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise WeightsError(
            f"expected a dict of tensors in {path.name}, got something else",
            code="weights.foreign",
            file=path.name,
        )
    return _Found(_unwrapped(content), step if type(step) is int else None)


def _unwrapped(arrays: dict[str, Any]) -> dict[str, Any]:
    """Remove the prefix ``module.`` of torch's DataParallel from all names."""
    prefix = "module."
    if arrays and all(name.startswith(prefix) for name in arrays):
        return {name.removeprefix(prefix): value for name, value in arrays.items()}
    return dict(arrays)


def _ours(kind: Kind, arrays: Mapping[str, Any]) -> tuple[str, Any, dict[str, Tensor]]:
    """Return the method, its network's config, and the weights with gatefill's names."""
    match kind:
        case "mmagic":
            return mmagic.from_mmagic(arrays)
        case "mmagic_partial_conv":
            return "partial_conv", *other_networks.from_mmagic_partial_conv(arrays)
        case "partial_conv_port":
            return "partial_conv", *other_networks.from_partial_conv_port(arrays)
        case "mmagic_global_local":
            return "global_local", *other_networks.from_mmagic_global_local(arrays)
        case "glcic":
            return "global_local", *other_networks.from_glcic(arrays)
        case _:
            state = _our_state(kind, arrays)
            return "deepfill_v2", _config(kind, state), state


def _our_state(kind: Kind, arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the generator's weights with gatefill's names."""
    from gatefill.checkpoints.official_names import generator_from_official

    if kind == "official":
        return generator_from_official(dict(arrays))
    state = dict(arrays)
    fuse = state.pop(pytorch_port.FUSE_BUFFER, None)
    if fuse is not None and fuse.flatten().tolist() != [1, 0, 0, 0, 1, 0, 0, 0, 1]:
        raise WeightsError(
            f"expected {pytorch_port.FUSE_BUFFER} to be the 3x3 identity",
            code="weights.foreign",
        )
    ported = kind == "ported"
    names = pytorch_port.ported_names() if ported else pytorch_port.retrained_names()
    return pytorch_port.renamed(state, names)


def _config(kind: Kind, state: Mapping[str, Tensor]) -> DeepFillV2Config:
    """Return the config of the network: sizes by the shapes, options by the program."""
    from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config

    first = state.get("conv1.weight")
    if first is None or first.ndim != 4 or first.shape[1] not in (5, 6) or first.shape[0] % 2:
        got = "none" if first is None else list(first.shape)
        raise WeightsError(
            f"expected conv1 to take 5 channels (guided: 6), got weights {got}",
            code="weights.foreign",
        )
    width, guided = first.shape[0] // 2, first.shape[1] == 6
    match kind:
        case "ported":
            # The port feeds RGB. Its attention reads the mask at 1/8 in one step, without fusing.
            return DeepFillV2Config(
                width=width, guided=guided, fuse=False, mask_steps=1, channel_order="rgb"
            )
        case "retrained":
            return DeepFillV2Config(
                width=width,
                guided=guided,
                padding="symmetric",
                resizing="floor",
                mask_steps=1,
                channel_order="rgb",
            )
        case _:
            return DeepFillV2Config(width=width, guided=guided)
