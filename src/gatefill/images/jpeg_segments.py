"""The marker segments of a JPEG file (ITU-T T.81, annex B), and which of them are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gatefill.errors import Warning
from gatefill.images.damage import DamagedError
from gatefill.images.exif import without_previews
from gatefill.images.xmp import EXTENDED, PACKET, without_pictures

APP0, APP1, APP2, APP11, APP13, APP14, APP15, COM = (
    0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE, 0xEF, 0xFE,
)  # fmt: skip
DQT, SOI, EOI, SOS = 0xDB, 0xD8, 0xD9, 0xDA
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
EXIF_PREFIX = b"Exif\0\0"
MOST = 65533  # bytes that a segment can hold

_PICTURE = b"\xff\xd8\xff"  # the first bytes of a JPEG inside another file
_IN_DATA = {0x00, *range(0xD0, 0xD8)}  # bytes that may follow FF in entropy-coded data


class JpegSegment(NamedTuple):
    """A marker with its data."""

    marker: int
    payload: bytes

    def tobytes(self) -> bytes:
        """Return the segment as bytes of a file."""
        size = (len(self.payload) + 2).to_bytes(2, "big")
        return bytes([0xFF, self.marker]) + size + self.payload


@dataclass(frozen=True)
class JpegLayout:
    """The segments of a JPEG file and the positions of its parts."""

    head: Sequence[JpegSegment]  # before the first scan
    later_tables: bool  # quantization tables are redefined between scans
    scans: int  # where the first scan's header starts
    end: int  # end of the end marker; the image ends here

    @property
    def process(self) -> int:
        """Number of the SOF marker: 0 baseline, 1 extended, 2 progressive, 9 and 10 arithmetic."""
        frames = [marker & 15 for marker, _ in self.head if marker in FRAMES]
        return frames[0] if frames else -1

    def slots(self) -> list[int]:
        """Return the quantization table slots that are defined before the first scan, in order."""
        found = set()
        for marker, payload in self.head:
            at = 0
            while marker == DQT and at < len(payload):
                found.add(payload[at] & 15)
                at += 129 if payload[at] >> 4 else 65
        return sorted(found)


def next_marker(data: bytes, at: int) -> tuple[int, int] | None:
    """Return start and end of the next marker from `at` on; None without one.

    In entropy-coded data, FF is followed by 00 or a restart marker only.
    """
    while (at := data.find(b"\xff", at)) >= 0:
        last = at + 1
        while data[last : last + 1] == b"\xff":  # fill bytes
            last += 1
        if last >= len(data):
            return None
        if data[last] not in _IN_DATA:
            return at, last + 1
        at = last + 1
    return None


class MarkerSegment(NamedTuple):
    """A marker segment: its marker, where it starts, and its content."""

    marker: int
    start: int
    content: bytes


def segments(data: bytes) -> Iterator[MarkerSegment]:
    """Yield the segments of the first image in a JPEG file, up to and including its end marker.

    Compressed data after a scan's header is skipped.
    """
    at = 2
    while (found := next_marker(data, at)) is not None:
        at = found[1]
        marker, start = data[at - 1], at - 2
        if marker == EOI:
            yield MarkerSegment(EOI, start, b"")
            return
        if marker not in (SOI, 0x01):  # markers without a size
            size = max(int.from_bytes(data[at : at + 2], "big"), 2)
            yield MarkerSegment(marker, start, data[at + 2 : at + size])
            at += size


def layout_of(data: bytes, *, head_only: bool = False) -> JpegLayout:
    """Find the segments of a JPEG file. Raises DamagedError if there is no scan.

    With `head_only` the scans are skipped, and the image is assumed to end with the file.
    """
    head: list[JpegSegment] = []
    scans, later_tables, end = 0, False, len(data)
    for marker, start, content in segments(data):
        if marker == EOI:
            scans, end = scans or start, start + 2
        elif marker == SOS:
            scans = scans or start
            if head_only:
                break
        elif scans:
            later_tables |= marker == DQT
        else:
            head.append(JpegSegment(marker, content))
    if not scans:
        raise DamagedError("expected a JPEG with a scan, got none")
    return JpegLayout(head, later_tables, scans, end)


def kept(head: Sequence[JpegSegment]) -> list[JpegSegment]:
    """Select the segments that describe the photo and remain valid after a part was filled.

    Small copies of the photo, which would still show what was removed, are dropped: thumbnails,
    previews, second images. So are content credentials, whose signature becomes invalid.
    """
    segments = []
    for segment in head:
        if APP0 <= segment.marker <= APP15 or segment.marker == COM:
            payload = _edited(*segment)
            if payload is not None and len(payload) <= MOST:
                segments.append(JpegSegment(segment.marker, payload))
    return segments


def _edited(marker: int, payload: bytes) -> bytes | None:
    if marker == APP0 and payload.startswith(b"JFIF\0"):
        return payload[:12] + b"\0\0" if len(payload) > 14 else payload
    if marker == APP0 and payload.startswith(b"JFXX\0"):
        return None
    if marker == APP1 and payload.startswith(EXIF_PREFIX):
        exif = without_previews(payload[len(EXIF_PREFIX) :])
        return None if exif is None else EXIF_PREFIX + exif
    if marker == APP1 and payload.startswith(PACKET):
        return PACKET + without_pictures(payload[len(PACKET) :])
    if marker == APP1 and payload.startswith(EXTENDED):
        return None
    if marker == APP2 and payload.startswith((b"MPF\0", b"FPXR\0")):
        return None
    if marker == APP11 and payload.startswith(b"JP"):  # JUMBF: content credentials, HDR layers
        return None
    if marker == APP13 and payload.startswith(PHOTOSHOP):
        found = resources_in(payload[len(PHOTOSHOP) :])
        resources = [entry for entry in found if entry[0] not in _THUMBNAILS]
        return PHOTOSHOP + b"".join(_resource(*entry) for entry in resources)
    if marker not in (APP2, APP14, COM) and _PICTURE in payload:
        return None
    return payload


PHOTOSHOP = b"Photoshop 3.0\0"
IPTC_RESOURCE = 1028
_THUMBNAILS = (1033, 1036)


def resources_in(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return (number, name, data) of Photoshop's image resources, as in APP13 after its prefix."""
    found, at = [], 0
    while data[at : at + 4] == b"8BIM" and at + 12 <= len(data):
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        name_end = at + 7 + data[at + 6]
        name, start = data[at + 7 : name_end], name_end + (name_end - at) % 2
        size = int.from_bytes(data[start : start + 4], "big")
        found.append((number, name, data[start + 4 : start + 4 + size]))
        at = start + 4 + size + size % 2
    return found


