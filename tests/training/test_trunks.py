"""AlexNet and VGG-16 from files, against torch's own layers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from gatefill.errors import WeightsError
from gatefill.training.trunks import ALEXNET, VGG16, Architecture, load_trunk

# torchvision's lists of layers (alexnet.py, vgg.py), of which the widths are made small.
WIDTHS = {"AlexNet": (4, 6, 8, 6, 6), "VGG-16": (4, 4, 6, 6, 8, 8, 8, 10, 10, 10, 10, 10, 10)}


def layers(architecture: Architecture) -> nn.Sequential:
    """The layers of torchvision's model, with small random weights that keep the signal's size."""
    widths = iter(WIDTHS[architecture.name])
    if architecture is ALEXNET:
        plan: list[tuple[int, int, int] | str] = [
            (11, 4, 2), "pool", (5, 1, 2), "pool", (3, 1, 1), (3, 1, 1), (3, 1, 1), "pool",
        ]  # fmt: skip
    else:
        three = (3, 1, 1)
        plan = [*[three] * 2, "pool", *[three] * 2, "pool"]
        plan += [*[three] * 3, "pool"] * 3
    made: list[nn.Module] = []
    channels = 3
    for step in plan:
        if isinstance(step, str):
            made.append(nn.MaxPool2d(3 if architecture is ALEXNET else 2, 2))
            continue
        width = next(widths)
        made += [nn.Conv2d(channels, width, step[0], step[1], step[2]), nn.ReLU()]
        nn.init.kaiming_normal_(made[-2].weight)
        channels = width
    return nn.Sequential(*made)


def save_trunk(path: Path, architecture: Architecture, convolutions: int = 13) -> nn.Sequential:
    """A file as torchvision writes it, with the first convolutions only."""
    torch.manual_seed(0)
    network = layers(architecture)
    places = architecture.places[:convolutions]
    kept = {
        f"features.{key}": value
        for key, value in network.state_dict().items()
        if int(key.split(".")[0]) in places
    }
    torch.save(kept | {"classifier.1.weight": torch.zeros(3, 4)}, path)
    return network


def expected(network: nn.Sequential, taps: tuple[int, ...], image: torch.Tensor) -> list:
    """What stands after the chosen ReLUs of ImageNet's normalized image."""
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x, found, seen = ((image + 1) / 2 - mean) / std, [], -1
    for layer in network:
        x = layer(x)
        seen += isinstance(layer, nn.Conv2d)
        if isinstance(layer, nn.ReLU) and seen in taps:
            found.append(x)
    return found


@pytest.mark.parametrize("architecture", [ALEXNET, VGG16], ids=["alexnet", "vgg"])
def test_features_are_those_of_torchvisions_layers(
    architecture: Architecture, tmp_path: Path
) -> None:
    network = save_trunk(tmp_path / "net.pth", architecture)
    image = torch.rand(2, 3, 64, 80) * 2 - 1
    found = load_trunk(tmp_path / "net.pth")(image)
    wanted = expected(network, architecture.taps, image)
    assert len(found) == 5
    for ours, theirs in zip(found, wanted, strict=True):
        assert theirs.std() > 0.05
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_arrays_in_half_precision_are_the_same_network(tmp_path: Path) -> None:
    network = save_trunk(tmp_path / "net.pth", VGG16)
    arrays = {"lin0.weight": np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)}
    for number, place in enumerate(VGG16.places):
        for part in ("weight", "bias"):
            value = network.state_dict()[f"{place}.{part}"].half()
            arrays[f"conv{number}.{part}"] = value.numpy()
    np.savez(tmp_path / "net.npz", **arrays)
    trunk = load_trunk(tmp_path / "net.npz", taps=2)
    image = torch.rand(1, 3, 32, 40) * 2 - 1
    wanted = expected(network, VGG16.taps[:2], image)
    for ours, theirs in zip(trunk(image), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)
    lpips, plain = trunk.channel_weights()
    assert lpips.tolist() == [0, 1, 2, 3]
    assert plain.tolist() == [1] * 6  # plain distance where the file has no weights of LPIPS
    assert not any(p.requires_grad for p in trunk.parameters())


def test_no_more_convolutions_than_the_taps_need_are_asked_for(tmp_path: Path) -> None:
    save_trunk(tmp_path / "net.pth", VGG16, convolutions=7)
    assert len(load_trunk(tmp_path / "net.pth", taps=3).convolutions) == 7
    with pytest.raises(WeightsError, match=r"expected the convolutions .* got net\.pth"):
        load_trunk(tmp_path / "net.pth", taps=4)


@pytest.mark.parametrize("weighting", ["lpips", "plain"])
def test_torchvisions_files_get_the_channel_weights_of_lpips(
    tmp_path: Path, weighting: Literal["lpips", "plain"]
) -> None:
    """Of the first tap, at the published width of 64, as the LPIPS package has them."""
    torch.save(
        {"features.0.weight": torch.zeros(64, 3, 11, 11), "features.0.bias": torch.zeros(64)},
        tmp_path / "alexnet.pth",
    )
    (channels,) = load_trunk(tmp_path / "alexnet.pth", 1, weighting=weighting).channel_weights()
    if weighting == "plain":
        assert channels.tolist() == [1.0] * 64
    else:
        assert channels[1].item() == pytest.approx(0.1475, abs=1e-4)
        assert channels[5] == 0


@pytest.mark.parametrize("content", [b"", b"no weights", None], ids=["empty", "text", "other"])
@pytest.mark.parametrize("name", ["file.pth", "file.npz"])
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, name: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    elif name.endswith("npz"):
        np.savez(path, conv0=np.zeros((64, 3, 3, 3)))
    else:
        torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(WeightsError, match=name.replace(".", r"\.")):
        load_trunk(path)


def test_the_wrong_one_of_the_two_is_refused(tmp_path: Path) -> None:
    save_trunk(tmp_path / "net.pth", ALEXNET)
    with pytest.raises(WeightsError, match="expected the convolutions of VGG-16"):
        load_trunk(tmp_path / "net.pth", only=VGG16)


def test_pickled_code_in_an_npz_is_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", conv0=np.array([{}], dtype=object))
    with pytest.raises(WeightsError, match="not a file of weights"):
        load_trunk(tmp_path / "net.npz")
