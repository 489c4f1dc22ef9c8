"""The table of methods: a description of each, and the import paths of its parts.

Reading the table imports no method; a part is imported when it is requested.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gatefill.errors import ConfigError, did_you_mean
from gatefill.extras import require

if TYPE_CHECKING:
    from gatefill.methods.base import Method

_NETWORKS = "gatefill.methods.networks"
_TORCH = "gatefill.runtime.torch"  # imported by path: the core install has no torch
_NETWORK_METHOD = "gatefill.methods.network:NetworkMethod"
_OBJECTIVES = "gatefill.training.objectives"
_RECIPES = "gatefill.training.recipes"


@dataclass(frozen=True)
class MethodInfo:
    """Description of a method, available without loading it."""

    name: str
    title: str
    paper: str
    semantic: bool  # the four properties of the first table of arXiv 1806.03589
    non_local: bool
    free_form: bool
    user_guided: bool
    needs: tuple[str, ...] = ()  # required extras of the package, such as "torch"
    trainable: bool = False
    takes_weights: bool = False
    shipped: str | None = None  # name of the weights that come with the package
    takes_sketch: bool = False
    takes_search: bool = False  # whether it accepts a search region to copy from
    multiple: int = 1  # the method pads the sides of images to a multiple of this
    max_side: int | None = None  # longest side of its training images; larger photos are cropped


@dataclass(frozen=True)
class Entry:
    """A method in the table. Import paths are ``"package.module:name"``."""

    info: MethodInfo
    method: str  # the class that implements `Method`
    config: str  # its config dataclass
    network: str | None = None  # config -> torch module, if the method has a network
    finish: str | None = None  # the post-processing function, if any
    objective: str | None = None  # the class for training
    recipes: Mapping[str, str] = field(default_factory=dict)  # name -> function that makes a config
    steers: bool = False  # whether it is built around another method's network

    def load(self, part: str) -> Any:
        """Import a part: ``"method"``, ``"config"``, ``"network"``, ``"objective"``.

        Raises ConfigError if the method has no such part.
        """
        path = getattr(self, part)
        if path is None:
            known = ", ".join(each.info.name for each in ENTRIES if getattr(each, part))
            raise ConfigError(
                f"expected a method with a {part} of its own, one of {known}, got {self.info.name}",
                code="method.no_part",
                method=self.info.name,
                part=part,
            )
        return imported(path)


ENTRIES = (
    Entry(
        info=MethodInfo(
            name="hybrid",
            title="Hybrid",
            paper="a network that guides PatchMatch, docs/hybrid.md",
            semantic=True,
            non_local=True,
            free_form=True,
            user_guided=True,
            takes_weights=True,
            shipped="guide",
            takes_sketch=True,
            takes_search=True,
        ),
        method="gatefill.methods.hybrid:Hybrid",
        config="gatefill.methods.hybrid:HybridConfig",
        steers=True,
    ),
    Entry(
        info=MethodInfo(
            name="patchmatch",
            title="PatchMatch",
            paper="Barnes et al., SIGGRAPH 2009",
            semantic=False,
            non_local=True,
            free_form=True,
            user_guided=True,
            takes_sketch=True,
            takes_search=True,
        ),
        method="gatefill.methods.patchmatch:PatchMatch",
        config="gatefill.methods.patchmatch:PatchMatchConfig",
    ),
    Entry(
        info=MethodInfo(
            name="global_local",
            title="Global & Local",
            paper="Iizuka et al., SIGGRAPH 2017",
            semantic=True,
            non_local=False,
            free_form=False,
            user_guided=False,
            needs=("torch",),
            trainable=True,
            takes_weights=True,
            multiple=4,
            max_side=512,
        ),
        method=_NETWORK_METHOD,
        config=f"{_NETWORKS}.global_local:GlobalLocalConfig",
        network=f"{_NETWORKS}.global_local:GlobalLocalNetwork",
        finish="gatefill.methods.blend:blend",
        objective=f"{_OBJECTIVES}.global_local:GlobalLocalObjective",
        recipes={
            "global-local-256": f"{_RECIPES}:global_local",
            "global-local-laptop": f"{_RECIPES}:global_local_laptop",
        },
    ),
    Entry(
        info=MethodInfo(
            name="deepfill_v1",
            title="DeepFill v1",
            paper="Yu et al., CVPR 2018, arXiv 1801.07892",
            semantic=True,
            non_local=True,
            free_form=False,
            user_guided=False,
            needs=("torch",),
            trainable=True,
            takes_weights=True,
            multiple=8,
            max_side=512,
        ),
        method=_NETWORK_METHOD,
        config=f"{_NETWORKS}.deepfill_v1:DeepFillV1Config",
        network=f"{_NETWORKS}.deepfill_v1:DeepFillV1Network",
        objective=f"{_OBJECTIVES}.deepfill_v1:DeepFillV1Objective",
        recipes={
            "deepfill-v1-256": f"{_RECIPES}:deepfill_v1",
            "deepfill-v1-laptop": f"{_RECIPES}:deepfill_v1_laptop",
        },
    ),
    Entry(
        info=MethodInfo(
            name="partial_conv",
            title="Partial Convolution",
            paper="Liu et al., ECCV 2018, arXiv 1804.07723",
            semantic=True,
            non_local=False,
            free_form=True,
            user_guided=False,
            needs=("torch",),
            trainable=True,
            takes_weights=True,
            max_side=512,
        ),
        method=_NETWORK_METHOD,
        config=f"{_NETWORKS}.partial_conv:PartialConvConfig",
        network=f"{_NETWORKS}.partial_conv:PartialConvNetwork",
        objective=f"{_OBJECTIVES}.partial_conv:PartialConvObjective",
        recipes={
            "partial-conv-512": f"{_RECIPES}:partial_conv",
            "partial-conv-laptop": f"{_RECIPES}:partial_conv_laptop",
        },
    ),
    Entry(
        info=MethodInfo(
            name="deepfill_v2",
            title="DeepFill v2",
            paper="Yu et al., ICCV 2019, arXiv 1806.03589",
            semantic=True,
            non_local=True,
            free_form=True,
            user_guided=True,
            trainable=True,
            takes_weights=True,
            shipped="standard",
            takes_sketch=True,  # a guided network does; what is loaded says so itself
            multiple=8,
            max_side=512,
        ),
        method=_NETWORK_METHOD,
        config=f"{_NETWORKS}.deepfill_v2:DeepFillV2Config",
        network=f"{_NETWORKS}.deepfill_v2:DeepFillV2Network",
        finish="gatefill.methods.rim:even_miss",
        objective=f"{_OBJECTIVES}.deepfill_v2:DeepFillV2Objective",
        recipes={
            "deepfill-v2-256": f"{_RECIPES}:deepfill_v2",
            "deepfill-v2-guided-256": f"{_RECIPES}:deepfill_v2_guided",
            "deepfill-v2-laptop": f"{_RECIPES}:deepfill_v2_laptop",
            "deepfill-v2-guided-laptop": f"{_RECIPES}:deepfill_v2_guided_laptop",
        },
    ),
)

METHODS: dict[str, MethodInfo] = {each.info.name: each.info for each in ENTRIES}
RECIPES: dict[str, str] = {name: path for each in ENTRIES for name, path in each.recipes.items()}
_BY_NAME = {each.info.name: each for each in ENTRIES}


def entry(name: str) -> Entry:
    """Return the entry of a method. Raises ConfigError for an unknown name, naming similar ones."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    raise unknown_method(name, METHODS)


