"""Weights on offer: named on the command line, chosen by clients, warm from the start."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatefill.server.models import Shelf, UnknownModel, shelf
from tests.server.serving import Server, array_of, file_of, hole, photo, serving, upload

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small networks that were never trained, one of which takes sketches."""
    from gatefill.checkpoints import Provenance, save_weights
    from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network

    paths = []
    for name, guided in (("plain", False), ("faces", True)):
        config = dataclasses.replace(DeepFillV2Config(), width=8, guided=guided)
        network = DeepFillV2Network(config)
        path = tmp_path_factory.mktemp("weights") / f"{name}.safetensors"
        made = Provenance(source="a test")
        save_weights(path, "deepfill_v2", config, network.state_dict(), made)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def loaded(weights: list[Path]) -> Iterator[Server]:
    arguments = [f"--weights={path}" for path in weights]
    with serving("serve", "--port", "0", *arguments, module="gatefill") as found:
        yield found


def test_weights_become_models(loaded: Server) -> None:
    with loaded.client() as client:
        rows = client.get("/api/v1/methods").json()["models"]
        named = {row["model"]: row for row in rows}
        given = ["deepfill_v2:plain", "hybrid:plain", "deepfill_v2:faces", "hybrid:faces"]
        assert list(named)[:4] == given
        assert {"patchmatch", "hybrid", "deepfill_v2"} <= set(named)
        assert [named[name]["takes_sketch"] for name in given] == [False, True, True, True]
        assert [row["model"] for row in rows if row["chosen"]] == ["deepfill_v2:plain"]
        assert not any("/" in (row["weights"] or "") for row in rows)
        image, mask = photo(96, 96), hole(96, 96)
        for row in rows:
            reply = upload(client, file_of(image), file_of(mask), model=row["model"])
            assert reply.status_code == 200, reply.text
            assert reply.headers["x-gatefill-model"] == row["model"]
            result = array_of(reply.content)
            assert (result[mask == 0] == image[mask == 0]).all()


def test_networks_tell_where_they_looked(loaded: Server) -> None:
    import numpy as np

    files = {
        "photo": file_of(photo(96, 96)),
        "mask": file_of(np.full((24, 24, 4), 255, np.uint8)),
        "sketch": file_of(np.full((24, 24, 4), 255, np.uint8)),
    }
    form = {"layout": json.dumps({"mask": [40, 40]}), "model": "deepfill_v2:faces"}
    with loaded.client() as client:
        lines = client.post("/api/v1/editor/fill", files=files, data=form).text.splitlines()
    told = json.loads(lines[-1])["attention"]
    assert told["stride"] == 8
    weight = np.frombuffer(base64.b64decode(told["weight"]), "<f4").reshape(-1, told["places"])
    assert told["places"] > 1
    assert (np.diff(weight, axis=1) <= 1e-6).all()  # strongest first


def test_small_requests_are_answered_at_once(loaded: Server) -> None:
    """A connection that holds small parts of replies back costs forty milliseconds each time."""
    seconds = []
    with loaded.client() as client:
        for _ in range(30):
            started = time.perf_counter()
            client.get("/healthz")
            seconds.append(time.perf_counter() - started)
    assert sorted(seconds)[len(seconds) // 2] < 0.02


def test_a_shelf_says_what_it_lacks(weights: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs weights"):
        shelf("deepfill_v1", max_pixels=10_000)
    with pytest.raises(ValueError, match="twice"):
        shelf(None, [weights[0], weights[0]], max_pixels=10_000)
    with pytest.raises(ValueError, match="at least one"):
        Shelf([])
    (tmp_path / "none.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"none\.safetensors"):
        shelf(None, [tmp_path / "none.safetensors"], max_pixels=10_000)
    found = shelf("patchmatch", weights, max_pixels=10_000)
    assert found.chosen.name == "patchmatch"
    with pytest.raises(UnknownModel, match="deepfill_v2:plain"):
        found.get("lama")
