"""From files and shards to samples."""

from __future__ import annotations

import multiprocessing
import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.errors import ConfigError, DataError
from gatefill.masks import MASKS
from gatefill.training.config import DataConfig
from gatefill.training.data import drawn_sketch, make_loader, open_source
from gatefill.training.data.batch import Stored
from gatefill.training.data.check import check, near_groups
from gatefill.training.data.cut import CutPlanes, Cutter
from gatefill.training.data.masks import MaskMaker
from gatefill.training.data.pack import pack
from gatefill.training.data.place import Place
from gatefill.training.data.shards import raw_samples
from gatefill.training.data.sources import DataSource, decode_edges, expand_braces
from tests.training.helpers import picture, write_pictures

CONFIG = DataConfig(size=32, workers=0, holdout=0, shuffle=4, flip=True, scale=(0.5, 1.0))


def cutter(config: DataConfig) -> Cutter:
    return Cutter(config, MaskMaker(config))


def batches(source: DataSource, count: int, config: DataConfig = CONFIG, **options) -> list[Stored]:
    loader = make_loader(source, config, 2, **options)
    try:
        return [loader.next() for _ in range(count)]
    finally:
        loader.close()


def same(first: list[Stored], second: list[Stored]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a.image, b.image) and torch.equal(a.mask, b.mask)
        for a, b in zip(first, second, strict=True)
    )


class TestSources:
    def test_a_folder_is_searched_to_its_bottom_without_edge_files(self, tmp_path: Path) -> None:
        paths = write_pictures(tmp_path, 6)
        (tmp_path / "picture_000_edge.png").write_bytes(paths[0].read_bytes())
        (tmp_path / "notes.txt").write_text("no image")
        edges = cv2.imread(str(paths[1]))
        cv2.imwrite(str(paths[1].with_name("picture_001_edge.jpg")), edges)
        cliff = tmp_path / "cliff_edge.jpg"  # a photo: there is no cliff beside it
        cv2.imwrite(str(cliff), edges)
        assert sorted(open_source(tmp_path).files) == sorted([*paths, cliff])

    def test_a_list_names_files_from_its_own_folder_on(self, tmp_path: Path) -> None:
        paths = write_pictures(tmp_path, 3)
        listing = tmp_path / "train.flist"
        listing.write_text(f"{paths[0].name}\n\n{paths[1]}\ngone.png\n")
        source = open_source(listing)
        assert source.files == (paths[0], paths[1])
        assert source.missing == ("gone.png",)

    def test_braces_count_shards(self) -> None:
        assert expand_braces("s-{008..011}.tar") == [f"s-{i:03d}.tar" for i in range(8, 12)]
        assert len(expand_braces("{0..1}/{00..02}.tar")) == 6
        with pytest.raises(ValueError, match="rising"):
            expand_braces("s-{5..2}.tar")

    @pytest.mark.parametrize("name", ["nowhere", "empty"])
    def test_nothing_to_train_on_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(ValueError, match="expected"):
            open_source(tmp_path / name)

    def test_the_held_out_part_is_apart_and_always_the_same(self, tmp_path: Path) -> None:
        source = open_source(write_pictures(tmp_path, 40)[0].parent)
        train, apart = source.split(3, seed=0)
        assert len(apart.files) == 3
        assert set(train.files) | set(apart.files) == set(source.files)
        assert not set(train.files) & set(apart.files)
        assert source.split(3, seed=0)[1] == apart