def network_entry(name: str) -> Entry:
    """Return the entry of a method with a network. Raises ConfigError for any other name."""
    known = {each.info.name: each for each in ENTRIES if each.network is not None}
    if name in known:
        return known[name]
    raise unknown_method(name, known, "a method with a network")


def unknown_method(name: str, known: Mapping[str, object], wanted: str = "a method") -> ConfigError:
    """Return the error for a name that is not in `known`."""
    return ConfigError(
        f"expected {wanted}, one of {', '.join(known)}, got {name!r:.80}"
        f"{did_you_mean(name, known)}",
        code="method.unknown",
        method=name[:80],
        known=list(known),
    )


def takes_no_weights(name: str, weights: object) -> ConfigError:
    """Return the error for weights that are given to a method without a network."""
    return ConfigError(
        f"expected no weights for {name}, which needs none, got {weights}",
        code="method.takes_no_weights",
        method=name,
        weights=str(weights),
    )


def info_of(name: str) -> MethodInfo:
    """Return the description of a method. Raises ConfigError for an unknown name."""
    return entry(name).info


def imported(path: str) -> Any:
    """Import the object that an import path of the table refers to."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def create(name: str, config: object | None = None, *, device: str = "cpu") -> Method:
    """Create a method, ready to fill.

    Args:
        name: One of `METHODS`.
        config: The method's config dataclass. Default: its defaults.
        device: Device for a network in torch. The network has random weights; networks with weights
            are loaded with `gatefill.checkpoints.load_method`.

    Returns:
        The method.

    Raises:
        ConfigError: For an unknown name, a config of another method, or a device that does not
            exist or that the method cannot use.
        MissingExtra: (an ImportError) If packages of an optional extra are missing.
    """
    found = entry(name)
    _require(found.info)
    if found.steers:
        raise ConfigError(
            f"{name} needs a network with weights: gatefill.load has one",
            code="method.needs_network",
            method=name,
        )
    if found.network is not None:
        require("torch", name)
    fitting = _fitting(config, found)
    if found.network is not None:
        untrained = imported(f"{_TORCH}:untrained")
        network = untrained(found.load("network"), fitting, found.info.title)
        return with_network(name, network, device=device)
    if device != "cpu":
        raise ConfigError(
            f"expected device 'cpu' for {name}, got {device!r:.80}",
            code="device.cpu_only",
            method=name,
            device=device,
        )
    method: Method = found.load("method")(fitting)
    return method


def with_network(
    name: str,
    network: Any,
    *,
    finish: bool = True,
    device: str = "cpu",
    memory_limit: int | None = None,
) -> Method:
    """Create a method around a torch network, which it takes over.

    Args:
        name: One of `METHODS` that has a network.
        network: A network of that method, with its weights.
        finish: Whether to apply the method's post-processing.
        device: The torch device.
        memory_limit: Bytes that features and attention may take. Default: that of `NetworkOptions`.

    Raises:
        ConfigError: If torch cannot use the device.
    """
    limit = {} if memory_limit is None else {"memory_limit": memory_limit}
    runtime = imported(f"{_TORCH}:TorchRuntime")(network, device=device, **limit)
    return _around(entry(name), runtime, finish)


def with_exported(path: str | os.PathLike[str], *, finish: bool | None = None) -> Method:
    """Create a method around an exported network that onnxruntime runs.

    Args:
        path: An ONNX file that `gatefill export` wrote with the interface ``frame``.
        finish: Whether to apply the method's post-processing. Default: as stored in the file.

    Raises:
        WeightsError: For any other file.
    """
    runtime = imported("gatefill.runtime.onnx:OnnxRuntime")(path)
    wanted = runtime.finish if finish is None else finish
    return _around(network_entry(runtime.method), runtime, wanted)


def _around(found: Entry, runtime: Any, finish: bool) -> Method:
    after = found.load("finish") if finish and found.finish is not None else None
    method: Method = found.load("method")(found.info, runtime, finish=after)
    return method


def steered_by(network: Method | None, config: object | None = None) -> Method:
    """Create the hybrid of a network and PatchMatch; without a network, PatchMatch alone.

    Args:
        network: A method that is ready to fill, or None.
        config: A `HybridConfig`; Default: its defaults.

    Raises:
        ConfigError: For a config of another method.
    """
    found = entry("hybrid")
    fitting = _fitting(config, found)
    if network is None:
        return create("patchmatch", None if config is None else fitting.patchmatch)
    method: Method = found.load("method")(network, fitting)
    return method


def default_config(name: str) -> Any:
    """Return the config dataclass of a method with its defaults."""
    found = entry(name)
    if found.network is not None:
        require("torch", name)
    _require(found.info)
    return found.load("config")()


def _require(info: MethodInfo) -> None:
    for extra in info.needs:
        require(extra, info.name)


def _fitting(config: object | None, found: Entry) -> Any:
    """Return the config, or the defaults for None. Raises ConfigError for another method's."""
    kind = found.load("config")
    if config is None:
        return kind()
    if not isinstance(config, kind):
        raise ConfigError(
            f"expected a {kind.__name__} as config of {found.info.name}, "
            f"got {type(config).__name__}",
            code="config.type",
            method=found.info.name,
            config=type(config).__name__,
        )
    return config
