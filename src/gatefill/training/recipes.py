"""Recipes: functions that return the config of a run; the table of methods names them."""

from __future__ import annotations

from dataclasses import replace

from gatefill.errors import ConfigError, did_you_mean
from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config
from gatefill.methods.networks.global_local import GlobalLocalConfig
from gatefill.methods.networks.partial_conv import PartialConvConfig
from gatefill.methods.registry import RECIPES, imported
from gatefill.training.config import DataConfig, OptimizerConfig, TrainConfig
from gatefill.training.objectives import (
    DeepFillV1Loss,
    DeepFillV2Loss,
    GlobalLocalLoss,
    PartialConvLoss,
)


def deepfill_v2() -> TrainConfig:
    """As published and released: 256x256, batch 16, Adam 1e-4, about a million steps."""
    return TrainConfig(
        recipe="deepfill-v2-256",
        method="deepfill_v2",
        network=DeepFillV2Config(),
        loss=DeepFillV2Loss(),
        images=16_000_000,
        # TensorFlow's Adam, shared by both networks, trained the released weights.
        optimizer=OptimizerConfig(kind="tensorflow"),
    )


def deepfill_v2_guided() -> TrainConfig:
    """The same with a sketch as an input of both networks; edges are computed during training.

    The paper uses HED edges: put their files beside the images and set data.sketches=files.
    """
    config = deepfill_v2()
    return replace(
        config,
        recipe="deepfill-v2-guided-256",
        network=replace(config.network, guided=True),
        data=replace(config.data, sketches="drawn"),
    )


def deepfill_v1() -> TrainConfig:
    """As released: box holes, WGAN-GP with five critic steps, batch 16."""
    return TrainConfig(
        recipe="deepfill-v1-256",
        method="deepfill_v1",
        network=DeepFillV1Config(),
        loss=DeepFillV1Loss(),
        images=16_000_000,
        data=DataConfig(masks="box"),
        optimizer=OptimizerConfig(betas=(0.5, 0.9), kind="tensorflow"),
    )


def partial_conv() -> TrainConfig:
    """As published: 512x512, batch 6, fine-tuning with a frozen BatchNorm after two thirds.

    Needs VGG-16 weights: loss.vgg=FILE.
    """
    return TrainConfig(
        recipe="partial-conv-512",
        method="partial_conv",
        network=PartialConvConfig(),
        loss=PartialConvLoss(finetune_from=4_000_000),
        images=6_000_000,
        batch_size=6,
        data=DataConfig(size=512, masks="irregular", random_crop=False),
        optimizer=OptimizerConfig(lr=2e-4, betas=(0.9, 0.999)),
        log_every=600,
    )


def global_local() -> TrainConfig:
    """As published: 256x256, batch 96, Adadelta, three phases of 90, 10 and 400 thousand steps."""
    return TrainConfig(
        recipe="global-local-256",
        method="global_local",
        network=GlobalLocalConfig(),
        loss=GlobalLocalLoss(),
        images=500_000 * 96,
        batch_size=96,
        data=DataConfig(masks="box", scale=(1.0, 1.5), random_crop=False),
        optimizer=OptimizerConfig(lr=1.0, kind="adadelta"),
        log_every=9600,
        validate_every=96_000,
        checkpoint_every=96_000,
    )


def _laptop(config: TrainConfig, recipe: str) -> TrainConfig:
    """Settings for training on two cores: half width, 128x128, a smaller budget."""
    return replace(
        config,
        recipe=recipe,
        network=replace(
            type(config.network).compact(),
            **({"guided": True} if getattr(config.network, "guided", False) else {}),
        ),
        images=200_000,
        batch_size=8,
        data=replace(
            config.data,
            size=128,
            random_crop=True,
            scale=(0.3, 1.0),
            flip=True,
        ),
        optimizer=OptimizerConfig(
            lr=4e-4, betas=config.optimizer.betas, clip=1.0, schedule="cosine", warmup=1600
        ),
        ema=0.999,
        initialization="keep_variance",
        precision="auto",
        log_every=400,
        validate_every=4000,
        checkpoint_every=4000,
    )


def deepfill_v2_laptop() -> TrainConfig:
    """DeepFill v2 in a few hours: L1 alone first, then an adversarial loss of small weight."""
    loss = DeepFillV2Loss(
        adversarial=0.01, adversarial_from=16_000, discriminator_width=32, separate_batches=False
    )
    return replace(_laptop(deepfill_v2(), "deepfill-v2-laptop"), loss=loss)


def deepfill_v2_guided_laptop() -> TrainConfig:
    """The guided variant; one sample in five has no sketch, so that it fills without one, too."""
    config = _laptop(deepfill_v2_guided(), "deepfill-v2-guided-laptop")
    return replace(
        config,
        loss=deepfill_v2_laptop().loss,
        data=replace(config.data, sketch_share=0.8),
    )


def deepfill_v1_laptop() -> TrainConfig:
    """DeepFill v1 with one critic step per generator step."""
    loss = DeepFillV1Loss(critic_steps=1, critic_width=32)
    return replace(_laptop(deepfill_v1(), "deepfill-v1-laptop"), loss=loss)


def partial_conv_laptop() -> TrainConfig:
    """Partial convolution without the two VGG terms, so that it needs no other weights."""
    config = _laptop(partial_conv(), "partial-conv-laptop")
    return replace(
        config,
        network=replace(config.network, levels=6),  # 128 pixels are halved six times to 2
        loss=PartialConvLoss(perceptual=0.0, style=0.0, finetune_from=150_000),
    )


def global_local_laptop() -> TrainConfig:
    """Global & Local with its three phases shortened."""
    loss = GlobalLocalLoss(completion_images=80_000, critic_images=8_000, critic_width=16)
    config = _laptop(global_local(), "global-local-laptop")
    return replace(config, loss=loss, optimizer=replace(config.optimizer, lr=1e-3))


def recipe(name: str) -> TrainConfig:
    """Return the config of a recipe. Raises ConfigError for an unknown name, naming similar ones.

    The names of laptop variants may include the size of the full recipe: deepfill-v2-256-laptop.
    """
    known = name
    if name.endswith("-laptop"):
        known = name.replace("-256-", "-").replace("-512-", "-")
    if known in RECIPES:
        config: TrainConfig = imported(RECIPES[known])()
        return config
    raise ConfigError(
        f"expected a recipe, one of {', '.join(RECIPES)}, got {name!r:.80}"
        f"{did_you_mean(name, RECIPES)}",
        code="recipe.unknown",
        recipe=name[:80],
        known=list(RECIPES),
    )