def _resource(number: int, name: bytes, data: bytes) -> bytes:
    head = b"8BIM" + number.to_bytes(2, "big") + bytes([len(name)]) + name
    head += b"\0" * (len(head) % 2)
    return head + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)


def iptc_of(head: Sequence[JpegSegment]) -> bytes | None:
    """Return the IPTC records in a JPEG's segments, or None."""
    for marker, payload in head:
        if marker == APP13 and payload.startswith(PHOTOSHOP):
            return iptc_in(payload[len(PHOTOSHOP) :])
    return None


def iptc_in(resources: bytes) -> bytes | None:
    """Return the IPTC records in Photoshop's image resources, or None."""
    found = [data for number, _, data in resources_in(resources) if number == IPTC_RESOURCE]
    return found[0] if found else None


def iptc_segment(records: bytes) -> JpegSegment:
    """Make a segment of IPTC records."""
    return JpegSegment(APP13, PHOTOSHOP + _resource(IPTC_RESOURCE, b"", records))


def with_more(data: bytes, segments: Sequence[JpegSegment]) -> bytes:
    """Insert segments after the application segments of a JPEG file."""
    own = [part for part in layout_of(data, head_only=True).head if APP0 <= part.marker <= APP15]
    return with_segments(data, [*own, *segments])


def with_segments(data: bytes, segments: Sequence[JpegSegment]) -> bytes:
    """Replace the application segments and comments of a JPEG file."""
    layout = layout_of(data, head_only=True)
    tables = [
        segment
        for segment in layout.head
        if not (APP0 <= segment.marker <= APP15 or segment.marker == COM)
    ]
    parts = [b"\xff\xd8", *(segment.tobytes() for segment in [*segments, *tables])]
    return b"".join([*parts, data[layout.scans :]])


def left_out(data: bytes, label: str) -> list[Warning]:
    """Return warnings about what `kept` and the end of the image drop, except thumbnails."""
    layout = layout_of(data)
    found = []
    several = any(
        marker == APP2 and payload.startswith(b"MPF\0") for marker, payload in layout.head
    )
    rest = data[layout.end :]
    if several and _PICTURE in rest:
        gain = b"hdrgm:" in data or b"urn:iso:std:iso:ts:21496" in data or b"HDRGainMap" in data
        what = "HDR gain map" if gain else "second picture"
        code = "file.gain_map" if gain else "file.pictures"
        found.append(Warning(code, f"{label}: its {what} is left out", {"name": label}))
    elif rest.strip(b"\0\xff\r\n "):  # more than padding
        what = "video" if b"ftyp" in rest[:4096] else f"{len(rest):,} bytes after the picture"
        values = {"name": label, "bytes": len(rest)}
        found.append(Warning("file.trailer", f"{label}: its {what} is left out", values))
    if _has(layout, APP11, b"JP"):
        text = f"{label}: its content credentials are no longer valid and are left out"
        found.append(Warning("file.credentials", text, {"name": label}))
    if _has(layout, APP1, EXTENDED):
        text = f"{label}: the extended part of its XMP data is left out"
        found.append(Warning("file.extended_xmp", text, {"name": label}))
    return found


def _has(layout: JpegLayout, marker: int, start: bytes) -> bool:
    return any(one == marker and payload.startswith(start) for one, payload in layout.head)
