"""What one part hands to another, possibly in another thread, cannot be changed there."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from gatefill.geometry import Box
from gatefill.images import Photo
from gatefill.images.mask import MaskOptions
from gatefill.images.meta import Meta
from gatefill.methods import METHODS, default_config
from gatefill.methods.base import Attention, Fill
from gatefill.methods.network import NetworkOptions
from gatefill.methods.patchmatch.atlas import Atlas
from gatefill.methods.patchmatch.levels import Guide, Level
from gatefill.methods.patchmatch.repetition import Repetition
from gatefill.methods.registry import Entry, MethodInfo
from gatefill.regions import Region
from gatefill.runtime.base import Found, Places

CONFIGS = {type(default_config(name)) for name in METHODS}


@pytest.mark.parametrize(
    "kind",
    [
        *sorted(CONFIGS, key=lambda kind: kind.__name__),
        *(Atlas, Attention, Box, Entry, Fill, Found, Guide, Level, MaskOptions, Meta, MethodInfo),
        *(NetworkOptions, Photo, Places, Region, Repetition),
    ],
)
def test_it_cannot_be_changed(kind: type) -> None:
    value = object.__new__(kind)
    for field in fields(kind):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, None)
