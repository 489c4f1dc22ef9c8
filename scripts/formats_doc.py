"""Measure what of a photo comes back bit for bit, and write the tables of docs/formats*.md.

Every kind of file is made in all eight EXIF orientations, with a color profile and without. Each is
read, a part of it is filled, and it is written in its own format and read again, as users do.
"""

from __future__ import annotations

import argparse
import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

import gatefill
from gatefill.images import Photo, read_photo, suffix_of
from gatefill.images.encode import encode
from gatefill.images.jpeg_blocks import available
from gatefill.images.meta import Meta

ROOT = Path(__file__).resolve().parents[1]
DOC, KOREAN_DOC = ROOT / "docs" / "formats.md", ROOT / "docs" / "formats.ko.md"
HEIGHT, WIDTH, HOLE = 72, 100, (slice(20, 41), slice(30, 57))
KOREAN = {
    # The table of kinds
    "file": "파일",
    "bits": "비트",
    "alpha": "알파",
    "known pixels": "알려진 픽셀",
    "of them beyond the hole's blocks": "그중 구멍의 블록 밖",
    "profile": "프로파일",
    "orientation": "방향",
    "gray": "회색조",
    "progressive": "프로그레시브",
    "restart markers": "재시작 마커",
    "lossless": "무손실",
    "lossy": "손실",
    "none": "없음",
    "kept": "유지",
    "changed": "바뀜",
    "lost": "잃음",
    "stored": "저장된 그대로",
    "upright": "바로 세움",
    # The table of photos
    "photo": "사진",
    "unchanged known pixels": "그대로인 알려진 픽셀",
    "re-encoded with the same tables": "전체를 같은 테이블로 다시 인코딩",
    "re-encoded with quality 95": "전체를 품질 95로 다시 인코딩",
    "size of the file": "파일 크기",
    "with quality 95": "품질 95일 때",
}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

Make = Callable[[int, bytes | None], bytes]
"""From an EXIF orientation and a color profile to the bytes of a file."""


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    name: str
    depth: int
    alpha: bool
    make: Make


