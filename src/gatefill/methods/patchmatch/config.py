"""The options of PatchMatch."""

from __future__ import annotations

from dataclasses import dataclass

from gatefill.errors import ConfigError
from gatefill.settings import check_fields


@dataclass(frozen=True)
class PatchMatchConfig:
    """Options of PatchMatch.

    Many specks, see `atlas`, are filled with one pass and without repeats and edges.

    Attributes:
        patch_size: Side of the compared patches in pixels, odd; larger ones keep larger structures.
        levels: Largest number of times the photo is halved.
        rounds: Searches and votes at full resolution; each coarser level does two more.
        passes: Search passes per round at the coarser levels.
        texture: Weight of texture relative to color.
        guide: Weight of a guide image or sketch.
        sharpness: How much more the better matches count in a vote.
        finish: Correct the remaining color offsets at the hole's boundary and between its parts.
        repeats: Detect repetition around the hole, and continue it.
        edges: Initialize the coarse levels with edges extrapolated into the hole.
        seed: Random seed of the search.
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
