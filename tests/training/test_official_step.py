"""Discriminator, losses and one training step against runs of the original code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gatefill.checkpoints.official_names import discriminator_to_official, generator_to_official
from gatefill.layers import spectral_norm as spectral
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config
from gatefill.training.discriminators import SNPatchGANConfig
from gatefill.training.losses import hinge_discriminator_loss, hinge_generator_loss
from tests.official import (
    arrays,
    discriminator,
    generator,
    images_of,
    masks_of,
    nchw,
    sketches_of,
)

SN = "discriminator/sn_patch_gan"


@pytest.mark.parametrize("name", ["disc_100x76_batch2", "disc_256_batch2"])
def test_three_calls_of_the_discriminator(name):
    network = discriminator(arrays("weights_discriminator"), SNPatchGANConfig())
    run = arrays(name)
    if "x" in run:
        x = nchw(run["x"])
        image, mask = x[:, :3], x[:, 3:]
    else:
        image, mask = images_of(run), masks_of(run)
    for call in (1, 2, 3):
        with torch.inference_mode():
            values = network(image, mask)
        np.testing.assert_allclose(values.numpy(), run[f"out_call{call}"], atol=2e-6, rtol=0)
        for i in range(1, 7):
            u = network.get_submodule(f"conv{i}").u.numpy()
            wanted = run[f"u_after{call}/{SN}/conv{i}/kernel_sn/u"]
            np.testing.assert_allclose(u, wanted, atol=1e-6, rtol=0)


def test_hinge_losses():
    run = arrays("hinge")
    real, fake = torch.from_numpy(run["pos"]), torch.from_numpy(run["neg"])
    assert hinge_discriminator_loss(real, fake).item() == pytest.approx(run["d_loss"], abs=1e-7)
    assert hinge_generator_loss(fake).item() == pytest.approx(run["g_loss"], abs=1e-7)


def losses(run, g, d):
    """(discriminator's loss, reconstruction, generator's loss), as the original adds them up."""
    image, mask, sketch = images_of(run), masks_of(run), sketches_of(run)
    stages = g(image, mask, sketch)
    composite = stages.refined * mask + image * (1 - mask)
    twice = None if sketch is None else torch.cat([sketch, sketch])
    # One call for real and fake, hence one power iteration.
    values = d(torch.cat([image, composite]), torch.cat([mask, mask]), twice)
    real, fake = values.chunk(2)
    rebuilt = (image - stages.coarse).abs().mean() + (image - stages.refined).abs().mean()
    return (
        hinge_discriminator_loss(real, fake),
        rebuilt,
        rebuilt + hinge_generator_loss(fake),
        stages,
        values,
    )


def gradients(loss, network):
    names, leaves = zip(*network.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, leaves, retain_graph=True)
    return dict(zip(names, found, strict=True))


def test_one_step_at_full_width_with_gradients():
    run = arrays("train_step_128_batch2")
    # The other file's discriminator gradients read u after it moved.
    true = arrays("train_step_128_batch2_dgrads_resource_vars")
    g = generator(arrays("weights_generator"), DeepFillV2Config())
    d = discriminator(arrays("weights_discriminator"), SNPatchGANConfig())
    d_loss, rebuilt, g_loss, stages, values = losses(run, g, d)

    assert d_loss.item() == pytest.approx(run["d_loss"], abs=1e-6)
    assert rebuilt.item() == pytest.approx(run["ae_loss"], abs=1e-6)
    assert g_loss.item() == pytest.approx(run["g_loss_total"], abs=1e-6)
    wanted = run["disc_out_pos_then_neg"]
    np.testing.assert_allclose(values.detach().numpy(), wanted, atol=2e-6)
    half = stages.refined.detach()[:, :, ::2, ::2]
    torch.testing.assert_close(half, nchw(run["stage2_stride2"]), atol=5e-4, rtol=0)

    # gradients
    found = generator_to_official(gradients(g_loss, g))
    compare(found, run, "ggrad")
    compare(discriminator_to_official(gradients(d_loss, d)), true, "dgrad")


def compare(found, run, kind):
    # Some values of the discriminator's third layer lie within 1e-7 of the kink of its leaky ReLU:
    # on which side they fall depends on the processor, and with it the layers before.
    norm, each = (5e-3, 2e-2) if kind == "dgrad" else (1e-4, 1e-4)
    norms = [name for name in found if f"{kind}_l2/{name}" in run]
    assert len(norms) == len(found)
    for name in norms:
        length = np.sqrt(np.square(found[name].astype(np.float64)).sum())
        assert length == pytest.approx(run[f"{kind}_l2/{name}"], rel=norm), name
    whole = [name for name in found if f"{kind}/{name}" in run]
    assert whole
    for name in whole:
        wanted = run[f"{kind}/{name}"]
        # Of wide kernels every n-th output channel was kept.
        got = found[name][..., :: found[name].shape[-1] // wanted.shape[-1]]
        np.testing.assert_allclose(got, wanted, atol=each * abs(wanted).max(), rtol=0)


def adam_first_moments(network, loss, step):
    """A parameter's first Adam update when the optimizer has counted `step` steps.

    As TensorFlow's: one optimizer counts the steps of both networks, and epsilon is added before
    the bias correction.
    """
    beta1, beta2, epsilon = 0.5, 0.999, 1e-8
    rate = 1e-4 * np.sqrt(1 - beta2**step) / (1 - beta1**step)
    with torch.no_grad():
        for name, gradient in gradients(loss, network).items():
            mean, square = (1 - beta1) * gradient, (1 - beta2) * gradient.square()
            network.get_parameter(name).sub_(rate * mean / (square.sqrt() + epsilon))


# In the run that was recorded the generator's kernels were updated in place while gradients still
# flowed through them. These layers' gradients were taken before that.
BEFORE_THE_RACE = ("allconv", "pmconv6", "pmconv9", "pmconv10", "xconv9", "xconv10", "conv17")


@pytest.mark.parametrize(("name", "guided"), [("tiny", False), ("tiny_guided", True)])
def test_an_adam_step_of_each_tiny_network(name, guided, monkeypatch):
    run, weights = arrays(f"{name}_train_1step"), arrays(f"{name}_weights_initial")
    g = generator(weights, DeepFillV2Config(width=4, guided=guided))
    d = discriminator(weights, SNPatchGANConfig(width=8, guided=guided))
    # This run's discriminator gradient read u after it moved; so shall ours, here only.
    monkeypatch.setattr(spectral, "spectral_norm", reading_u_late(spectral.spectral_norm))

    d_loss, *_ = losses(run, g, d)
    assert d_loss.item() == pytest.approx(run["d_loss_step0"], abs=1e-6)
    adam_first_moments(d, d_loss, step=1)
    _, rebuilt, g_loss, *_ = losses(run, g, d)
    assert rebuilt.item() == pytest.approx(run["ae_loss_step1"], abs=1e-6)
    assert g_loss.item() == pytest.approx(run["g_loss_total_step1"], abs=1e-6)
    adam_first_moments(g, g_loss, step=2)

    for variable, got in discriminator_to_official(d.state_dict()).items():
        np.testing.assert_allclose(got, run[f"after/{variable}"], atol=2e-6, rtol=0)
    close = []
    for variable, got in generator_to_official(g.state_dict()).items():
        same = abs(got - run[f"after/{variable}"]) < 2e-6
        close.append(same.ravel())
        if variable.split("/")[1].startswith(BEFORE_THE_RACE):
            assert same.mean() > 0.999, variable
    assert np.concatenate(close).mean() > 0.97


def reading_u_late(spectral_norm):
    """The same value, but in the gradient the u before the call is replaced by the one after."""

    def normalize(weight, u, eps=1e-12):
        with torch.no_grad():
            late = spectral_norm(weight, u, eps)[1]
        matrix = weight.flatten(1)
        v = late @ matrix - (late @ matrix).detach() + (u @ matrix).detach()
        v = v / (v.norm() + eps)
        new_u = v @ matrix.T
        new_u = new_u / (new_u.norm() + eps)
        sigma = (v @ matrix.T @ new_u.T).squeeze()
        return weight / sigma, new_u, sigma

    return normalize
