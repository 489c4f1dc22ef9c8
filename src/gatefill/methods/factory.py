"""From a method's name to the method; its module is imported only here, when it is chosen."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TypeVar

from gatefill.extras import require
from gatefill.methods.base import Method, MethodInfo
from gatefill.methods.infos import METHODS
from gatefill.methods.network_parts import check_device, has_network, network_parts

Config = TypeVar("Config")


def info_of(name: str) -> MethodInfo:
    """The table's row of a method. Raises ValueError for an unknown name, with close ones."""
    if name in METHODS:
        return METHODS[name]
    near = get_close_matches(name.lower().replace("-", "_"), METHODS, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"expected a method, one of {', '.join(METHODS)}, got {name!r}{hint}")


def create(
    name: str,
    config: object | None = None,
    *,
    device: str = "cpu",
) -> Method:
    """The method of that name, ready to fill.

    config: its config dataclass; None takes the defaults.
    device: where torch is to run a network, which has random weights here; networks with weights
    come out of their files, see `gatefill.checkpoints.load_method`.
    Raises ValueError for an unknown name, a config of another method or a device that is not
    there; MissingExtra (an ImportError) where packages are missing.
    """
    info = info_of(name)
    for extra in info.needs:
        require(extra, name)
    if name == "patchmatch":
        from gatefill.methods.patchmatch import PatchMatch, PatchMatchConfig

        if device != "cpu":
            raise ValueError(f"expected device 'cpu' for {name}, got {device!r}")
        return PatchMatch(_fitting(config, PatchMatchConfig, name))
    if name == "hybrid":
        raise ValueError("hybrid needs a network with weights: gatefill.load has one")
    if has_network(name):
        parts = network_parts(name)
        check_device(device)
        return parts.method(config=_fitting(config, parts.config, name), device=device)
    raise AssertionError(f"{name} stands in the table of methods but cannot be created")


def steered_by(network: Method | None, config: object | None = None) -> Method:
    """PatchMatch steered by a network that is ready to fill; without one, PatchMatch alone.

    config: a `HybridConfig`; None takes the defaults. Raises ValueError for any other.
    """
    from gatefill.methods.hybrid import Hybrid, HybridConfig

    fitting = _fitting(config, HybridConfig, "hybrid")
    if network is None:
        return create("patchmatch", None if config is None else fitting.patchmatch)
    return Hybrid(network, fitting)


def default_config(name: str) -> object:
    """The config dataclass of a method with its defaults, to be changed and given to `create`."""
    info = info_of(name)
    if name == "hybrid":  # also where torch is missing: it goes on as PatchMatch
        from gatefill.methods.hybrid import HybridConfig

        return HybridConfig()
    for extra in info.needs:
        require(extra, name)
    if name == "patchmatch":
        from gatefill.methods.patchmatch import PatchMatchConfig

        return PatchMatchConfig()
    if has_network(name):
        config: object = network_parts(name).config()
        return config
    raise AssertionError(f"{name} stands in the table of methods but has no config")


def _fitting(config: object | None, kind: type[Config], name: str) -> Config:
    if config is None:
        return kind()
    if not isinstance(config, kind):
        raise ValueError(
            f"expected a {kind.__name__} as config of {name}, got {type(config).__name__}"
        )
    return config
