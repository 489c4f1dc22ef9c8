"""WebDataset shards, Parquet files and URLs, in and out."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from tests.batches.helpers import file_of, is_filled, mask, outputs, photo, put, run

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "mask.png", mask())
    return tmp_path


def write_tar(path: str, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def read_tar(path: str) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


def make_shard(path: str, seeds: range) -> None:
    members: dict[str, bytes] = {}
    for seed in seeds:
        members[f"s/{seed:03d}.png"] = file_of(photo(seed))
        members[f"s/{seed:03d}.mask.png"] = file_of(mask())
        members[f"s/{seed:03d}.json"] = json.dumps({"seed": seed}).encode()
    write_tar(path, members)


def test_shards_become_shards_of_the_same_samples() -> None:
    make_shard("a-0.tar", range(3))
    make_shard("a-1.tar", range(3, 5))
    found = run("a-{0..1}.tar")
    assert (found.filled, found.containers, found.failed) == (5, 2, 0)
    assert sorted(outputs()) == ["a-0.tar", "a-1.tar"]
    before, after = read_tar("a-1.tar"), read_tar("out/a-1.tar")
    assert list(after) == list(before), "order and names"
    for name, data in after.items():
        if name.endswith(("json", "mask.png")):
            assert data == before[name]
        else:
            Path("one.png").write_bytes(data)
            assert is_filled("one.png", opened(before[name]))
    assert not [*Path("out/.gatefill").rglob("staged/**/0*")], "single files are thrown away"

    stamp = Path("out/a-0.tar").stat().st_mtime_ns
    again = run("a-{0..1}.tar")
    assert (again.filled, again.skipped, again.containers) == (0, 5, 0)
    make_shard("a-1.tar", range(4, 6))
    changed = run("a-{0..1}.tar")
    assert (changed.filled, changed.skipped, changed.containers) == (2, 3, 1)
    assert Path("out/a-0.tar").stat().st_mtime_ns == stamp


def test_a_shard_with_failures_is_whole_without_them_and_stays_done() -> None:
    write_tar(
        "s.tar",
        {
            "a.png": file_of(photo(0)),
            "broken.png": b"no photo",
            "text.txt": b"no photo at all",
            "b.png": file_of(photo(1)),
        },
    )
    for turn in range(2):
        found = run("s.tar", mask="mask.png")
        assert (found.filled, found.skipped) == ((2, 0), (0, 2))[turn]
        assert found.containers == 1 - turn
        assert sorted((each.name, each.code.split(".")[0]) for each in found.failures) == [
            ("s.tar#broken.png", "image"),
            ("s.tar#text", "data"),
        ]
        assert sorted(read_tar("out/s.tar")) == ["a.png", "b.png", "text.txt"]


def test_a_shard_that_ends_early_or_names_odd_places() -> None:
    make_shard("cut.tar", range(2))
    whole = Path("cut.tar").read_bytes()
    with tarfile.open("cut.tar") as tar:
        end = tar.getmember("s/001.png").offset
    Path("cut.tar").write_bytes(whole[:end])  # just before the second sample
    write_tar("odd.tar", {"../../evil.png": file_of(photo(1)), "/root.png": file_of(photo(2))})
    Path("none.tar").write_bytes(b"no tar file" * 100)
    found = run("cut.tar", "odd.tar", "none.tar", mask="mask.png", to="files")
    names = sorted(outputs())
    assert "odd/evil.png" in names
    assert "odd/root.png" in names
    assert sorted((each.name, each.code) for each in found.failures) == [
        ("cut.tar", "data.shard"),
        ("none.tar", "data.shard"),
    ]
    assert "cut/s/000.png" in names, "what comes before the cut is filled"
    assert not Path("../evil.png").exists()


def test_files_go_into_shards_and_shards_into_files() -> None:
    for seed, name in enumerate(("x/a.b.png", "x/a.c.png", "y.jpg")):
        put(Path("in") / name, photo(seed))
    found = run("in", mask="mask.png", to="shards", per_shard=2)
    assert (found.filled, found.containers) == (3, 2)
    assert list(read_tar("out/shards-00000.tar")) == ["y.jpg", "x/a_b.png"]
    assert list(read_tar("out/shards-00001.tar")) == ["x/a_c.png"]
    again = run("out/shards-{00000..00001}.tar", output="back", mask="mask.png", to="files")
    assert again.filled == 3
    assert sorted(outputs("back")) == [
        "shards-00000/x/a_b.png",
        "shards-00000/y.jpg",
        "shards-00001/x/a_c.png",
    ]


@pytest.mark.parametrize("nested", [False, True], ids=["bytes", "struct"])
def test_parquet_keeps_its_other_columns(nested: bool) -> None:
    def cell(data: bytes | None) -> Any:
        return {"bytes": data, "path": "p"} if nested else data

    photos = [file_of(photo(seed)) for seed in range(4)]
    table = pa.table(
        {
            "key": ["k0", "k1", "k2", "k3"],
            "image": [cell(photos[0]), cell(b"broken"), cell(None), cell(photos[3])],
            "hole": [file_of(mask())] * 4,
            "label": [1, 2, 3, 4],
        }
    )
    pq.write_table(table, "d.parquet", row_group_size=2)
    found = run("d.parquet", mask_column="hole")
    assert (found.filled, found.failed, found.containers) == (2, 2, 1)
    assert sorted(each.name for each in found.failures) == ["d.parquet#k1", "d.parquet#k2"]
    after = pq.read_table("out/d.parquet")
    assert after.schema == table.schema
    assert after.drop_columns("image") == table.drop_columns("image")
    cells = after.column("image").to_pylist()
    data = [cell and (cell["bytes"] if nested else cell) for cell in cells]
    assert data[1] is None
    assert data[2] is None
    for index in (0, 3):
        Path("one.png").write_bytes(data[index])
        assert is_filled("one.png", photo(index))
    files = run("d.parquet", output="files", mask_column="hole", to="files")
    assert files.filled == 2
    assert [name for name in outputs("files") if name.endswith(".png")] == ["d/k0.png", "d/k3.png"]
    assert run("d.parquet", mask_column="hole").skipped == 2


def test_files_go_into_parquet() -> None:
    for seed in range(3):
        put(Path("in") / f"{seed}.png", photo(seed))
    assert run("in", mask="mask.png", to="parquet").containers == 1
    table = pq.read_table("out/parquet-00000.parquet").to_pydict()
    assert table["path"] == ["0.png", "1.png", "2.png"]
    assert all(opened(data).size == (64, 48) for data in table["image"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"photo_column": "nope"},
            "expected a column 'nope' with bytes in d.parquet, got one, two",
        ),
        ({"mask_column": "nope"}, "expected a column 'nope' with masks in d.parquet, got one, two"),
        ({}, "expected one column with photos in d.parquet, got one, two"),
    ],
)
def test_columns_that_are_not_there_are_said(options: dict[str, str], said: str) -> None:
    pq.write_table(pa.table({"one": [b"x"], "two": [b"y"], "label": [1]}), "d.parquet")
    found = run("d.parquet", **options)
    assert [(each.code, each.text) for each in found.failures] == [("data.column", said)]


def test_urls_are_read_and_written(here: Path) -> None:
    pytest.importorskip("fsspec")
    put(Path("in/s/a.png"), photo(0))
    put(Path("in/b.png"), photo(1))
    make_shard("a-0.tar", range(2))
    url = f"local://{here}"
    found = run(f"{url}/in", output=f"{url}/far/out", mask=f"{url}/mask.png")
    assert (found.filled, found.failed) == (2, 0)
    assert is_filled("far/out/s/a.png", photo(0))
    again = run(f"{url}/in", output=f"{url}/far/out", mask=f"{url}/mask.png")
    assert again.skipped == 2
    assert run(f"{url}/a-0.tar", output=f"{url}/far/shards").containers == 1
    assert len(read_tar("far/shards/a-0.tar")) == 6
