"""From files and shards to samples."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing import resource_sharer
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.errors import DataError
from gatefill.training.config import DataConfig
from gatefill.training.data import Loader, drawn_sketch, make_loader, open_source
from gatefill.training.data.batch import Stored
from gatefill.training.data.check import check, near_groups
from gatefill.training.data.cut import Cutter
from gatefill.training.data.loader import lost_loader_said
from gatefill.training.data.masks import MaskMaker
from gatefill.training.data.pack import pack
from gatefill.training.data.place import Place
from gatefill.training.data.sources import DataSource, decode_edges, expand_braces
from tests.training.helpers import write_pictures

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
        # Colors without structure survive crop and scale, so that pictures can be told apart.
        for i in range(8):
            flat = np.full((40, 40, 3), 10 + 30 * i, np.uint8)
            cv2.imwrite(str(tmp_path / f"{i}.png"), flat)
        found = batches(open_source(tmp_path), 8)
        colors = [int(image[0, 0, 0]) for batch in found for image in batch.image]
        assert sorted(colors[:8]) == sorted(colors[8:]) == [10 + 30 * i for i in range(8)]
        assert colors[:8] != colors[8:]

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


class TestKilled:
    """Loading processes that something kills: one line, and none of them stays."""

    @pytest.fixture
    def loader(self, tmp_path: Path) -> Iterator[Loader]:
        source = open_source(write_pictures(tmp_path, 3)[0].parent)
        loader = make_loader(source, replace(CONFIG, workers=1), 2)
        loader.next()
        yield loader
        loader.close()

    def test_a_connection_that_breaks_first_is_no_fault_of_the_program(
        self, loader: Loader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that is killed closes its connections just before it has ended."""
        (worker,) = multiprocessing.active_children()

        def broken(_: object) -> int:
            threading.Timer(0.3, worker.kill).start()
            raise ConnectionResetError

        monkeypatch.setattr(resource_sharer.DupFd, "detach", broken)
        with (
            pytest.raises(DataError, match="a process that loads data was killed"),
            lost_loader_said(),
            closing(loader),  # else torch may raise its own error later, wherever that is
        ):
            loader.next()

    def test_one_that_dies_while_the_loader_closes_is_not_said(self, loader: Loader) -> None:
        (worker,) = multiprocessing.active_children()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)  # it does not hear that it should end
        threading.Timer(0.5, worker.kill).start()
        loader.close()
        assert not multiprocessing.active_children()


def _failing(*_: object) -> np.ndarray:
    raise ZeroDivisionError


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

    @pytest.mark.parametrize("sketches", ["files", "both"])
    def test_images_without_edge_files_are_refused_or_skipped(
        self, tmp_path: Path, sketches: Literal["files", "both"]
    ) -> None:
        paths = write_pictures(tmp_path, 2)
        config = replace(CONFIG, sketches=sketches)
        with pytest.raises(DataError, match=r"such as picture_000_edge\.png or .*, found none"):
            batches(open_source(tmp_path), 1, config)
        cv2.imwrite(str(tmp_path / "picture_000_edge.png"), np.zeros((72, 96), np.uint8))
        (batch,) = batches(open_source(tmp_path), 1, config)
        assert {name.split(": ")[0] for name in batch.broken} == {str(paths[1])}
        shards = tmp_path / "shards"
        pack(open_source(tmp_path), shards)
        found = {name for b in batches(open_source(shards), 4, config) for name in b.broken}
        (name,) = found
        assert re.search(r": has no sketch \d+_edge\.png beside it$", name)

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

    def test_an_image_that_a_list_names_twice_is_no_duplicate(self, tmp_path: Path) -> None:
        one, two = write_pictures(tmp_path, 2)
        (tmp_path / "list.txt").write_text(f"{one}\n{one}\n{two}\n")
        found = check(open_source(str(tmp_path / "list.txt")))
        assert found.images == 3
        assert not found.duplicates

    def test_it_finds_images_of_other_data_that_were_scaled_and_renamed(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "train").mkdir()
        (tmp_path / "kept").mkdir()
        paths = write_pictures(tmp_path / "train", 4)
        apart = write_pictures(tmp_path / "kept", 6)[4:]  # others than those
        again = cv2.resize(cv2.imread(str(paths[2])), (64, 48))
        cv2.imwrite(str(tmp_path / "kept" / "0.jpg"), again)
        for path in (tmp_path / "kept").rglob("*.png"):
            if path not in apart:
                path.unlink()
        found = check(open_source(tmp_path / "train"), against=open_source(tmp_path / "kept"))
        assert found.images == 4
        assert [set(group) for group in found.shared] == [
            {str(paths[2]), str(tmp_path / "kept" / "0.jpg")}
        ]
        assert not found.duplicates

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


def test_a_killed_loader_is_said_where_it_breaks_into_a_save() -> None:
    def save(said: str) -> None:
        try:
            raise RuntimeError(said)
        finally:
            raise RuntimeError("unexpected pos")  # as closing the file does

    with (
        pytest.raises(DataError, match=r"was killed \(DataLoader worker 7 is killed\)"),
        lost_loader_said(),
    ):
        save("DataLoader worker 7 is killed.")
    with pytest.raises(RuntimeError, match="unexpected pos"), lost_loader_said():
        save("the disk is gone")
