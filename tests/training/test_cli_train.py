"""The verbs train, data pack and data check."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gatefill.cli import run
from tests.training.helpers import TINY, picture

SETTINGS = [f"--set={setting}" for setting in TINY]


def test_a_dry_run_says_what_would_be_and_writes_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [
        "train",
        "deepfill-v2-256-laptop",
        f"--data={photos}",
        "--devices=cpu",
        "--dry-run",
    ]
    assert run([*arguments, *SETTINGS]) == 0
    text = capsys.readouterr().out
    for expected in ("batch_size                2", "loss.adversarial", "images per second", "MB"):
        assert expected in text
    assert run([*arguments, *SETTINGS, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["config"]["data"]["size"] == 32
    assert found["generator_parameters"] > found["critic_parameters"] > 1000
    assert found["images_per_second"] > 0
    assert not list(tmp_path.iterdir())


def test_train_then_inpaint(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    output = tmp_path / "run"
    arguments = ["train", "deepfill-v2-laptop", f"--data={photos}", f"-o={output}", "--devices=cpu"]
    assert run([*arguments, *SETTINGS, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["finished"]) == (12, True)

    photo, hole = picture(50), np.zeros((72, 96), np.uint8)
    hole[20:40, 20:50] = 255
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    cv2.imwrite(str(tmp_path / "mask.png"), hole)
    fill = ["inpaint", f"{tmp_path}/photo.png", f"{tmp_path}/mask.png"]
    assert run([*fill, f"--weights={found['weights']}", f"-o={tmp_path}/out.png"]) == 0
    filled = cv2.imread(str(tmp_path / "out.png"))
    assert np.array_equal(filled[hole == 0], photo[hole == 0])
    assert not np.array_equal(filled, photo)

    assert run([*arguments, *SETTINGS]) == 0  # it is done, and says so again
    done, hint = capsys.readouterr().out.splitlines()[-2:]
    assert done.endswith("(12 images, 0 min)")
    *_, command = hint.partition("gatefill ")
    words = [
        str(tmp_path / each) if each.endswith(".png") else each
        for each in command.replace(".jpg", ".png").split()
    ]
    assert run([*words, f"-o={tmp_path}/hinted.png"]) == 0
    assert "(hybrid, " in capsys.readouterr().out


def test_where_there_is_no_terminal_lines_tell_of_the_first_step_and_each_minute(
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["train", "deepfill-v2-laptop", f"--data={photos}", "--devices=cpu", *SETTINGS]
    asked = ["--set=images=8", "--set=log_every=8"]

    def told(output: str) -> list[str]:
        assert run([*arguments, *asked, f"-o={tmp_path}/{output}"]) == 0
        lines = capsys.readouterr().err.splitlines()
        return [line.partition(" images")[0] for line in lines if "of the budget" in line]

    assert told("quick") == ["2", "8"]
    monkeypatch.setattr("gatefill.cli.train.EVERY", 0.0)
    assert told("slow") == ["2", "4", "6", "8"]


def test_time_masks_and_teacher_are_options(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "masks").mkdir()
    hole = np.zeros((64, 64), np.uint8)
    hole[:16] = 255
    cv2.imwrite(str(tmp_path / "masks" / "hole.png"), hole)
    arguments = [f"--data={photos}", f"-o={tmp_path}/run", "--devices=cpu", *SETTINGS, "--json"]
    asked = ["--minutes=0.02", f"--masks={tmp_path}/masks", "--set=images=1000000"]
    assert run(["train", "deepfill-v2-laptop", *arguments, *asked]) == 0
    assert json.loads(capsys.readouterr().out)["finished"] is True
    config = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    assert (config["minutes"], config["data"]["mask_folder"]) == (0.02, f"{tmp_path}/masks")
    sheet = cv2.imread(str(tmp_path / "run" / "examples.png"), cv2.IMREAD_GRAYSCALE)
    mask = sheet[:32, 36:68]
    assert (mask > 127).mean() == 0.25
    sheets = [f"--data={photos}", f"-o={tmp_path}/taught", "--devices=cpu", *SETTINGS, "--json"]
    taught = ["--teacher=compact", "--set=images=4", "--set=data.size=64"]
    assert run(["train", "deepfill-v2-laptop", *sheets, *taught]) == 0
    config = json.loads((tmp_path / "taught" / "run.json").read_text())["config"]
    assert config["terms"]["teacher"] == 1.0
    logged = (tmp_path / "taught" / "log.jsonl").read_text().splitlines()
    assert json.loads(logged[0])["teacher"] > 0
    assert run(["train", "deepfill-v2-laptop", *arguments, "--minutes=0"]) == 2
    assert "expected minutes above 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "deepfill-v3", "--data=."], "expected a recipe"),
        (["train", "deepfill-v2-laptop", "--data=nowhere"], "expected a folder of images"),
        (
            ["train", "deepfill-v2-laptop", "--data=.", "--set=batchsize=2"],
            "did you mean batch_size",
        ),
        (["train", "deepfill-v2-laptop", "--data={photos}", "--devices=tpu"], "expected devices"),
        (
            ["train", "deepfill-v2-laptop", "--data={photos}", "--start-from=picture.png"],
            "expected a gatefill weights file, got picture.png",
        ),
        (["train", "partial-conv-512", "--data={photos}", "--devices=cpu"], "vgg16"),
        (["data", "check", "nowhere"], "expected a folder of images"),
        (["data", "pack", "{photos}", "-o={photos}", "--per-shard=0"], "one image per shard"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str],
    message: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    (tmp_path / "picture.png").write_bytes((photos / "picture_000.png").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run([argument.format(photos=photos) for argument in arguments]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert message in errors[-1]
    assert not any("Traceback" in line for line in errors)


def test_pack_and_check(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(["data", "pack", str(photos), f"-o={tmp_path}", "--per-shard=10", "--json"]) == 0
    packed = json.loads(capsys.readouterr().out)
    assert (packed["shards"], packed["images"]) == (3, 24)
    assert run(["data", "check", packed["pattern"], "--size=80"]) == 0
    text = capsys.readouterr().out
    assert "24 images" in text
    assert "24 are smaller than 80 pixels" in text
    output = tmp_path / "run"
    arguments = ["train", "deepfill-v2-laptop", f"--data={packed['pattern']}", f"-o={output}"]
    assert run([*arguments, *SETTINGS, "--devices=cpu"]) == 0
    facts = json.loads((output / "run.json").read_text())
    assert facts["validation_images"] == 2  # of the last shard, which is held out
