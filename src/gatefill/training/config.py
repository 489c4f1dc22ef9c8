"""Configuration of a training run: dataclasses that recipes return, changed by ``--set``."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gatefill.errors import ConfigError, did_you_mean
from gatefill.masks import MASKS
from gatefill.settings import expect_at_least

Initialization = Literal["published", "keep_variance"]


def mask_weights(text: str) -> dict[str, float]:
    """Kinds of masks and how often each is drawn: ``brush:2,box:1`` -> two of three are brushes.

    Raises:
        ConfigError: If a kind is unknown or given twice, or a weight is invalid.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        kind, colon, weight = (piece.strip() for piece in part.partition(":"))
        if kind not in MASKS:
            raise ConfigError(
                f"expected data.masks as kinds among {', '.join(MASKS)}, with weights such as "
                f"brush:2,box:1, got {kind!r:.80}{did_you_mean(kind, MASKS)}",
                code="masks.unknown_kind",
                kind=kind[:80],
                known=list(MASKS),
            )
        if kind in found:
            raise ConfigError(
                f"expected each kind in data.masks once, got {kind} twice",
                code="train.masks",
                kind=kind,
            )
        try:
            found[kind] = float(weight) if colon else 1.0
        except ValueError:
            found[kind] = -1.0
        if not 0 < found[kind] < float("inf"):
            raise ConfigError(
                f"expected a weight above 0 for {kind} in data.masks, got {weight!r}",
                code="train.masks",
                kind=kind,
                value=weight[:80],
            )
    return found


@dataclass(frozen=True)
class DataConfig:
    """How samples are made from the images."""

    size: int | str = 256  # side of a sample in pixels, or its WIDTHxHEIGHT, such as 256x192
    random_crop: bool = True  # at full resolution; False: the whole image is resized
    scale: tuple[float, float] = (1.0, 1.0)  # range of the random scale, before the crop
    flip: bool = False  # flip half of the samples horizontally
    masks: str = "box_or_brush"  # a kind, or several with their weights: brush:2,box:1
    mask_folder: Path | None = None  # folder of mask files to use instead
    # files: NAME_edge.png; drawn: by Canny; both: half of each
    sketches: Literal["none", "files", "drawn", "both"] = "none"
    sketch_share: float = 1.0  # share of the samples with a sketch
    holdout: int = 64  # images kept for validation, unless given separately
    workers: int = 1  # processes that load data, per training process; 0: none
    cache_mb: int = 1024  # decoded images kept in memory, per training process
    shuffle: int = 1000  # samples that shards are shuffled among

    def __post_init__(self) -> None:
        low, high = self.scale
        if any(side < 8 or side % 8 for side in self.shape):
            raise ConfigError(
                f"expected data.size as multiples of 8 from 8 on, got {self.size}",
                code="train.size",
                value=self.size,
            )
        if not 0 < low <= high:
            raise ConfigError(
                f"expected data.scale as two factors 0 < low <= high, got {low},{high}",
                code="train.scale",
                low=low,
                high=high,
            )
        mask_weights(self.masks)
        expect_at_least(0, holdout=self.holdout, workers=self.workers, cache_mb=self.cache_mb)
        expect_at_least(1, shuffle=self.shuffle)

    @property
    def reads_edges(self) -> bool:
        """Whether sketches come from files beside the images."""
        return self.sketches in ("files", "both")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a sample."""
        if isinstance(self.size, int):
            return self.size, self.size
        width, cross, height = self.size.lower().partition("x")
        if not (cross and width.isdecimal() and height.isdecimal()):
            raise ConfigError(
                f"expected data.size as pixels or WIDTHxHEIGHT, such as 256x192, got {self.size!r}",
                code="train.size",
                value=self.size[:80],
            )
        return int(height), int(width)


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer and learning rate."""

    lr: float = 1e-4
    critic_lr: float | None = None  # learning rate of the critic; None: that of the generator
    betas: tuple[float, float] = (0.5, 0.999)
    kind: Literal["adam", "tensorflow", "adadelta"] = "adam"  # see `gatefill.training.optimizers`
    clip: float | None = None  # maximum norm of the gradient
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: int = 0  # images over which the learning rate rises from 0
    last: float = 0.02  # final learning rate of the cosine schedule, as a fraction

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ConfigError(
                f"expected optimizer.lr above 0, got {self.lr}",
                code="config.range",
                name="optimizer.lr",
                value=self.lr,
            )
        if self.clip is not None and self.clip <= 0:
            raise ConfigError(
                f"expected optimizer.clip above 0 or none, got {self.clip}",
                code="config.range",
                name="optimizer.clip",
                value=self.clip,
            )


