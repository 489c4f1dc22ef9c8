"""JPEG in, JPEG out: what the hole does not touch keeps its coefficients, and all segments stay."""

from __future__ import annotations

import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from gatefill.errors import ConfigError
from gatefill.images import Photo, read_photo
from gatefill.images.jpeg_segments import APP0, layout_of
from tests.images.helpers import cmyk_profile, exif_block, pil_file
from tests.images.jpegs import KINDS, not_interleaved, stored, texture


def filled(data: bytes, mask: NDArray[np.bool_], fill: Any, **options: Any) -> Any:
    """The photo in `data` with `fill` where the upright `mask` is, as a file with warnings."""
    photo = read_photo(data)
    pixels: Any = np.where(mask[..., None], fill, photo.pixels).astype(np.uint8)
    return photo.replaced(pixels).encoded("jpg", **options)


def box(shape: tuple[int, int], top: int, left: int, bottom: int, right: int) -> Any:
    mask = np.zeros(shape, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def blocks_with(mask: NDArray[np.bool_], tall: int, wide: int) -> NDArray[np.bool_]:
    """Which cells of `tall` x `wide` pixels hold a pixel of the mask."""
    height, width = mask.shape
    wider = np.pad(mask, ((0, -height % tall), (0, -width % wide)))
    cells = wider.reshape(wider.shape[0] // tall, tall, wider.shape[1] // wide, wide)
    return np.asarray(cells.any((1, 3)))


def changed_blocks(before: bytes, after: bytes) -> list[NDArray[np.bool_]]:
    """For each component which blocks differ."""
    one, other = stored(before), stored(after)
    assert one.tables == other.tables
    assert one.sampling == other.sampling
    assert one.kind == other.kind
    return [(a != b).any((2, 3)) for a, b in zip(one.blocks, other.blocks, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_outside_the_hole_keep_their_coefficients(kind: str) -> None:
    data = KINDS[kind](45, 61, 0)
    mask = box((45, 61), 10, 17, 20, 30)
    # That profile knows black ink only.
    fill = [90] if kind in ("gray", "cmyk with profile") else [50, 160, 90]
    file = filled(data, mask, fill)
    assert file.warnings == ()
    info, changed = stored(data), changed_blocks(data, file.data)
    for number, blocks in enumerate(changed):
        assert not (blocks & ~blocks_with(mask, *info.footprints(number))).any()
    assert changed[0].any()
    # Known pixels stay as well, but for those within the reach of the chroma's upsampling.
    before, after = read_photo(data).pixels.astype(int), read_photo(file.data).pixels.astype(int)
    tall, wide = np.max([info.footprints(number) for number in range(len(changed))], axis=0)
    reach = blocks_with(mask, tall, wide).repeat(tall, 0).repeat(wide, 1)[:45, :61]
    reach |= np.roll(reach, 1, 0) | np.roll(reach, -1, 0)
    reach |= np.roll(reach, 1, 1) | np.roll(reach, -1, 1)
    assert (before == after)[~reach].all()
    # And the hole shows the fill, as far as the source's quality allows.
    middle = np.s_[12:18, 20:28]
    assert abs(after[middle] - fill).mean() < 16
    assert abs(after[middle] - before[middle]).mean() > 30


@given(
    kind=st.sampled_from(sorted(KINDS)),
    height=st.integers(1, 50),
    width=st.integers(1, 50),
    orientation=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
    holes=st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=4),
)
def test_no_block_without_a_hole_pixel_changes(
    kind: str, height: int, width: int, orientation: int, seed: int, holes: list[Any]
) -> None:
    data = oriented(KINDS[kind](height, width, seed), orientation)
    pixels = read_photo(data).pixels
    mask = np.zeros(pixels.shape[:2], np.bool_)
    for y, x, tall, wide in holes:
        top, left = int(y * mask.shape[0]), int(x * mask.shape[1])
        mask[top : top + 1 + int(tall * 20), left : left + 1 + int(wide * 20)] = True
    file = filled(data, mask, texture(*mask.shape, pixels.shape[2], seed + 1))
    assert file.warnings == ()
    place = stored_place(mask, orientation)
    assert place.shape == (height, width)
    info = stored(data)
    for number, blocks in enumerate(changed_blocks(data, file.data)):
        assert not (blocks & ~blocks_with(place, *info.footprints(number))).any()
    assert Image.open(io.BytesIO(file.data)).getexif().get(0x0112) == orientation
    assert read_photo(file.data).pixels.shape == pixels.shape


def oriented(data: bytes, orientation: int) -> bytes:
    exif = exif_block(orientation).tobytes()
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    return data[:2] + segment + data[2:]


def stored_place(mask: NDArray[np.bool_], orientation: int) -> NDArray[np.bool_]:
    """An upright mask as a file of that orientation stores it, by Pillow's own transposing."""
    methods = (None, None, 0, 3, 1, 5, 2, 6, 4)  # of PIL.Image.Transpose; 6 and 8 go back
    method = methods[orientation]
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image if method is None else image.transpose(method)) > 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photo_is_filled_where_it_is_seen(orientation: int) -> None:
    data = oriented(KINDS["4:2:0"](40, 64, 3), orientation)
    before = read_photo(data).pixels
    mask = box(before.shape[:2], 3, 5, 16, 21)
    file = filled(data, mask, [250, 10, 10])
    after = read_photo(file.data).pixels.astype(int)
    red = (after[..., 0] > 200) & (after[..., 1:] < 60).all(axis=2)
    assert red[5:14, 7:19].all()
    far = ~blocks_with(mask, 16, 16).repeat(16, 0).repeat(16, 1)[: mask.shape[0], : mask.shape[1]]
    far &= ~np.roll(~far, 16, 0) & ~np.roll(~far, 16, 1)
    assert (after == before)[far].mean() > 0.99


def test_nothing_of_what_was_removed_stays_in_the_hole() -> None:
    bright = np.full((32, 32, 3), 128, np.uint8)
    bright[8:24, 8:24] = np.indices((16, 16)).sum(0)[..., None] % 2 * 255
    plain = np.full((32, 32, 3), 128, np.uint8)
    mask = box((32, 32), 7, 7, 25, 25)
    fill = texture(32, 32, 3)
    files = [
        filled(pil_file(Image.fromarray(pixels), "JPEG", subsampling="4:4:4"), mask, fill).data
        for pixels in (bright, plain)
    ]
    for one, other in zip(stored(files[0]).blocks, stored(files[1]).blocks, strict=True):
        assert (one[1:3, 1:3] == other[1:3, 1:3]).all()


def test_known_pixels_in_a_touched_block_keep_their_chroma() -> None:
    # Encoding what a decoder shows would blur it: it was stretched from every other pixel.
    image = Image.fromarray(texture(32, 32, 3))
    data = pil_file(image, "JPEG", quality=100, subsampling="4:2:0")
    pixels = read_photo(data).pixels
    file = filled(data, box((32, 32), 5, 5, 6, 6), pixels.astype(int) ^ 1)
    for one, other in zip(stored(data).blocks, stored(file.data).blocks, strict=True):
        assert abs(one - other).max() <= 2


def test_a_photo_that_was_not_changed_keeps_all() -> None:
    data = KINDS["4:2:0"](45, 61, 0)
    file = read_photo(data).encoded("jpg")
    assert not any(blocks.any() for blocks in changed_blocks(data, file.data))
    assert len(file.data) <= len(data)


def test_without_the_package_the_tables_stay_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jpegio", None)
    for kind in ("4:2:2", "gray", "progressive", "rgb", "cmyk"):
        data = oriented(KINDS[kind](45, 61, 0), 6)
        file = filled(data, box((61, 45), 4, 4, 12, 12), 200)
        codes = ["file.reencoded"] + (["file.color"] if kind == "cmyk" else [])
        assert [warning.code for warning in file.warnings] == codes
        assert "pyjpegio is not installed" in str(file.warnings[0])
        before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(file.data))
        assert after.size == before.size == (61, 45)
        assert after.getexif()[0x0112] == 6
        assert before.quantization[0] == after.quantization[0]  # type: ignore[attr-defined]
        seen = read_photo(file.data).pixels.astype(int)
        assert abs(seen[6:10, 6:10] - 200).mean() < 30
        assert abs(seen - read_photo(data).pixels)[20:].mean() < 12


@pytest.mark.parametrize("kind", ["4:2:0", "gray", "progressive", "rgb", "cmyk"])
def test_a_file_encoded_anew_begins_as_jfif_and_holds_no_segment_twice(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jpegio", None)
    data = KINDS[kind](45, 61, 0)
    before = [part.marker for part in layout_of(data).head]
    assert (APP0 in before) == (kind not in ("rgb", "cmyk"))
    head = layout_of(filled(data, box((45, 61), 4, 4, 12, 12), 200).data).head
    assert head[0].marker == APP0
    assert head[0].payload.startswith(b"JFIF\0")
    assert len(set(head)) == len(head)


def test_files_whose_tables_change_between_scans_are_encoded_anew() -> None:
    data = not_interleaved(24, 24, 0, tables=True)
    file = filled(data, box((24, 24), 4, 4, 12, 12), 200)
    assert [warning.code for warning in file.warnings] == ["file.reencoded"]
    assert abs(read_photo(file.data).pixels.astype(int)[6:10, 6:10] - 200).mean() < 30


def test_a_profile_without_a_way_back_to_cmyk() -> None:
    image = Image.fromarray(texture(24, 24, 4), "CMYK")
    data = pil_file(image, "JPEG", icc_profile=cmyk_profile())
    file = filled(data, box((24, 24), 4, 4, 12, 12), 200)
    assert "cannot convert to CMYK" in str(file.warnings[0])
    after = Image.open(io.BytesIO(file.data))
    assert after.mode == "RGB"
    assert "icc_profile" not in after.info
    assert abs(np.asarray(after).astype(int)[6:10, 6:10] - 200).mean() < 8


def test_cmyk_that_becomes_srgb_is_said() -> None:
    photo = read_photo(KINDS["cmyk"](16, 16, 0))
    assert photo.meta.warnings == photo.encoded("jpg").warnings == ()
    for format, options in (("png", {}), ("jpg", {"quality": 90})):
        (said,) = photo.encoded(format, **options).warnings
        assert said.code == "file.color"
        assert "CMYK colors become sRGB" in str(said)


def test_damaged_files_are_encoded_anew_and_leave_no_file_open() -> None:
    data = bytearray(KINDS["4:4:4"](45, 61, 0))
    open_before = open_files()
    codes = set()
    random = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(data)
        damaged[int(random.integers(len(data) // 2, len(data) - 40))] ^= 0x5A
        photo = read_photo(bytes(damaged))
        pixels = photo.pixels.copy()
        pixels[:9] = 7
        file = photo.replaced(pixels).encoded("jpg")
        codes |= {warning.code for warning in file.warnings}
        assert read_photo(file.data).pixels.shape == (45, 61, 3)
    assert codes == {"file.reencoded"}
    assert open_files() == open_before


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("by_name", [False, True])
def test_a_pil_image_of_a_jpeg_keeps_its_blocks(
    tmp_path: Path, by_name: bool, loaded: bool
) -> None:
    data = oriented(KINDS["4:2:0"](45, 61, 0), 6)
    (tmp_path / "photo.jpg").write_bytes(data)
    image: Any = Image.open(tmp_path / "photo.jpg" if by_name else io.BytesIO(data))
    if loaded:
        image.load()
    photo = read_photo(image)
    pixels = photo.pixels.copy()
    pixels[4:12, 4:12] = 200
    file = photo.replaced(pixels).encoded("jpg")
    if not by_name and loaded:  # nothing leads to the file any more
        assert photo.meta.jpeg is None
        assert file.warnings == ()
    else:
        assert stored(file.data).tables == stored(data).tables
        assert all(blocks.mean() < 0.3 for blocks in changed_blocks(data, file.data))


def test_what_a_caller_did_to_a_pil_image_holds(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(KINDS["4:4:4"](48, 64, 0))
    drawn: Any = Image.open(path)
    drawn.paste((255, 0, 0), (0, 0, 16, 16))
    after = read_photo(read_photo(drawn).to_bytes("jpg")).pixels.astype(int)
    assert abs(after[2:14, 2:14] - [255, 0, 0]).max() < 12
    tagged: Any = Image.open(path)
    tagged.getexif()[0x010F] = "set by the caller"
    again = Image.open(io.BytesIO(read_photo(tagged).to_bytes("jpg")))
    assert again.getexif()[0x010F] == "set by the caller"
    smaller: Any = Image.open(path)
    smaller.thumbnail((32, 32))
    assert read_photo(read_photo(smaller).to_bytes("jpg")).size == smaller.size
    replaced: Any = Image.open(path)
    replaced.load()
    path.write_bytes(KINDS["4:2:0"](48, 64, 1))
    assert read_photo(replaced).meta.jpeg is None


def test_many_threads_write_the_same() -> None:
    jobs = [(kind, KINDS[kind](64, 80, number)) for number in range(4) for kind in KINDS]

    def write(job: tuple[str, bytes]) -> bytes:
        shade = [90] if job[0] == "gray" else [90, 90, 90]
        return bytes(filled(job[1], box((64, 80), 10, 17, 20, 30), shade).data)

    one_by_one = [write(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write, jobs)) == one_by_one


def test_a_quality_encodes_all_of_it() -> None:
    data = oriented(KINDS["4:2:0"](45, 61, 0), 6)
    file = filled(data, box((61, 45), 4, 4, 12, 12), 200, quality=50)
    expected: Any = Image.open(io.BytesIO(pil_file(Image.new("RGB", (8, 8)), "JPEG", quality=50)))
    after: Any = Image.open(io.BytesIO(file.data))
    assert after.quantization == expected.quantization
    assert after.size == (45, 61)
    assert after.getexif()[0x0112] == 1
    for wrong in (0, 101):
        with pytest.raises(ConfigError, match="from 1 to 100"):
            filled(data, box((61, 45), 4, 4, 12, 12), 200, quality=wrong)
    with pytest.raises(ConfigError, match="lossless, such as"):
        filled(data, box((61, 45), 4, 4, 12, 12), 200, lossless=True)


def test_a_photo_of_another_size_is_encoded_as_from_elsewhere() -> None:
    photo = read_photo(KINDS["4:2:0"](45, 61, 0))
    smaller = Photo(photo.pixels[:20, :30].copy(), None, photo.meta)
    after = read_photo(smaller.to_bytes("jpg"))
    assert after.pixels.shape == (20, 30, 3)
    assert abs(after.pixels.astype(int) - smaller.pixels).mean() < 10
