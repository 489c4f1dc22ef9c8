"""Training speed: gatefill's step beside a plain float32 step of the literal network, in one run.

    python benchmarks/training.py [--size 256] [--batch 4] [--rounds 5] [--data DIR]

Both train the full-size DeepFill v2, generator and discriminator, on the same batch. The plain step
is what one writes down first: the layers word for word, attention sample by sample, float32, the
generator run once for the discriminator's update and once more for its own, the discriminator
called for real and fake one after the other. Steps alternate, and ratios are taken round by round,
so that a change of the machine's speed does not count.

With --data, the laptop recipe then trains on those images for some steps: images per second, and
how much of the time a step waits for data.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from gatefill.methods.networks.deepfill_v2 import DeepFillV2Network
from gatefill.training.data import Batch, open_source
from gatefill.training.devices import make_fabric, pick_precision
from gatefill.training.dry_run import dry_run
from gatefill.training.losses import hinge_discriminator_loss, hinge_generator_loss, l1
from gatefill.training.objectives import make_objective
from gatefill.training.recipes import recipe
from gatefill.training.state import State
from gatefill.training.step import Stepper, to_layout

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where tests/ lies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", help="images for the laptop recipe")
    options = parser.parse_args()

    batch = random_batch(options.batch, options.size)
    steps = {"plain": plain_step(batch), "gatefill": gatefill_step(batch)}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(options.rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)

    print(f"DeepFill v2 at full width, {options.size}x{options.size}, batch {options.batch},")
    print(f"{torch.get_num_threads()} threads, {pick_precision('auto', 'cpu')} for gatefill")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:<10} {median:7.2f} s a step  {options.batch / median:6.2f} images per second")
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["gatefill"], strict=True)]
    print(f"gatefill is {statistics.median(ratios):.1f} times as fast", end=" ")
    print(f"({min(ratios):.1f} to {max(ratios):.1f})")
    if options.data:
        found = dry_run(recipe("deepfill-v2-laptop"), open_source(options.data), "cpu")
        print(f"deepfill-v2-laptop: {found.images_per_second:.1f} images per second", end=", ")
        print(f"{found.waiting_for_data:.1%} of the time waiting for data")


def random_batch(count: int, size: int) -> Batch:
    """Noise with boxes cut out: the time does not depend on what is seen."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(count, 1, size, size)
    for i in range(count):
        start = i * size // (4 * count)
        mask[i, :, start : start + size // 2, size // 4 : 3 * size // 4] = 1
    return Batch(torch.rand(count, 3, size, size, generator=generator) * 2 - 1, mask)


def gatefill_step(batch: Batch) -> Callable[[], object]:
    """The loop's own step."""
    base = recipe("deepfill-v2-256")
    config = replace(
        base,
        precision="auto",
        batch_size=batch.size,
        loss=replace(base.loss, separate_batches=False),
    )
    torch.manual_seed(0)
    objective = make_objective(config)
    to_layout(objective, config)
    stepper = Stepper(make_fabric(config, "cpu", "auto", 1), config, State(config, objective))
    image = batch.image.contiguous(memory_format=torch.channels_last)
    return lambda: stepper.run(iter([batch._replace(image=image)]))


def plain_step(batch: Batch) -> Callable[[], object]:
    """Two updates one after the other, nothing shared."""
    from tests.literal_network import literal_forward

    torch.manual_seed(0)
    objective = make_objective(recipe("deepfill-v2-256"))
    generator, critic = objective.generator, objective.critic
    assert isinstance(generator, DeepFillV2Network)
    assert critic is not None
    adams = [
        torch.optim.Adam(network.parameters(), 1e-4, (0.5, 0.999))
        for network in (generator, critic)
    ]

    def update(loss: Tensor, adam: torch.optim.Optimizer) -> None:
        for each in adams:
            each.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()

    def step() -> None:
        with torch.no_grad():
            fake = batch.composite(literal_forward(generator, batch.image, batch.mask)[1])
        real, false = critic(batch.image, batch.mask), critic(fake, batch.mask)
        update(hinge_discriminator_loss(real, false), adams[1])

        coarse, refined = literal_forward(generator, batch.image, batch.mask)
        false = critic(batch.composite(refined), batch.mask)
        loss = l1(coarse, batch.image) + l1(refined, batch.image) + hinge_generator_loss(false)
        update(loss, adams[0])

    return step


if __name__ == "__main__":
    main()
