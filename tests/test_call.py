"""The call as one uses it from Python: arrays, lists, devices, options, and what comes back."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

import gatefill
from gatefill.errors import ConfigError, GatefillError
from gatefill.images import Photo
from gatefill.inpainter import Inpainter
from gatefill.methods.base import Fill
from tests.nearest import Nearest, photo_and_mask


def test_a_result_becomes_bytes_and_says_what_it_is() -> None:
    photo, mask = photo_and_mask()
    result = Inpainter(Nearest())(photo, mask)
    np.testing.assert_array_equal(PIL.Image.open(io.BytesIO(result.to_bytes("png"))), result)
    assert len(result.to_bytes("jpg", quality=10)) < len(result.to_bytes("jpg", quality=90))
    for quality in ("90", 90.5, True):
        with pytest.raises(ConfigError, match="expected quality as a whole number"):
            result.to_bytes("jpg", quality=quality)
    with pytest.raises(ConfigError, match="expected format as a text, got None"):
        result.to_bytes(None)
    with pytest.raises(ConfigError, match="expected the name of a method, or a method, got 3"):
        gatefill.load(3)
    assert re.fullmatch(r"<Result 40x30, 36 pixels filled by nearest in \d+\.\d\d s>", repr(result))
    assert repr(result.photo) == "<Photo 40x30 RGB, uint8>"
    assert repr(result.attention) == "<PhotoAttention of 36 positions to 1 places each>"
    assert repr(gatefill.load("patchmatch")) == "<Inpainter patchmatch on cpu, float32>"


@pytest.mark.parametrize("kind", ["array", "gray", "rgba", "photo", "tensor", "empty", "alpha"])
def test_results_share_no_memory_with_the_caller(kind: str) -> None:
    photo, mask = photo_and_mask()
    given: Any = photo
    holes: Any = mask
    if kind == "gray":
        given = photo = np.ascontiguousarray(photo[..., 0])
    elif kind in ("rgba", "alpha"):
        alpha = np.where(mask, 0, 128 if kind == "rgba" else 255).astype(np.uint8)
        given = photo = np.dstack([photo, alpha])
        holes = None if kind == "alpha" else mask
    elif kind == "photo":
        given = Photo(photo)
    elif kind == "tensor":
        torch = pytest.importorskip("torch")
        given = torch.from_numpy(photo.transpose(2, 0, 1))
        holes = torch.from_numpy(mask)
    elif kind == "empty":
        mask[:] = False
    result = Inpainter(Nearest())(given, holes)
    theirs = [result.photo.pixels, result.mask, np.asarray(result), np.asarray(result.image)]
    theirs += [each for each in (result.photo.alpha,) if each is not None]
    if result.attention is not None:
        theirs += [result.attention.photo.pixels, result.attention.mask]
    if result.coarse is not None:
        theirs.append(result.coarse.pixels)
    for array in theirs:
        assert not np.shares_memory(array, photo)
        assert not np.shares_memory(array, mask)


def test_a_list_of_photos_is_filled_in_one_call_with_one_progress() -> None:
    photo, mask = photo_and_mask()
    photos: list[Any] = [photo, photo[::-1].copy(), Photo(photo)]
    masks = [mask, np.roll(mask, 5, axis=1), mask]
    shares: list[float] = []
    results = Inpainter(Nearest())(photos, masks, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert {share for share in (0.5 / 3, 1 / 3, 1.5 / 3, 2 / 3) if share in shares}
    for each, hole, result in zip(photos, masks, results, strict=True):
        alone = Inpainter(Nearest())(each, hole)
        np.testing.assert_array_equal(np.asarray(result), np.asarray(alone))
    one_mask = Inpainter(Nearest())((photo, photo), mask, grow=1)
    assert [result.mask.sum() > mask.sum() for result in one_mask] == [True, True]
    with pytest.raises(ConfigError, match="a mask for each photo"):
        Inpainter(Nearest())(photos, masks[:2])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_inpaint_takes_an_array_and_gives_one(dtype: Any, channels: int | None) -> None:
    shape = (40, 50) if channels is None else (40, 50, channels)
    image = np.random.default_rng(0).random(shape)
    if np.dtype(dtype).kind == "u":
        image = (image * np.iinfo(dtype).max).round()
    image = image.astype(dtype)
    mask = np.zeros((40, 50), bool)
    mask[10:20, 15:25] = True
    before = image.copy()
    filled = gatefill.inpaint(image, mask, "patchmatch", grow=1)
    np.testing.assert_array_equal(image, before)
    assert (filled.shape, filled.dtype) == (image.shape, image.dtype)
    assert not np.shares_memory(filled, image)
    assert filled.flags.writeable
    hole = np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3)))) > 0
    np.testing.assert_array_equal(filled[~hole], image[~hole])
    before, after = (each[..., :3] if channels == 4 else each for each in (image, filled))
    assert (after[mask] != before[mask]).any()
    most = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    assert 0 <= after[mask].min() <= after[mask].max() <= most
    assert abs(after[mask].mean() - before.mean()) < 0.1 * most
    if channels == 4:
        np.testing.assert_array_equal(filled[..., 3], image[..., 3])


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_soft_edge_blends_the_fill_into_the_photo_around_the_hole(depth: type) -> None:
    photo, mask = photo_and_mask()
    photo = photo.astype(depth) * (np.iinfo(depth).max // 255)
    inpaint = gatefill.load("patchmatch")
    result = inpaint(photo, mask, feather=6)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    np.testing.assert_array_equal(result.mask, away <= 6)
    whole = np.asarray(inpaint(photo, away <= 6)).astype(float)
    found, before = np.asarray(result).astype(float), photo.astype(float)
    np.testing.assert_array_equal(found[mask], whole[mask])
    np.testing.assert_array_equal(found[~result.mask], before[~result.mask])
    edge = result.mask & ~mask
    low, high = np.minimum(before, whole)[edge], np.maximum(before, whole)[edge]
    assert ((found[edge] >= low) & (found[edge] <= high)).all(), "between fill and photo"
    shares = [np.abs(found - before)[ring].sum() / np.abs(whole - before)[ring].sum()
              for ring in (edge & (away < 2), edge & (away > 5))]  # fmt: skip
    assert shares[0] > 0.7
    assert shares[1] < 0.2


def test_a_soft_edge_may_be_wider_than_any_photo() -> None:
    photo, mask = photo_and_mask()
    wide = Inpainter(Nearest())(photo, mask, feather=10**400)
    np.testing.assert_array_equal(wide, Inpainter(Nearest())(photo, mask, feather=1000))


def test_a_soft_edge_has_a_width_and_stays_inside_the_photo() -> None:
    photo, mask = photo_and_mask()
    inpaint = gatefill.load("patchmatch")
    with pytest.raises(gatefill.ConfigError, match="feather"):
        inpaint(photo, mask, feather=-1)
    empty = inpaint(photo, np.zeros_like(mask), feather=9)
    np.testing.assert_array_equal(np.asarray(empty), photo)
    assert [each.code for each in empty.warnings] == ["mask.empty"]


def test_a_soft_edge_without_room_is_left_out_with_a_warning() -> None:
    photo, mask = photo_and_mask()
    inpaint = gatefill.load("patchmatch")
    plain = inpaint(photo, mask)
    for feather in (5000, 10**5000):
        found = inpaint(photo, mask, feather=feather)
        np.testing.assert_array_equal(found, plain)
        np.testing.assert_array_equal(found.mask, mask)
        (said,) = found.warnings
        assert said.code == "mask.feather"
    most = said.values["most"]
    assert f"at most {most} pixels fit" in said.text
    assert [each.code for each in inpaint(photo, mask, feather=most + 1).warnings] == [said.code]
    widest = inpaint(photo, mask, feather=most)
    assert not widest.warnings
    assert np.count_nonzero(~widest.mask) > 0
    assert not np.array_equal(widest, plain)
    nearly_all = np.ones_like(mask)
    nearly_all[0, 0] = False
    (said,) = (each for each in inpaint(photo, nearly_all, feather=1).warnings
               if each.code == "mask.feather")  # fmt: skip
    assert said.values == {"most": 0}


def test_inpaint_fills_what_is_transparent_and_keeps_its_method() -> None:
    photo, mask = photo_and_mask()
    rgba = np.dstack([photo, np.where(mask, 0, 255).astype(np.uint8)])
    filled = gatefill.inpaint(rgba, method="patchmatch")
    assert (filled[..., 3] == 255).all()
    np.testing.assert_array_equal(
        filled[..., :3], np.asarray(gatefill.load("patchmatch")(photo, mask))
    )
    np.testing.assert_array_equal(
        gatefill.inpaint(PIL.Image.fromarray(rgba), method="patchmatch"), filled[..., :3]
    )


def test_an_inpainter_moves_between_number_formats() -> None:
    pytest.importorskip("torch")
    photo, mask = photo_and_mask()
    inpaint = gatefill.load("deepfill_v2")
    assert (inpaint.device, inpaint.dtype) == ("cpu", "float32")
    exact = np.asarray(inpaint(photo, mask)).astype(int)
    assert inpaint.to(dtype="bfloat16") is inpaint
    assert inpaint.dtype == "bfloat16"
    rough = np.asarray(inpaint(photo, mask)).astype(int)
    assert 0 < np.abs(rough - exact).max() < 40
    assert gatefill.load("hybrid", dtype="bfloat16").dtype == "bfloat16"
    assert inpaint.to("cpu", "float32").dtype == "float32"
    for wrong in ({"dtype": "int8"}, {"device": "abacus"}):
        with pytest.raises(ConfigError, match=r"expected (a d|d)"):
            inpaint.to(**wrong)
    simple = gatefill.load("patchmatch")
    assert (simple.device, simple.to("cpu").dtype) == ("cpu", "float32")
    with pytest.raises(ConfigError, match="expected device 'cpu'"):
        simple.to("cuda")


def test_options_of_a_network_go_with_any_weights() -> None:
    pytest.importorskip("torch")
    photo, mask = photo_and_mask()
    options = {value: gatefill.NetworkOptions(finish=value) for value in (None, True, False)}
    fills = {
        value: np.asarray(gatefill.load("deepfill_v2", options=each)(photo, mask))
        for value, each in options.items()
    }
    np.testing.assert_array_equal(fills[None], fills[True])  # what the shipped weights say
    assert (fills[False] != fills[True])[mask].any()
    again = gatefill.load(weights="standard", options=options[False])
    np.testing.assert_array_equal(np.asarray(again(photo, mask)), fills[False])
    steered = [
        np.asarray(gatefill.load(config=gatefill.HybridConfig(network=each))(photo, mask))
        for each in options.values()
    ]
    np.testing.assert_array_equal(steered[0], steered[1])
    with pytest.raises(ConfigError, match="no options of a network for patchmatch"):
        gatefill.load("patchmatch", options=options[True])


def test_random_weights_are_said() -> None:
    pytest.importorskip("torch")
    photo, mask = photo_and_mask()
    result = gatefill.load("partial_conv")(photo, mask)
    assert "weights.random" in [warning.code for warning in result.warnings]
    trained = gatefill.load("deepfill_v2")(photo, mask)
    assert "weights.random" not in [warning.code for warning in trained.warnings]


@pytest.mark.usefixtures("folder")
def test_map_fills_one_photo_after_the_other() -> None:
    inpaint = gatefill.load("patchmatch")
    other = np.asarray(PIL.Image.open("photo.png"))[::-1]
    asked = []

    def photos() -> Iterator[Any]:
        for photo in ("photo.png", other, Path("photo.png")):
            asked.append(photo)
            yield photo

    results = inpaint.map(photos(), "mask.png", grow=1)
    assert asked == []
    first = next(results)
    assert len(asked) == 2, "one photo ahead"
    second, third = results
    for photo, result in (("photo.png", first), (other, second), ("photo.png", third)):
        alone = inpaint(photo, "mask.png", grow=1)
        np.testing.assert_array_equal(np.asarray(result), np.asarray(alone))
        assert result.source == alone.source


@pytest.mark.usefixtures("folder")
def test_a_call_takes_any_iterable_of_photos() -> None:
    inpaint = gatefill.load("patchmatch")
    (expected,) = inpaint(["photo.png"], ["mask.png"])
    mask = np.asarray(PIL.Image.open("mask.png"))
    for photos, masks in (
        (Path().glob("photo.p*"), "mask.png"),  # a generator
        ({"photo.png": 1}.keys(), iter(["mask.png"])),
        (map(str, ["photo.png"]), (mask,)),
    ):
        (found,) = inpaint(photos, masks)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    assert inpaint(iter(()), "mask.png") == []
    with open("photo.png", "rb") as file:  # noqa: PTH123 - a file is iterable, and one photo
        assert isinstance(inpaint(file, "mask.png"), gatefill.Result)


@pytest.mark.usefixtures("folder")
def test_map_takes_a_mask_for_each_photo() -> None:
    inpaint = gatefill.load("patchmatch")
    mask = np.asarray(PIL.Image.open("mask.png"))
    masks = [mask, np.roll(mask, 8, axis=1)]
    found = [result.mask for result in inpaint.map(["photo.png"] * 2, masks)]
    np.testing.assert_array_equal(found, np.array(masks) > 0)
    for photos, more in ((["photo.png"], "masks"), (["photo.png"] * 3, "photos")):
        with pytest.raises(ConfigError, match=f"a mask for each photo, got more {more}"):
            [*inpaint.map(photos, masks)]
    results = inpaint.map(["photo.png", "nope.png", "photo.png"], "mask.png")
    next(results)
    with pytest.raises(FileNotFoundError, match=r"nope\.png"):
        next(results)


def test_map_refuses_an_option_that_it_does_not_have() -> None:
    photo, mask = photo_and_mask()
    with pytest.raises(TypeError, match="unexpected keyword argument 'sketsh'"):
        list(Inpainter(Nearest()).map([photo], [mask], sketsh=mask))  # type: ignore[call-arg]


@pytest.mark.parametrize("format", ["jpg", "webp", "avif"])
def test_a_quality_may_be_a_number_of_numpys(format: str) -> None:
    photo, mask = photo_and_mask()
    result = Inpainter(Nearest())(photo, mask)
    assert result.to_bytes(format, quality=np.int64(50)) == result.to_bytes(format, quality=50)  # type: ignore[arg-type]


class Spoilt(Nearest):
    """A method whose frames another function changes."""

    def __init__(self, change: Callable[[Any], Any], *, coarse: bool = False) -> None:
        super().__init__()
        self.change = change
        self.coarse = coarse

    def fill(self, *arguments: Any, **options: Any) -> Fill:
        found = super().fill(*arguments, **options)
        if self.coarse:
            return replace(found, coarse=self.change(found.image))
        return replace(found, image=self.change(found.image))


@pytest.mark.parametrize("coarse", [False, True])
def test_a_frame_of_another_shape_is_a_bug_of_its_method(coarse: bool) -> None:
    photo, mask = photo_and_mask()
    for change in (lambda frame: frame[:-1], lambda frame: np.pad(frame, ((1, 0), (0, 0), (0, 0)))):
        with pytest.raises(TypeError, match="expected a fill of shape"):
            Inpainter(Spoilt(change, coarse=coarse))(photo, mask)


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_fill_of_no_numbers_is_refused(value: float, coarse: bool) -> None:
    photo, mask = photo_and_mask()

    def in_hole(frame: Any) -> Any:
        frame = frame.copy()
        frame[tuple(np.argwhere(mask)[-1])] = value
        return frame

    with pytest.raises(GatefillError) as caught:
        Inpainter(Spoilt(in_hole, coarse=coarse))(photo, mask)
    assert caught.value.code == "method.not_finite"
    outside = Spoilt(lambda frame: np.where(mask[..., None], frame, value), coarse=coarse)
    np.testing.assert_array_equal(
        Inpainter(outside)(photo, mask), Inpainter(Nearest())(photo, mask)
    )
