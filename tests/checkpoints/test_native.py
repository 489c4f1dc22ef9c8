"""The native weights file: what is written is read, and nothing else is."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from gatefill.checkpoints.native import (
    MAX_FILE_BYTES,
    MAX_HEADER_BYTES,
    Provenance,
    load_weights,
    read_header,
    save_weights,
)

SOURCE = Provenance(source="a test", step=7, data="none", license="CC0-1.0")


@dataclass(frozen=True)
class Numbers:
    width: int = 8
    kinds: tuple[str, ...] = ("gated", "plain")
    scale: float = 0.5


def a_state() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "first.weight": torch.randn(4, 3, 5, 5, generator=generator),
        "first.bias": torch.randn(4, generator=generator),
        "steps": torch.tensor(3),
    }


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "w.safetensors"
    save_weights(path, "deepfill_v2", Numbers(), a_state(), SOURCE)
    return path


def with_header(data: bytes, change: dict[str, Any]) -> bytes:
    """The file with entries of its header replaced (None: removed)."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.update(change)
    header = {key: value for key, value in header.items() if value is not None}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def test_what_is_saved_is_loaded(good: Path) -> None:
    info, state = load_weights(good)
    assert info.method == "deepfill_v2"
    assert info.config == {"width": 8, "kinds": ["gated", "plain"], "scale": 0.5}
    assert info.provenance == SOURCE
    assert info.parameters == 4 * 3 * 25 + 4 + 1
    assert info.shapes["first.weight"] == (4, 3, 5, 5)
    assert info.dtypes == ("F32", "I64")
    assert info.file_bytes == good.stat().st_size
    assert state.keys() == a_state().keys()
    for name, value in a_state().items():
        assert torch.equal(state[name], value)


def test_provenance_is_dated_and_names_the_version() -> None:
    facts = Provenance(source="x")
    assert facts.created.startswith("20")
    assert facts.created.endswith("+00:00")
    assert facts.gatefill
    assert facts.license == "not stated"


def test_tensors_that_share_memory_or_are_turned_are_saved(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    path = tmp_path / "w.safetensors"
    save_weights(path, "m", Numbers(), {"a": base, "b": base[0], "c": base.T}, SOURCE)
    _, state = load_weights(path)
    assert torch.equal(state["b"], base[0])
    assert torch.equal(state["c"], base.T)


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, "m", Numbers(), a_state(), SOURCE)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"NaN|Out of range"):
        save_weights(path, "m", Numbers(scale=float("nan")), a_state(), SOURCE)
    quantized = {"q": torch.zeros(2, dtype=torch.complex128)}
    with pytest.raises(Exception, match=r"complex|dtype|KeyError|C128"):
        save_weights(path, "m", Numbers(), quantized, SOURCE)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot write .*nowhere/w.safetensors"):
        save_weights(tmp_path / "nowhere" / "w.safetensors", "m", Numbers(), a_state(), SOURCE)


def test_a_config_that_is_no_dataclass_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a config dataclass, got dict"):
        save_weights(tmp_path / "w.safetensors", "m", {"width": 8}, a_state(), SOURCE)


