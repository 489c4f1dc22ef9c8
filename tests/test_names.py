"""One name for one thing: mask kinds, sizes and public names."""

from __future__ import annotations

import re
from pathlib import Path

import gatefill
from gatefill.evaluation.cases import read_kinds
from gatefill.mask_files import kind_named
from gatefill.masks import MASK_KINDS, MASKS, OBJECT
from gatefill.training.config import mask_weights


def test_kinds_of_masks_have_one_set_of_names() -> None:
    assert set(MASK_KINDS) == {*MASKS, OBJECT}
    for name in MASKS:
        assert kind_named(name) is MASKS[name]  # gatefill masks
        assert read_kinds([name], []) == [name]  # gatefill compare
        assert mask_weights(name) == {name: 1.0}  # recipes


def test_every_public_name_is_there_and_in_the_document() -> None:
    page = (Path(__file__).parents[1] / "docs" / "python.md").read_text("utf-8")
    table = page.partition("## Public names")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(gatefill.__all__)
    assert sorted(gatefill.__all__) == sorted(set(gatefill.__all__))
    for name in gatefill.__all__:
        assert getattr(gatefill, name) is not None
    assert set(gatefill.__all__) <= set(dir(gatefill))
