"""Networks as ONNX files give the pixels that torch gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from gatefill.checkpoints import Provenance, load_weights, save_weights, shipped_weights
from gatefill.checkpoints.mmagic import HABITS
from gatefill.checkpoints.networks import load_method
from gatefill.checkpoints.shipped import exported_form
from gatefill.errors import OutputError, WeightsError
from gatefill.export import export
from gatefill.export.convert import example
from gatefill.export.model import onnx_model
from gatefill.methods.network import NetworkOptions
from gatefill.methods.networks.deepfill_v1 import DeepFillV1Config, DeepFillV1Network
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.methods.networks.global_local import GlobalLocalConfig, GlobalLocalNetwork
from gatefill.methods.networks.partial_conv import PartialConvConfig, PartialConvNetwork
from gatefill.methods.registry import with_network
from gatefill.runtime.base import near_holes
from gatefill.runtime.torch import TorchRuntime
from tests.runtime.test_torch import loud

V2: Any = DeepFillV2Config
NETWORKS: dict[str, Any] = {
    "gated": lambda: DeepFillV2Network(V2(width=4)),
    "guided, of other programs": lambda: DeepFillV2Network(
        V2(width=4, guided=True, padding="symmetric", resizing="floor", mask_steps=1)
    ),
    "single gate, reflected": lambda: DeepFillV2Network(
        V2(width=4, kind="single_gate", padding="reflect", fuse=False, output="clip")
    ),
    "partial": lambda: DeepFillV2Network(V2(width=4, kind="partial", channel_order="rgb")),
    "v2, coarse": lambda: DeepFillV2Network(DeepFillV2Config(width=4, refinement=False)),
    "v1": lambda: DeepFillV1Network(DeepFillV1Config(width=4)),
    "u-net": lambda: PartialConvNetwork(PartialConvConfig(width=4, levels=4)),
    "u-net, same": lambda: PartialConvNetwork(PartialConvConfig(width=4, levels=3, padding="same")),
    "v1, of mmagic": lambda: DeepFillV1Network(DeepFillV1Config(width=4, **HABITS)),
    "v2, of mmagic": lambda: DeepFillV2Network(
        V2(width=4, decoder_width=6, refinement_mask=True, gated_output=True, **HABITS)
    ),
    "u-net, normalized": lambda: PartialConvNetwork(
        PartialConvConfig(width=4, levels=3, normalization="imagenet")
    ),
    "global_local, of mmagic": lambda: GlobalLocalNetwork(
        GlobalLocalConfig(width=4, output="clip")
    ),
    "global_local, glcic": lambda: GlobalLocalNetwork(
        GlobalLocalConfig(width=4, norm_after_relu=True)
    ),
    "global_local": lambda: GlobalLocalNetwork(GlobalLocalConfig(width=4, mean=(0.1, 0.4, 0.8))),
}


def session(model: bytes | Path) -> Any:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def outputs(model: Any, feeds: dict[str, Any]) -> dict[str, Any]:
    names = [each.name for each in model.get_outputs()]
    return dict(zip(names, model.run(names, feeds), strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_torchs_frames_and_attention_at_any_size(name: str) -> None:
    network = loud(NETWORKS[name](), seed=2)
    model = session(onnx_model(network, {}, interface="frame").SerializeToString())
    runtime = TorchRuntime(network)
    for height, width in ((160, 144), (152, 240), (56, 64)):
        image, mask = example(height, width, height)
        feeds: dict[str, Any] = {"image": image, "mask": mask}
        if runtime.takes_sketch:
            feeds["sketch"] = image[..., 0] > 0.5
        found = outputs(model, feeds)
        wanted = runtime.run(image, mask, feeds.get("sketch"))
        assert wanted.image[mask].std() > 0.02
        # Random layers amplify rounding; a wrong operator is off by all there is.
        np.testing.assert_allclose(found["filled"][mask], wanted.image[mask], atol=2e-3)
        if wanted.coarse is not None:
            np.testing.assert_allclose(found["coarse"][mask], wanted.coarse[mask], atol=2e-4)
        if wanted.places is not None:
            rows, columns = wanted.places.cells.T
            best = found["sources"][rows, columns, 0]
            mine = np.stack((best // (width // 8), best % (width // 8)), -1)
            assert (mine == wanted.places.sources[:, 0]).all(axis=1).mean() > 0.95


@pytest.mark.parametrize(
    "name", ["gated", "guided, of other programs", "single gate, reflected", "global_local"]
)
def test_a_small_hole_is_filled_as_by_torch(name: str) -> None:
    network = loud(NETWORKS[name](), seed=2)
    model = session(onnx_model(network, {}, interface="frame").SerializeToString())
    runtime = TorchRuntime(network)
    image, _ = example(96, 168, 7)
    for top, left in ((48, 20), (0, 146)):
        mask = np.zeros((96, 168), bool)
        mask[top : top + 21, left : left + 22] = True
        feeds: dict[str, Any] = {"image": image, "mask": mask}
        if runtime.takes_sketch:
            feeds["sketch"] = image[..., 0] > 0.5
        found = outputs(model, feeds)
        wanted = runtime.run(image, mask, feeds.get("sketch"))
        # What comes after a network looks a few pixels around its holes.
        (near,) = near_holes(mask)
        assert wanted.image[near.slices].std() > 0.02
        filled = found["filled"][near.slices]
        np.testing.assert_allclose(filled, wanted.image[near.slices], atol=2e-3)
        if wanted.coarse is not None:
            np.testing.assert_allclose(
                found["coarse"][near.slices], wanted.coarse[near.slices], atol=2e-3
            )
        # Farther away nothing is computed.
        assert np.ptp(found["filled"][:, 80:120], axis=(0, 1)).max() == 0


def a_file(folder: Path, network: Any) -> Path:
    path = folder / "net.safetensors"
    save_weights(
        path, "deepfill_v2", network.config, network.state_dict(), Provenance(source="a test")
    )
    return path


def test_a_photo_of_any_size_goes_in_and_comes_out_filled(tmp_path: Path) -> None:
    network = loud(DeepFillV2Network(DeepFillV2Config(width=4)), seed=1)
    done = export(a_file(tmp_path, network), tmp_path / "net.onnx")
    assert len({(each.height, each.width) for each in done.comparisons}) >= 5
    assert done.largest < 1
    assert done.file_bytes == (tmp_path / "net.onnx").stat().st_size
    model = session(done.path)
    for height, width in ((96, 96), (67, 101), (50, 9), (8, 8)):
        image, mask = example(height, width, width)
        mask[0, 0] = True
        photo = np.rint(image * 255).astype(np.uint8)
        (filled,) = model.run(None, {"photo": photo, "mask": mask.astype(np.uint8) * 255})
        assert filled.dtype == np.uint8
        np.testing.assert_array_equal(filled[~mask], photo[~mask])
        method = with_network("deepfill_v2", network)
        wanted = method.fill((photo / 255).astype(np.float32), mask).image
        assert np.abs(filled[mask] - wanted[mask] * 255).max() <= 1.0


@pytest.mark.parametrize(
    "hole",
    ["box", "at the border", "several", "thin", "none"],
)
def test_colors_at_the_boundary_are_fitted_in_the_graph_as_by_the_call(hole: str) -> None:
    network = loud(DeepFillV2Network(DeepFillV2Config(width=4)), seed=4)
    model = session(
        onnx_model(network, {}, interface="photo", finish=True).SerializeToString(),
    )
    for height, width in ((97, 118), (64, 41)):
        image, _ = example(height, width, width)
        mask = np.zeros((height, width), bool)
        if hole == "box":
            mask[30:53, 8:37] = True
        elif hole == "at the border":
            mask[-21:, -19:] = True
        elif hole == "several":
            mask[5:9, 4:30] = mask[40:62, 20:40] = True
        elif hole == "thin":
            mask[3:60, 17] = True
        photo = np.rint(image * 255).astype(np.uint8)
        image = (photo / 255).astype(np.float32)
        (filled,) = model.run(None, {"photo": photo, "mask": mask.astype(np.uint8) * 255})
        np.testing.assert_array_equal(filled[~mask], photo[~mask])
        if hole == "none":
            continue
        found = {}
        for finish in (False, True):
            method = with_network("deepfill_v2", network, finish=finish)
            found[finish] = method.fill(image, mask).image[mask] * 255
        assert np.abs(filled[mask] - found[True]).max() < 0.6
        assert np.abs(found[True] - found[False]).max() > 5


def test_a_photo_that_is_all_hole_has_no_boundary_to_fit_to() -> None:
    network = loud(DeepFillV2Network(DeepFillV2Config(width=4)), seed=4)
    photo = np.zeros((40, 56, 3), np.uint8)
    feeds = {"photo": photo, "mask": np.full((40, 56), 255, np.uint8)}
    filled = [
        session(onnx_model(network, {}, finish=finish).SerializeToString()).run(None, feeds)[0]
        for finish in (False, True)
    ]
    assert filled[0].std() > 5
    np.testing.assert_array_equal(filled[0], filled[1])


@pytest.mark.slow
def test_the_photo_graph_of_the_shipped_weights_fits_colors_too(tmp_path: Path) -> None:
    done = export(shipped_weights("compact"), tmp_path / "net.onnx")
    image, mask = example(120, 136, 3)
    photo = np.rint(image * 255).astype(np.uint8)
    (filled,) = session(done.path).run(None, {"photo": photo, "mask": mask.astype(np.uint8) * 255})
    wanted = load_method(shipped_weights("compact"), options=NetworkOptions(runtime="torch"))
    levels = wanted.fill((photo / 255).astype(np.float32), mask).image * 255
    assert np.abs(filled[mask] - levels[mask]).max() < 0.6


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    network = loud(DeepFillV2Network(DeepFillV2Config(width=4)))
    done = export(a_file(tmp_path, network), tmp_path / "n.onnx", interface="frame")
    model = onnx.load(done.path)
    facts = {each.key: each.value for each in model.metadata_props}
    assert facts["method"] == "deepfill_v2"
    assert json.loads(facts["config"])["width"] == 4
    assert facts["multiple"] == "8"
    assert model.opset_import[0].version >= 17


@pytest.mark.parametrize(
    ("storage", "share"), [("float32", 1.0), pytest.param("float16", 0.75, marks=pytest.mark.slow)]
)
def test_smaller_files_are_written_only_where_they_are_right(
    tmp_path: Path, storage: str, share: float
) -> None:
    done = export(shipped_weights("compact"), tmp_path / "s.onnx", storage=storage)
    assert done.largest < 1
    assert done.file_bytes < share * shipped_weights("compact").stat().st_size + 90_000  # the graph


@pytest.mark.slow
def test_weights_that_suffer_too_much_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="int8 to be off by less than 1 level, got"):
        export(shipped_weights("compact"), tmp_path / "s.onnx", storage="int8")
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ending in \.onnx"):
        export("compact", tmp_path / "net.pt")


def test_the_shipped_files_hold_the_same_weights() -> None:
    weights = shipped_weights("compact")
    exported = exported_form(weights)
    assert exported is not None
    model = onnx.load(exported)
    stored = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    facts = {each.key: each.value for each in model.metadata_props}
    info, state = load_weights(weights)
    assert json.loads(facts["config"]) == info.config
    assert json.loads(facts["finish"]) == info.finish
    constants = {array.tobytes() for array in stored.values()}
    for name, value in state.items():
        if name.endswith(".weight"):
            np.testing.assert_array_equal(stored[name.replace("/", ".")], value.numpy())
        else:
            assert value.numpy().tobytes() in constants
