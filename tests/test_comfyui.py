"""The node pack for ComfyUI keeps to the conventions of its tensors."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

PACK = Path(__file__).resolve().parents[1] / "plugins" / "comfyui"


@pytest.fixture(scope="module")
def pack() -> Iterator[ModuleType]:
    """The folder, imported as ComfyUI does: by its path, under a name of its own."""
    name = "comfyui_gatefill"
    spec = importlib.util.spec_from_file_location(
        name, PACK / "__init__.py", submodule_search_locations=[str(PACK)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    for each in [each for each in sys.modules if each.startswith(name)]:
        del sys.modules[each]


@pytest.fixture
def node(pack: ModuleType) -> Any:
    return pack.NODE_CLASS_MAPPINGS["GatefillInpaint"]()


def _batch(count: int = 2, channels: int = 3) -> Any:
    """Images in stripes ``BHWC``, with values that 8 bits do not hold."""
    rows = torch.linspace(0.1, 0.9, 6).repeat(8)[:, None, None]
    image = rows.expand(48, 64, channels) + torch.arange(channels) * 0.01
    return torch.stack([image + 0.001 * number for number in range(count)]).contiguous()


def _hole(count: int | None = None) -> Any:
    mask = torch.zeros(*(() if count is None else (count,)), 48, 64)
    mask[..., 20:30, 20:40] = 1
    return mask


def test_what_comfyui_asks_of_a_node(pack: ModuleType) -> None:
    assert set(pack.NODE_CLASS_MAPPINGS) == set(pack.NODE_DISPLAY_NAME_MAPPINGS)
    for node in pack.NODE_CLASS_MAPPINGS.values():
        inputs = node.INPUT_TYPES()
        assert inputs["required"]["image"] == ("IMAGE",)
        assert inputs["required"]["mask"] == ("MASK",)
        assert inputs["required"]["method"][0] == ["hybrid", "patchmatch", "deepfill_v2"]
        assert node.RETURN_TYPES == ("IMAGE",)
        assert callable(getattr(node, node.FUNCTION))


@pytest.mark.parametrize("mask", [_hole(), _hole(1), _hole(2)], ids=["HW", "1HW", "BHW"])
def test_a_batch_is_filled_and_the_rest_stays(node: Any, mask: Any) -> None:
    image = _batch()
    damaged = torch.where(_hole(1)[..., None] > 0, torch.zeros(()), image)
    (filled,) = node.fill(damaged, mask, "patchmatch")
    assert (filled.shape, filled.dtype, filled.device) == (image.shape, image.dtype, image.device)
    hole = _hole() > 0
    assert torch.equal(filled[:, ~hole], image[:, ~hole]), "bit for bit"
    assert float((filled[:, hole] - image[:, hole]).abs().mean()) < 0.05
    assert 0 <= float(filled.min()) <= float(filled.max()) <= 1
    assert not torch.equal(damaged, filled)
    assert float(damaged[:, hole].max()) == 0, "the input is left alone"


def test_each_image_has_its_own_mask(node: Any) -> None:
    masks = torch.zeros(2, 48, 64)
    masks[0, 20:30, 20:40] = 1
    masks[1, 5:15, 5:15] = 1
    image = torch.rand(2, 48, 64, 3, generator=torch.Generator().manual_seed(0))
    (filled,) = node.fill(image, masks, "patchmatch")
    changed = (filled != image).any(dim=-1)
    assert not (changed & (masks == 0)).any()
    assert (changed & (masks > 0)).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels(node: Any, channels: int) -> None:
    image = _batch(1, channels)
    (filled,) = node.fill(image, _hole(), "patchmatch", grow=2)
    assert filled.shape == image.shape
    if channels == 4:
        assert torch.equal(filled[..., 3], image[..., 3]), "alpha stays"


def test_half_precision_keeps_what_is_known(node: Any) -> None:
    image = _batch(1).half()
    (filled,) = node.fill(image, _hole(), "patchmatch")
    assert filled.dtype == torch.float16
    assert torch.equal(filled[:, _hole() == 0], image[:, _hole() == 0])


def test_the_empty_mask_of_a_photo_without_alpha(node: Any) -> None:
    image = _batch()
    (filled,) = node.fill(image, torch.zeros(1, 64, 64))
    assert torch.equal(filled, image)


def test_a_mask_of_another_size_is_stretched(node: Any) -> None:
    small = torch.zeros(1, 24, 32)
    small[:, 10:15, 10:20] = 1
    image = torch.rand(1, 48, 64, 3, generator=torch.Generator().manual_seed(0))
    (filled,) = node.fill(image, small, "patchmatch")
    changed = np.argwhere((filled != image).any(dim=-1)[0].numpy())
    assert (changed.min(axis=0) >= (18, 18)).all()
    assert (changed.max(axis=0) <= (31, 41)).all()


def test_masks_that_do_not_fit_are_told(node: Any) -> None:
    with pytest.raises(ValueError, match="for 2 images, got"):
        node.fill(_batch(2), _hole(3))


def test_a_seed_gives_another_fill_and_weights_are_taken(node: Any) -> None:
    image = torch.rand(1, 48, 64, 3, generator=torch.Generator().manual_seed(1))
    one, same, other = (node.fill(image, _hole(), seed=seed)[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    (alone,) = node.fill(image, _hole(), "patchmatch", weights="standard")
    (network,) = node.fill(image, _hole(), "deepfill_v2")
    assert float((alone - network).abs().max()) < 0.01, "the weights say which method it is"


def test_the_example_names_the_node(pack: ModuleType) -> None:
    workflow = json.loads((PACK / "workflow.json").read_text("utf-8"))
    (node,) = (each for each in workflow["nodes"] if each["type"] in pack.NODE_CLASS_MAPPINGS)
    inputs = pack.NODE_CLASS_MAPPINGS[node["type"]].INPUT_TYPES()
    names = [*inputs["required"], *inputs["optional"]]
    assert {each["name"] for each in node["inputs"]} <= set(names)
