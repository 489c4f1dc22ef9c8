"""XMP packets, made fit for a changed photo without being parsed and written anew."""

from __future__ import annotations

import re

PACKET = b"http://ns.adobe.com/xap/1.0/\0"  # before a packet in a JPEG's APP1
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"  # before a part of what is too long for one
XMP_TEXT = b"XML:com.adobe.xmp\0"  # how a PNG's iTXt chunk with a packet starts

_ORIENTATION = re.compile(
    rb"""(tiff:Orientation\s*=\s*["']|<tiff:Orientation>\s*)[1-8](?=\s*["'<])"""
)
# Copies of the photo, and the pointer to the part of a long packet that is not kept.
_ATTRIBUTES = re.compile(rb"""\s(?:GImage:Data|xmpNote:HasExtendedXMP)\s*=\s*(?:"[^"]*"|'[^']*')""")
_ELEMENTS = (b"xmp:Thumbnails", b"xap:Thumbnails", b"GImage:Data", b"xmpNote:HasExtendedXMP")


def upright_xmp(packet: bytes) -> bytes:
    """The packet with orientation 1, for pixels that have been turned."""
    return _ORIENTATION.sub(rb"\g<1>1", packet)


def without_pictures(packet: bytes) -> bytes:
    """The packet without small copies of the photo and without a pointer to an extended part."""
    packet = _ATTRIBUTES.sub(b"", packet)
    for name in _ELEMENTS:
        opening, closing = b"<" + name, b"</" + name + b">"
        start = packet.find(opening)
        while start >= 0 and (end := packet.find(closing, start)) >= 0:
            packet = packet[:start] + packet[end + len(closing) :]
            start = packet.find(opening, start)
    return packet
