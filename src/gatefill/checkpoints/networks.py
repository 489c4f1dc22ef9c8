"""Loads networks from weights files: the header selects the network, the tensors must fit it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatefill.checkpoints.config import config_from
from gatefill.checkpoints.fit import Shapes, expect_shapes
from gatefill.checkpoints.native import WeightsInfo, load_weights
from gatefill.checkpoints.shipped import exported_form
from gatefill.errors import ConfigError, GatefillError, WeightsError
from gatefill.extras import installed
from gatefill.methods.base import Method
from gatefill.methods.network import NetworkOptions
from gatefill.methods.registry import network_entry, with_exported, with_network

if TYPE_CHECKING:
    from torch import nn


def load_method(
    path: str | os.PathLike[str],
    *,
    device: str = "cpu",
    options: NetworkOptions | None = None,
    quick_start: bool = False,
) -> Method:
    """Load the method that a weights file is for, ready to fill.

    Args:
        path: A gatefill weights file, or an ONNX file from `gatefill export` for gatefill.
        device: The torch device, such as ``"cuda"``.
        options: How the network is used. Default: as stored in the file.
        quick_start: Prefer onnxruntime if it can run the file, because importing torch would take
            longer than filling.

    Returns:
        The method.

    Raises:
        WeightsError: As for `load_network`.
        ConfigError: For a device that does not exist, and a runtime that cannot run the file.
        MissingExtra: (an ImportError) If torch is needed and not installed.
    """
    options = options or NetworkOptions()
    file = Path(path)
    exported = exported_form(file)
    if _by_onnxruntime(file, exported, device, options.runtime, quick_start):
        assert exported is not None
        return with_exported(exported, finish=options.finish)
    info, network = load_network(file)
    finish = info.finish if options.finish is None else options.finish
    return with_network(
        info.method, network, finish=finish, device=device, memory_limit=options.memory_limit
    )


def _by_onnxruntime(
    file: Path, exported: Path | None, device: str, runtime: str, quick_start: bool
) -> bool:
    """Return whether onnxruntime is to run the weights. Raises ConfigError for invalid options."""
    if runtime == "torch" and exported == file:
        raise ConfigError(
            f"expected a weights file for torch, got {file.name}, which only onnxruntime runs",
            code="device.only_onnxruntime",
            file=file.name,
        )
    if runtime == "onnxruntime" and exported is None:
        raise ConfigError(
            f"expected an ONNX file for onnxruntime, got {file.name}: `gatefill export` makes one",
            code="device.only_torch",
            file=file.name,
        )
    if runtime == "onnxruntime" or exported == file:
        if device != "cpu":
            raise ConfigError(
                f"expected device 'cpu' for a network that onnxruntime runs, got {device!r:.80}",
                code="device.cpu_only",
                method=file.name,
                device=device,
            )
        return True
    may = runtime == "auto" and exported is not None and device == "cpu"
    # If torch was installed by other means, the package that reads weights may be missing.
    by_torch = installed("torch") and installed("torch", module="safetensors")
    return may and (quick_start or not by_torch)


def load_network(path: str | os.PathLike[str]) -> tuple[WeightsInfo, nn.Module]:
    """Load the network of a weights file, on the CPU in float32, in inference mode.

    Raises WeightsError, in one line, if the file is damaged, or if its config or tensors do not fit
    its method; MissingExtra without torch.
    """
    info, state = load_weights(path)
    from gatefill.runtime.seeded import seeded

    try:
        found = network_entry(info.method)
        build = found.load("network")
        config = config_from(found.load("config"), info.config)
        expect_shapes(info.shapes, shapes_of(build, config))
    except GatefillError as problem:
        values = problem.values | {"file": Path(path).name}
        raise WeightsError(f"{Path(path).name}: {problem}", code=problem.code, **values) from None
    network: nn.Module = seeded(build, config)
    network.load_state_dict(state)
    return info, network.eval().requires_grad_(False)


def shapes_of(build: Callable[[Any], nn.Module], config: object) -> Shapes:
    """Return the shapes of a network's weights without allocating them.

    A file may claim any width: sizes are compared before memory is allocated. Raises WeightsError
        if no
    network can be built from the config.
    """
    import torch

    try:
        with torch.device("meta"):
            network = build(config)
    except (ValueError, RuntimeError, TypeError, ZeroDivisionError, OverflowError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise WeightsError(
            f"no network can be built of this config: {reason}",
            code="weights.no_network",
            reason=reason,
        ) from None
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}