class TestFiles:
    def test_every_file_comes_once_per_epoch(self, tmp_path: Path) -> None:
        # Colours without structure survive crop and scale, so that pictures can be told apart.
        for i in range(8):
            flat = np.full((40, 40, 3), 10 + 30 * i, np.uint8)
            cv2.imwrite(str(tmp_path / f"{i}.png"), flat)
        found = batches(open_source(tmp_path), 8)
        colours = [int(image[0, 0, 0]) for batch in found for image in batch.image]
        assert sorted(colours[:8]) == sorted(colours[8:]) == [10 + 30 * i for i in range(8)]
        assert colours[:8] != colours[8:]

    def test_a_position_gives_the_same_sample_however_it_is_reached(self, tmp_path: Path) -> None:
        source = open_source(write_pictures(tmp_path, 5)[0].parent)
        straight = batches(source, 6)
        assert same(batches(source, 4, position=4), straight[2:])
        workers = replace(CONFIG, workers=2)
        assert same(batches(source, 6, workers), straight)
        assert not same(batches(source, 6, seed=1), straight)

    def test_processes_share_the_sequence(self, tmp_path: Path) -> None:
        source = open_source(write_pictures(tmp_path, 5)[0].parent)
        straight = batches(source, 6)
        parts = [batches(source, 3, place=Place(rank, 2)) for rank in (0, 1)]
        woven = [part for pair in zip(*parts, strict=True) for part in pair]
        assert same(woven, straight)

    def test_broken_images_are_skipped_and_named(self, tmp_path: Path) -> None:
        paths = write_pictures(tmp_path, 4)
        paths[1].write_bytes(paths[1].read_bytes()[:200])
        transparent = np.zeros((40, 40, 4), np.uint8)
        cv2.imwrite(str(tmp_path / "cutout.png"), transparent)
        found = batches(open_source(tmp_path), 8)
        named = {name.split(": ")[0] for batch in found for name in batch.broken}
        assert named == {str(paths[1]), str(tmp_path / "cutout.png")}
        assert all(len(batch.image) == 2 for batch in found)

    def test_only_broken_images_end_with_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").write_bytes(b"no image")
        with pytest.raises(ValueError, match=r"100 broken images.*no image of a known kind"):
            batches(open_source(tmp_path), 1)

    @pytest.mark.parametrize("workers", [0, 1])
    def test_only_broken_images_end_a_run_whoever_loads_them(
        self, tmp_path: Path, workers: int
    ) -> None:
        (tmp_path / "a.jpg").write_bytes(b"no image")
        loader = make_loader(open_source(tmp_path), replace(CONFIG, workers=workers), 2)
        with pytest.raises(DataError, match=r"^100 broken images .*a\.jpg.*no image of a known"):
            loader.next()
        loader.close()
        assert not multiprocessing.active_children()

    def test_a_fault_in_a_loading_process_is_raised_and_leaves_none_behind(
        self, tmp_path: Path
    ) -> None:
        """And so it ends a run: before, the interpreter waited for it without end."""
        source = open_source(write_pictures(tmp_path, 3)[0].parent)
        config = replace(CONFIG, workers=1, sketches="drawn")
        loader = make_loader(source, config, 2, extractor=_failing)
        with pytest.raises(ZeroDivisionError) as held:  # its traceback holds the loader
            loader.next()
        loader.close()
        assert held.value is not None
        assert not multiprocessing.active_children()


def _failing(*_: object) -> np.ndarray:
    raise ZeroDivisionError


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


