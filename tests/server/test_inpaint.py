"""The service for programs: what goes in, what comes out, and IOPaint's ways."""

from __future__ import annotations

import io
import json

import cv2
import httpx
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tifffile

from tests.server.serving import array_of, base64_of, file_of, hole, photo, upload


def test_iopaint_clients_get_what_they_know(client: httpx.Client) -> None:
    image, mask = photo(), hole()
    body = {
        "image": "data:image/png;base64," + base64_of(file_of(image)),
        "mask": base64_of(file_of(mask)),
        "hd_strategy": "Crop",
        "hdStrategyCropMargin": 128,  # misspelled, as its own page sends it
        "ldm_steps": 20,
        "sd_seed": 7,
    }
    reply = client.post("/api/v1/inpaint", json=body)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["x-seed"] == "7"
    result = array_of(reply.content)
    assert (result[mask == 0] == image[mask == 0]).all()
    assert (result[mask > 0] != image[mask > 0]).any()


def test_json_and_multipart_give_the_same(client: httpx.Client) -> None:
    image, mask = file_of(photo()), file_of(hole())
    body = {"image": base64_of(image), "mask": base64_of(mask)}
    one = client.post("/api/v1/inpaint", json=body)
    other = upload(client, image, mask)
    assert one.status_code == other.status_code == 200
    assert one.content == other.content


def test_known_pixels_of_16_bits_come_back(client: httpx.Client) -> None:
    image = np.random.default_rng(3).integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    mask = hole(40, 50)
    out = io.BytesIO()
    tifffile.imwrite(out, image, photometric="rgb")
    reply = upload(client, out.getvalue(), file_of(mask))
    assert reply.headers["content-type"] == "image/tiff"
    result = tifffile.imread(io.BytesIO(reply.content))
    assert result.dtype == np.uint16
    assert (result[mask == 0] == image[mask == 0]).all()


def test_alpha_is_reattached_and_may_be_the_mask(client: httpx.Client) -> None:
    image = photo(channels=4)
    image[..., 3] = 255
    image[10:20, 10:30, 3] = 0
    drawn = upload(client, file_of(image), file_of(hole()))
    assert (array_of(drawn.content)[..., 3] == image[..., 3]).all()
    own = upload(client, file_of(image), None)
    result = array_of(own.content)
    assert result.shape == (*image.shape[:2], 3)  # nothing is transparent any more
    known = image[..., 3] == 255
    assert (result[known] == image[known][..., :3]).all()


@pytest.mark.parametrize("format", ["same", "png"])
def test_turned_photos_come_back_with_their_data(client: httpx.Client, format: str) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "a description"
    data = file_of(photo(40, 60), "JPEG", exif=exif.tobytes(), quality=95)
    reply = upload(client, data, file_of(hole(60, 40)), format=format)
    result = PIL.Image.open(io.BytesIO(reply.content))
    # A JPEG stays as it is stored, so that its blocks stay; viewers turn it by the tag.
    stored, orientation = ((60, 40), 6) if format == "same" else ((40, 60), 1)
    assert result.size == stored
    assert result.getexif()[0x0112] == orientation
    assert result.getexif()[0x010E] == "a description"
    assert PIL.ImageOps.exif_transpose(result).size == (40, 60)


def test_a_soft_edge_changes_the_photo_around_the_hole_only(client: httpx.Client) -> None:
    image, mask = photo(40, 60), hole(40, 60)
    filled = array_of(upload(client, file_of(image), file_of(mask), feather="4").content)
    changed = (filled != image).any(axis=2)
    inside = np.asarray(mask).reshape(40, 60, -1)[..., 0] > 0
    away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert changed[(away > 0) & (away <= 4)].any()
    assert not changed[away > 4].any()
    assert upload(client, file_of(image), file_of(mask), feather="501").status_code == 422
    client.headers["Accept-Language"] = "ko"
    wide = upload(client, file_of(image), file_of(mask), feather="500")
    assert np.array_equal(
        array_of(wide.content), array_of(upload(client, file_of(image), file_of(mask)).content)
    )
    (said,) = json.loads(wide.headers["x-gatefill-warnings"])
    assert said["code"] == "mask.feather"
    assert said["text"].startswith("부드러운 경계")
    assert "{" not in said["text"]


