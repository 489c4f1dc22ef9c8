"""Finding things and extending photos, over HTTP and in the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import PIL.Image
import pytest

from gatefill.images import grown
from tests.server.pages import HEIGHT, WIDTH, Page
from tests.server.serving import array_of, base64_of, file_of, photo
from tests.test_select import astronaut, ball, fetched, overlap

BOX = (420, 150, 585, 310)


def post(client: httpx.Client, kind: str, image: np.ndarray, **fields: str) -> httpx.Response:
    return client.post(f"/api/v1/mask/{kind}", files={"image": file_of(image)}, data=fields)


@fetched
def test_an_object_is_found_over_http(client: httpx.Client) -> None:
    image, truth = ball()
    reply = post(client, "object", image, box=",".join(map(str, BOX)))
    assert reply.status_code == 200, reply.text
    found = array_of(reply.content)
    assert overlap(found[..., -1] > 0, truth) > 0.9


@fetched
def test_people_are_found_over_http(client: httpx.Client) -> None:
    found = array_of(post(client, "people", astronaut()).content)
    assert found[130, 220, -1] == 255
    assert found[50, 50, -1] == 0
    boxed = array_of(post(client, "people", astronaut(), box="0,0,512,250").content)
    assert not boxed[250:, :, -1].any()


@fetched
def test_people_are_selected_in_the_page(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "people.png"
    path.write_bytes(file_of(astronaut()))
    page.open(path)
    page.page.click("#mask-menu-toggle")
    page.page.click("[data-command=selectPeople]")
    page.page.wait_for_selector("body:not(.searching)")
    hole = array_of(page.mask())[..., 0] > 0
    assert hole[130, 220]
    assert not hole[50, 50]


def test_dust_is_found_over_http_and_wrong_fields_are_refused(client: httpx.Client) -> None:
    image = np.full((120, 160, 3), 90, np.uint8)
    cv2.circle(image, (50, 40), 2, (255, 255, 255), -1)
    found = array_of(post(client, "dust", image).content)
    assert found[40, 50, -1] == 255
    assert found[100, 100, -1] == 0
    wide = array_of(post(client, "dust", image, grow="5").content)
    assert ((wide[..., -1] > 0) == grown(found[..., -1] > 0, 5)).all()
    assert post(client, "dust", image, grow="-1").status_code == 422
    assert post(client, "dust", image, sensitivity="3").status_code == 422
    assert post(client, "object", image, box="1,2").status_code == 422
    assert post(client, "object", image, box="5,5,900,9").json()["code"] == "select.box"
    assert post(client, "animals", image).status_code == 422


@fetched
def test_an_object_is_selected_in_the_page(page: Page, tmp_path: Path) -> None:
    image, truth = ball()
    path = tmp_path / "ball.png"
    path.write_bytes(file_of(image))
    page.open(path)

    def hole() -> np.ndarray:
        page.page.wait_for_selector("body:not(.searching)")
        return array_of(page.mask())[..., 0] > 0

    page.tool("object")
    assert "box around an object" in page.hint
    page.drag(BOX[:2], BOX[2:])
    found = hole()
    assert overlap(found, grown(truth, 4)) > 0.9
    assert found[truth].all(), "its edge goes along"
    page.page.keyboard.press("Control+z")
    assert not hole().any()
    page.drag((470, 210), (520, 220), (475, 240), (525, 250), (480, 260))  # a scribble
    assert overlap(hole(), grown(truth, 4)) > 0.8
    # It is an ordinary mask: it can be painted on, filled and undone.
    page.tool("eraser")
    page.drag((500, 230), (505, 230))
    assert not hole()[230, 502]
    page.fill()
    assert page.steps == 2


@fetched
def test_text_and_dust_are_selected_in_the_page(page: Page, tmp_path: Path) -> None:
    image = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
    plain = image.copy()
    cv2.putText(image, "HELLO", (60, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (20, 20, 20), 3)
    letters = (image != plain).any(axis=2)
    image[150:153, 200:203] = 255
    path = tmp_path / "text.png"
    path.write_bytes(file_of(image))
    page.open(path)
    for command in ("selectText", "selectDust"):
        page.page.click("#mask-menu-toggle")
        page.page.click(f"[data-command={command}]")
        page.page.locator("#hint", has_text="All of it covered").wait_for()
        page.page.wait_for_selector("body:not(.searching)")
    found = array_of(page.mask())[..., 0] > 0
    assert found[letters].mean() > 0.95
    assert found[151, 201]
    assert not found[180, 100]


def test_nothing_found_is_said(page: Page, gray: Path) -> None:
    page.open(gray)
    page.page.click("#mask-menu-toggle")
    page.page.click("[data-command=selectDust]")
    page.page.locator(".notice.error", has_text="Nothing was found").wait_for()


def test_the_canvas_is_extended_in_the_page(page: Page, noise: Path) -> None:
    page.open(noise)
    page.page.click("[data-command=extend]")
    page.page.fill("#extend-left", "40")
    page.page.fill("#extend-right", "0")
    page.page.fill("#extend-top", "20")
    assert page.page.text_content("#extend-size") == "340 × 220"
    page.page.click("#extend-form [value=yes]")
    page.page.locator("#file", has_text="noise_extended.png · 340 × 220").wait_for(state="attached")
    page.page.locator("#steps li").nth(1).wait_for(state="attached")
    assert page.page.locator("#photos .shot").count() == 2  # the photo itself is still there
    after = array_of(page.download()[1])
    assert after.shape == (220, 340, 3)
    assert (after[20:, 40:] == array_of(noise.read_bytes())).all()


@pytest.mark.parametrize("as_json", [True, False])
def test_the_extender_of_iopaint(client: httpx.Client, as_json: bool) -> None:
    image = photo(40, 60)
    frame: dict[str, Any] = {
        "use_extender": True,
        "extender_x": -10,
        "extender_y": 0,
        "extender_width": 90,
        "extender_height": 40,
    }
    if as_json:
        body = {"image": base64_of(file_of(image)), **frame}
        reply = client.post("/api/v1/inpaint", json=body)
    else:
        fields = {name: str(value).lower() for name, value in frame.items()}
        reply = client.post("/api/v1/inpaint", files={"image": file_of(image)}, data=fields)
    assert reply.status_code == 200, reply.text
    after = array_of(reply.content)
    assert after.shape == (40, 90, 3)
    assert (after[:, 10:70] == image).all()
    assert PIL.Image.fromarray(after).getbands() == ("R", "G", "B")
