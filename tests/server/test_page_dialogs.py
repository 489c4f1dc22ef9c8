"""Dialogs of the editor's page: Enter does what they are for, Cancel and Esc do nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.server.pages import HEIGHT, WIDTH, Page
from tests.server.serving import serving


def opened(page: Page, command: str) -> None:
    if command == "downloadAs":
        page.page.click("#download")
    page.page.click(f"[data-command={command}]")
    page.page.wait_for_selector("dialog[open]")


def test_enter_in_a_field_of_a_dialog_does_what_it_is_for(page: Page, noise: Path) -> None:
    page.open(noise)
    opened(page, "downloadAs")
    page.page.fill("#download-name", "mine")
    with page.page.expect_download() as found:
        page.page.press("#download-name", "Enter")
    assert found.value.suggested_filename == "mine.png"
    assert page.page.is_hidden("#download-dialog")
    opened(page, "extend")
    page.page.fill("#extend-right", "50")
    page.page.fill("#extend-left", "0")
    page.page.press("#extend-left", "Enter")
    page.page.locator("#file", has_text=f"{WIDTH + 50} × {HEIGHT}").wait_for(state="attached")


@pytest.mark.parametrize("command", ["downloadAs", "extend"])
def test_a_dialog_is_canceled(page: Page, noise: Path, command: str) -> None:
    page.open(noise)
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.method))
    for leave in (
        lambda: page.page.click("dialog[open] [data-close]"),
        lambda: page.page.keyboard.press("Escape"),
    ):
        opened(page, command)
        leave()
        page.page.wait_for_timeout(200)
        assert page.page.locator("dialog[open]").count() == 0
    assert "POST" not in asked


def test_a_name_is_needed_for_either_download(page: Page, noise: Path) -> None:
    page.open(noise)
    opened(page, "downloadAs")
    page.page.fill("#download-name", "")
    for button in ("both", "file"):
        page.page.click(f"#download-form [value={button}]")
        assert page.page.is_visible("#download-dialog")


def test_margins_of_nothing_are_refused_in_the_dialog(page: Page, noise: Path) -> None:
    page.open(noise)
    opened(page, "extend")
    for side in ("left", "right"):
        page.page.fill(f"#extend-{side}", "0")
    page.page.click("#extend-form [value=yes]")
    assert page.page.is_visible("#extend-dialog")
    said = page.page.locator("#extend-left").evaluate("(field) => field.validationMessage")
    assert said == "Give a margin of more than 0 pixels on a side."
    page.page.fill("#extend-top", "10")
    page.page.click("#extend-form [value=yes]")
    page.page.locator("#file", has_text=f"{WIDTH} × {HEIGHT + 10}").wait_for(state="attached")


def test_enter_gives_the_token_and_cancel_keeps_the_work(browser: Any, noise: Path) -> None:
    with serving("--token", "first-token-1234") as server:
        window = browser.new_context(viewport={"width": 1100, "height": 760})
        page = Page(window.new_page(), server)
        page.page.goto(server.url)
        page.page.fill("#token", "first-token-1234")
        page.page.press("#token", "Enter")
        page.page.wait_for_selector("body[data-ready]")
        page.open(noise)
        page.drag((100, 80), (140, 100))
        window.clear_cookies()
        page.page.click("#fill")
        page.page.click("#token-dialog[open] [data-close]")
        page.page.locator("#fill").wait_for(state="visible")
        assert page.steps == 1
        page.page.click("#fill")
        page.page.fill("#token-field", "not-this-one")
        page.page.press("#token-field", "Enter")
        page.page.locator("#token-wrong", has_text="wrong").wait_for()
        page.page.fill("#token-field", "first-token-1234")
        page.page.press("#token-field", "Enter")
        page.page.locator("#steps li").nth(1).wait_for(state="attached")
        assert page.page.is_hidden("#token-dialog")
        window.close()
