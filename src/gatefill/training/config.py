"""What a training run is: dataclasses that recipes return and ``--set KEY=VALUE`` changes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from gatefill.masks import MASKS

MaskKind = Literal[
    "box",
    "brush",
    "box_or_brush",
    "lama_thin",
    "lama_medium",
    "lama_thick",
    "irregular",
    "center",
]
Initialisation = Literal["published", "keep_variance"]


@dataclass(frozen=True)
class DataConfig:
    """What is cut out of the images."""

    size: int = 256  # side of a sample in pixels
    random_crop: bool = True  # at full resolution; else the whole image is resized to the sample
    scale: tuple[float, float] = (1.0, 1.0)  # images are scaled by a factor from here, then cropped
    flip: bool = False  # left and right, in half of the samples
    masks: MaskKind = "box_or_brush"
    sketches: Literal["none", "files", "drawn"] = "none"  # files: NAME_edge.png; drawn: by Canny
    sketch_share: float = 1.0  # of the samples; the others have no edges
    holdout: int = 64  # images kept for validation, where there is no folder for it
    workers: int = 1  # processes that load data, per training process; 0: none
    cache_mb: int = 1024  # decoded images kept in memory, per training process
    shuffle: int = 1000  # samples that shards are shuffled among

    def __post_init__(self) -> None:
        low, high = self.scale
        if self.size < 8 or self.size % 8:
            raise ValueError(f"expected data.size as a multiple of 8 from 8 on, got {self.size}")
        if not 0 < low <= high:
            raise ValueError(
                f"expected data.scale as two factors 0 < low <= high, got {low},{high}"
            )
        if self.masks not in MASKS:
            raise ValueError(f"expected data.masks as one of {', '.join(MASKS)}, got {self.masks}")
        _expect_at_least(0, holdout=self.holdout, workers=self.workers, cache_mb=self.cache_mb)
        _expect_at_least(1, shuffle=self.shuffle)


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become steps."""

    lr: float = 1e-4
    critic_lr: float | None = None  # none: as the generator's
    betas: tuple[float, float] = (0.5, 0.999)
    kind: Literal["adam", "tensorflow", "adadelta"] = "adam"  # see `gatefill.training.optimizers`
    clip: float | None = None  # largest norm of a gradient
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: int = 0  # images over which the rate rises from 0
    last: float = 0.02  # share of the rate that a cosine ends with

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ValueError(f"expected optimizer.lr above 0, got {self.lr}")
        if self.clip is not None and self.clip <= 0:
            raise ValueError(f"expected optimizer.clip above 0 or none, got {self.clip}")


@dataclass(frozen=True)
class TrainConfig:
    """One training run. A recipe is a function that returns one of these."""

    recipe: str
    method: str
    network: Any  # the config dataclass of the method's network
    loss: Any  # the config dataclass of the method's objective
    images: int  # budget: how many the generator is trained on
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    batch_size: int = 16  # of one step, over all processes and accumulated parts
    accumulate: int = 1  # parts that a batch is worked off in, where memory is short
    ema: float = 0.0  # decay of the averaged generator that is exported; 0: none
    initialisation: Initialisation = "published"
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"  # auto: bf16 where it is fast
    channels_last: bool = True  # the order of features in memory; a matter of speed only
    compile: bool = False  # torch.compile of the generator; needs a C++ compiler
    seed: int = 0
    log_every: int = 1600  # images between lines of the log
    validate_every: int = 16_000  # images; also how often sample pictures are drawn
    checkpoint_every: int = 16_000  # images
    keep: int = 2  # checkpoints beside the best
    best_by: Literal["hole_l1", "psnr", "ssim"] = "hole_l1"
    patience: int = 10  # steps in a row with NaN or infinity before the run stops

    def __post_init__(self) -> None:
        _expect_at_least(
            1,
            images=self.images,
            batch_size=self.batch_size,
            accumulate=self.accumulate,
            log_every=self.log_every,
            validate_every=self.validate_every,
            checkpoint_every=self.checkpoint_every,
            keep=self.keep,
            patience=self.patience,
        )
        _expect_at_least(0, seed=self.seed)
        if not 0 <= self.ema < 1:
            raise ValueError(f"expected ema in [0, 1), got {self.ema}")
        guided = getattr(self.network, "guided", False)
        if guided and self.data.sketches == "none":
            raise ValueError("a guided network needs data.sketches=drawn or data.sketches=files")

    @property
    def channel_order(self) -> Literal["bgr", "rgb"]:
        """In which order the network takes colours."""
        order: Literal["bgr", "rgb"] = self.network.channel_order
        return order

    def as_dict(self) -> dict[str, Any]:
        """All fields as what JSON can hold."""
        return dataclasses.asdict(self)

    def per_process(self, processes: int) -> int:
        """Samples in one part of a batch on one of the processes."""
        parts = processes * self.accumulate
        if self.batch_size % parts:
            raise ValueError(
                f"expected a batch_size that {processes} processes x {self.accumulate} parts "
                f"divide, got {self.batch_size}"
            )
        return self.batch_size // parts


def _expect_at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        if value < least:
            raise ValueError(f"expected {name} of {least} or more, got {value}")