class TestSketches:
    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
    def test_edge_files_are_read_beside_images_and_in_shards(
        self, tmp_path: Path, suffix: str
    ) -> None:
        paths = write_pictures(tmp_path / "in", 2)
        for path in paths:
            edges = np.zeros((72, 96), np.uint8)
            edges[:, 48:] = 255
            cv2.imwrite(str(path.with_name(f"{path.stem}_edge{suffix}")), edges)
        config = replace(CONFIG, sketches="files", random_crop=False, scale=(1, 1), flip=False)
        packed = pack(open_source(tmp_path / "in"), tmp_path / "out")
        assert packed.images == 2
        for source in (tmp_path / "in", tmp_path / "out"):
            (batch,) = batches(open_source(source), 1, replace(config, shuffle=1))
            assert batch.sketch is not None
            assert batch.sketch[:, :, 17:].all()
            assert not batch.sketch[:, :, :15].any()

    def test_images_without_edge_files_are_refused_or_skipped(self, tmp_path: Path) -> None:
        paths = write_pictures(tmp_path, 2)
        config = replace(CONFIG, sketches="files")
        with pytest.raises(DataError, match=r"such as picture_000_edge\.png or .*, found none"):
            batches(open_source(tmp_path), 1, config)
        cv2.imwrite(str(tmp_path / "picture_000_edge.png"), np.zeros((72, 96), np.uint8))
        (batch,) = batches(open_source(tmp_path), 1, config)
        assert {name.split(": ")[0] for name in batch.broken} == {str(paths[1])}

    def test_a_line_is_drawn_along_an_edge(self) -> None:
        image = np.full((128, 128, 3), 40, np.uint8)
        image[:, 64:] = 200
        found = [drawn_sketch(image, np.random.default_rng(seed)) for seed in range(8)]
        near = np.zeros((128, 128), np.bool_)
        near[:, 58:70] = True
        for sketch in found:
            assert sketch[near].any()
            assert not sketch[~near].any()
        assert len({sketch.tobytes() for sketch in found}) == 8

    def test_flat_images_have_no_lines(self) -> None:
        image = np.full((64, 64, 3), 128, np.uint8)
        assert not drawn_sketch(image, np.random.default_rng(0)).any()

    def test_another_extractor_takes_its_place(self, tmp_path: Path) -> None:
        write_pictures(tmp_path, 2)
        config = replace(CONFIG, sketches="drawn")

        def everywhere(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
            return np.ones(image.shape[:2], np.bool_)

        (batch,) = batches(open_source(tmp_path), 1, config, extractor=everywhere)
        assert batch.sketch is not None
        assert batch.sketch.all()


class TestShards:
    @pytest.fixture
    def shards(self, tmp_path: Path) -> DataSource:
        for i in range(12):
            flat = np.full((40, 40, 3), 10 + 20 * i, np.uint8)
            cv2.imwrite(str(tmp_path / f"{i:02d}.png"), flat)
        packed = pack(open_source(tmp_path), tmp_path / "shards", per_shard=3)
        assert (packed.shards, packed.images, packed.broken) == (4, 12, ())
        return open_source(packed.pattern)

    def colours(self, found: list[Stored]) -> list[int]:
        return [int(image[0, 0, 0]) for batch in found for image in batch.image]

    def test_packing_keeps_the_bytes(self, shards: DataSource, tmp_path: Path) -> None:
        stored = sorted(raw["image"] for shard in shards.shards for raw in raw_samples(shard))
        assert stored == sorted(path.read_bytes() for path in tmp_path.glob("*.png"))

    def test_packing_goes_on_and_leaves_what_is_there(self, tmp_path: Path) -> None:
        source = open_source(write_pictures(tmp_path / "in", 7)[0].parent)
        pack(source, tmp_path / "out", per_shard=3)
        tars = sorted((tmp_path / "out").glob("*.tar"))
        contents = [tar.read_bytes() for tar in tars]
        tars[1].unlink()
        before = tars[0].stat().st_mtime_ns
        pack(source, tmp_path / "out", per_shard=3)
        assert [tar.read_bytes() for tar in tars] == contents
        assert tars[0].stat().st_mtime_ns == before
        with pytest.raises(ValueError, match="shards of other images"):
            pack(source, tmp_path / "out", per_shard=4)

    def test_packing_leaves_broken_images_out_and_takes_edges_along(self, tmp_path: Path) -> None:
        paths = write_pictures(tmp_path / "in", 4)
        paths[0].write_bytes(b"broken")
        edges = paths[1].with_name(f"{paths[1].stem}_edge.png")
        edges.write_bytes(paths[1].read_bytes())
        packed = pack(open_source(tmp_path / "in"), tmp_path / "out")
        assert packed.images == 3
        assert [name.split(": ")[0] for name in packed.broken] == [str(paths[0])]
        found = list(raw_samples(str(tmp_path / "out" / "shards-000.tar")))
        assert [raw.get("edges") for raw in found].count(edges.read_bytes()) == 1

    @pytest.mark.parametrize("readers", [1, 2, 5])
    def test_readers_share_the_images(self, shards: DataSource, readers: int) -> None:
        # A buffer of one passes the stream on as it is: the first epoch is seen in order.
        config = replace(CONFIG, shuffle=1)
        found = []
        for rank in range(readers):
            colours = self.colours(batches(shards, 6, config, place=Place(rank, readers)))
            # Whole shards of three each, or, with more readers than shards, turns in all of them.
            epoch = 12 // readers if readers < 5 else len(range(rank, 12, 5))
            found += colours[:epoch]
        assert sorted(found) == [10 + 20 * i for i in range(12)]

    @pytest.mark.parametrize("workers", [0, 2])
    def test_a_stream_goes_on_where_it_stopped(self, shards: DataSource, workers: int) -> None:
        config = replace(CONFIG, workers=workers)
        straight = batches(shards, 9, config)
        for done in (1, 4, 5):
            assert same(batches(shards, 9 - done, config, position=2 * done), straight[done:])

    def test_urls_are_opened_by_fsspec(self, shards: DataSource) -> None:
        urls = tuple(f"file://{Path(shard).resolve()}" for shard in shards.shards)
        remote = DataSource("urls", shards=urls)
        assert same(batches(remote, 3), batches(shards, 3))

    def test_a_file_that_is_no_tar_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "bad.tar").write_bytes(b"nothing")
        with pytest.raises(DataError, match=r"bad\.tar, found 0: not a whole tar file"):
            batches(open_source(tmp_path / "bad.tar"), 1)

    @pytest.mark.parametrize("workers", [0, 1])
    def test_a_truncated_shard_is_named_and_the_others_are_read(
        self, shards: DataSource, workers: int
    ) -> None:
        cut = Path(shards.shards[1])
        cut.write_bytes(cut.read_bytes()[:700])  # within its first image
        found = batches(shards, 12, replace(CONFIG, workers=workers))
        assert {name.split(": ")[0] for batch in found for name in batch.broken} == {str(cut)}
        assert len(set(self.colours(found))) == 9

    def test_a_shard_without_images_ends_with_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("text")
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.add(tmp_path / "a.txt", "a.txt")
        with pytest.raises(ValueError, match="expected images"):
            batches(open_source(tmp_path / "a.tar"), 1)


