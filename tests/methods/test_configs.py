"""What a method's config may hold: no value builds another network or fails later."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from gatefill.errors import ConfigError
from gatefill.methods import METHODS, create, default_config

CHOICES = [
    (name, each.name)
    for name in METHODS
    for each in fields(default_config(name))
    if get_origin(get_type_hints(type(default_config(name)))[each.name]) is Literal
]


def test_there_are_choices_to_check() -> None:
    assert ("deepfill_v2", "kind") in CHOICES
    assert ("partial_conv", "padding") in CHOICES
    assert len(CHOICES) >= 12


@pytest.mark.parametrize(("name", "field"), CHOICES)
def test_an_unknown_choice_is_refused_with_those_there_are(name: str, field: str) -> None:
    config = default_config(name)
    known = get_args(get_type_hints(type(config))[field])
    with pytest.raises(ConfigError, match=f"expected {field} as one of {known[0]}, ") as caught:
        replace(config, **{field: "gatd"})
    assert caught.value.code == "config.value"
    assert caught.value.values == {"name": field, "value": "'gatd'"}
    for value in known:
        assert getattr(replace(config, **{field: value}), field) == value


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("deepfill_v2", {"width": 1}, "expected width in 2..1024, got 1"),
        ("deepfill_v2", {"width": 24.0}, "expected width as a whole number, got 24.0"),
        ("deepfill_v2", {"width": True}, "expected width as a whole number, got True"),
        ("deepfill_v2", {"kind": "gate"}, "got 'gate'; did you mean gated"),
        ("deepfill_v2", {"guided": 1}, "expected guided as true or false, got 1"),
        ("deepfill_v2", {"mask_steps": True}, "expected mask_steps as one of 1, 2, got True"),
        ("deepfill_v1", {"width": 1}, "expected width in 2..1024, got 1"),
        ("partial_conv", {"width": 0}, "expected width in 1..1024, got 0"),
        ("partial_conv", {"levels": 0}, "expected levels in 1..12, got 0"),
        ("partial_conv", {"levels": 40}, "expected levels in 1..12, got 40"),
        ("global_local", {"width": 1}, "expected width in 2..1024, got 1"),
        ("global_local", {"mean": (0.5, 0.5)}, "expected mean as 3 values .*, got "),
        ("global_local", {"mean": (0.5, 0.5, 117.0)}, "expected mean in 0..1, got 117.0"),
        ("patchmatch", {"patch_size": 8}, "expected patch_size to be odd, got 8"),
        ("patchmatch", {"patch_size": 33}, "expected patch_size in 3..31, got 33"),
        ("patchmatch", {"texture": float("nan")}, "expected texture as a number, got nan"),
        ("patchmatch", {"seed": -1}, "expected seed in 0..18446744073709551615, got -1"),
        ("patchmatch", {"seed": 2**64}, "expected seed in 0..18446744073709551615, got "),
        ("hybrid", {"side": 63}, "expected side in 64..4096, got 63"),
        ("hybrid", {"weight": 1.5}, "expected weight in 0..1, got 1.5"),
        ("hybrid", {"patchmatch": {}}, "expected patchmatch as .*PatchMatchConfig.*, got {}"),
    ],
)
def test_what_no_method_can_do_is_refused(name: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(default_config(name), **change)


@pytest.mark.parametrize(
    ("name", "field", "least", "most"),
    [
        ("patchmatch", "patch_size", 3, 31),
        ("patchmatch", "levels", 0, 32),
        ("patchmatch", "rounds", 1, 1000),
        ("patchmatch", "passes", 1, 1000),
        ("patchmatch", "texture", 0, 4),
        ("patchmatch", "guide", 0, 16),
        ("patchmatch", "sharpness", 0, 100),
        ("patchmatch", "seed", 0, 2**64 - 1),
        ("hybrid", "side", 64, 4096),
        ("hybrid", "weight", 0, 1),
        ("hybrid", "weight_at_last", 0, 1),
        ("deepfill_v2", "width", 2, 1024),
        ("deepfill_v1", "width", 2, 1024),
        ("partial_conv", "width", 1, 1024),
        ("partial_conv", "levels", 1, 12),
        ("global_local", "width", 2, 1024),
    ],
)
def test_a_range_holds_both_its_ends_and_nothing_beyond(
    name: str, field: str, least: int, most: int
) -> None:
    config = default_config(name)
    step = 0.25 if isinstance(getattr(config, field), float) else 1
    for value in (least, most):
        assert getattr(replace(config, **{field: value}), field) == value
    for value in (least - step, most + step):
        with pytest.raises(ConfigError, match=f"expected {field} in {least}..{most}, got "):
            replace(config, **{field: value})


@pytest.mark.parametrize("change", [{"width": 2}, {"width": 3}, {"padding": "reflect"}])
@pytest.mark.parametrize("name", ["deepfill_v2", "deepfill_v1", "partial_conv"])
def test_the_smallest_network_fills_the_smallest_photo(name: str, change: dict[str, Any]) -> None:
    config = replace(default_config(name), **{"width": 2, **change})
    image, mask = np.full((1, 2, 3), 0.5, np.float32), np.array([[True, False]])
    assert create(name, config).fill(image, mask).image.shape == (1, 2, 3)


@pytest.mark.parametrize("seed", [2**50, 2**63, 2**64 - 1])
def test_large_seeds_are_seeds(seed: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.random((40, 40, 3), dtype=np.float32)
    mask = np.zeros((40, 40), bool)
    mask[12:28, 12:28] = True
    config = default_config("patchmatch")
    first, again, other = (
        create("patchmatch", replace(config, seed=each)).fill(image, mask).image
        for each in (seed, seed, seed - 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
