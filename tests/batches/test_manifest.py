"""The manifest: what survives, and what a cut line costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatefill.batches.items import Record
from gatefill.batches.manifest import FOLDER, ManifestWriter, read_manifest
from gatefill.batches.places import Output, open_output


@pytest.fixture(params=["folder", "url"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Output:
    """A local folder as a path, and as a URL that fsspec opens."""
    found = open_output(tmp_path if request.param == "folder" else f"local://{tmp_path}")
    found.prepare()
    return found


def test_records_come_back_the_latest_first(output: Output) -> None:
    first, second = ManifestWriter(output), ManifestWriter(output)
    first.add("a.png", Record("1", 10))
    first.add("b.png", Record("2", 20, ("mask.soft",)))
    first.close()
    second.add("a.png", Record("3", 30))
    second.add("c.png", Record("", -1, error=("image", "no photo")))
    second.close()
    expected = {
        "a.png": Record("3", 30),
        "b.png": Record("2", 20, ("mask.soft",)),
        "c.png": Record("", -1, error=("image", "no photo")),
    }
    assert read_manifest(output, merge=False) == expected
    assert len([*output.names(FOLDER)]) == 2
    assert read_manifest(output) == expected
    assert [*output.names(FOLDER)] == [f"{FOLDER}/merged.jsonl"]
    third = ManifestWriter(output)
    third.add("a.png", Record("4", 40))
    third.close()
    assert read_manifest(output) == expected | {"a.png": Record("4", 40)}


def test_a_cut_line_counts_as_not_written(tmp_path: Path) -> None:
    output = open_output(tmp_path)
    output.prepare()
    writer = ManifestWriter(output)
    for name in ("a.png", "b.png"):
        writer.add(name, Record(name, 1))
    writer.close()
    (file,) = (tmp_path / FOLDER).iterdir()
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        found = read_manifest(output, merge=False)
        assert set(found) <= {"a.png", "b.png"}
        assert all(record == Record(name, 1) for name, record in found.items())
        # Its newline is all that a whole line may lack.
        assert len(found) == whole[: length + 1].count(b"\n")