class TestCheck:
    def test_it_finds_what_is_wrong(self, tmp_path: Path) -> None:
        paths = write_pictures(tmp_path, 5)
        paths[0].write_bytes(b"broken")
        again = cv2.resize(cv2.imread(str(paths[1])), (64, 48))
        cv2.imwrite(str(tmp_path / "smaller.jpg"), again)
        found = check(open_source(tmp_path), size=60)
        assert found.images == 5
        assert [name.split(": ")[0] for name in found.broken] == [str(paths[0])]
        assert found.shorter_side == (48, 72, 72)
        assert found.too_small == 1
        assert [set(group) for group in found.duplicates] == [
            {str(paths[1]), str(tmp_path / "smaller.jpg")}
        ]

    @given(
        base=st.integers(0, 2**64 - 1),
        flips=st.sets(st.integers(0, 63), max_size=9),
        others=st.lists(st.integers(0, 2**64 - 1), max_size=20),
    )
    def test_near_hashes_are_found_by_their_bands(
        self, base: int, flips: set[int], others: list[int]
    ) -> None:
        near = base ^ sum(1 << bit for bit in flips)
        hashes = [base, near, *others]
        together = any({0, 1} <= set(group) for group in near_groups(hashes))
        chained = any((base ^ o).bit_count() <= 4 for o in others)
        assert together == (len(flips) <= 4) or chained


def test_a_masks_content_says_whether_its_ones_are_noise(tmp_path: Path) -> None:
    plane = np.zeros((32, 32), np.uint8)
    plane[8:24, 8:24] = 1
    image = PIL.Image.fromarray(plane)
    for name, format, is_mask in (("a.jpg", "PNG", True), ("a.png", "JPEG", False)):
        folder = tmp_path / format
        folder.mkdir()
        image.save(folder / name, format=format, quality=100)
        maker = MaskMaker(replace(CONFIG, mask_folder=folder))
        assert maker.random(32, 32, np.random.default_rng(0)).any() == is_mask


def test_edges_are_read_from_every_format(tmp_path: Path) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    deep = tmp_path / "edges.png"
    PIL.Image.fromarray(plane.astype(np.uint16) * 257).save(deep)
    rgb = tmp_path / "rgb.png"
    PIL.Image.fromarray(np.dstack([plane, 0 * plane, 0 * plane])).save(rgb)
    for path in (deep, rgb):
        assert (decode_edges(path.read_bytes(), path.name) == plane).all()
    with pytest.raises(DataError, match="expected an image of edges"):
        decode_edges(b"", "nothing")