def test_a_jpeg_keeps_its_blocks_unless_a_quality_is_given(client: httpx.Client) -> None:
    data = file_of(photo(40, 64), "JPEG", quality=60, subsampling="4:4:4")
    before = array_of(data)
    kept = array_of(upload(client, data, file_of(hole(40, 64))).content)
    anew = array_of(upload(client, data, file_of(hole(40, 64)), quality="60").content)
    outside = np.ones((40, 64), np.bool_)
    rows, columns = np.nonzero(hole(40, 64))
    outside[rows.min() // 8 * 8 : rows.max() + 8, columns.min() // 8 * 8 : columns.max() + 8] = 0
    assert outside.sum() > 200
    assert (kept == before)[outside].all()
    assert not (anew == before)[outside].all()


@pytest.mark.parametrize("wrong", [{"quality": "0"}, {"quality": "high"}, {"lossless": "maybe"}])
def test_wrong_file_options_are_refused(client: httpx.Client, wrong: dict[str, str]) -> None:
    reply = upload(client, file_of(photo()), file_of(hole()), **wrong)
    assert reply.status_code == 422
    assert next(iter(wrong)) in reply.json()["detail"]


def test_what_the_reply_leaves_out_is_said(client: httpx.Client) -> None:
    reply = upload(client, file_of(photo()), file_of(hole()), format="jpg")
    assert "lossless photo is written as lossy JPEG" in reply.headers["X-Gatefill-Warnings"]


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "tiff", "bmp"])
def test_the_reply_has_the_format_that_was_asked_for(client: httpx.Client, format: str) -> None:
    reply = upload(client, file_of(photo()), file_of(hole()), format=format)
    kind = {"jpg": "JPEG"}.get(format, format.upper())
    assert PIL.Image.open(io.BytesIO(reply.content)).format == kind


def test_formats_that_cannot_be_written_become_png(client: httpx.Client) -> None:
    reply = upload(client, file_of(photo(channels=1), "GIF"), file_of(hole()))
    assert reply.headers["content-type"] == "image/png"


def test_options_reach_the_fill(client: httpx.Client) -> None:
    image, mask = photo(), hole()
    plain = array_of(upload(client, file_of(image), file_of(mask)).content)
    grown = array_of(upload(client, file_of(image), file_of(mask), grow="3").content)
    small, large = (plain != image).any(axis=2).sum(), (grown != image).any(axis=2).sum()
    assert large > small
    inverse = upload(client, file_of(image), file_of(255 - mask), invert_mask="true")
    assert (array_of(inverse.content) == plain).all()
    stretched = upload(client, file_of(image), file_of(hole(24, 32)), resize_mask="true")
    assert stretched.status_code == 200


