from __future__ import annotations

import numpy as np
import pytest

from gatefill.checkpoints.official_names import (
    discriminator_from_official,
    discriminator_to_official,
    generator_from_official,
    generator_to_official,
)
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.training.discriminators import SNPatchGAN, SNPatchGANConfig
from tests.official import arrays


@pytest.mark.parametrize(("name", "guided"), [("tiny", False), ("tiny_guided", True)])
def test_official_names_fit_our_networks_and_come_back(name, guided):
    official = arrays(f"{name}_weights_initial")
    generator, discriminator = (
        generator_from_official(official),
        discriminator_from_official(official),
    )
    DeepFillV2Network(DeepFillV2Config(width=4, guided=guided)).load_state_dict(generator)
    SNPatchGAN(SNPatchGANConfig(width=8, guided=guided)).load_state_dict(discriminator)

    back = generator_to_official(generator) | discriminator_to_official(discriminator)
    assert back.keys() == official.keys()
    for variable, value in official.items():
        np.testing.assert_array_equal(back[variable], value)


def test_slots_of_the_optimizer_are_left_aside():
    kernel = np.zeros((3, 3, 4, 8), dtype=np.float32)
    names = ("kernel", "kernel/Adam", "kernel/Adam_1")
    state = generator_from_official({f"inpaint_net/conv3/{name}": kernel for name in names})
    assert list(state) == ["conv3.weight"]
    assert state["conv3.weight"].shape == (8, 4, 3, 3)
