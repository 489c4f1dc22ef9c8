"""From an image to a sample: masks, crops, sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.errors import ConfigError, DataError
from gatefill.masks import MASKS
from gatefill.training.config import DataConfig
from gatefill.training.data import open_source
from gatefill.training.data.cut import CutPlanes
from gatefill.training.data.masks import MaskMaker
from tests.training.helpers import picture, write_pictures
from tests.training.test_data import CONFIG, batches, cutter


class TestMasks:
    def test_kinds_are_mixed_by_their_weights(self) -> None:
        maker = MaskMaker(replace(CONFIG, masks="center:3, box"))
        center = MASKS["center"](64, 64, 0)
        rng = np.random.default_rng(0)
        found = [np.array_equal(maker.random(64, 64, rng), center) for _ in range(400)]
        assert 0.68 < np.mean(found) < 0.82

    def test_one_kind_draws_as_it_does_alone(self) -> None:
        found = MaskMaker(replace(CONFIG, masks="brush")).random(64, 48, np.random.default_rng(3))
        assert np.array_equal(found, MASKS["brush"](64, 48, np.random.default_rng(3)))

    @pytest.mark.parametrize(
        ("masks", "message"),
        [
            ("brushes:2,box", "got 'brushes'; did you mean brush"),
            ("box,box:2", "each kind in data.masks once, got box twice"),
            ("box:0", "a weight above 0 for box in data.masks, got '0'"),
            ("box:much", "got 'much'"),
            ("box:inf", "got 'inf'"),
            ("", "got ''"),
        ],
    )
    def test_other_texts_are_refused(self, masks: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            DataConfig(masks=masks)

    def test_a_folder_of_masks_gives_random_ones(self, tmp_path: Path) -> None:
        photos = open_source(write_pictures(tmp_path / "photos", 4)[0].parent)
        (tmp_path / "masks").mkdir()
        for number, rows in enumerate((slice(0, 10), slice(20, 40))):
            plane = np.zeros((40, 60), np.uint8)
            plane[rows, :20] = 255
            cv2.imwrite(str(tmp_path / "masks" / f"hole{number}.png"), plane)
        config = replace(CONFIG, mask_folder=tmp_path / "masks")
        holes = {mask.numpy().tobytes() for b in batches(photos, 40, config) for mask in b.mask}
        assert len(holes) == 8  # both of them, turned over both ways
        for hole in holes:
            mask = np.frombuffer(hole, np.bool_).reshape(32, 32)
            assert mask.mean() in (pytest.approx(1 / 12, abs=0.03), pytest.approx(1 / 6, abs=0.03))

    def test_files_of_labels_and_of_alpha_alone_are_masks_too(self, tmp_path: Path) -> None:
        hole = np.zeros((32, 32), np.uint8)
        hole[:8] = 1
        clear = np.zeros((32, 32, 4), np.uint8)
        clear[:8, :, 3] = 255
        for name, content in (("labels", hole), ("alpha", clear)):
            (tmp_path / name).mkdir()
            cv2.imwrite(str(tmp_path / name / "a.png"), content)
            maker = MaskMaker(replace(CONFIG, mask_folder=tmp_path / name))
            assert maker.random(32, 32, np.random.default_rng(0)).sum() == 8 * 32

    def test_masks_of_the_images_names_are_cut_with_them(self, tmp_path: Path) -> None:
        (tmp_path / "photos").mkdir()
        (tmp_path / "masks").mkdir()
        for number in range(3):
            image = np.full((60, 90, 3), 40, np.uint8)
            image[10 + 10 * number : 40, 20:50] = 220
            cv2.imwrite(str(tmp_path / "photos" / f"p{number}.png"), image)
            bright = np.where(image[..., 0] > 100, 255, 0).astype(np.uint8)
            cv2.imwrite(str(tmp_path / "masks" / f"p{number}.png"), cv2.resize(bright, (180, 120)))
        config = replace(CONFIG, mask_folder=tmp_path / "masks")
        for batch in batches(open_source(tmp_path / "photos"), 10, config):
            for image, mask in zip(batch.image.numpy(), batch.mask.numpy(), strict=True):
                assert mask.any()
                assert not mask.all()
                assert (mask == (image[..., 0] > 127)).mean() > 0.93
        missing = tmp_path / "masks" / "p1.png"
        missing.unlink()
        with pytest.raises(DataError, match=r"masks for 2 of 3; none for p1\.png"):
            batches(open_source(tmp_path / "photos"), 1, config)

    def test_a_folder_without_masks_is_refused(self, tmp_path: Path) -> None:
        photos = open_source(write_pictures(tmp_path / "photos", 2)[0].parent)
        (tmp_path / "empty").mkdir()
        for name, message in (("empty", "found none"), ("nowhere", "expected a folder of masks")):
            with pytest.raises(DataError, match=message):
                batches(photos, 1, replace(CONFIG, mask_folder=tmp_path / name))


class TestCut:
    def test_samples_may_be_wider_than_high(self, tmp_path: Path) -> None:
        config = replace(CONFIG, size="48x32", sketches="drawn")
        source = open_source(write_pictures(tmp_path, 3)[0].parent)
        for crop in (True, False):
            (batch,) = batches(source, 1, replace(config, random_crop=crop))
            assert batch.sketch is not None
            assert batch.image.shape == (2, 32, 48, 3)
            assert batch.mask.shape == batch.sketch.shape == (2, 32, 48)
        image = picture(1)
        plain = replace(config, scale=(1.0, 1.0), flip=False)
        sample = cutter(plain).random(CutPlanes(image), np.random.default_rng(3))
        windows = np.lib.stride_tricks.sliding_window_view(image, (32, 48), axis=(0, 1))
        assert (windows.transpose(0, 1, 3, 4, 2) == sample.image).all(axis=(2, 3, 4)).any()

    @pytest.mark.parametrize("size", ["48", "48x", "x48", "48x30", "0x32", "4,8"])
    def test_other_sizes_are_refused(self, size: str) -> None:
        with pytest.raises(ConfigError, match=r"expected data\.size"):
            DataConfig(size=size)

    @given(
        height=st.integers(1, 90),
        width=st.integers(1, 90),
        crop=st.booleans(),
        low=st.floats(0.2, 1.0),
        seed=st.integers(0, 2**32),
    )
    def test_any_image_gives_a_sample(
        self, height: int, width: int, crop: bool, low: float, seed: int
    ) -> None:
        config = replace(CONFIG, random_crop=crop, scale=(low, 1.0), sketches="drawn")
        image = picture(seed % 7, 96, 96)[:height, :width]
        for cut in (cutter(config).random, cutter(config).middle):
            sample = cut(CutPlanes(image), np.random.default_rng(seed))
            assert sample.image.shape == (32, 32, 3)
            assert sample.image.dtype == np.uint8
            assert sample.mask.shape == (32, 32)
            assert 0 < sample.mask.sum() < 32 * 32
            assert sample.sketch is not None
            assert sample.sketch.dtype == np.bool_

    def test_a_crop_at_full_resolution_is_a_part_of_the_image(self) -> None:
        config = replace(CONFIG, scale=(1.0, 1.0), flip=False)
        image = picture(1)
        sample = cutter(config).random(CutPlanes(image), np.random.default_rng(3))
        windows = np.lib.stride_tricks.sliding_window_view(image, (32, 32), axis=(0, 1))
        assert (windows.transpose(0, 1, 3, 4, 2) == sample.image).all(axis=(2, 3, 4)).any()

    def test_without_crop_the_whole_image_is_resized(self) -> None:
        config = replace(CONFIG, random_crop=False, scale=(1.0, 1.0), flip=False)
        image = picture(1, 64, 128)
        sample = cutter(config).random(CutPlanes(image), np.random.default_rng(0))
        expected = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
        assert np.array_equal(sample.image, expected)

    @pytest.mark.parametrize("scale", [(1.0, 1.0), (0.5, 0.5)])
    def test_edge_files_follow_the_image(self, scale: tuple[float, float]) -> None:
        config = replace(CONFIG, sketches="files", scale=scale)
        image = np.zeros((80, 80, 3), np.uint8)
        edges = np.zeros((80, 80), np.uint8)
        image[::8], edges[::8] = 255, 255
        for seed in range(5):
            sample = cutter(config).random(CutPlanes(image, edges), np.random.default_rng(seed))
            assert sample.sketch is not None
            bright = sample.image[..., 0] > 100
            assert bright.any()
            assert sample.sketch[bright].all()
            assert not sample.sketch.all()

    def test_a_share_of_samples_has_no_sketch(self) -> None:
        config = replace(CONFIG, sketches="drawn", sketch_share=0.5)
        rng = np.random.default_rng(0)
        drawn = [cutter(config).random(CutPlanes(picture(1)), rng).sketch for _ in range(40)]
        empty = sum(not sketch.any() for sketch in drawn if sketch is not None)
        assert 8 < empty < 32

    def test_both_takes_edge_files_and_drawn_edges_in_turns(self) -> None:
        config = replace(CONFIG, sketches="both", scale=(1.0, 1.0), flip=False)
        rng = np.random.default_rng(0)
        planes = CutPlanes(picture(1, 32, 32), np.full((32, 32), 255, np.uint8))
        taken = [cutter(config).random(planes, rng).sketch for _ in range(40)]
        of_files = sum(sketch.all() for sketch in taken if sketch is not None)
        assert 8 < of_files < 32
