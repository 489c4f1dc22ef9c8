"""Two hundred uploads that no honest client sends; the server refuses each and lives on."""

from __future__ import annotations

import io
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest

from tests.images.bombs import deflated, tiff
from tests.server.serving import (
    Server,
    base64_of,
    file_of,
    hole,
    limits,
    photo,
    serving,
    upload,
)
from tests.server.test_queue import metric, until

Case = tuple[str, dict[str, Any]]  # what it is, and the arguments of a POST


@pytest.fixture(scope="module")
def narrow() -> Iterator[Server]:
    """A server with low limits, so that large uploads need not be large."""
    with serving(*limits(max_bytes=2 << 20, max_pixels=1_000_000)) as found:
        yield found


def png_that_claims(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG whose header promises any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", body or zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def corrupt_files(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Images that are cut off, scrambled, empty, of another kind, or bombs."""
    good = {kind: file_of(photo(), kind) for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")}
    for kind, data in good.items():
        for share in (0.02, 0.2, 0.5):
            yield f"{kind} cut at {share}", data[: int(len(data) * share)]
        for number in range(5):
            scrambled = bytearray(data)
            for place in rng.integers(8, min(len(data), 60), 8):
                scrambled[place] = rng.integers(256)
            yield f"{kind} scrambled {number}", bytes(scrambled)
        yield f"{kind} with its first bytes only", data[:12]
    yield "nothing", b""
    yield "a text", b"this is no image" * 20
    yield "a page", b"<html><script>alert(1)</script></html>"
    yield "a drawing", b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    yield "a program", b"\x7fELF" + bytes(200)
    yield "an archive", b"PK\x03\x04" + bytes(200)
    yield "a document", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    yield "a photo of a phone", b"\0\0\0\x18ftypheic" + bytes(200)
    yield "pickled code", b"cos\nsystem\n(S'true'\ntR."
    for width, height in ((60_000, 60_000), (2**31 - 1, 2**31 - 1), (1_000_001, 1), (0, 5)):
        yield f"a PNG of {width} x {height}", png_that_claims(width, height)
    yield "a PNG that unpacks to more", png_that_claims(900, 900, zlib.compress(bytes(40 << 20)))
    yield "a GIF of 65535 x 65535", b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(20)
    yield (
        "a BMP of 65535 x 65535",
        (b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 65535, 65535, 1, 24, *[0] * 6)),
    )
    yield "a TIFF that points outside", b"II*\0\xff\xff\xff\x7f"
    yield "a TIFF that goes round", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"


FIELDS = {"error", "detail", "errors", "message", "code", "values"}


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    image, mask = file_of(photo()), file_of(hole())

    def files(**given: bytes) -> dict[str, Any]:
        return {"files": {name: (name, data) for name, data in given.items()}}

    for name, data in corrupt_files(rng):
        yield f"image: {name}", files(image=data, mask=mask)
        yield f"mask: {name}", files(image=image, mask=data)
    for height, width in ((47, 64), (48, 63), (1, 1), (64, 48), (480, 640)):
        yield f"mask of {height} x {width}", files(image=image, mask=file_of(hole(height, width)))
    yield "mask of everything", files(image=image, mask=file_of(np.full((48, 64), 255, np.uint8)))
    yield "no mask and no alpha", files(image=image)
    yield "no image", files(mask=mask)
    yield "an image too many", {"files": [("image", ("a", image)), ("image", ("b", image))]}
    yield "more bytes than allowed", files(image=bytes(3 << 20), mask=mask)
    yield (
        "more pixels than allowed",
        files(image=file_of(photo(1, 1_000_001, channels=1)), mask=mask),
    )
    for field, value in (
        ("grow", "-1"),
        ("grow", "1e9"),
        ("grow", "many"),
        ("grow", "5000"),
        ("format", "exe"),
        ("format", "../png"),
        ("model", "telae"),
        ("model", "x" * 500),
        ("model", "../../weights"),
        ("invert_mask", "perhaps"),
        ("sd_seed", "one"),
        ("seed", "-1"),
        ("seed", str(2**64)),
    ):
        yield f"{field}={value[:20]}", files(image=image, mask=mask) | {"data": {field: value}}
    yield "a search without use", files(image=image, mask=mask, search=mask)
    yield "a thousand fields", files(image=image) | {"data": {f"f{n}": "1" for n in range(1000)}}
    yield "a thousand files", {"files": [(f"f{n}", (f"f{n}", b"x")) for n in range(1000)]}
    yield "a long field", files(image=image) | {"data": {"model": "x" * (1 << 20)}}
    yield "files as text", {"data": {"image": "AAAA", "mask": "AAAA"}}
    yield from broken_bodies(image, mask)


def broken_bodies(image: bytes, mask: bytes) -> Iterator[Case]:
    good = {"image": base64_of(image), "mask": base64_of(mask)}
    for name, value in (
        ("no base64", "!!!"),
        ("half a base64", base64_of(image)[:-3]),
        ("an address", "http://localhost/photo.png"),
        ("a path", "/etc/passwd"),
        ("a data URI without base64", "data:image/png,abc"),
        ("a data URI without data", "data:image/png;base64"),
        ("a number", 5),
        ("a list", [1, 2]),
        ("an object", {"a": 1}),
        ("nothing", ""),
        ("null", None),
        ("other letters", "사진"),
    ):
        yield f"JSON image: {name}", {"json": good | {"image": value}}
        if value is not None:
            yield f"JSON mask: {name}", {"json": good | {"mask": value}}
    for text in ("", "{", "[]", "null", '"x"', "{}", "\x00", "[" * 100_000, '{"image": NaN}'):
        yield (
            f"JSON: {text[:10]!r}",
            {"content": text, "headers": {"Content-Type": "application/json"}},
        )
    yield (
        "JSON with bad letters",
        {
            "content": b'{"image": "\xff\xfe"}',
            "headers": {"Content-Type": "application/json"},
        },
    )
    for kind in (
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "",
        "image/png",
    ):
        yield f"type {kind!r}", {"content": image, "headers": {"Content-Type": kind}}
    for head in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=" + "x" * 5000,
    ):
        yield f"{head[:34]}", {"content": b"--y\r\nnonsense", "headers": {"Content-Type": head}}


