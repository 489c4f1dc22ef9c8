"""The options of PatchMatch."""

from __future__ import annotations

from dataclasses import dataclass

from gatefill.errors import ConfigError
from gatefill.settings import check_fields


@dataclass(frozen=True)
class PatchMatchConfig:
    """How PatchMatch fills.

    patch_size: side of the compared patches, odd pixels; larger ones keep larger structures.
    levels: how many times the photo is halved at most. rounds: searches and votes at full
    resolution; each coarser level does two more. passes: search passes a round at those levels.
    texture: weight of texture against color. guide: weight of a guide image or sketch.
    sharpness: how much more the better matches count in a vote. finish: correct the color offsets
    that are left at the hole's boundary and between its parts. repeats: look for what repeats
    around the hole, and continue it. edges: start the coarse levels from edges that go on into the
    hole. seed: random seed of the search. Many specks, see `atlas`, are filled with one pass and
    without repeats and edges.
    """

    patch_size: int = 9
    levels: int = 8
    rounds: int = 1
    passes: int = 2
    texture: float = 1.0
    guide: float = 1.0
    sharpness: float = 1.0
    finish: bool = True
    repeats: bool = True
    edges: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(
            self,
            patch_size=(3, 31),
            levels=(0, 32),
            rounds=(1, 1000),
            passes=(1, 1000),
            texture=(0, 4),
            guide=(0, 16),
            sharpness=(0, 100),
            seed=(0, 2**64 - 1),
        )
        if self.patch_size % 2 == 0:
            raise ConfigError(
                f"expected patch_size to be odd, got {self.patch_size}",
                code="config.odd",
                name="patch_size",
                value=self.patch_size,
            )
