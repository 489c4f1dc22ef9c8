"""`load` makes an inpainter from a method's name or a weights file; `inpaint` fills one image."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from gatefill.checkpoints import find_weights as find_weights
from gatefill.checkpoints import load_method, shipped_weights
from gatefill.checkpoints.hub import is_address
from gatefill.errors import ConfigError, Warning
from gatefill.extras import require
from gatefill.given import FillOptions
from gatefill.images import DEFAULT_MAX_PIXELS, Source
from gatefill.inpainter import Inpainter
from gatefill.methods import create, info_of, steered_by
from gatefill.methods.base import Method, SharesBatches
from gatefill.methods.network import NetworkOptions
from gatefill.methods.registry import takes_no_weights
from gatefill.scales import Large
from gatefill.settings import expect_type

if TYPE_CHECKING:
    from gatefill.methods.hybrid import HybridConfig
    from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config
    from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config
    from gatefill.methods.networks.global_local import GlobalLocalConfig
    from gatefill.methods.networks.partial_conv import PartialConvConfig
    from gatefill.methods.patchmatch import PatchMatchConfig

    NetworkConfig: TypeAlias = (
        DeepFillV1Config | DeepFillV2Config | GlobalLocalConfig | PartialConvConfig
    )
    MethodConfig: TypeAlias = HybridConfig | PatchMatchConfig | NetworkConfig

DEFAULT_METHOD = "hybrid"
RANDOM_WEIGHTS = Warning(
    "weights.random", "the network has random weights, without training: its fill is noise"
)


def load(
    method: str | Method | None = None,
    *,
    config: MethodConfig | None = None,
    weights: str | Path | None = None,
    options: NetworkOptions | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    large: Large = "auto",
    context: float = 1.0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    batch_size: int = 1,
    memory_limit: int | None = None,
) -> Inpainter:
    """Load a method as an inpainter. Without arguments: the default method, with its weights.

    Args:
        method: Name of the method. Default: the method that the weights are for, or ``"hybrid"``
            without weights. An address ``"hf://owner/name@revision"`` is taken as `weights`. An
            object with the `info` and `fill` of `Method` is used as it is.
        config: The method's config dataclass, such as ``PatchMatchConfig(patch_size=9)``. For a
            network it is the architecture: a network with a config of its own has random weights.
        weights: Path of a gatefill weights file, which holds the network's config too, or of a
            folder with such a file in the layout of the Hugging Face hub; an address there,
            ``"hf://owner/name@revision"``; or the name of weights that come with the package, such
            as ``"standard"``. Default: ``"guide"`` for ``"hybrid"``, ``"standard"`` for
            ``"deepfill_v2"``, and random weights, to be trained, for other networks.
        options: How a network is used, independent of its weights. For ``"hybrid"`` they are part
            of its config.
        device: The device of networks that run in torch, such as ``"cpu"`` or ``"cuda"``.
        dtype: The number format of networks, ``"float32"``, ``"bfloat16"`` or ``"float16"``;
            ``"auto"`` selects the fastest one that reaches 45 dB PSNR in holes against float32, as
            measured on this machine.
        large: See `Inpainter`.
        context: See `Inpainter`.
        max_pixels: See `Inpainter`.
        batch_size: Number of photos, filled by several threads at the same time, that a network may
            process as one batch if its inputs have the same size. Attention is not reported for
            batches. Faster on a GPU only.
        memory_limit: See `Inpainter`.

    Returns:
        The inpainter. With random weights, a warning in every result says that the fill is noise.

    Raises:
        ConfigError: For an unknown name, and for arguments that exclude each other.
        WeightsError: For weights that are damaged or belong to another method.
        MissingExtra: (an ImportError) If the packages of an optional extra are not installed.
    """
    notes: list[Warning] = []
    expect_type(int, batch_size=batch_size)
    if batch_size < 1:
        raise ConfigError(
            f"expected a batch size of 1 or more, got {batch_size}",
            code="config.range",
            name="batch_size",
            value=batch_size,
            least=1,
        )
    expect_type(NetworkOptions | None, options=options)
    expect_type(str | os.PathLike | None, weights=weights)
    if isinstance(method, str) and weights is None and is_address(method):
        method, weights = None, method
    if not isinstance(method, str | None):
        if not hasattr(method, "info"):
            raise ConfigError(
                f"expected the name of a method, or a method, got {method!r:.80}",
                code="config.method",
                method=repr(method)[:80],
            )
        if any(each is not None for each in (config, weights, options)):
            raise ConfigError(
                "expected config, weights and options together with a method's name, "
                f"got them with a ready {method.info.name}",
                code="config.ready_method",
            )
        found = method
    else:
        light = dtype == "float32" and batch_size == 1  # onnxruntime takes photos one by one
        found, notes = _named(method, config, weights, options, device, light)
    if batch_size > 1 and found is not method and isinstance(found, SharesBatches):
        found.share_batches(batch_size)
    inpainter = Inpainter(
        found,
        large=large,
        context=context,
        max_pixels=max_pixels,
        notes=notes,
        memory_limit=memory_limit,
    )
    return inpainter if dtype == "float32" else inpainter.to(dtype=dtype)


def _named(
    method: str | None,
    config: MethodConfig | None,
    weights: str | Path | None,
    options: NetworkOptions | None,
    device: str,
    light: bool,
) -> tuple[Method, list[Warning]]:
    name = DEFAULT_METHOD if method is None and weights is None else method
    if options is not None and (name == "hybrid" or (name and not info_of(name).takes_weights)):
        raise ConfigError(
            f"expected no options of a network for {name}: all its options are in its config",
            code="config.options",
            method=name,
        )
    if weights is not None:
        return _with_weights(method, config, weights, options, device, light), []
    assert name is not None
    if (shipped := default_weights(name)) and (config is None or name == "hybrid"):
        for extra in info_of(name).needs:
            require(extra, name)
        return _with_weights(name, config, shipped, options, device, light), []
    found = create(name, config, device=device)
    return found, [RANDOM_WEIGHTS] if info_of(name).takes_weights else []


def default_weights(name: str) -> Path | None:
    """Return the path of the weights that `load` uses by default for a method; None without any."""
    shipped = info_of(name).shipped
    return None if shipped is None else shipped_weights(shipped)


def _with_weights(
    name: str | None,
    config: MethodConfig | None,
    weights: str | Path,
    options: NetworkOptions | None,
    device: str,
    light: bool,
) -> Method:
    """Load the method in a weights file, after checking that name, config and options agree.

    light: Run the network without torch where possible; other number formats need torch.
    """
    if name is not None and not info_of(name).takes_weights:
        raise takes_no_weights(name, weights)
    weights = find_weights(weights)
    if name == "hybrid":
        options = None if config is None else getattr(config, "network", None)
        network = load_method(weights, device=device, options=options, quick_start=light)
        return steered_by(network, config)
    if config is not None:
        raise ConfigError(
            "expected no config beside weights: the weights file holds it",
            code="config.beside_weights",
        )
    method = load_method(weights, device=device, options=options)
    if name is not None and method.info.name != name:
        raise ConfigError(
            f"expected weights of {name}, got {weights}, of {method.info.name}",
            code="weights.method",
            method=name,
            found=method.info.name,
        )
    return method


_loaded = lru_cache(maxsize=2)(load)


def inpaint(
    image: Source,
    mask: Source | None = None,
    method: str = DEFAULT_METHOD,
    **options: Unpack[FillOptions],
) -> NDArray[Any]:
    """Fill the hole of one image and return its pixels, like ``cv2.inpaint``.

    The method is loaded at the first call and kept. For more options, warnings and metadata use
    `load`.

    Args:
        image: ``HW``, ``HW1``, ``HW3`` RGB or ``HW4`` RGBA; uint8, uint16, or float in [0, 1]; or
            anything else that `Inpainter` takes.
        mask: ``HW``, True or above the middle of its range = hole; None: the transparent part is
            the hole.
        method: One of `METHODS`.
        **options: The options of `Inpainter.__call__`.

    Returns:
        A new array of the image's shape and dtype; known pixels are bit-identical. For a path,
        bytes or a PIL image: ``HW`` or ``HW3``, uint8 or uint16.

    Raises:
        GatefillError: If an input cannot be read or used.
        FileNotFoundError: If a file does not exist.
    """
    result = _loaded(method)(image, mask, **options)
    if not isinstance(image, np.ndarray):
        return np.array(result)
    filled = image.copy()
    colors = filled[..., None] if image.ndim == 2 else filled
    hole, channels = result.mask, result.photo.pixels.shape[2]
    found: NDArray[Any] = result.photo.pixels[hole]
    is_float = image.dtype.kind == "f"
    if is_float:
        found = found / np.float32(result.photo.max_value)
    colors[hole, :channels] = found.astype(image.dtype)
    if mask is None:  # the transparent part has been filled
        colors[hole, -1] = 1 if is_float else result.photo.max_value
    return filled