def test_two_hundred_bad_uploads(narrow: Server) -> None:
    all_cases = list(cases())
    assert len(all_cases) >= 200
    wrong, accepted = [], []
    with narrow.client() as client:
        for name, arguments in all_cases:
            reply = client.post("/api/v1/inpaint", **arguments)
            if reply.status_code == 200:
                accepted.append(name)
            elif not 400 <= reply.status_code < 500 or set(reply.json()) != FIELDS:
                wrong.append((name, reply.status_code, reply.text[:200]))
        good = upload(client, file_of(photo()), file_of(hole()))
        # A worker tells of the result before it is free.
        assert until(lambda: metric(client, "gatefill_memory_planned_bytes") == 0)
    assert not wrong
    # Scrambled bytes may hit nothing that matters, and formats without sums notice little.
    assert all("scrambled" in name or "cut" in name for name in accepted), accepted
    assert len(accepted) < 25
    assert good.status_code == 200


def test_the_editor_refuses_them_as_well(narrow: Server) -> None:
    rng = np.random.default_rng(1)
    mask = file_of(np.full((5, 5, 4), 255, np.uint8))
    layout = json.dumps({"mask": [3, 3]})
    with narrow.client() as client:
        for name, data in corrupt_files(rng):
            files = {"photo": ("photo", data), "mask": ("mask", mask)}
            reply = client.post("/api/v1/editor/fill", files=files, data={"layout": layout})
            assert reply.status_code == (200 if data else 400), name
            last = json.loads(reply.text.splitlines()[-1]) if data else {"state": "refused"}
            assert last["state"] in ("failed", "done", "refused"), (name, last)
            if last["state"] == "failed":
                assert last["status"] == 400, (name, last)
        assert client.get("/healthz").status_code == 200


def test_sizes_are_refused_before_they_are_sent(narrow: Server) -> None:
    head = (
        "POST /api/v1/inpaint HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {1 << 40}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", narrow.port), timeout=10) as link:
        link.sendall(head.encode())
        assert b" 413 " in link.recv(65536)


def test_bodies_of_unknown_length_are_counted(narrow: Server) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield bytes(64 << 10)

    with narrow.client() as client:
        try:
            reply = client.post(
                "/api/v1/inpaint", content=endless(), headers={"Content-Type": "application/json"}
            )
        except httpx.TransportError:
            pass  # the connection was closed while we were still sending
        else:
            assert reply.status_code == 413
        assert client.get("/healthz").status_code == 200


def test_a_good_file_of_each_kind_is_taken(narrow: Server) -> None:
    """Or else the tests above would prove nothing."""
    with narrow.client() as client:
        for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"):
            reply = upload(client, file_of(photo(), kind), file_of(hole()))
            assert reply.status_code == 200, kind
            assert PIL.Image.open(io.BytesIO(reply.content)).size == (64, 48)


def test_bombs_are_refused_without_being_unpacked(server: Server, client: httpx.Client) -> None:
    # 64 x 64 pixels whose one strip unpacks to 100 MB
    bomb = tiff(deflated(), {})
    image, mask = file_of(photo(64, 64)), file_of(hole(64, 64))
    upload(client, image, mask)
    before = server.memory()
    for files in (
        {"image": bomb, "mask": mask},
        {"image": image, "mask": bomb},
        {"image": image, "mask": mask, "sketch": bomb},
    ):
        model = {"model": "guided"} if "sketch" in files else {}
        reply = client.post("/api/v1/inpaint", files=files, data=model)
        assert reply.status_code == 400, files.keys()
        assert "unpacks to more than" in reply.json()["detail"]
    assert server.memory() - before < 60 << 20
