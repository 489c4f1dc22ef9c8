"""Recognizes the format of a file by its first bytes, never by its name."""

from __future__ import annotations

from gatefill.images.source import ImageError

READ = ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF", "PNM", "AVIF", "HEIF")
"""The formats that can be read; HEIF needs the extra `heif`."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
# Major brands in the first box (ISO/IEC 23000-22, AV1 Image File Format). "mif1" and "msf1" do not
# name a codec: the compatible brands after them do.
_AVIF = (b"avif", b"avis")
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_ANY_CODEC = (b"mif1", b"msf1", b"mif2", b"1pic")

# Raw files that are not TIFFs, or that name their format in the header.
_RAW: tuple[tuple[int, bytes, str], ...] = (
    (8, b"CR\x02", "Canon CR2"),
    (4, b"ftypcrx ", "Canon CR3"),
    (6, b"HEAPCCDR", "Canon CRW"),
    (0, b"FUJIFILMCCD-RAW", "Fujifilm RAF"),
    (0, b"IIRO", "Olympus ORF"),
    (0, b"IIRS", "Olympus ORF"),
    (0, b"MMOR", "Olympus ORF"),
    (0, b"IIU\0", "Panasonic RW2"),
    (0, b"FOVb", "Sigma X3F"),
    (0, b"\0MRM", "Minolta MRW"),
)
# Other files that people try to open.
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"8BPS", "Photoshop document"),
    (0, b"%PDF", "PDF document"),
    (0, b"\xff\x0a", "JPEG XL image"),
    (4, b"JXL \r\n", "JPEG XL image"),
    (4, b"jP  \r\n", "JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000 image"),
    (0, b"II\xbc", "JPEG XR image"),
    (0, b"v/1\x01", "OpenEXR image"),
    (0, b"#?RADIANCE", "Radiance HDR image"),
    (0, b"\0\0\1\0", "Windows icon"),
    (0, b"qoif", "QOI image"),
    (0, b"gimp xcf", "GIMP document"),
    (4, b"ftyp", "video or other ISO media file"),
    (0, b"<svg", "SVG drawing"),
    (0, b"<?xml", "SVG drawing or other XML"),
    (0, b"<!DOCTYPE", "web page"),
    (0, b"PK\3\4", "ZIP archive"),
    (0, b"version https://git-lfs", "pointer to a file in Git LFS, not the file"),
)


def format_of(data: bytes, label: str) -> str:
    """Recognize the format of an image file by its first bytes.

    Args:
        data: The content of the file.
        label: Name of the file in messages.

    Returns:
        One of `READ`.

    Raises:
        ImageError: For another kind of file; the message names it if it is known.
    """
    if not data:
        raise ImageError(f"{label} is empty", code="image.empty")
    for place, beginning, name in _RAW:
        if data.startswith(beginning, place) and (place != 8 or data.startswith(_TIFF)):
            raise raw_refused(label, name)
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    if data.startswith(_TIFF):
        return "TIFF"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PNM"
    if data[4:8] == b"ftyp" and (codec := _codec_of(data)) is not None:
        return codec
    what = next((name for at, start, name in _OTHERS if data.startswith(start, at)), None)
    raise ImageError(
        f"{label} is no image of a known kind ({', '.join(READ)})"
        + (f": it looks like a {what}" if what else ""),
        code="image.unknown",
        read=[*READ],
        seems=what,
    )


def _codec_of(data: bytes) -> str | None:
    """Return AVIF or HEIF by the brands in the first box; None for anything else."""
    length = int.from_bytes(data[:4], "big")
    brands = [data[at : at + 4] for at in (8, *range(16, min(length, 256), 4))]
    for brand in brands if brands[0] in _ANY_CODEC else brands[:1]:
        if brand in _AVIF:
            return "AVIF"
        if brand in _HEIF:
            return "HEIF"
    return "HEIF" if brands[0] in _ANY_CODEC else None


def raw_refused(label: str, name: str) -> ImageError:
    """Return the error for a raw file of a camera, such as a ``"Canon CR2"``."""
    return ImageError(
        f"{label} is a raw file ({name}): develop it first, and fill the resulting JPEG, "
        "TIFF or PNG",
        code="image.raw",
        raw=name,
    )
