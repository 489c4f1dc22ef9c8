"""The table of methods: facts about each, and the import paths of its parts.

Reading the table loads no method; a part is imported when it is asked for.
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
_TORCH = "gatefill.runtime.torch"  # by path as well: the core has no torch
_NETWORK_METHOD = "gatefill.methods.network:NetworkMethod"
_OBJECTIVES = "gatefill.training.objectives"
_RECIPES = "gatefill.training.recipes"


@dataclass(frozen=True)
class MethodInfo:
    """Facts about a method, known without loading it."""

    name: str
    title: str
    paper: str
    semantic: bool  # the four properties of the first table of arXiv 1806.03589
    non_local: bool
    free_form: bool
    user_guided: bool
    needs: tuple[str, ...] = ()  # extras of the package, such as "torch"
    trainable: bool = False
    takes_weights: bool = False
    shipped: str | None = None  # name of the weights that come with the package
    takes_sketch: bool = False
    takes_search: bool = False  # whether it copies, from where `search` allows
    multiple: int = 1  # sides of the image are padded to a multiple of this by the method
    max_side: int | None = None  # longest side it is meant for; larger photos are filled by crops


@dataclass(frozen=True)
class Entry:
    """A method. Import paths are ``"package.module:name"``."""

    info: MethodInfo
    method: str  # the class behind the interface `Method`
    config: str  # its config dataclass
    network: str | None = None  # config -> torch module, where the method runs one of its own
    finish: str | None = None  # the function that comes after the network, where wanted
    objective: str | None = None  # the class that training uses
    recipes: Mapping[str, str] = field(default_factory=dict)  # name -> function that makes a config
    steers: bool = False  # whether it is built around a network that is ready to fill

    def load(self, part: str) -> Any:
        """Import one of the parts: ``"method"``, ``"config"``, ``"network"``, ``"objective"``.

        Raises ConfigError where the method has no such part.
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
            paper="a network that steers PatchMatch, docs/hybrid.md",
            semantic=True,
            non_local=True,
            free_form=True,
            user_guided=True,
            takes_weights=True,
            shipped="compact",
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
    """The table's entry of a method. Raises ConfigError for an unknown name, with close ones."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    raise unknown_method(name, METHODS)


def network_entry(name: str) -> Entry:
    """The entry of a method that runs a network of its own. Raises ConfigError for any other."""
    known = {each.info.name: each for each in ENTRIES if each.network is not None}
    if name in known:
        return known[name]
    raise unknown_method(name, known, "a method with a network")


def unknown_method(name: str, known: Mapping[str, object], wanted: str = "a method") -> ConfigError:
    """What to raise for the name of a method that is not among those `known`."""
    return ConfigError(
        f"expected {wanted}, one of {', '.join(known)}, got {name!r:.80}"
        f"{did_you_mean(name, known)}",
        code="method.unknown",
        method=name[:80],
        known=list(known),
    )


def takes_no_weights(name: str, weights: object) -> ConfigError:
    """What to raise where a method that runs no network is given weights."""
    return ConfigError(
        f"expected no weights for {name}, which needs none, got {weights}",
        code="method.takes_no_weights",
        method=name,
        weights=str(weights),
    )


def info_of(name: str) -> MethodInfo:
    """What one can know of a method unloaded. Raises ConfigError for an unknown name."""
    return entry(name).info


def imported(path: str) -> Any:
    """What an import path of the table stands for."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def create(name: str, config: object | None = None, *, device: str = "cpu") -> Method:
    """A method, ready to fill.

    Args:
        name: One of `METHODS`.
        config: The method's config dataclass; None takes the defaults.
        device: Where torch is to run a network, which has random weights here; networks with
            weights come out of their files, see `gatefill.checkpoints.load_method`.

    Raises:
        ConfigError: For an unknown name, a config of another method, or a device that is not
            there or that the method cannot use.
        MissingExtra: (an ImportError) Where packages are missing.
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
    """A method around a torch network of its kind, which it takes for itself.

    Args:
        name: One of `METHODS` that has a network.
        network: Such a network, with its weights.
        finish: Whether what the method has to come after its network comes.
        device: Where torch is to run it.
        memory_limit: Bytes that features and attention may take; None takes the usual.

    Raises:
        ConfigError: For a device that torch cannot use here.
    """
    limit = {} if memory_limit is None else {"memory_limit": memory_limit}
    runtime = imported(f"{_TORCH}:TorchRuntime")(network, device=device, **limit)
    return _around(entry(name), runtime, finish)


def with_exported(path: str | os.PathLike[str], *, finish: bool | None = None) -> Method:
    """A method around an exported network, which onnxruntime runs.

    Args:
        path: An ONNX file that `gatefill export` made for gatefill.
        finish: Whether what the method has to come after its network comes; None does as the file
            says.

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
    """PatchMatch guided by a network; without one, PatchMatch alone.

    Args:
        network: A method that is ready to fill, or None.
        config: A `HybridConfig`; None takes the defaults.

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
    """The config dataclass of a method with its defaults, to be changed and given to `create`."""
    found = entry(name)
    if found.network is not None:
        require("torch", name)
    _require(found.info)
    return found.load("config")()


def _require(info: MethodInfo) -> None:
    for extra in info.needs:
        require(extra, info.name)


def _fitting(config: object | None, found: Entry) -> Any:
    """The config, or the defaults where it is None. Raises ConfigError for another's config."""
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
