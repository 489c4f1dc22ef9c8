"""Our network and its gradients against the word-for-word one."""

from __future__ import annotations

import pytest
import torch

from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from tests.literal_network import literal_forward


@pytest.mark.parametrize("channels_last", [False, True])
def test_frames_and_gradients_are_the_same(channels_last: bool) -> None:
    torch.manual_seed(0)
    network = DeepFillV2Network(DeepFillV2Config(width=8)).double()
    if channels_last:
        network.to(memory_format=torch.channels_last)
    for parameter in network.parameters():  # so that the signal does not die on its way
        torch.nn.init.normal_(parameter, 0, 0.1)
    image = torch.rand(2, 3, 64, 48, dtype=torch.double) * 2 - 1
    mask = torch.zeros(2, 1, 64, 48, dtype=torch.double)
    mask[0, :, 10:30, 5:40], mask[1, :, 40:60, 20:30] = 1, 1
    ours, literal = network(image, mask)[:2], literal_forward(network, image, mask)
    gradients = []
    for frames in (ours, literal):
        torch.testing.assert_close(frames[1], ours[1], atol=1e-5, rtol=1e-5)
        loss = (frames[0] - image).abs().mean() + (frames[1] - image).abs().mean()
        gradients.append(torch.autograd.grad(loss, list(network.parameters())))
    for one, two in zip(*gradients, strict=True):
        assert (one - two).norm() <= 1e-4 * two.norm() + 1e-9
