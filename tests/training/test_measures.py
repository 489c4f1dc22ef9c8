"""Runs by the clock and by LPIPS."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gatefill.checkpoints import read_header
from gatefill.errors import ConfigError
from gatefill.training.config import OptimizerConfig
from gatefill.training.data.batch import Batch, Sample
from gatefill.training.meters import Status
from gatefill.training.objectives import Made
from gatefill.training.trunks import ALEXNET
from gatefill.training.validation import Validation
from tests.training.helpers import (
    picture,
    tiny,
)
from tests.training.test_loop import log_of, run
from tests.training.test_trunks import save_trunk


class Reds:
    """In place of an objective: fills with red, in a network's order of channels."""

    def __init__(self, channel: int) -> None:
        self.channel = channel

    def fill(self, _: torch.nn.Module, batch: Batch) -> Made:
        frame = torch.full_like(batch.image, -1.0)
        frame[:, self.channel] = 1.0
        return Made(frame)


class TestPerceptually:
    def test_the_best_weights_are_those_of_the_lowest_lpips(
        self, photos: Path, tmp_path: Path
    ) -> None:
        save_trunk(tmp_path / "alex.pth", ALEXNET)
        config = tiny(best_by="lpips", lpips_weights=tmp_path / "alex.pth", validate_every=2)
        run(config, photos, tmp_path / "run")
        lines = log_of(tmp_path / "run", "validation")
        values = [line["lpips"] for line in lines]
        assert all(0 < value < 10 for value in values)
        best = min(lines, key=lambda line: line["lpips"])
        facts = json.loads((tmp_path / "run" / "run.json").read_text())["progress"]
        assert facts["best"] == best["lpips"]
        assert 2 * facts["best_step"] == best["images"]
        source = read_header(tmp_path / "run" / "best.safetensors").provenance.source
        assert f"LPIPS {best['lpips']:.4f}" in source
        assert f"hole L1 {best['hole_l1']:.2f}" in source

    def test_lpips_is_that_of_the_composite_in_rgb(self, tmp_path: Path) -> None:
        """The same pictures for networks of both orders of channels have the same distance."""
        save_trunk(tmp_path / "alex.pth", ALEXNET)
        found = []
        for order in ("rgb", "bgr"):
            config = tiny(lpips_weights=tmp_path / "alex.pth")
            config = replace(config, network=replace(config.network, channel_order=order))
            mask = np.zeros((32, 32), np.bool_)
            mask[8:24, 8:24] = True
            samples = [Sample(picture(seed, 32, 32), mask, None) for seed in range(3)]
            validation = Validation(samples, config, torch.device("cpu"))

            reds = Reds(0 if order == "rgb" else 2)
            found.append(validation.measure(reds, torch.nn.Identity()))
        assert found[0].lpips == pytest.approx(found[1].lpips, rel=1e-5)
        assert found[0].lpips > 0.05

    def test_without_weights_it_says_what_is_missing(self, photos: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"expected lpips_weights=FILE, got none"):
            run(tiny(best_by="lpips"), photos, tmp_path)


def test_a_run_by_the_clock_ends_with_its_time(photos: Path, tmp_path: Path) -> None:
    """Its learning rate falls with the clock, and a session has what the ones before have left."""
    options = OptimizerConfig(schedule="cosine", last=0.0, warmup=100_000)
    config = tiny(images=1_000_000, minutes=0.08, log_every=2, optimizer=options)
    config = replace(config, loss=replace(config.loss, adversarial_from=500_000))
    shares = []

    def watch(status: Status) -> None:
        shares.append((status.share, status.seconds_left))
        if status.share > 0.5 and sum(share > 0.5 for share, _ in shares) == 1:
            signal.raise_signal(signal.SIGTERM)

    stopped = run(config, photos, tmp_path, watch=watch)
    assert not stopped.finished
    started = time.monotonic()
    finished = run(config, photos, tmp_path, watch=watch)
    assert finished.finished
    assert finished.seconds == pytest.approx(4.8, abs=1.5)
    assert time.monotonic() - started < 30
    assert shares == sorted(shares, key=lambda each: each[0])
    assert all(left == pytest.approx(4.8 * (1 - share)) for share, left in shares)
    lines = log_of(tmp_path, "train")
    rates = [line["lr"] for line in lines]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.5 * max(rates)  # the last step that is logged may be long before the end
    judged = ["g_adversarial" in line for line in lines]
    assert judged == sorted(judged)  # the discriminator comes in at half of the time
    assert any(judged)
    assert not all(judged)
