"""The table of methods: what it names is there, and everything else is made from it."""

from __future__ import annotations

import runpy
import subprocess
import sys
from dataclasses import is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from gatefill.errors import ConfigError, GatefillError
from gatefill.evaluation.outside import OUTSIDE, create_outside
from gatefill.extras import MissingExtra
from gatefill.methods import METHODS, Method, create, default_config, steered_by
from gatefill.methods.registry import ENTRIES, RECIPES, Entry, entry, imported
from gatefill.training.objectives import Objective
from gatefill.training.recipes import recipe

ROOT = Path(__file__).resolve().parents[2]
NAMES = list(METHODS)


@pytest.mark.parametrize("each", ENTRIES, ids=NAMES)
def test_every_part_of_an_entry_is_there(each: Entry) -> None:
    assert is_dataclass(each.load("config"))
    assert type(default_config(each.info.name)) is each.load("config")
    assert callable(each.load("method").fill)
    assert each.info.trainable == (each.objective is not None) == bool(each.recipes)
    if each.network is not None:
        small = each.load("network")(each.load("config").compact())
        assert sum(value.numel() for value in small.parameters()) > 10_000
        assert small.multiple == each.info.multiple
    if each.objective is not None:
        assert issubclass(each.load("objective"), Objective)
    for name, path in each.recipes.items():
        config = imported(path)()
        assert (config.recipe, config.method) == (name, each.info.name)
        assert recipe(name) == config


def test_a_part_that_a_method_has_not_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"one of global_local, .*, got patchmatch") as caught:
        entry("patchmatch").load("network")
    assert (caught.value.code, caught.value.values["part"]) == ("method.no_part", "network")


def test_an_unknown_name_gets_close_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean deepfill_v2") as caught:
        create("DeepFill-v2")
    assert caught.value.code == "method.unknown"
    assert caught.value.values["method"] == "DeepFill-v2"


def test_the_table_is_read_without_numpy_and_torch() -> None:
    code = (
        "import sys; from gatefill.methods import METHODS, MethodInfo, create; assert METHODS;"
        "print([name for name in ('numpy', 'torch', 'cv2', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_lines_help_names_every_recipe() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatefill", "train", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.replace(",", " ").replace(".", " ").split()
    assert set(RECIPES) <= set(words)


@pytest.mark.parametrize("language", ["README.md", "README.ko.md"])
def test_the_readmes_show_the_table(language: str) -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "method_tables.py"))
    path = ROOT / language
    text = path.read_text("utf-8")
    assert script["updated"](text, script["READMES"][path]) == text, "run scripts/method_tables.py"
    assert all(f"| `{name}` (" in text for name in NAMES)


def _some(name: str) -> Method:
    if name in OUTSIDE:
        try:
            return create_outside(name)
        except MissingExtra as missing:
            pytest.skip(str(missing))
    if name == "hybrid":
        return steered_by(create("patchmatch"))
    config = default_config(name)
    return create(name, replace(config, width=4) if hasattr(config, "width") else config)


@pytest.mark.parametrize("name", [*NAMES, *OUTSIDE])
def test_a_search_region_is_taken_or_refused(name: str) -> None:
    image = np.random.default_rng(0).random((24, 24, 3), dtype=np.float32)
    mask = np.zeros((24, 24), bool)
    mask[8:14, 8:14] = True
    region = np.zeros_like(mask)
    region[:, 16:] = True
    method = _some(name)
    if not method.info.takes_search:
        with pytest.raises(GatefillError, match="takes no search region") as caught:
            method.fill(image, mask, search=region)
        assert caught.value.code == "method.input_not_taken"
        return
    assert method.fill(image, mask, search=region).image.shape == image.shape
    with pytest.raises(GatefillError, match="outside the hole") as caught:
        method.fill(image, mask, search=mask)
    assert caught.value.code == "search.no_known_pixels"


def test_the_properties_are_those_of_the_papers_first_table() -> None:
    """Yu et al., ICCV 2019, table 1: semantics, non-local, free-form, user-guided."""
    table = {
        "patchmatch": (False, True, True, True),
        "global_local": (True, False, False, False),
        "deepfill_v1": (True, True, False, False),
        "partial_conv": (True, False, True, False),
        "deepfill_v2": (True, True, True, True),
    }
    table["hybrid"] = table["deepfill_v2"]  # whose structure it takes
    found = {
        name: (info.semantic, info.non_local, info.free_form, info.user_guided)
        for name, info in METHODS.items()
    }
    assert found == table
