"""Networks out of weights files: the header picks the network, the tensors must fit it."""

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
    """The method that a weights file is for, ready to fill.

    Args:
        path: A gatefill weights file, or an ONNX file that `gatefill export` made for gatefill.
        device: Where torch runs it, such as ``"cuda"``.
        options: How the network is used; None does as the file says.
        quick_start: Whether onnxruntime is to be preferred where it can run the file, because
            importing torch would take longer than filling.

    Raises:
        WeightsError: As `load_network` does.
        ConfigError: For a device that is not there, and a runtime that cannot run the file.
        MissingExtra: (an ImportError) Without torch, where it is needed.
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
    """Whether onnxruntime is to run the weights. Raises ConfigError for what cannot be had."""
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
    # torch that came with another program may lack what its weights are read by.
    by_torch = installed("torch") and installed("torch", module="safetensors")
    return may and (quick_start or not by_torch)


def load_network(path: str | os.PathLike[str]) -> tuple[WeightsInfo, nn.Module]:
    """The network of a weights file, on the CPU in float32, ready for inference.

    Raises WeightsError, in one line, where the file is damaged, or where its config or its tensors
    do not fit the method it names; MissingExtra without torch.
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
    """The shapes of a network's weights, found without allocating any of them.

    A file may claim any width: the sizes are compared before memory is taken. Raises WeightsError
    for a config of which no network can be built.
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
