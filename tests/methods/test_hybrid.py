"""The hybrid: a network's fill steers PatchMatch, and every color comes from the photo."""

from __future__ import annotations

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gatefill
from gatefill import parallel
from gatefill.checkpoints import Provenance, save_weights
from gatefill.methods import METHODS, Fill, composite, create, default_config, steered_by
from gatefill.methods.hybrid import HybridConfig
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config
from gatefill.methods.patchmatch import PatchMatch

torch = pytest.importorskip("torch")

SMALL = DeepFillV2Config(width=2)


class Painter:
    """A network that knows the answer: it paints what it was told where the hole is."""

    def __init__(self, paint):
        self.paint, self.seen, self.sketches = paint, [], []

    @property
    def info(self):
        return replace(METHODS["deepfill_v2"], name="painter")

    def fill(self, image, mask, sketch=None, progress=None, *, search=None):
        assert search is None
        self.seen.append((image.copy(), mask.copy()))
        self.sketches.append(sketch)
        if progress is not None:
            progress(1.0)
        return Fill(np.broadcast_to(self.paint, image.shape).astype(np.float32).copy())


def two_halves(height=160, width=240):
    """Dark stripes on the left, bright dots on the right, and a hole that touches both."""
    rng = np.random.default_rng(4)
    image = np.empty((height, width, 3), np.float32)
    image[:, : width // 2] = 0.2 + 0.1 * rng.random((height, width // 2, 1), dtype=np.float32)
    image[:, width // 2 :] = 0.8 + 0.1 * rng.random((height, width - width // 2, 1), np.float32)
    mask = np.zeros((height, width), bool)
    mask[50:110, 90:150] = True
    return image, mask


@settings(max_examples=15)
@given(height=st.integers(1, 90), width=st.integers(2, 90), seed=st.integers(0, 2**16))
def test_any_size_is_filled_and_known_pixels_stay(height, width, seed):
    rng = np.random.default_rng(seed)
    image = rng.random((height, width, 3), dtype=np.float32)
    mask = rng.random((height, width)) < 0.4
    mask.flat[0], mask.flat[-1] = True, False
    before = image.copy()
    found = steered_by(create("deepfill_v2", SMALL), HybridConfig(side=64)).fill(image, mask)
    assert found.image.shape == image.shape
    assert np.array_equal(image, before)
    assert np.isfinite(found.image).all()
    assert 0 <= found.image.min() <= found.image.max() <= 1
    assert np.array_equal(composite(found.image, image, mask)[~mask], image[~mask])


@pytest.mark.parametrize(("paint", "least", "most"), [(0.25, 0.1, 0.4), (0.85, 0.7, 1.0)])
def test_the_network_decides_which_of_two_materials_stands_in_the_hole(paint, least, most):
    """Where the edge between them is not carried on into the hole."""
    image, mask = two_halves()
    without_edges = replace(HybridConfig().patchmatch, edges=False)
    method = steered_by(Painter(paint), HybridConfig(patchmatch=without_edges))
    middle = method.fill(image, mask).image[65:95, 105:135]
    assert least < middle.mean() < most
    assert middle.std() > 0.01  # texture of the photo, not the flat paint


def test_what_stands_in_the_hole_is_ignored():
    image, mask = two_halves()
    other = np.where(mask[..., None], np.float32(0.5), image)
    fills = [
        steered_by(create("deepfill_v2", SMALL)).fill(each, mask).image for each in (image, other)
    ]
    assert np.array_equal(*fills)


def test_the_network_sees_a_small_hole_with_wide_context_at_its_own_scale():
    rng = np.random.default_rng(0)
    image = rng.random((900, 1400, 3), dtype=np.float32)
    mask = np.zeros((900, 1400), bool)
    mask[400:420, 700:720] = True
    painter = Painter(0.5)
    steered_by(painter, HybridConfig(side=128)).fill(image, mask)
    seen, hole = painter.seen[0]
    assert max(seen.shape[:2]) == 128
    assert hole.sum() == 400  # at full resolution, as the hole is far smaller than the view
    mask[300:700, 500:900] = True
    steered_by(painter, HybridConfig(side=128)).fill(image, mask)
    seen, hole = painter.seen[1]
    assert max(seen.shape[:2]) in (127, 128, 129)
    assert 0.05 < hole.mean() < 0.4


def test_specks_are_left_to_patchmatch():
    """Scattered dust is many small holes in a wide view: the network would see single pixels."""
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.random((600, 600, 3), dtype=np.float32), (0, 0), 3)
    mask = np.zeros((600, 600), bool)
    for top, left in rng.integers(20, 560, (40, 2)):
        mask[top : top + 6, left : left + 6] = True
    painter = Painter(0.0)
    found = steered_by(painter).fill(image, mask)
    assert painter.seen == []
    assert np.abs(found.coarse - image)[mask].mean() < 0.1, "a guess from around, not black"
    mask[300:330, 300:330] = True
    steered_by(painter).fill(image, mask)
    assert len(painter.seen) == 1


def test_a_sketch_reaches_the_network_at_its_scale():
    image, mask = two_halves(400, 600)
    sketch = np.zeros(mask.shape, bool)
    sketch[60:100, 120] = True
    painter = Painter(0.5)
    steered_by(painter, HybridConfig(side=64, context=6)).fill(image, mask, sketch)
    drawn = painter.sketches[0]
    assert drawn.shape == painter.seen[0][1].shape
    assert 0 < drawn.sum() < drawn.size / 4


def test_material_comes_from_the_search_region_only():
    image, mask = two_halves()
    search = np.zeros(mask.shape, bool)
    search[:, :80] = True
    found = steered_by(Painter(0.85)).fill(image, mask, search=search)
    assert found.attention.source[..., 1].max() < 80 + 9


def test_progress_rises_to_one():
    image, mask = two_halves()
    told = []
    steered_by(create("deepfill_v2", SMALL)).fill(image, mask, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_the_same_for_any_number_of_threads(monkeypatch):
    image, mask = two_halves()
    fills = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(parallel, "cores", lambda threads=threads: threads)
        fills.append(steered_by(Painter(0.85)).fill(image, mask).image)
    for other in fills[1:]:
        np.testing.assert_array_equal(fills[0], other)


class Waiter(Painter):
    """A network that waits until the photo is prepared in another thread, as long as allowed."""

    def __init__(self, prepared):
        super().__init__(0.5)
        self.prepared, self.ahead = prepared, None

    def fill(self, image, mask, sketch=None, progress=None, *, search=None):
        self.ahead = self.prepared.wait(10)
        return super().fill(image, mask, sketch, progress, search=search)


def test_the_photo_is_prepared_while_the_network_works(monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    prepared, prepare = threading.Event(), PatchMatch.prepare

    def watched(*arguments, **options):
        found = prepare(*arguments, **options)
        prepared.set()
        return found

    monkeypatch.setattr(PatchMatch, "prepare", watched)
    network = Waiter(prepared)
    steered_by(network).fill(*two_halves())
    assert network.ahead


@pytest.mark.parametrize("threads", [1, 2])
def test_stopping_ends_what_prepares_the_photo_too(monkeypatch, threads):
    monkeypatch.setattr(parallel, "cores", lambda: threads)
    before = threading.active_count()

    def stop(_share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        steered_by(Painter(0.5)).fill(*two_halves(), progress=stop)
    assert threading.active_count() == before


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(("start", "end"), [(20, 44), (40, 64), (63, 64)])
def test_edges_go_on_in_the_hole_but_for_a_sketch(turns, start, end):
    rows = np.arange(64, dtype=np.float32)[:, None, None]
    image = np.broadcast_to(0.5 + 0.4 * np.sin(rows / 5), (64, 64, 3))
    mask = np.zeros((64, 64), bool)
    mask[12:52, start:end] = True
    image, mask = (np.ascontiguousarray(np.rot90(each, turns)) for each in (image, mask))
    painted = np.float32(0.5)
    coarse = steered_by(Painter(painted)).fill(image, mask).coarse
    assert np.abs(coarse - image)[mask].mean() < 0.3 * np.abs(painted - image)[mask].mean()
    coarse = steered_by(Painter(painted)).fill(image, mask, np.zeros_like(mask)).coarse
    np.testing.assert_allclose(coarse[mask], painted, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1000), (1000, 1)])
def test_the_network_sees_a_frame_that_is_thinner_than_a_pixel_at_its_scale(shape):
    image = np.random.default_rng(0).random((*shape, 3), dtype=np.float32)
    mask = np.zeros(1000, bool)
    mask[300:600] = True
    painter = Painter(0.5)
    steered_by(painter, HybridConfig(side=64)).fill(image, mask.reshape(shape))
    seen, hole = painter.seen[0]
    assert sorted(seen.shape) == [1, 3, 64]
    assert 0.2 < hole.mean() < 0.4


def test_it_is_loaded_from_anyones_weights(tmp_path):
    path = tmp_path / "mine.safetensors"
    network = create("deepfill_v2", SMALL).runtime.network
    save_weights(path, "deepfill_v2", SMALL, network.state_dict(), Provenance(source="a test"))
    config = HybridConfig(side=64)
    inpaint = gatefill.load("hybrid", weights=path, config=config)
    image, mask = two_halves()
    result = inpaint(image, mask)
    assert result.method == "hybrid"
    assert result.coarse is not None
    assert inpaint.method.config == config


def test_without_a_network_it_says_what_is_missing():
    with pytest.raises(ValueError, match="load has one"):
        create("hybrid")


@pytest.mark.parametrize(
    "bad", [{"side": 10}, {"context": 0.5}, {"blur": -1.0}, {"weight_at_last": 2.0}]
)
def test_a_config_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match="expected"):
        HybridConfig(**bad)


def test_its_default_config_is_at_hand():
    assert default_config("hybrid") == HybridConfig()
