"""Samples from shards."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from gatefill.errors import DataError
from gatefill.training.data import open_source
from gatefill.training.data.batch import Stored
from gatefill.training.data.pack import pack
from gatefill.training.data.place import Place
from gatefill.training.data.shards import raw_samples
from gatefill.training.data.sources import DataSource
from tests.training.helpers import write_pictures
from tests.training.test_data import CONFIG, batches, same


class TestShards:
    @pytest.fixture
    def shards(self, tmp_path: Path) -> DataSource:
        for i in range(12):
            flat = np.full((40, 40, 3), 10 + 20 * i, np.uint8)
            cv2.imwrite(str(tmp_path / f"{i:02d}.png"), flat)
        packed = pack(open_source(tmp_path), tmp_path / "shards", per_shard=3)
        assert (packed.shards, packed.images, packed.broken) == (4, 12, ())
        return open_source(packed.pattern)

    def colors(self, found: list[Stored]) -> list[int]:
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
            colors = self.colors(batches(shards, 6, config, place=Place(rank, readers)))
            # Whole shards of three each, or, with more readers than shards, turns in all of them.
            epoch = 12 // readers if readers < 5 else len(range(rank, 12, 5))
            found += colors[:epoch]
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
        names = {name for batch in found for name in batch.broken}
        assert names == {f"{cut}: not a whole tar file (unexpected end of data)"}
        assert len(set(self.colors(found))) == 9

    def test_a_shard_without_images_ends_with_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("text")
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.add(tmp_path / "a.txt", "a.txt")
        with pytest.raises(ValueError, match="expected images"):
            batches(open_source(tmp_path / "a.tar"), 1)
