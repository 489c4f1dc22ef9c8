"""What the editor's page asks of the server, which keeps nothing in between."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx
import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from gatefill.images import read_photo
from tests.server.serving import Server, array_of, file_of, photo

Place = tuple[int, int]


def painted(height: int, width: int) -> bytes:
    """A part of a mask as the page sends it: opaque white."""
    return file_of(np.full((height, width, 4), 255, np.uint8))


def events(
    client: httpx.Client,
    data: bytes,
    mask: bytes,
    at: Place,
    patches: list[dict[str, Any]] | None = None,
    **more: Any,
) -> list[dict[str, Any]]:
    """The lines that a fill answers with."""
    files: list[Any] = [("photo", ("photo", data)), ("mask", ("mask.png", mask))]
    places = []
    for patch in patches or []:
        files.append(("patch", ("patch.png", base64.b64decode(patch["patch"]))))
        places.append([patch["left"], patch["top"]])
    if "sketch" in more:
        files.append(("sketch", ("sketch.png", more.pop("sketch"))))
    layout = json.dumps({"mask": list(at), "patches": places})
    reply = client.post("/api/v1/editor/fill", files=files, data={"layout": layout} | more)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in reply.text.splitlines()]


def composed(
    client: httpx.Client, data: bytes, patches: list[dict[str, Any]], format: str = "same"
) -> httpx.Response:
    files: list[Any] = [("photo", ("photo", data))]
    files += [("patch", ("p.png", base64.b64decode(each["patch"]))) for each in patches]
    layout = json.dumps({"patches": [[each["left"], each["top"]] for each in patches]})
    fields = {"layout": layout, "format": format}
    return client.post("/api/v1/editor/compose", files=files, data=fields)


def test_a_fill_tells_its_progress_and_ends_with_a_patch(client: httpx.Client) -> None:
    image = photo(60, 80)
    told = events(client, file_of(image), painted(10, 12), (20, 15), model="slow")
    assert told[0] == {"state": "waiting"}
    shares = [each["share"] for each in told if each["state"] == "working"]
    assert len(shares) > 3
    assert shares == sorted(shares)
    done = told[-1]
    assert done["state"] == "done"
    assert (done["left"], done["top"]) == (20, 15)
    patch = array_of(base64.b64decode(done["patch"]))
    assert patch.shape == (10, 12, 4)
    assert (patch[..., 3] == 255).all()


def test_attention_comes_as_arrays(client: httpx.Client) -> None:
    done = events(client, file_of(photo(60, 80)), painted(10, 12), (20, 15))[-1]
    told = done["attention"]
    target = np.frombuffer(base64.b64decode(told["target"]), "<i4").reshape(-1, 2)
    source = np.frombuffer(base64.b64decode(told["source"]), "<i4").reshape(-1, told["places"], 2)
    weight = np.frombuffer(base64.b64decode(told["weight"]), "<f4").reshape(-1, told["places"])
    assert len(target) == len(source) == len(weight) == 120
    assert ((target >= (15, 20)) & (target < (25, 32))).all()
    inside = (source >= (15, 20)).all(axis=2) & (source < (25, 32)).all(axis=2)
    assert not inside[:, 0].any()
    assert np.allclose(weight, (0.75, 0.25))


def test_attention_of_large_holes_is_thinned(client: httpx.Client) -> None:
    done = events(client, file_of(photo(400, 400)), painted(300, 300), (20, 15))[-1]
    told = done["attention"]
    count = len(base64.b64decode(told["target"])) // 8
    assert 3000 < count <= 6500
    assert told["spacing"] == 4


@given(
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    bits=st.sampled_from([8, 16]),
    channels=st.sampled_from([1, 3]),
    draw=st.data(),
)
@settings(max_examples=25)
def test_several_fills_in_a_row_leave_known_pixels_alone(
    server: Server, height: int, width: int, bits: int, channels: int, draw: st.DataObject
) -> None:
    rng = np.random.default_rng(height * 41 + width)
    shape = (height, width) if channels == 1 else (height, width, 3)
    dtype = np.uint8 if bits == 8 else np.uint16
    image = rng.integers(0, 2**bits, shape, dtype=dtype)
    out = io.BytesIO()
    tifffile.imwrite(out, image, photometric="minisblack" if channels == 1 else "rgb")
    data, patches, touched = out.getvalue(), [], np.zeros((height, width), bool)
    with server.client() as client:
        for _ in range(2):
            tall = draw.draw(st.integers(1, height - 1))
            wide = draw.draw(st.integers(1, width))
            top = draw.draw(st.integers(0, height - tall))
            left = draw.draw(st.integers(0, width - wide))
            done = events(client, data, painted(tall, wide), (left, top), patches)[-1]
            assert done["state"] == "done", done
            patches.append(done)
            touched[top : top + tall, left : left + wide] = True
        reply = composed(client, data, patches)
    result = tifffile.imread(io.BytesIO(reply.content))
    assert result.dtype == image.dtype
    assert (result.reshape(shape)[~touched] == image[~touched]).all()
    # The second fill saw the first one's pixels, and the file holds what was shown last.
    last = patches[-1]
    shown = tifffile.imread(io.BytesIO(reply.content)).reshape(shape)
    part = shown[last["top"] :, last["left"] :]
    if bits == 8 and channels == 3:
        patch = array_of(base64.b64decode(last["patch"]))
        assert (part[: patch.shape[0], : patch.shape[1]] == patch[..., :3]).all()


def test_the_file_to_keep_has_the_opened_ones_data(client: httpx.Client) -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "a description"
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    data = file_of(photo(60, 80), "JPEG", exif=exif.tobytes(), icc_profile=profile)
    done = events(client, data, painted(9, 9), (5, 5))[-1]
    assert PIL.Image.open(io.BytesIO(base64.b64decode(done["patch"]))).info["icc_profile"]
    same = composed(client, data, [done])
    assert same.headers["x-gatefill-suffix"] == ".jpg"
    kept = PIL.Image.open(io.BytesIO(same.content))
    assert kept.format == "JPEG"
    assert kept.getexif()[0x010E] == "a description"
    assert kept.info["icc_profile"] == profile
    lossless = composed(client, data, [done], "png")
    assert lossless.headers["x-gatefill-suffix"] == ".png"
    decoded, result = array_of(data), array_of(lossless.content)
    known = np.ones((60, 80), bool)
    known[5:14, 5:14] = False
    assert (result[known] == decoded[known]).all()


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_a_jpeg_to_keep_has_the_opened_ones_blocks(client: httpx.Client, orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = file_of(photo(48, 80), "JPEG", exif=exif.tobytes(), quality=80, subsampling="4:4:4")
    done = events(client, data, painted(7, 9), (17, 33))[-1]
    kept = composed(client, data, [done]).content
    image = PIL.Image.open(io.BytesIO(kept))
    assert image.size == (80, 48)
    assert image.getexif()[0x0112] == orientation
    changed = array_of(kept) != array_of(data)
    rows, columns = np.nonzero(changed.any(axis=2))
    assert len(rows) > 30
    # One box of blocks has changed, and it lies where the page painted it.
    assert rows.max() // 8 - rows.min() // 8 <= 2
    assert columns.max() // 8 - columns.min() // 8 <= 2
    seen = PIL.ImageOps.exif_transpose(image)
    before = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    there = np.s_[33:40, 17:26]  # rows and columns as they are seen
    assert (np.asarray(seen)[there] != np.asarray(before)[there]).any(axis=2).mean() > 0.9


def test_only_what_is_painted_opaque_is_filled(client: httpx.Client) -> None:
    image, mask = photo(30, 30), np.zeros((10, 10, 4), np.uint8)
    mask[2:5, 3:7] = 255
    mask[6, :] = (255, 255, 255, 100)  # a soft edge
    done = events(client, file_of(image), file_of(mask), (10, 10))[-1]
    assert (done["left"], done["top"]) == (13, 12)
    assert array_of(base64.b64decode(done["patch"])).shape == (3, 4, 4)


def test_sketches_reach_guided_models_and_are_left_out_for_others(client: httpx.Client) -> None:
    image, mask = file_of(photo(30, 30)), painted(6, 6)
    drawn = events(client, image, mask, (4, 4), sketch=mask, model="guided")[-1]
    assert (array_of(base64.b64decode(drawn["patch"])) == (0, 0, 255, 255)).all()
    assert events(client, image, mask, (4, 4), sketch=mask, model="telea")[-1]["state"] == "done"


def test_what_cannot_be_filled_is_said_in_the_last_line(client: httpx.Client) -> None:
    image = file_of(photo(30, 30))
    cases = [
        (image, file_of(np.zeros((4, 4, 4), np.uint8)), (0, 0), "the mask is empty"),
        (image, painted(30, 30), (0, 0), "covers the whole photo"),
        (image, painted(10, 10), (25, 0), "expected a part of the photo"),
        (image, painted(10, 10), (-1, 0), "expected a part of the photo"),
        (b"no image", painted(10, 10), (0, 0), "no image of a known kind"),
        (image[:200], painted(10, 10), (0, 0), "truncated or corrupt"),
    ]
    for data, mask, at, words in cases:
        last = events(client, data, mask, at)[-1]
        assert last["state"] == "failed"
        assert last["status"] == 400
        assert words in last["detail"]


def test_patches_that_do_not_fit_are_refused(client: httpx.Client) -> None:
    data = file_of(photo(30, 30))
    done = events(client, data, painted(6, 6), (4, 4))[-1]
    assert composed(client, data, [done | {"left": 28}]).status_code == 400
    gray = base64.b64encode(file_of(photo(6, 6, channels=1))).decode()
    assert composed(client, data, [done | {"patch": gray}]).status_code == 400
    files = [("photo", ("photo", data)), ("patch", ("p", base64.b64decode(done["patch"])))]
    without_place = client.post("/api/v1/editor/compose", files=files)
    assert without_place.status_code == 422
    assert composed(client, data, [done], "exe").status_code == 422


def test_unknown_models_are_refused(client: httpx.Client) -> None:
    files = {"photo": file_of(photo()), "mask": painted(6, 6)}
    reply = client.post("/api/v1/editor/fill", files=files, data={"model": "lama"})
    assert reply.status_code == 404


def test_photos_that_browsers_cannot_show_are_shown_as_png(client: httpx.Client) -> None:
    image = photo(20, 30)
    out = io.BytesIO()
    tifffile.imwrite(out, image, photometric="rgb")
    reply = client.post("/api/v1/editor/preview", files={"photo": ("a.tif", out.getvalue())})
    assert reply.headers["content-type"] == "image/png"
    assert (array_of(reply.content) == image).all()


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_sent_where_something_turns_it(
    client: httpx.Client, format: str, orientation: int
) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    smooth = np.asarray(PIL.Image.fromarray(photo(4, 6)).resize((60, 40)))
    data = file_of(smooth, format, exif=exif.tobytes())
    fields = {"if_needed": "true"}
    reply = client.post("/api/v1/editor/preview", files={"photo": data}, data=fields)
    assert reply.headers["x-gatefill-size"] == ("40x60" if orientation == 6 else "60x40")
    assert reply.status_code == (204 if orientation == 1 else 200)
    if orientation > 1:
        shown = PIL.Image.open(io.BytesIO(reply.content))
        assert shown.getexif().get(0x0112, 1) == 1
        expected = read_photo(data).pixels
        assert abs(np.asarray(shown).astype(int) - expected).max() < 12
    whole = client.post("/api/v1/editor/preview", files={"photo": data})
    assert whole.status_code == 200


def test_masks_are_read_as_a_fill_reads_them(client: httpx.Client) -> None:
    image = photo(40, 60)
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[10:20, 30:50] = 0
    files = {"photo": file_of(image), "mask": file_of(np.dstack([image, alpha]))}
    reply = client.post("/api/v1/editor/mask", files=files)
    assert (array_of(reply.content)[..., -1] == 255 - alpha).all()
    assert "part erased" in reply.headers["x-gatefill-warnings"]
    assert "x-gatefill-stretched" not in reply.headers
    half = files | {"mask": file_of(255 - alpha[::2, ::2])}
    reply = client.post("/api/v1/editor/mask", files=half)
    assert reply.headers["x-gatefill-stretched"] == "30x20"
    assert (array_of(reply.content)[..., -1] == 255 - alpha).all()
    other = files | {"mask": file_of(255 - alpha[:, :30])}
    assert client.post("/api/v1/editor/mask", files=other).status_code == 400
    # A mask for the photo as its file stores it
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    turned = {"photo": file_of(image, exif=exif.tobytes()), "mask": file_of(255 - alpha)}
    reply = client.post("/api/v1/editor/mask", files=turned)
    assert (array_of(reply.content)[..., -1] == np.rot90(255 - alpha, -1)).all()
    assert "turned with it" in reply.headers["x-gatefill-warnings"]


def test_nothing_was_named_on_the_command_line(client: httpx.Client) -> None:
    assert client.get("/api/v1/editor/opened").status_code == 204


@pytest.mark.parametrize("layout", ["[", '{"mask": "x"}', '{"patches": 3}', '{"mask": [1, 2, 3]}'])
def test_layouts_that_are_none_are_refused(client: httpx.Client, layout: str) -> None:
    files = {"photo": file_of(photo()), "mask": painted(6, 6)}
    reply = client.post("/api/v1/editor/fill", files=files, data={"layout": layout})
    assert reply.status_code == 422
    assert "layout" in reply.json()["detail"]