def texture(channels: int, depth: int) -> NDArray[Any]:
    """A picture ``HWC`` with structure and grain."""
    random = np.random.default_rng(channels)
    coarse = random.integers(30, 226, (HEIGHT // 12 + 1, WIDTH // 12 + 1, channels))
    pixels = coarse.repeat(12, 0).repeat(12, 1)[:HEIGHT, :WIDTH]
    pixels = np.clip(pixels + random.integers(-25, 25, pixels.shape), 0, 255)
    if depth == 16:
        pixels = np.clip(pixels * 257 + random.integers(-128, 128, pixels.shape), 0, 65535)
    found: NDArray[Any] = pixels.astype(np.uint8 if depth == 8 else np.uint16)
    return found


def exif_of(orientation: int) -> bytes:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def by_pillow(format: str, mode: str, **options: Any) -> Make:
    """Files that Pillow writes."""

    def make(orientation: int, profile: bytes | None) -> bytes:
        pixels = texture(len(mode), 8)
        image = PIL.Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)
        file = io.BytesIO()
        more = {} if profile is None else {"icc_profile": profile}
        image.save(file, format, exif=exif_of(orientation), **options, **more)
        return file.getvalue()

    return make


def by_gatefill(format: str, channels: int, depth: int) -> Make:
    """Files that Pillow cannot write; libraries other than this one read them in the tests."""

    def make(orientation: int, profile: bytes | None) -> bytes:
        pixels = texture(channels, depth)
        color = channels - (channels in (2, 4))
        alpha = pixels[..., color] if color < channels else None
        meta = Meta(exif=exif_of(orientation)[6:], icc=profile)
        return encode(pixels[..., :color], alpha, meta, format).data

    return make


def kinds() -> Iterator[Kind]:
    """All kinds of files in the table."""
    for name, mode, options in (
        ("JPEG, gray", "L", {}),
        ("JPEG, 4:4:4", "RGB", {"subsampling": "4:4:4"}),
        ("JPEG, 4:2:2", "RGB", {"subsampling": "4:2:2"}),
        ("JPEG, 4:2:0", "RGB", {"subsampling": "4:2:0"}),
        ("JPEG, progressive", "RGB", {"subsampling": "4:2:0", "progressive": True}),
        ("JPEG, restart markers", "RGB", {"subsampling": "4:2:0", "restart_marker_rows": 1}),
        ("JPEG, RGB", "RGB", {"keep_rgb": True}),
        ("JPEG, CMYK", "CMYK", {}),
    ):
        yield Kind(name, 8, False, by_pillow("JPEG", mode, quality=85, **options))
    for format in ("PNG", "TIFF"):
        for depth in (8, 16):
            for channels, name in ((1, "gray"), (2, "gray"), (3, "RGB"), (4, "RGB")):
                make = by_gatefill(format, channels, depth)
                yield Kind(f"{format}, {name}", depth, channels in (2, 4), make)
    for mode in ("RGB", "RGBA"):
        make = by_pillow("WEBP", mode, lossless=True, exact=True)
        yield Kind("WebP, lossless", 8, mode == "RGBA", make)
    for mode in ("RGB", "RGBA"):
        yield Kind("WebP, lossy", 8, mode == "RGBA", by_pillow("WEBP", mode, quality=80))


@dataclass(frozen=True)
class Kept:
    """What came back, the least over all orientations and profiles; shares in [0, 1]."""

    known: float  # of the known pixels
    far: float  # of those outside the blocks that hold hole pixels
    alpha: bool
    profile: bool
    orientation: str  # "stored" or "upright"


def measure(kind: Kind) -> Kept:
    """Fill a hole in all forms of a kind of file, and compare."""
    known, far, alpha, profile, places = [], [], [], [], set()
    for orientation in range(1, 9):
        for icc in (None, PROFILE):
            if icc is not None and kind.name == "JPEG, CMYK":
                continue  # that profile is one for RGB
            source = kind.make(orientation, icc)
            photo = read_photo(source)
            hole = np.zeros(photo.pixels.shape[:2], np.bool_)
            hole[HOLE] = True
            noise = np.random.default_rng(0).integers(
                0, np.iinfo(photo.pixels.dtype).max + 1, photo.pixels.shape
            )
            pixels = np.where(hole[..., None], noise, photo.pixels).astype(photo.pixels.dtype)
            data = photo.replaced(pixels).to_bytes(suffix_of(photo.meta.format))
            again = read_photo(data)
            same = (again.pixels == photo.pixels).all(axis=2)
            known.append(float(same[~hole].mean()))
            far.append(float(same[~blocks_around(hole)].mean()))
            planes = [each.alpha for each in (again, photo) if each.alpha is not None]
            alpha.append(not planes or np.array_equal(planes[0], planes[-1]))
            profile.append(again.meta.icc == photo.meta.icc)
            if orientation > 1:
                places.add({orientation: "stored", 1: "upright"}[again.meta.orientation])
    (place,) = places
    return Kept(min(known), min(far), all(alpha), all(profile), place)


def blocks_around(hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels in 16x16 cells, from any corner, that hold a hole pixel, and their neighbors."""
    kernel = np.ones((33, 33), np.uint8)
    return np.asarray(cv2.dilate(hole.astype(np.uint8), kernel)) > 0


def kinds_table() -> str:
    """The first table, as Markdown."""
    lines = [
        "| file | bits | alpha | known pixels | of them beyond the hole's blocks | profile "
        "| orientation |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in kinds():
        kept = measure(kind)
        cells = [
            kind.name,
            str(kind.depth),
            ("kept" if kept.alpha else "changed") if kind.alpha else "none",
            percent(kept.known),
            percent(kept.far),
            "kept" if kept.profile else "lost",
            kept.orientation,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def percent(share: float) -> str:
    """Rounded down, so that 100 % is all."""
    return "100 %" if share == 1 else f"{np.floor(share * 1000) / 10:.1f} %"


def photos_table() -> str:
    """What comes back of whole photos, and what encoding them anew would leave."""
    inpaint = gatefill.load("patchmatch")
    lines = [
        "| photo | unchanged known pixels | re-encoded with the same tables "
        "| re-encoded with quality 95 | size of the file | with quality 95 |",
        "|---|---|---|---|---|---|",
    ]
    for name, photo, mask in example_photos():
        data = photo.read_bytes()
        result = inpaint(photo, mask)
        before, hole = read_photo(data).pixels, result.mask
        files = [result.photo.to_bytes("jpg"), with_same_tables(data, result.photo)]
        files.append(result.photo.to_bytes("jpg", quality=95))
        shares = []
        for file in files:
            same = (read_photo(file).pixels == before).all(axis=2)
            shares.append(f"{same[~hole].mean():.2%}".replace("%", " %"))
        sizes = [f"{len(file) / len(data) - 1:+.0%}".replace("%", " %") for file in files]
        lines.append(f"| {' | '.join([name, *shares, sizes[0], sizes[2]])} |")
    return "\n".join(lines) + "\n"


def with_same_tables(data: bytes, photo: Photo) -> bytes:
    """The filled photo as Pillow encodes it with the source's tables and sampling."""
    source: Any = PIL.Image.open(io.BytesIO(data))
    file = io.BytesIO()
    PIL.Image.fromarray(photo.pixels).save(
        file,
        "JPEG",
        qtables=source.quantization,
        subsampling=PIL.JpegImagePlugin.get_sampling(source),
    )
    return file.getvalue()


def example_photos() -> Iterator[tuple[str, Path, Any]]:
    """The example with its own mask, and the others with a box in the middle."""
    yield "marsh.jpg", ROOT / "examples" / "marsh.jpg", ROOT / "examples" / "marsh_mask.png"
    for path in sorted((ROOT / "examples" / "photos").glob("*.jpg")):
        photo = read_photo(path)
        mask = np.zeros(photo.pixels.shape[:2], np.bool_)
        top, left = photo.height // 3, photo.width // 3
        mask[top : top + photo.height // 4, left : left + photo.width // 5] = True
        yield path.name, path, mask


def in_korean(table: str) -> str:
    """A table with Korean words, cell by cell."""
    lines = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        words = [KOREAN.get(cell) or _words(cell) for cell in cells]
        lines.append(line if set(line) == {"|", "-"} else f"| {' | '.join(words)} |")
    return "\n".join(lines) + "\n"


def _words(cell: str) -> str:
    return ", ".join(KOREAN.get(word, word) for word in cell.split(", "))


def updated(text: str, name: str, table: str) -> str:
    """The document with one of its tables as it is now."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, rest = text.split(start)
    return before + start + table + end + rest.split(end)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    check = parser.parse_args().check
    logging.disable(logging.WARNING)  # a lossy WebP says that it is one
    if not available():
        parser.error("expected the package pyjpegio, which keeps the blocks of JPEGs")
    kinds_now, photos_now = kinds_table(), photos_table()
    for doc, words in ((DOC, str), (KOREAN_DOC, in_korean)):
        text = doc.read_text("utf-8")
        new = updated(updated(text, "kinds", words(kinds_now)), "photos", words(photos_now))
        if check and new != text:
            parser.error(f"{doc.name} is not what is measured")
        doc.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
