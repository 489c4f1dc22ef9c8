"""From files and shards to samples."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.training.config import DataConfig
from gatefill.training.data import drawn_sketch, make_loader, open_source
from gatefill.training.data.batch import Stored
from gatefill.training.data.check import check, near_groups
from gatefill.training.data.cut import centre_sample, cut_sample
from gatefill.training.data.pack import pack
from gatefill.training.data.place import Place
from gatefill.training.data.shards import raw_samples
from gatefill.training.data.sources import DataSource, expand_braces
from tests.training.helpers import picture, write_pictures

CONFIG = DataConfig(size=32, workers=0, holdout=0, shuffle=4, flip=True, scale=(0.5, 1.0))


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
        assert sorted(open_source(tmp_path).files) == sorted(paths)

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
        with pytest.raises(ValueError, match=r"a hundred broken images.*no image of a known kind"):
            batches(open_source(tmp_path), 1)


class TestCut:
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
        for cut in (cut_sample, centre_sample):
            sample = cut(image, None, config, np.random.default_rng(seed))
            assert sample.image.shape == (32, 32, 3)
            assert sample.image.dtype == np.uint8
            assert sample.mask.shape == (32, 32)
            assert 0 < sample.mask.sum() < 32 * 32
            assert sample.sketch is not None
            assert sample.sketch.dtype == np.bool_

    def test_a_crop_at_full_resolution_is_a_part_of_the_image(self) -> None:
        config = replace(CONFIG, scale=(1.0, 1.0), flip=False)
        image = picture(1)
        sample = cut_sample(image, None, config, np.random.default_rng(3))
        windows = np.lib.stride_tricks.sliding_window_view(image, (32, 32), axis=(0, 1))
        assert (windows.transpose(0, 1, 3, 4, 2) == sample.image).all(axis=(2, 3, 4)).any()

    def test_without_crop_the_whole_image_is_resized(self) -> None:
        config = replace(CONFIG, random_crop=False, scale=(1.0, 1.0), flip=False)
        image = picture(1, 64, 128)
        sample = cut_sample(image, None, config, np.random.default_rng(0))
        expected = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
        assert np.array_equal(sample.image, expected)

    @pytest.mark.parametrize("scale", [(1.0, 1.0), (0.5, 0.5)])
    def test_edge_files_follow_the_image(self, scale: tuple[float, float]) -> None:
        config = replace(CONFIG, sketches="files", scale=scale)
        image = np.zeros((80, 80, 3), np.uint8)
        edges = np.zeros((80, 80), np.uint8)
        image[::8], edges[::8] = 255, 255
        for seed in range(5):
            sample = cut_sample(image, edges, config, np.random.default_rng(seed))
            assert sample.sketch is not None
            bright = sample.image[..., 0] > 100
            assert bright.any()
            assert sample.sketch[bright].all()
            assert not sample.sketch.all()

    def test_a_share_of_samples_has_no_sketch(self) -> None:
        config = replace(CONFIG, sketches="drawn", sketch_share=0.5)
        rng = np.random.default_rng(0)
        drawn = [cut_sample(picture(1), None, config, rng).sketch for _ in range(40)]
        empty = sum(not sketch.any() for sketch in drawn if sketch is not None)
        assert 8 < empty < 32


class TestSketches:
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
        with pytest.raises(ValueError, match=r"bad\.tar: not a whole tar file"):
            batches(open_source(tmp_path / "bad.tar"), 1)

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
