"""Steps that give NaN or infinity: skipped, counted, and several in a row stop the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gatefill.training.checkpoints import Checkpoints
from gatefill.training.config import OptimizerConfig
from gatefill.training.data import Batch, open_source
from gatefill.training.devices import make_fabric
from gatefill.training.loop import TrainingStopped, train
from gatefill.training.objectives import make_objective
from gatefill.training.state import State
from gatefill.training.step import Stepper
from tests.training.helpers import small, tiny, write_pictures


def batch(value: float) -> Batch:
    mask = torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    return Batch(torch.full((2, 3, 32, 32), value), mask)


@pytest.mark.parametrize("method", ["deepfill-v2", "deepfill-v1", "partial-conv", "global-local"])
def test_a_step_that_gives_nan_changes_nothing(method: str) -> None:
    config = tiny() if method == "deepfill-v2" else small(method)
    objective = make_objective(config)
    state = State(config, objective)
    state.progress.images = config.images - 1  # all losses are in
    stepper = Stepper(make_fabric(config, "cpu", "auto", 1), config, state)
    stepper.run(iter([batch(0.5)] * 2))
    before = {key: value.clone() for key, value in weights(state).items()}
    outcome = stepper.run(iter([batch(float("nan"))] * 2))
    assert outcome.skipped == (1 if objective.critic is None else 2)
    assert all(torch.equal(value, before[key]) for key, value in weights(state).items())
    assert stepper.run(iter([batch(0.5)] * 2)).skipped == 0
    assert any(not torch.equal(value, before[key]) for key, value in weights(state).items())


def test_several_in_a_row_stop_the_run_with_the_state_kept(tmp_path: Path) -> None:
    # With this rate the first step throws the weights so far that nothing is finite after it.
    photos = tmp_path / "photos"
    photos.mkdir()
    write_pictures(photos, 24)
    config = tiny(optimizer=OptimizerConfig(lr=1e30), patience=3, images=100)
    with pytest.raises(TrainingStopped, match="3 steps in a row gave NaN or infinity"):
        train(config, open_source(photos), tmp_path, devices="cpu")
    saved = Checkpoints(tmp_path / "checkpoints", 1).load_last()
    assert saved is not None
    progress = json.loads(saved["progress"])
    assert progress["skipped"] >= 3
    assert progress["images"] < 100
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line for line in lines if line["kind"] == "train"][-1]["skipped"] >= 1


def weights(state: State) -> dict[str, torch.Tensor]:
    """Weights and buffers of both networks; u of a discriminator moves by itself."""
    found = dict(state.objective.generator.state_dict())
    if state.objective.critic is not None:
        found |= {f"critic.{k}": v for k, v in state.objective.critic.state_dict().items()}
    return {key: value for key, value in found.items() if not key.endswith(".u")}