def test_header_needs_neither_torch_nor_safetensors(good: Path) -> None:
    program = (
        "import sys; from gatefill.checkpoints.native import read_header; "
        f"print(read_header({str(good)!r}).method); "
        "assert not {'torch', 'safetensors', 'tensorflow'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "deepfill_v2", done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"__metadata__": None}, "another program"),
        ({"__metadata__": {"format": "pt"}}, "another program"),
        ({"__metadata__": []}, "another program"),
        ({"first.bias": None}, "wrong place"),
        ({"first.bias": 5}, "malformed"),
        ({"first.bias": {"dtype": "F32", "shape": [4], "data_offsets": [0]}}, "malformed"),
        ({"first.bias": {"dtype": "F99", "shape": [4], "data_offsets": [0, 16]}}, "malformed"),
        ({"first.bias": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}, "malformed"),
        ({"first.bias": {"dtype": "F32", "shape": [1 << 70], "data_offsets": [0, 1]}}, "malformed"),
        ({"first.bias": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, "malformed"),
        ({"more": {"dtype": "F32", "shape": [1], "data_offsets": [10**9, 10**9 + 4]}}, "place"),
        ({"more": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, "wrong place"),
    ],
)
def test_a_header_that_lies_is_refused(
    good: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(with_header(good.read_bytes(), change))
    refuse(path, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gatefill_format": "2"}, "newer gatefill"),
        ({"method": ""}, "no method"),
        ({"config": None}, "no config"),
        ({"config": "[1]"}, "config is not a JSON object"),
        ({"config": "{"}, "config is not JSON"),
        ({"config": '{"a": NaN}'}, "config is not JSON"),
        ({"config": '{"a":' * 100_000}, "config is not JSON"),
        ({"provenance": "{}"}, "provenance is incomplete"),
        ({"provenance": json.dumps({**dataclasses.asdict(SOURCE), "step": "x"})}, "whole number"),
        ({"provenance": json.dumps({**dataclasses.asdict(SOURCE), "data": 3})}, "incomplete"),
    ],
)
def test_metadata_that_is_not_ours_is_refused(
    good: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    data = good.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = {**header["__metadata__"], **change}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    path = tmp_path / "bad.safetensors"
    path.write_bytes(with_header(data, {"__metadata__": metadata}))
    refuse(path, words)


def test_what_a_later_version_adds_to_the_provenance_is_left_out(
    good: Path, tmp_path: Path
) -> None:
    data = good.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    facts = {**dataclasses.asdict(SOURCE), "weather": "fair"}
    metadata = {**header["__metadata__"], "provenance": json.dumps(facts)}
    path = tmp_path / "later.safetensors"
    path.write_bytes(with_header(data, {"__metadata__": metadata}))
    assert read_header(path).provenance == SOURCE


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut short"),
        (b"\x00" * 7, "cut short"),
        (b"PK\x03\x04" + b"\x00" * 200, "cut short"),
        (b"\x80\x02ctorch\nload\nq\x00.", "cut short"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 64, "cut short"),
        ((2).to_bytes(8, "little") + b"{}", "without tensors"),
        ((2).to_bytes(8, "little") + b"\xff\xfe", "not JSON"),
        ((1 << 63).to_bytes(8, "little") + b"{}", "cut short"),
        ((200_000).to_bytes(8, "little") + b"[" * 200_000, "not JSON"),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(data)
    refuse(path, words)


def test_oversized_files_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:  # sparse: takes no room on the disk
        file.truncate(MAX_FILE_BYTES + 1)
    refuse(path, "more than the limit")
    with path.open("wb") as file:
        file.write((MAX_HEADER_BYTES + 1).to_bytes(8, "little"))
        file.truncate(MAX_HEADER_BYTES + 100)
    refuse(path, "a header of")


def test_another_programs_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file(a_state(), path, metadata={"format": "pt"})
    refuse(path, "another program")


@given(share=st.floats(0, 1, exclude_max=True))
def test_every_cut_is_noticed(good: Path, tmp_path: Path, share: float) -> None:
    data = good.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(data[: int(share * len(data))])
    refuse(path, "gatefill")


@given(noise=st.binary(min_size=1, max_size=40), data=st.data())
def test_damage_is_refused_or_harmless(
    good: Path, tmp_path: Path, noise: bytes, data: st.DataObject
) -> None:
    whole = bytearray(good.read_bytes())
    start = data.draw(st.integers(0, len(whole) - len(noise)))
    whole[start : start + len(noise)] = noise
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(whole)
    # Damage to a number or to a word of the provenance goes unnoticed; all else is refused.
    with contextlib.suppress(ValueError):
        info, state = load_weights(path)
        assert {name: tuple(value.shape) for name, value in state.items()} == info.shapes


@given(
    header=st.dictionaries(
        st.sampled_from(["a", "b", "__metadata__"]) | st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["dtype", "shape", "data_offsets"]), inner, max_size=3
                )
            ),
            max_leaves=6,
        ),
        max_size=4,
    ),
    rest=st.binary(max_size=64),
)
def test_any_json_header_is_refused_in_one_line(
    tmp_path: Path, header: dict[str, Any], rest: bytes
) -> None:
    text = json.dumps(header).encode()
    path = tmp_path / "fuzz.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + rest)
    refuse(path, "gatefill")


def refuse(path: Path, words: str) -> None:
    """Both readers refuse the file in one line that has `words` and the file's name."""
    for read in (read_header, load_weights):
        with pytest.raises(ValueError, match=words) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)
        assert len(str(caught.value)) < 300
