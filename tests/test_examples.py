"""The examples run as they stand and do what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_attention_step_by_step_agrees_with_the_layer(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    picture = tmp_path / "steps.png"
    done = subprocess.run(
        [sys.executable, EXAMPLES / "contextual_attention.py", "--output", picture],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr  # the script itself compares its steps with the layer
    with Image.open(picture) as drawn:
        hole = drawn.convert("RGB").crop((160, 142, 250, 200))
    assert hole.getextrema() == ((255, 255),) * 3, "the first panel shows the hole in white"
