"""The one call: images of all kinds in, known pixels bit-identical out, cost that follows holes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gatefill
from gatefill.errors import MaskError
from gatefill.images import ImageError, Photo
from gatefill.inpainter import Inpainter
from gatefill.loading import load
from tests.nearest import Nearest, photo_and_mask

HOLE = 255  # what stands in holes here; known pixels stay below 200


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A photo (gray, RGB or RGBA; 8 or 16 bits) and a mask of the same size, never all hole."""
    height, width = draw(st.integers(1, 400)), draw(st.integers(1, 60))
    if draw(st.booleans()):
        height, width = width, height
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = draw(st.sampled_from([(), (3,), (4,)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    photo = rng.integers(0, 200, (height, width, *shape)).astype(dtype)
    if dtype == np.uint16:
        photo *= 257
        photo += rng.integers(0, 7, photo.shape).astype(dtype)
    mask = rng.random((height, width)) < draw(st.sampled_from([0.002, 0.1, 0.9]))
    mask[rng.integers(height), rng.integers(width)] = False
    color = photo[..., :3] if shape else photo
    color[mask] = np.iinfo(dtype).max
    if shape == (4,):
        photo[..., 3] += 1  # nothing is hidden
    return photo, mask


@given(cases(), st.sampled_from(["crop", "whole"]))
def test_known_pixels_come_back_bit_identical_and_holes_are_filled(
    case: tuple[np.ndarray, np.ndarray], large: Any
) -> None:
    photo, mask = case
    result = Inpainter(Nearest(), large=large)(photo, mask)
    filled = np.asarray(result)
    color = photo[..., :3] if photo.ndim == 3 else photo
    assert filled.dtype == photo.dtype
    assert filled.shape == color.shape
    np.testing.assert_array_equal(filled[~mask], color[~mask])
    assert (filled[mask] < np.iinfo(photo.dtype).max).all()
    if photo.ndim == 3 and photo.shape[2] == 4:
        np.testing.assert_array_equal(result.photo.alpha, photo[..., 3])
    np.testing.assert_array_equal(result.mask, mask)


@given(cases(), st.sampled_from(["crop", "whole"]), st.sampled_from([0.1, 0.5, 0.9]))
def test_what_alpha_hides_is_neither_filled_nor_taken(
    case: tuple[np.ndarray, np.ndarray], large: Any, share: float
) -> None:
    photo, mask = case
    color = photo[..., :3] if photo.ndim == 3 else photo[..., None]
    hidden = (np.random.default_rng(0).random(mask.shape) < share) & ~mask
    if (hidden | mask).all() or not mask.any():
        return
    most = np.iinfo(photo.dtype).max
    pixels = np.where(hidden[..., None], most, color).astype(photo.dtype)
    alpha = np.where(hidden, 0, most).astype(photo.dtype)
    result = Inpainter(Nearest(), large=large)(np.dstack([pixels, alpha]), mask)
    filled = result.photo.pixels
    assert (filled[~mask] == pixels[~mask]).all()
    assert (filled[mask] < most).all()  # nothing of what is hidden
    if result.photo.alpha is not None:
        assert (result.photo.alpha == alpha).all()
    assert result.attention is not None
    assert mask[tuple(result.attention.target.T)].all()
    assert not (hidden | mask)[tuple(result.attention.source[:, 0].T)].any()


def test_a_hole_in_nothing_but_hidden_pixels_is_refused() -> None:
    photo = np.dstack([np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8)])
    mask = np.zeros((9, 9), bool)
    mask[3:5, 3:5] = True
    with pytest.raises(MaskError, match="outside the hole is transparent"):
        Inpainter(Nearest())(photo, mask)


@given(cases(), st.sampled_from(["crop", "whole"]))
def test_attention_is_told_in_frame_coordinates(
    case: tuple[np.ndarray, np.ndarray], large: Any
) -> None:
    photo, mask = case
    result = Inpainter(Nearest(), large=large)(photo, mask)
    if not mask.any():
        assert result.attention is None
        return
    attention = result.attention
    assert attention is not None
    rows, columns = attention.target.T
    seen = np.zeros_like(mask)
    seen[rows, columns] = True
    np.testing.assert_array_equal(seen, mask)
    source_rows, source_columns = attention.source[:, 0].T
    filled = np.asarray(result)
    np.testing.assert_array_equal(
        filled[rows, columns],
        photo[..., :3][source_rows, source_columns]
        if photo.ndim == 3
        else photo[source_rows, source_columns],
    )


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A photo of 12 megapixels with two small holes far from each other."""
    photo = np.random.default_rng(0).integers(0, 200, (3000, 4000, 3)).astype(np.uint8)
    mask = np.zeros((3000, 4000), bool)
    mask[100:140, 200:260] = mask[2500:2510, 3500:3510] = True
    photo[mask] = HOLE
    return photo, mask


def test_large_photos_are_looked_at_around_their_holes(
    scene: tuple[np.ndarray, np.ndarray],
) -> None:
    photo, mask = scene
    method = Nearest()
    shares: list[float] = []
    result = Inpainter(method)(photo, mask, progress=shares.append)
    assert method.sizes == [(268, 316), (266, 266)]
    assert (np.asarray(result)[mask] < HOLE).all()
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    # The first box has 2400 of 2500 hole pixels. On a busy machine a share is told twice.
    assert sorted(set(shares))[1:3] == pytest.approx([0.48, 0.96])

    whole = Nearest()
    Inpainter(whole, large="whole")(photo, mask)
    assert whole.sizes == [(3000, 4000)]


def test_specks_all_over_a_photo_are_filled_in_tiles() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 200, (1500, 2000, 3)).astype(np.uint8)
    mask = np.zeros((1500, 2000), bool)
    for top, left in zip(rng.integers(1497, size=400), rng.integers(1997, size=400), strict=True):
        mask[top : top + 3, left : left + 3] = True
    photo[mask] = HOLE
    method = Nearest()
    shares: list[float] = []
    result = Inpainter(method)(photo, mask, progress=shares.append)
    assert len(method.sizes) > 4
    assert max(tall * wide for tall, wide in method.sizes) < 1000 * 1000
    filled = np.asarray(result)
    np.testing.assert_array_equal(filled[~mask], photo[~mask])
    assert (filled[mask] < HOLE).all()
    assert shares == sorted(shares)
    attention = result.attention
    assert attention is not None
    assert len(attention.target) == mask.sum(), "each pixel once"
    rows, columns = attention.target.T
    assert mask[rows, columns].all()
    sources = attention.source[:, 0].T
    assert not mask[sources[0], sources[1]].any(), "what was filled before is no material"
    np.testing.assert_array_equal(filled[rows, columns], photo[sources[0], sources[1]])


def test_material_comes_from_the_search_region(scene: tuple[np.ndarray, np.ndarray]) -> None:
    photo, mask = scene
    photo[700:720, 900:940] = (1, 250, 3)
    search = np.zeros_like(mask)
    search[700:720, 900:940] = True
    result = Inpainter(Nearest())(photo, mask, search=search)
    assert (np.asarray(result)[mask] == (1, 250, 3)).all()
    with pytest.raises(ValueError, match="some of the search region outside the hole, got none"):
        Inpainter(Nearest())(photo, mask, search=mask)


def test_coarse_is_the_first_fill_on_the_photo() -> None:
    photo = np.full((20, 30), 100, np.uint8)
    photo[:, :10] = 40
    mask = np.zeros((20, 30), bool)
    mask[5:9, 12:20] = True
    result = Inpainter(Nearest())(photo, mask)
    assert result.coarse is not None
    coarse = result.coarse.pixels[..., 0]
    np.testing.assert_array_equal(coarse[~mask], photo[~mask])
    assert np.unique(coarse[mask]).tolist() == [79]  # (200 * 40 + 368 * 100) / 568


def test_paths_pil_images_arrays_and_tensors_give_the_same(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    photo, mask = photo_and_mask()
    inpaint = Inpainter(Nearest())
    expected = np.asarray(inpaint(photo, mask))
    PIL.Image.fromarray(photo).save(tmp_path / "photo.png")
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    pairs: list[tuple[Any, Any]] = [
        (tmp_path / "photo.png", tmp_path / "mask.png"),
        (str(tmp_path / "photo.png"), str(tmp_path / "mask.png")),
        (PIL.Image.fromarray(photo), PIL.Image.fromarray(mask)),
        (torch.from_numpy(photo).permute(2, 0, 1), torch.from_numpy(mask)),
        (torch.from_numpy(photo).permute(2, 0, 1).float() / 255, mask.astype(np.float32)),
        (Photo(photo), mask),
    ]
    for given_photo, given_mask in pairs:
        result = inpaint(given_photo, given_mask)
        np.testing.assert_array_equal(np.asarray(result), expected)
        np.testing.assert_array_equal(np.asarray(result.image), expected)


def test_mask_options_reach_the_mask() -> None:
    photo, mask = photo_and_mask()
    inpaint = Inpainter(Nearest())
    np.testing.assert_array_equal(inpaint(photo, ~mask, invert_mask=True).mask, mask)
    assert inpaint(photo, mask, grow=1).mask.sum() > mask.sum()
    small = mask[::2, ::2]
    with pytest.raises(ValueError, match=r"20 x 15.*40 x 30"):
        inpaint(photo, small)
    assert inpaint(photo, small, resize_mask=True).mask.shape == mask.shape


def test_a_transparent_part_is_filled_and_becomes_opaque() -> None:
    photo, mask = photo_and_mask()
    rgba = np.dstack([photo, np.where(mask, 0, 255).astype(np.uint8)])
    result = Inpainter(Nearest())(rgba)
    np.testing.assert_array_equal(result.mask, mask)
    assert result.photo.alpha is None
    np.testing.assert_array_equal(np.asarray(result)[~mask], photo[~mask])


def test_an_empty_mask_changes_nothing_and_says_so() -> None:
    photo, mask = photo_and_mask()
    method = Nearest()
    shares: list[float] = []
    result = Inpainter(method)(photo, np.zeros_like(mask), progress=shares.append)
    np.testing.assert_array_equal(np.asarray(result), photo)
    assert method.sizes == []
    assert shares == [1.0]
    assert len(result.warnings) == 1
    assert result.warnings[0].code == "mask.empty"


def test_a_mask_of_everything_is_an_error() -> None:
    photo, mask = photo_and_mask()
    with pytest.raises(ValueError, match="covers the whole photo"):
        Inpainter(Nearest())(photo, np.ones_like(mask))


def test_a_mask_that_looks_inverted_is_warned_about() -> None:
    photo, mask = photo_and_mask()
    result = Inpainter(Nearest())(photo, ~mask)
    assert [warning.code for warning in result.warnings] == ["mask.inverted"]


def test_what_a_method_does_not_take_is_refused() -> None:
    photo, mask = photo_and_mask()
    with pytest.raises(ValueError, match="nearest takes no sketch"):
        Inpainter(Nearest())(photo, mask, sketch=mask)


def test_sizes_of_sketch_and_search_are_checked_by_name() -> None:
    photo, mask = photo_and_mask()
    with pytest.raises(ValueError, match=r"the search region is 20 x 15"):
        Inpainter(Nearest())(photo, mask, search=mask[::2, ::2])


def test_a_search_region_may_be_everything() -> None:
    photo, mask = photo_and_mask()
    everywhere = Inpainter(Nearest())(photo, mask, search=np.ones_like(mask))
    np.testing.assert_array_equal(
        np.asarray(everywhere), np.asarray(Inpainter(Nearest())(photo, mask))
    )


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="one of auto, whole, crop, resize, got 'half'"):
        Inpainter(Nearest(), large="half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="context of 0 or more, got -1"):
        Inpainter(Nearest(), context=-1)
    with pytest.raises(ValueError, match="together with a method's name"):
        load(Nearest(), weights="x.safetensors")
    with pytest.raises(ValueError, match="did you mean patchmatch"):
        load("patch-match")
    with pytest.raises(ValueError, match="no weights for patchmatch"):
        load("patchmatch", weights="x.safetensors")
    with pytest.raises(ValueError, match="expected a PatchMatchConfig as config of patchmatch"):
        load("patchmatch", config=3)


def test_photos_with_too_many_pixels_are_refused(tmp_path: Path) -> None:
    photo, mask = photo_and_mask()
    PIL.Image.fromarray(photo).save(tmp_path / "photo.png")
    with pytest.raises(ValueError, match="1,200"):
        Inpainter(Nearest(), max_pixels=1000)(tmp_path / "photo.png", mask)


def test_the_result_saves_itself_but_not_over_the_photo(tmp_path: Path) -> None:
    photo, mask = photo_and_mask()
    source = tmp_path / "photo.png"
    PIL.Image.fromarray(photo).save(source)
    before = source.read_bytes()
    result = Inpainter(Nearest())(source, mask)
    result.save(tmp_path / "out.png")
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "out.png")), result)
    (tmp_path / "link.png").symlink_to(source)
    same = tmp_path / ".." / tmp_path.name / "photo.png"
    for there in (source, str(source), same, tmp_path / "link.png", tmp_path / "out.png"):
        for write in (result.save, result.photo.save):  # the word has one meaning
            with pytest.raises(ImageError, match="exists already"):
                write(there)
    assert source.read_bytes() == before
    result.save(source, overwrite=True)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(source)), result)


def test_a_result_is_an_array_of_the_asked_kind() -> None:
    photo, mask = photo_and_mask()
    result = Inpainter(Nearest())(photo, mask)
    assert np.asarray(result, np.float32).dtype == np.float32
    copy = np.array(result)
    copy[:] = 0
    assert np.asarray(result).any()
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(result)[:] = 0
    assert result.photo.pixels.flags.writeable
    assert result.seconds > 0
    assert result.method == "nearest"


def test_the_public_face() -> None:
    assert set(gatefill.__all__) <= set(dir(gatefill))
    assert gatefill.load is load
    assert gatefill.Inpainter is Inpainter
    assert gatefill.METHODS is gatefill.methods.METHODS
    assert "patchmatch" in gatefill.METHODS
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = gatefill.lod


def test_the_default_fills_a_photo_with_what_surrounds_the_hole() -> None:
    """Stripes: the fill must continue them."""
    photo = np.zeros((64, 64, 3), np.uint8)
    photo[:, ::8] = photo[:, 1::8] = photo[:, 2::8] = photo[:, 3::8] = 200
    mask = np.zeros((64, 64), bool)
    mask[28:36, 24:40] = True
    spoiled = photo.copy()
    spoiled[mask] = 100
    result = gatefill.load()(spoiled, mask)
    assert result.method == "hybrid"
    assert result.warnings == ()
    error = np.abs(np.asarray(result).astype(int) - photo)[mask]
    assert error.mean() < 10
