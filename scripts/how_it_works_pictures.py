"""Draw the pictures of docs/how-it-works.md from real activations.

.venv/bin/python scripts/how_it_works_pictures.py                  # gates.jpg, partial-masks.png
.venv/bin/python scripts/how_it_works_pictures.py --weights FILE   # gates-trained.jpg

Without a weights file a compact network learns for some minutes to fill strokes and boxes in
pieces of the one example photo: enough for gates that follow the hole, and for nothing else.
FILE is a trained gated DeepFill v2.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
import torch
from torch import Tensor, nn

from gatefill.checkpoints import load_network
from gatefill.layers.gated import Convolution
from gatefill.layers.padding import convolve, upsample_twice
from gatefill.layers.partial import Masked
from gatefill.masks import box_or_brush
from gatefill.methods.networks.deepfill_v2 import (
    DeepFillV2Config,
    DeepFillV2Network,
)
from gatefill.methods.networks.partial_conv import PartialConvConfig, PartialConvNetwork

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "examples" / "marsh.jpg"
MASK = ROOT / "examples" / "marsh_mask.png"
PICTURES = ROOT / "docs" / "pictures"

PART = (slice(0, 256), slice(0, 384))  # rows and columns of the photo that are shown
LAYERS = {  # the gated layers that are shown
    "conv1": "1st layer, full size",
    "conv4_downsample": "4th layer, quarter size",
    "conv10_atrous": "10th layer, quarter size",
    "allconv14": "refinement, half size",
}
# The layers that each row of the masks leaves out: too deep for strokes, too shallow for a box.
DEEP = ("conv7", "conv8", "conv9", "conv10")
SHALLOW = ("conv2", "conv3", "conv4", "conv5")
HOLE = np.array([255, 64, 96], np.uint8)


def main() -> None:
    """Draw the masks and the gates."""
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/how-it-works.md.")
    parser.add_argument("--weights", type=Path, help="weights of a gated DeepFill v2")
    parser.add_argument("--steps", type=int, default=600, help="of the training without weights")
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder of the pictures")
    options = parser.parse_args()

    photo = np.asarray(PIL.Image.open(PHOTO).convert("RGB"))
    mask = np.asarray(PIL.Image.open(MASK).convert("L")) > 127
    options.out.mkdir(parents=True, exist_ok=True)
    draw_partial_masks(mask[PART], options.out / "partial-masks.png")

    if options.weights:
        network, name = trained(options.weights), "gates-trained.jpg"
    else:
        network, name = overfit(photo, options.steps), "gates.jpg"
    draw_gates(network, photo[PART], mask[PART], options.out / name)


def trained(weights: Path) -> DeepFillV2Network:
    """The network of a weights file, which must be a gated DeepFill v2 without sketches."""
    network = load_network(weights)[1]
    if (
        not isinstance(network, DeepFillV2Network)
        or network.config.kind != "gated"
        or network.config.guided
    ):
        raise SystemExit(f"expected a gated, unguided DeepFill v2, got another network: {weights}")
    return network


def overfit(photo: np.ndarray, steps: int, side: int = 64, batch: int = 8) -> DeepFillV2Network:
    """A compact gated network after `steps` steps on pieces of one photo; L1 is its only loss."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = DeepFillV2Network(DeepFillV2Config.compact())
    with torch.no_grad():
        for layer in network.modules():
            # A gate that starts at one half would lose half of the signal in each of 34 layers.
            if isinstance(layer, Convolution) and layer.kind == "gated":
                layer.weight[: layer.width] *= 2.0
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999))

    started = time.perf_counter()
    for step in range(1, steps + 1):
        pieces = torch.stack([to_tensor(piece(photo, side, rng)) for _ in range(batch)])
        holes = [box_or_brush(side, side, rng) for _ in range(batch)]
        mask = torch.from_numpy(np.stack(holes)[:, None].astype(np.float32))
        stages = network(pieces, mask)
        loss = sum(((stage - pieces).abs().mean() for stage in stages[:2]), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 0 or step == steps:
            seconds = time.perf_counter() - started
            print(f"step {step} of {steps}, L1 {loss.item():.3f}, {seconds:.0f} s", flush=True)
    return network.eval().requires_grad_(False)


def piece(photo: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of the photo, brought to `side` pixels, mirrored half of the time."""
    taken = int(rng.integers(side, 3 * side))
    top = int(rng.integers(photo.shape[0] - taken + 1))
    left = int(rng.integers(photo.shape[1] - taken + 1))
    square = photo[top : top + taken, left : left + taken]
    scaled = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return scaled[:, ::-1] if rng.random() < 0.5 else scaled


def to_tensor(photo: np.ndarray) -> Tensor:
    """``HW3`` uint8 -> ``3HW`` in [-1, 1]."""
    return torch.from_numpy(photo.transpose(2, 0, 1).astype(np.float32)) / 127.5 - 1.0


def gates_of(network: DeepFillV2Network, photo: np.ndarray, mask: np.ndarray) -> dict[str, Tensor]:
    """The gates of the shown layers for a photo, ``CHW`` in (0, 1), by the layer's name."""
    found: dict[str, Tensor] = {}

    def keep(name: str, layer: Convolution, x: Tensor) -> None:
        x = upsample_twice(x) if layer.upsample else x
        gates = convolve(
            x,
            layer.weight[layer.width :],
            layer.bias[layer.width :],
            stride=layer.stride,
            dilation=layer.dilation,
            padding=layer.padding,
        )
        found[name] = torch.sigmoid(gates)[0]

    hooks = []
    for name in LAYERS:
        layer = network.get_submodule(name)
        assert isinstance(layer, Convolution)

        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
            assert isinstance(layer, Convolution)
            keep(name, layer, inputs[0])

        hooks.append(layer.register_forward_pre_hook(hook))
    image = to_tensor(photo)[None]
    if network.config.channel_order == "bgr":
        image = image.flip(1)
    with torch.inference_mode():
        network(image, torch.from_numpy(mask[None, None].astype(np.float32)))
    for each in hooks:
        each.remove()
    return found


def draw_gates(network: DeepFillV2Network, photo: np.ndarray, mask: np.ndarray, path: Path) -> None:
    """Per layer three channels: most shut in the hole, most open there, busiest outside."""
    gates = gates_of(network, photo, mask)
    figure, axes = plt.subplots(len(LAYERS), 4, figsize=(11, 7.6), layout="constrained")
    shades = None
    for row, (name, title) in zip(axes, LAYERS.items(), strict=True):
        maps = gates[name].numpy()
        small = cv2.resize(mask.astype(np.float32), maps.shape[:0:-1], interpolation=cv2.INTER_AREA)
        inside, outside = small > 0.5, small == 0.0
        opened = maps[:, inside].mean(axis=1) - maps[:, outside].mean(axis=1)
        chosen = {
            "most shut in the hole": int(opened.argmin()),
            "most open in the hole": int(opened.argmax()),
        }
        rest = np.delete(np.arange(len(maps)), list(chosen.values()))
        chosen["busiest outside"] = int(rest[maps[rest][:, outside].std(axis=1).argmax()])
        row[0].imshow(np.where(mask[..., None], HOLE, photo))
        row[0].set_ylabel(title, fontsize=9)
        for axis, (what, channel) in zip(row[1:], chosen.items(), strict=True):
            shades = axis.imshow(maps[channel], cmap="gray", vmin=0.0, vmax=1.0)
            axis.set_title(f"{what}: channel {channel}", fontsize=8)
            print(f"{name} {what}: {channel}, {opened[channel]:+.2f} in the hole")
        print(
            f"{name}: mean gate {maps[:, inside].mean():.2f} in, {maps[:, outside].mean():.2f} out"
        )
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    assert shades is not None
    figure.colorbar(shades, ax=axes[:, -1], shrink=0.5, label="gate: 0 shut, 1 open")
    figure.savefig(path, dpi=100, pil_kwargs={"quality": 85, "optimize": True})
    plt.close(figure)


def partial_masks(mask: np.ndarray) -> dict[str, np.ndarray]:
    """What partial convolutions hold for known after each layer of DeepFill v2's coarse encoder.

    The mask depends on the hole and the layers' sizes alone, not on weights.
    """
    network = DeepFillV2Network(DeepFillV2Config(width=2, kind="partial"))
    x = Masked(torch.zeros(1, 5, *mask.shape), torch.from_numpy(~mask[None, None]).float())
    found = {}
    with torch.inference_mode():
        for name, layer in itertools.islice(network.named_children(), 10):  # conv1 to conv10
            x = layer(x)
            found[name] = x.known[0, 0].numpy()
    return found


def unet_masks(mask: np.ndarray) -> dict[str, np.ndarray]:
    """The same for the encoder of the Partial Convolution network."""
    network = PartialConvNetwork(PartialConvConfig(width=2, levels=6)).eval()
    x = Masked(torch.zeros(1, 3, *mask.shape), torch.from_numpy(~mask[None, None]).float())
    found = {}
    with torch.inference_mode():
        for level in range(1, 7):
            x = network.get_submodule(f"enc{level}")(x)
            found[f"enc{level}"] = x.known[0, 0].numpy()
    return found


def share(hole: float) -> str:
    """A share of the frame in words; the last cell of a hole is not rounded away."""
    return "< 0.1%" if 0.0 < hole < 0.001 else f"{hole:.1%}"


def draw_partial_masks(mask: np.ndarray, path: Path) -> None:
    """The mask after each layer, for strokes and for a large box; white is known."""
    large = np.zeros_like(mask)
    large[48:208, 112:272] = True
    rows = {
        "strokes,\nDeepFill v2": (mask, partial_masks(mask), DEEP),
        "box of 160,\nDeepFill v2": (large, partial_masks(large), SHALLOW),
        "box of 160,\nPartial Conv": (large, unet_masks(large), ()),
    }
    figure, axes = plt.subplots(len(rows), 7, figsize=(12, 4.2), layout="constrained")
    for row, (title, (hole, masks, skipped)) in zip(axes, rows.items(), strict=True):
        shares = {name: share(1.0 - float(known.mean())) for name, known in masks.items()}
        print(title.replace("\n", " "), f"{hole.mean():.1%}", shares)
        names = [name for name in masks if not skipped or not name.startswith(skipped)]
        row[0].imshow(~hole, cmap="gray", vmin=0, vmax=1)
        row[0].set_title(f"given: {hole.mean():.1%} hole", fontsize=8)
        row[0].set_ylabel(title, fontsize=9)
        for axis, name in zip(row[1:], names, strict=True):
            axis.imshow(masks[name], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_title(f"{name.partition('_')[0]}: {shares[name]} hole", fontsize=8)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.savefig(path, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main()