@dataclass(frozen=True)
class TermsConfig:
    """Weights of losses that are added to those of any method; 0 = off."""

    perceptual: float = 0.0  # LPIPS in the holes
    style: float = 0.0  # difference of the covariances of the same features over each hole
    dists: float = 0.0  # DISTS of the samples; needs VGG-16
    dists_weights: Path | None = None  # its published alpha and beta
    perceptual_weights: Path | None = None  # weights of AlexNet or VGG-16, needed by all three
    weighting: Literal["lpips", "plain"] = "lpips"  # of the features' channels
    taps: int = 4  # number of feature maps, of five; fewer are faster
    # Side in pixels of a window around a random position of the hole, to which they are restricted;
    # the time is proportional to its area. None: the whole sample.
    window: int | None = None
    spectral: float = 0.0  # difference of local spectra; see training/spectral.py
    hinge: float = 0.0  # separate discriminator for the boundaries of holes
    hinge_reach: int = 24  # pixels from the known part; beyond, it gets the ground truth
    hinge_width: int = 32  # channels of its first layer
    teacher: float = 0.0  # L1 to the output of another network, in all stages
    teacher_weights: Path | None = None  # weights of that network, of any method

    def __post_init__(self) -> None:
        weights = ("perceptual", "style", "dists", "spectral", "hinge", "teacher")
        expect_at_least(0, **{f"terms.{name}": getattr(self, name) for name in weights})
        if self.window is not None and self.window < 64:
            raise ConfigError(
                f"expected terms.window of 64 or more or none, got {self.window}",
                code="config.range",
                name="terms.window",
                value=self.window,
            )
        expect_at_least(1, hinge_reach=self.hinge_reach, hinge_width=self.hinge_width)
        if not 1 <= self.taps <= 5:
            raise ConfigError(
                f"expected terms.taps from 1 to 5, got {self.taps}",
                code="config.range",
                name="terms.taps",
                value=self.taps,
            )


@dataclass(frozen=True)
class TrainConfig:
    """One training run. A recipe is a function that returns one of these."""

    recipe: str
    method: str
    network: Any  # the config dataclass of the method's network
    loss: Any  # the config dataclass of the method's objective
    images: int  # budget: number of images to train the generator on
    # Time budget, over all sessions: schedule and phases, which are given in images, then follow
    # the clock, scaled as if `images` took this long. None: the budget is `images`.
    minutes: float | None = None
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    terms: TermsConfig = field(default_factory=TermsConfig)
    batch_size: int = 16  # samples per step, over all processes and accumulated parts
    accumulate: int = 1  # number of parts of a batch, to save memory
    ema: float = 0.0  # decay of the averaged generator, which is exported; 0: off
    initialization: Initialization = "published"
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"  # auto: bf16 where it is fast
    channels_last: bool = True  # memory format of features; affects the speed only
    compile: bool = False  # torch.compile of the generator; needs a C++ compiler
    seed: int = 0
    log_every: int = 1600  # images between lines of the log
    validate_every: int = 16_000  # images; example images are drawn as well
    checkpoint_every: int = 16_000  # images
    keep: int = 2  # number of checkpoints to keep besides the best one
    best_by: Literal["hole_l1", "psnr", "ssim", "lpips"] = "hole_l1"
    # Weights of AlexNet or VGG-16 for LPIPS in validation; None: terms.perceptual_weights.
    lpips_weights: Path | None = None
    patience: int = 10  # steps in a row with NaN or infinity before the run stops

    def __post_init__(self) -> None:
        expect_at_least(
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
        if not 0 <= self.seed < 2**63:
            raise ConfigError(
                f"expected seed in 0..{2**63 - 1}, got {self.seed}",
                code="config.range",
                name="seed",
                value=self.seed,
                least=0,
                most=2**63 - 1,
            )
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ConfigError(
                f"expected minutes above 0 or none, got {self.minutes}",
                code="config.range",
                name="minutes",
                value=self.minutes,
            )
        if not 0 <= self.ema < 1:
            raise ConfigError(
                f"expected ema in [0, 1), got {self.ema}",
                code="config.range",
                name="ema",
                value=self.ema,
            )
        guided = getattr(self.network, "guided", False)
        if guided and self.data.sketches == "none":
            raise ConfigError(
                "a guided network needs data.sketches=drawn, files or both",
                code="train.sketches",
            )

    @property
    def channel_order(self) -> Literal["bgr", "rgb"]:
        """The order of the color channels of the network."""
        order: Literal["bgr", "rgb"] = self.network.channel_order
        return order

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values that JSON can hold."""
        return dataclasses.asdict(self)

    def per_process(self, processes: int) -> int:
        """Return the samples per process in one part of a batch."""
        parts = processes * self.accumulate
        if self.batch_size % parts:
            raise ConfigError(
                f"expected a batch_size that {processes} processes x {self.accumulate} parts "
                f"divide, got {self.batch_size}",
                code="train.batch_size",
                value=self.batch_size,
            )
        return self.batch_size // parts
