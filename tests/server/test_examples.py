"""The example clients do what they show."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.server.serving import ROOT, Server, array_of, file_of, hole, photo


def commands(server: Server, *names: str) -> dict[str, list[str]]:
    url = server.url.rstrip("/")
    node = shutil.which("node")
    return {
        "python": [sys.executable, str(ROOT / "examples/client.py"), *names, "--url", url],
        "node": [node or "", str(ROOT / "examples/client.mjs"), *names, url],
    }


@pytest.mark.parametrize("language", ["python", "node"])
def test_a_client_fills_a_photo(server: Server, tmp_path: Path, language: str) -> None:
    if language == "node" and shutil.which("node") is None:
        pytest.skip("needs node")
    image, mask = photo(), hole()
    (tmp_path / "photo.png").write_bytes(file_of(image))
    (tmp_path / "mask.png").write_bytes(file_of(mask))
    (tmp_path / "bad.png").write_bytes(file_of(np.full_like(mask, 255)))
    run = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 60}
    good = commands(server, "photo.png", "mask.png", "out.png")[language]
    done = subprocess.run(good, check=False, **run)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    result = array_of((tmp_path / "out.png").read_bytes())
    assert (result[mask == 0] == image[mask == 0]).all()
    assert (result[mask > 0] != image[mask > 0]).any()
    bad = commands(server, "photo.png", "bad.png", "none.png")[language]
    done = subprocess.run(bad, check=False, **run)  # type: ignore[call-overload]
    assert done.returncode == 1
    assert "covers the whole photo" in done.stderr
    assert not (tmp_path / "none.png").exists()
