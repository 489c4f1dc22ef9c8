"""Warnings about masks: rare where nothing is wrong, frequent where the mask misses the object."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gatefill.images import Photo, mask_warnings, read_photo
from tests.images.helpers import noise, smooth


def disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def rim_is_seen(photo: Photo, mask: np.ndarray) -> bool:
    return any(warning.code == "mask.rim" for warning in mask_warnings(photo, mask))


def box_mask(height: int, width: int, dice: random.Random) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    tall, wide = dice.randint(height // 8, height // 2), dice.randint(width // 8, width // 2)
    top, left = dice.randrange(height - tall), dice.randrange(width - wide)
    mask[top : top + tall, left : left + wide] = True
    return mask


def brush_mask(height: int, width: int, dice: random.Random) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    for _ in range(dice.randint(1, 3)):
        points = [(dice.randrange(width), dice.randrange(height)) for _ in range(3)]
        cv2.polylines(mask, [np.array(points)], False, 1, thickness=dice.randint(8, 40))
    return mask > 0


def pasted(photo: np.ndarray, path: Path, dice: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """A photo with a cut-out pasted somewhere, and the cut-out's alpha in its place."""
    height, width = photo.shape[:2]
    with Image.open(path) as opened:
        cutout = opened.convert("RGBA")
    scale = dice.uniform(0.3, 0.7) * min(height, width) / max(cutout.size)
    cutout = cutout.resize([max(round(side * scale), 8) for side in cutout.size])
    place = (dice.randrange(width - cutout.width), dice.randrange(height - cutout.height))
    whole = Image.fromarray(photo)
    whole.paste(cutout, place, cutout)
    alpha = Image.new("L", whole.size)
    alpha.paste(cutout.getchannel("A"), place)
    return np.asarray(whole), np.asarray(alpha)


def test_empty_and_inverted() -> None:
    photo = Photo(smooth(20, 30, 3))
    mask = np.zeros((20, 30), bool)
    assert [each.code for each in mask_warnings(photo, mask)] == ["mask.empty"]
    mask[5:9, 5:9] = True
    assert mask_warnings(photo, mask) == []
    (warning,) = mask_warnings(photo, ~mask)
    assert (warning.code, warning.values) == ("mask.inverted", {"percent": 97})
    assert "97%" in str(warning)
    with pytest.raises(ValueError, match="expected a mask of size"):
        mask_warnings(photo, mask[1:])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_rim_of_an_object_is_seen(channels: int, dtype: type) -> None:
    pixels = smooth(120, 160, channels, dtype)
    object_ = np.zeros((120, 160), np.uint8)
    cv2.ellipse(object_, (80, 60), (40, 25), 20, 0, 360, 1, -1)
    pixels[object_ > 0] = np.iinfo(dtype).max
    photo = Photo(pixels)
    assert not rim_is_seen(photo, object_ > 0)
    assert not rim_is_seen(photo, cv2.dilate(object_, disc(2)) > 0)
    for missed in (1, 2, 3):
        assert rim_is_seen(photo, cv2.erode(object_, disc(missed)) > 0)


def test_a_rim_inside_a_ring_is_seen() -> None:
    pixels = np.full((200, 200, 3), 90, np.uint8)
    ring = np.zeros((200, 200), np.uint8)
    cv2.circle(ring, (100, 100), 60, 1, thickness=30)
    pixels[ring > 0] = 220
    assert rim_is_seen(Photo(pixels), cv2.erode(ring, disc(2)) > 0)
    assert not rim_is_seen(Photo(pixels), ring > 0)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.floats(0, 1))
def test_any_size_and_any_mask(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    for warning in mask_warnings(Photo(noise(height, width, 3, seed=seed)), mask):
        assert warning


def test_false_alarms_on_photographs_are_rare(shared: Path) -> None:
    dice = random.Random(5)
    paths = dice.sample(sorted((shared / "photos" / "photos").glob("*.jpg")), 60)
    alarms = 0
    for path in paths:
        photo = read_photo(path)
        for make in (box_mask, brush_mask):
            alarms += rim_is_seen(photo, make(*photo.shape, dice))
    assert alarms <= 3  # of 120


def test_missed_rims_are_found_and_covered_objects_are_not_blamed(shared: Path) -> None:
    dice = random.Random(6)
    photos = dice.sample(sorted((shared / "photos" / "photos").glob("*.jpg")), 40)
    cutouts = sorted((shared / "photos" / "objects").glob("*.png"))
    hits = alarms = 0
    for path in photos:
        pixels, alpha = pasted(read_photo(path).pixels, dice.choice(cutouts), dice)
        solid = (alpha > 127).astype(np.uint8)
        hits += rim_is_seen(Photo(pixels), cv2.erode(solid, disc(2)) > 0)
        hits += rim_is_seen(Photo(pixels), cv2.erode(solid, disc(3)) > 0)
        covered = cv2.dilate((alpha > 8).astype(np.uint8), disc(2)) > 0
        alarms += rim_is_seen(Photo(pixels), covered)
    assert hits >= 72  # of 80
    assert alarms <= 1  # of 40