def test_how_photos_and_masks_are_read_is_asked_for(client: httpx.Client) -> None:
    image, mask = photo(), hole()
    plain = array_of(upload(client, file_of(image), file_of(mask)).content)
    dim = upload(client, file_of(image), file_of(mask // 3), threshold="50")
    assert (array_of(dim.content) == plain).all()
    assert upload(client, file_of(image), file_of(mask), threshold="255").status_code == 422
    cut = file_of(image, "JPEG")[:-200]
    refused = upload(client, cut, file_of(mask))
    assert refused.status_code == 400
    assert "allow_truncated" in refused.json()["detail"]
    taken = upload(client, cut, file_of(mask), allow_truncated="true")
    assert taken.status_code == 200
    assert "is truncated" in taken.headers["x-gatefill-warnings"]
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    turned = file_of(image, exif=exif.tobytes())
    refused = upload(client, turned, file_of(mask), resize_mask="true")
    assert refused.status_code == 400
    assert "as its file stores it" in refused.json()["detail"]
    stored = upload(client, turned, file_of(mask), mask_as_stored="true")
    assert (np.rot90(array_of(stored.content)) == plain).mean() > 0.9


def test_a_sketch_guides_models_that_take_one(client: httpx.Client) -> None:
    image, mask = photo(), hole()
    files = {name: (name, file_of(mask)) for name in ("mask", "sketch")}
    files["image"] = ("image", file_of(image))
    reply = client.post("/api/v1/inpaint", files=files, data={"model": "guided"})
    result = array_of(reply.content)
    assert (result[mask > 0] == (0, 0, 255)).all()
    refused = client.post("/api/v1/inpaint", files=files, data={"model": "telea"})
    assert refused.status_code == 400
    assert "takes no sketch" in refused.json()["detail"]


def test_warnings_and_model_are_told_in_headers(client: httpx.Client) -> None:
    image, mask = photo(), hole()
    reply = upload(client, file_of(image), file_of(np.zeros_like(mask)))
    assert (array_of(reply.content) == image).all()
    (warning,) = json.loads(reply.headers["x-gatefill-warnings"])
    assert warning["code"] == "mask.empty"
    assert "white marks the hole" in warning["text"]
    assert reply.headers["x-gatefill-model"] == "telea"
    assert float(reply.headers["x-gatefill-seconds"]) >= 0


def test_masks_are_adjusted_as_iopaint_does(client: httpx.Client) -> None:
    mask = hole()

    def adjusted(operate: str, size: int, given: np.ndarray = mask) -> np.ndarray:
        body = {"mask": base64_of(file_of(given)), "operate": operate, "kernel_size": size}
        reply = client.post("/api/v1/adjust_mask", json=body)
        assert reply.status_code == 200, reply.text
        layer = array_of(reply.content)
        assert (layer[..., 0] == layer[..., -1]).all()  # white where opaque
        return layer[..., -1] > 0

    plain = mask > 0
    wide = adjusted("expand", 2)
    assert wide[plain].all()
    assert wide.sum() > plain.sum()
    rows, columns = np.argwhere(wide).min(axis=0)
    assert (rows, columns) == (48 // 3 - 2, 64 // 3 - 2)
    assert (adjusted("shrink", 2, 255 * wide.astype(np.uint8)) == plain).mean() > 0.99
    assert (adjusted("reverse", 0) == ~plain).all()
    assert not adjusted("reverse", 0, np.full_like(mask, 255)).any()
    assert not adjusted("shrink", 40).any()


def test_the_server_tells_what_it_offers(client: httpx.Client) -> None:
    told = client.get("/api/v1/methods").json()
    assert {row["name"] for row in told["methods"]} >= {"patchmatch", "deepfill_v2"}
    assert [row["model"] for row in told["models"]] == ["telea", "guided", "slow"]
    assert [row["chosen"] for row in told["models"]] == [True, False, False]
    config = client.get("/api/v1/server-config").json()
    assert [row["name"] for row in config["modelInfos"]] == ["telea", "guided", "slow"]
    assert config["enableFileManager"] is False


def test_the_model_taken_by_default_can_be_switched(client: httpx.Client) -> None:
    try:
        reply = client.post("/api/v1/model", json={"name": "guided"})
        assert reply.json()["name"] == "guided"
        assert client.get("/api/v1/model").json()["name"] == "guided"
        filled = upload(client, file_of(photo()), file_of(hole()))
        assert filled.headers["x-gatefill-model"] == "guided"
    finally:
        client.post("/api/v1/model", json={"name": "telea"})
    unknown = client.post("/api/v1/model", json={"name": "lama"})
    assert unknown.status_code == 404
    assert "telea, guided, slow" in unknown.json()["detail"]


def test_metrics_count_requests_pixels_and_seconds(client: httpx.Client) -> None:
    def value(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    before = value('gatefill_pixels_total{model="telea"}')
    upload(client, file_of(photo(30, 20)), file_of(hole(30, 20)))
    assert value('gatefill_pixels_total{model="telea"}') == before + 600
    assert value('gatefill_requests_total{route="/api/v1/inpaint",status="200"}') >= 1
    assert value('gatefill_request_seconds_count{route="/api/v1/inpaint"}') >= 1
    client.get("/made/up/by/a/stranger")
    assert "stranger" not in client.get("/metrics").text
    for name in ("gatefill_queue_length", "gatefill_jobs_running", "gatefill_pixels_in_flight"):
        assert value(name) == 0


def test_health_and_pages(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}
    for path in ("/", "/docs"):
        assert client.get(path).headers["content-type"].startswith("text/html")
    script = client.get("/web/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = client.get("/web/main.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304
