"""Configs from a weights file's JSON: strict, and clear about what differs."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.checkpoints.config import config_from


@dataclass(frozen=True)
class Inner:
    steps: int = 1


@dataclass(frozen=True)
class Sizes:
    width: int
    kind: Literal["gated", "plain"] = "gated"
    gain: float = 1.0
    fuse: bool = True
    dilations: tuple[int, ...] = (2, 4)
    box: tuple[int, int] | None = None
    inner: Inner = Inner()


@given(
    st.builds(
        Sizes,
        width=st.integers(),
        kind=st.sampled_from(["gated", "plain"]),
        gain=st.floats(allow_nan=False, allow_infinity=False),
        fuse=st.booleans(),
        dilations=st.lists(st.integers()).map(tuple),
        box=st.none() | st.tuples(st.integers(), st.integers()),
        inner=st.builds(Inner, st.integers()),
    )
)
def test_a_config_survives_json(config: Sizes) -> None:
    fields = json.loads(json.dumps(dataclasses.asdict(config)))
    assert config_from(Sizes, fields) == config


def test_a_field_of_a_later_version_takes_its_default() -> None:
    assert config_from(Sizes, {"width": 3}) == Sizes(3)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "needs the field 'width'"),
        ({"width": 3, "depth": 4, "age": 5}, "also has 'age', 'depth'"),
        ({"width": "3"}, "'width' as int, got '3'"),
        ({"width": True}, "'width' as int, got True"),
        ({"width": 3, "kind": "partial"}, "'kind'"),
        ({"width": 3, "fuse": 1}, "'fuse' as bool, got 1"),
        ({"width": 3, "dilations": [1, "2"]}, "'dilations'"),
        ({"width": 3, "box": [1, 2, 3]}, "'box'"),
        ({"width": 3, "inner": {"stride": 2}}, "also has 'stride'"),
        ({"width": 3, "gain": None}, "'gain' as float, got None"),
    ],
)
def test_what_differs_is_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config_from(Sizes, fields)
