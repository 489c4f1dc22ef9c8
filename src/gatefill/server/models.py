"""The models of a server: inpainters that are loaded once and kept in memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from gatefill.errors import ConfigError, Warning, did_you_mean
from gatefill.extras import installed
from gatefill.inpainter import Inpainter
from gatefill.loading import DEFAULT_METHOD, load
from gatefill.methods import METHODS, MethodInfo
from gatefill.methods.base import Seeded
from gatefill.methods.registry import unknown_method

# The models of IOPaint, by the names that its clients send, and the names of those from a hub.
_IOPAINT = frozenset(
    {
        *("lama", "anime-lama", "ldm", "zits", "mat", "fcf", "manga", "cv2", "migan"),
        *("sd1.5", "sd2", "sdxl", "anything4", "realizticvision1.4", "paint_by_example"),
        *("instruct_pix2pix", "kandinsky2.2", "powerpaint"),
    }
)
_HUB = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


class UnknownModel(ConfigError):  # noqa: N818 - the name says what is wrong
    """The name of a model that does not exist."""


@dataclass(eq=False)
class Model:
    """An inpainter and the name by which clients select it."""

    name: str  # the method's name, followed by ":" and the name of its weights file, if any
    inpainter: Inpainter
    weights: str | None = None  # name of the weights

    @property
    def info(self) -> MethodInfo:
        return self.inpainter.method.info

    @property
    def seed(self) -> int | None:
        """The default random seed of its fills; None for a method without one."""
        method = self.inpainter.method
        return method.seed if isinstance(method, Seeded) else None

    def seeded(self, seed: int | None = None) -> Inpainter:
        """Return the inpainter, which any number of threads may use at the same time.

        seed: Another random seed for its fills, if its method has one.
        """
        return self.inpainter if seed is None else self.inpainter.seeded(seed)

    def warm_up(self) -> None:
        """Fill a small image, so that the first request does not wait for compilation."""
        rng = np.random.default_rng(0)
        photo = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        mask = np.zeros((64, 64), np.bool_)
        mask[24:40, 24:40] = True
        self.inpainter(photo, mask)


class Shelf:
    """The available models; one of them is the default."""

    def __init__(self, models: Sequence[Model], chosen: str | None = None) -> None:
        if not models:
            raise ConfigError("expected at least one model, got none", code="server.empty")
        self._models = {model.name: model for model in models}
        self._chosen = self.get(chosen or models[0].name)

    @property
    def chosen(self) -> Model:
        return self._chosen

    def choose(self, name: str) -> Model:
        """Make a model the default."""
        self._chosen = self.get(name)
        return self._chosen

    def get(self, name: str | None) -> Model:
        """The model of that name, or the default for None. Raises UnknownModel."""
        if name is None:
            return self._chosen
        if name not in self._models:
            raise UnknownModel(
                f"expected a model, one of {', '.join(self._models)}, got {name[:80]!r}"
                f"{did_you_mean(name[:80], self._models)}",
                code="server.unknown_model",
                model=name[:80],
                known=list(self._models),
            )
        return self._models[name]

    def stand_in(self, name: str | None) -> tuple[Model, tuple[Warning, ...]]:
        """As `get`, but the default with a warning for the name of one of IOPaint's models."""
        if not name or name in self._models:
            return self.get(name or None), ()
        if name.lower() not in _IOPAINT and not _HUB.fullmatch(name):
            return self.get(name), ()
        model = self._chosen
        text = f"this server has no model {name[:80]}: {model.name} filled the hole"
        said = {"model": name[:80], "used": model.name}
        return model, (Warning("server.other_model", text, said),)

    def all(self) -> list[Model]:
        return list(self._models.values())


def shelf(
    method: str | None = None,
    weights: Sequence[Path] = (),
    *,
    device: str = "cpu",
    large: Literal["auto", "whole", "crop", "resize"] = "auto",
    max_pixels: int,
    memory_limit: int | None = None,
) -> Shelf:
    """Load all available models: the given weights, alone and as hybrid, and the built-in ones.

    method: The initial default. None: that of the first weights, else gatefill's default.
    memory_limit: See `Inpainter`.
    Raises ConfigError for an unknown method, for a method whose weights are missing, and for
    damaged weights.
    """
    models: list[Model] = []
    for path in weights:
        for steering in (None, "hybrid"):
            inpainter = load(
                steering, weights=path, device=device, large=large, max_pixels=max_pixels,
                memory_limit=memory_limit,
            )  # fmt: skip
            name = f"{inpainter.method.info.name}:{path.stem}"
            if any(name == model.name for model in models):
                raise ConfigError(
                    f"expected weights files of different names, got {path.name} twice",
                    code="server.weights_twice",
                    file=path.name,
                )
            models.append(Model(name, inpainter, path.stem))
    for info in METHODS.values():
        if (info.shipped or not info.takes_weights) and all(map(installed, info.needs)):
            # only networks run on the device
            where = device if info.takes_weights else "cpu"
            inpainter = load(
                info.name,
                device=where,
                large=large,
                max_pixels=max_pixels,
                memory_limit=memory_limit,
            )
            models.append(Model(info.name, inpainter, info.shipped))
    if method is None and not weights:
        return Shelf(models, DEFAULT_METHOD)
    if method is None:
        return Shelf(models)
    if method not in METHODS:
        raise unknown_method(method, METHODS)
    for model in models:
        if model.info.name == method:
            return Shelf(models, model.name)
    raise ConfigError(
        f"{method} needs weights: give a file of them",
        code="method.needs_weights",
        method=method,
    )
