"""Work in the editor is never lost: several photos, reloads, tokens, undo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.server.pages import HEIGHT, WIDTH, Page
from tests.server.serving import Server, array_of, file_of, photo, serving

DROP = """([kind, name, bytes]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
    const event = kind === "drop"
        ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true })
        : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
    document.body.dispatchEvent(event);
}"""


def drop(page: Page, path: Path, kind: str = "drop") -> None:
    page.page.evaluate(DROP, [kind, path.name, list(path.read_bytes())])


def kept(page: Page) -> None:
    """Wait until the browser has stored everything."""
    page.page.wait_for_selector("body[data-kept=yes]")


def hole_of(page: Page) -> np.ndarray:
    return array_of(page.mask())[..., 0] > 0


@pytest.mark.parametrize("kind", ["drop", "paste", "button"])
def test_another_photo_opens_beside_unsaved_work(
    page: Page, noise: Path, gray: Path, kind: str
) -> None:
    page.open(noise)
    page.drag((100, 80), (140, 100))
    page.fill()
    page.drag((200, 40), (220, 60))
    painted = hole_of(page)
    if kind == "button":
        page.page.set_input_files("#file-input", str(gray))
    else:
        drop(page, gray, kind)
    page.page.locator("#file", has_text="gray.png").wait_for(state="attached")
    shots = page.page.locator("#photos .shot")
    assert shots.count() == 2
    page.page.wait_for_timeout(150)
    assert page.steps == 1  # a history of its own
    page.drag((50, 50), (60, 60))
    page.fill()
    shots.first.click()
    page.page.locator("#file", has_text="noise.png").wait_for(state="attached")
    page.page.wait_for_timeout(150)
    assert page.steps == 2
    assert (hole_of(page) == painted).all()
    page.page.keyboard.press("Control+z")
    page.page.keyboard.press("Control+z")
    assert page.page.locator("#steps .undone").count() == 1
    shots.last.click()
    page.page.locator("#file", has_text="gray.png").wait_for(state="attached")
    assert page.steps == 2


def test_closing_a_photo_with_unsaved_work_asks(page: Page, noise: Path, gray: Path) -> None:
    page.open(noise)
    page.drag((100, 80), (140, 100))
    page.open(gray)
    page.page.locator("#photos .close").first.click()
    page.page.wait_for_selector("#question[open]")
    page.page.click("#question [value=no]")
    assert page.page.locator("#photos .shot").count() == 2
    page.page.locator("#photos .close").last.click()  # nothing was done to it
    page.page.locator("#file", has_text="noise.png").wait_for(state="attached")
    assert page.page.is_hidden("#strip")
    kept(page)
    page.visit()
    assert page.page.locator("#file").text_content().startswith("noise.png")


def test_a_dropped_mask_is_taken_as_a_mask(page: Page, noise: Path, tmp_path: Path) -> None:
    page.open(noise)
    page.tool("box")
    page.drag((10, 10), (30, 30))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[40:90, 100:180] = 255
    path = tmp_path / "anything.png"
    path.write_bytes(file_of(mask))
    drop(page, path)
    page.page.locator(".notice", has_text="The mask is loaded").wait_for()
    assert (hole_of(page) == (mask > 0)).all()
    assert page.page.is_hidden("#strip")
    page.page.keyboard.press("Control+z")
    assert hole_of(page)[20, 20]
    # A black-and-white picture of another shape is a photo, and so is a gray one of the same.
    for array, name in (
        (np.kron([[0, 255]], np.ones((80, 40))).astype(np.uint8), "other.png"),
        (np.full((HEIGHT, WIDTH), 128, np.uint8), "same.png"),
        (np.zeros((HEIGHT, WIDTH), np.uint8), "black.png"),
    ):
        path = tmp_path / name
        path.write_bytes(file_of(array))
        drop(page, path)
        page.page.locator("#file", has_text=name).wait_for(state="attached")


def test_a_reload_restores_photos_steps_and_strokes(page: Page, noise: Path, gray: Path) -> None:
    page.open(gray)
    page.open(noise)
    page.drag((100, 80), (140, 100))
    first = hole_of(page)
    page.fill()
    page.drag((200, 40), (220, 60))
    page.fill()
    page.page.keyboard.press("Control+z")  # the second fill can be done again
    painted = hole_of(page)
    kept(page)
    page.visit()
    page.page.locator(".notice", has_text="Restored").wait_for()
    page.page.wait_for_timeout(150)
    assert page.page.locator("#photos .shot").count() == 2
    assert page.steps == 3
    assert page.page.locator("#steps .undone").count() == 1
    assert (hole_of(page) == painted).all()
    page.page.keyboard.press("Control+y")
    assert not hole_of(page).any()
    for _ in range(3):
        page.page.keyboard.press("Control+z")
    assert (hole_of(page) == first).all()
    for _ in range(3):
        page.page.keyboard.press("Control+y")
    page.tool("look")
    page.page.mouse.move(*page.at(120, 90))
    page.page.locator("#hint", has_text="Looked at 2 places").wait_for()
    _, data = page.download("png")
    before, after = array_of(noise.read_bytes()), array_of(data)
    known = ~(first | painted)
    assert (after[known] == before[known]).all()
    assert (after[~known] != before[~known]).any(axis=1).mean() > 0.5


def test_a_crash_during_a_stroke_keeps_the_stroke(browser: Any, server: Server, gray: Path) -> None:
    window = browser.new_context(viewport={"width": 1100, "height": 760})
    page = Page(window.new_page(), server).visit().open(gray)
    page.page.mouse.move(*page.at(100, 80))
    page.page.mouse.down()
    page.page.mouse.move(*page.at(140, 80), steps=4)
    kept(page)
    page.page.close(run_before_unload=False)  # with the button down
    page = Page(window.new_page(), server).visit()
    page.page.locator("#file", has_text="gray.png").wait_for(state="attached")
    page.page.wait_for_timeout(150)
    assert hole_of(page)[80, 100:140].all()
    page.page.keyboard.press("Control+z")
    assert not hole_of(page).any()
    window.close()


@pytest.mark.slow
def test_the_photo_of_the_command_line_is_opened_once(browser: Any, noise: Path) -> None:
    port = "0"
    window = browser.new_context(viewport={"width": 1100, "height": 760})
    tab = window.new_page()
    for image, shots in ((photo(HEIGHT, WIDTH), 1), (photo(HEIGHT, WIDTH), 1), (photo(seed=1), 2)):
        noise.write_bytes(file_of(image))
        arguments = ["edit", str(noise), "--no-browser", "--port", port, "-m", "patchmatch"]
        with serving(*arguments, module="gatefill") as found:
            port = str(found.port)
            page = Page(tab, found).visit()
            page.page.locator("#file", has_text="noise.png").wait_for(state="attached")
            kept(page)
            assert page.page.locator("#photos .shot").count() == shots
            height, width = image.shape[:2]
            assert f"{width} × {height}" in page.page.text_content("#file")
    window.close()


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.slow
def test_two_pages_keep_their_photos_apart(
    browser: Any, server: Server, noise: Path, gray: Path, secure: bool
) -> None:
    window = browser.new_context()
    if not secure:  # as for a server on another machine without TLS
        window.add_init_script(
            "Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined })"
        )
    pages = [Page(window.new_page(), server).visit() for _ in range(2)]
    for page, path in zip(pages, (noise, gray), strict=True):
        page.open(path)
        kept(page)
    for page, path in zip(pages, (noise, gray), strict=True):
        page.visit()
        page.page.locator("#file", has_text=path.name).wait_for(state="attached")
        assert page.page.is_hidden("#strip")
    window.close()


@pytest.mark.slow
def test_only_one_page_takes_over_the_photos_of_a_closed_one(
    browser: Any, server: Server, gray: Path
) -> None:
    window = browser.new_context()
    first = Page(window.new_page(), server).visit().open(gray)
    kept(first)
    first.page.close(run_before_unload=False)
    # All open at the same time, as when a browser restores its windows, and learn late who lives.
    window.add_init_script(
        "const query = LockManager.prototype.query;"
        "LockManager.prototype.query = async function () {"
        "  const found = await query.call(this);"
        "  return new Promise((resolve) => setTimeout(resolve, 3000, found));"
        "}"
    )
    tabs = [window.new_page() for _ in range(3)]
    for tab in tabs:
        tab.evaluate("url => { setTimeout(() => { location.href = url; }, 500); }", server.url)
    for tab in tabs:
        tab.wait_for_selector("body[data-ready]")
    tabs.append(Page(window.new_page(), server).visit().page)
    tabs[-1].wait_for_timeout(300)
    shown = ["gray.png" in (tab.text_content("#file") or "") for tab in tabs]
    assert sum(shown) == 1
    assert not shown[-1]
    window.close()


def test_a_damaged_record_hides_no_other_photo(page: Page, noise: Path, gray: Path) -> None:
    page.open(noise)
    page.open(gray)
    kept(page)
    page.page.evaluate("""async () => {
        const open = indexedDB.open("gatefill");
        await new Promise((done) => (open.onsuccess = done));
        const change = open.result.transaction("files", "readwrite");
        const store = change.objectStore("files");
        const keys = store.getAllKeys();
        await new Promise((done) => (keys.onsuccess = done));
        store.put(new Blob(["no photo"]), keys.result.at(-1));
        await new Promise((done) => (change.oncomplete = done));
    }""")
    page.visit()
    page.page.locator("#photos .shot").nth(1).wait_for(state="attached")
    page.page.locator(".notice.error", has_text="gray.png").wait_for()
    page.page.locator("#photos .shot").first.click()
    page.page.locator("#file", has_text="noise.png").wait_for(state="attached")


def test_forget_deletes_what_is_kept(page: Page, noise: Path) -> None:
    page.open(noise)
    page.drag((100, 80), (140, 100))
    kept(page)
    page.page.click("[data-command=forget]")
    page.page.wait_for_selector("#question[open]")
    page.page.click("#question-yes")
    page.page.locator(".notice", has_text="forgotten").wait_for()
    page.page.wait_for_selector("body.empty")
    rows = page.page.evaluate("""async () => {
        const open = indexedDB.open("gatefill");
        await new Promise((done) => (open.onsuccess = done));
        const counts = ["states", "files"].map((name) => new Promise((done) => {
            const request = open.result.transaction(name).objectStore(name).count();
            request.onsuccess = () => done(request.result);
        }));
        return Promise.all(counts);
    }""")
    assert rows == [0, 0]
    page.visit()
    assert page.page.is_visible("#welcome")


def test_an_expired_token_is_asked_for_and_costs_nothing(browser: Any, noise: Path) -> None:
    with serving("--token", "first-token-1234") as first:
        window = browser.new_context(viewport={"width": 1100, "height": 760})
        page = Page(window.new_page(), first)
        page.page.goto(first.url)
        page.page.fill("#token", "a-wrong-one")
        page.page.click("button")
        page.page.locator("[role=alert]", has_text="wrong").wait_for()
        page.page.fill("#token", "first-token-1234")
        page.page.click("button")
        page.page.wait_for_selector("body[data-ready]")
        page.open(noise)
        page.drag((100, 80), (140, 100))
        painted = hole_of(page)
        port = first.port
    with serving("--port", str(port), "--token", "second-token-5678"):
        page.page.click("#fill")
        page.page.wait_for_selector("#token-dialog[open]")
        page.page.fill("#token-field", "first-token-1234")
        page.page.click("#token-form [value=yes]")
        page.page.locator("#token-wrong", has_text="wrong").wait_for()
        page.page.fill("#token-field", "second-token-5678")
        page.page.click("#token-form [value=yes]")
        page.page.locator("#steps li").nth(1).wait_for(state="attached")
        page.page.keyboard.press("Control+z")
        assert (hole_of(page) == painted).all()
        window.close()


def test_keys_during_a_stroke_leave_it_whole(page: Page, gray: Path) -> None:
    page.open(gray)
    page.drag((40, 40), (60, 40))
    before = hole_of(page)
    keys = page.page.keyboard
    page.page.mouse.move(*page.at(100, 80))
    page.page.mouse.down()
    page.page.mouse.move(*page.at(120, 80), steps=3)
    for key in ("Enter", "Delete", "i", "g", "Shift+G", "Control+z", "Control+y", "e", "c", "x"):
        keys.press(key)
    # What a second finger could press
    for name in ("undo", "redo", "fill", "[data-command=invert]", "[data-command=clear]"):
        page.page.evaluate(
            "(name) => document.querySelector(name).click()",
            name if name.startswith("[") else f"#{name}",
        )
    page.page.mouse.move(*page.at(140, 80), steps=3)
    page.page.mouse.up()
    page.page.mouse.move(*page.at(140, 150))
    assert page.steps == 1
    after = hole_of(page)
    assert (after >= before).all()
    assert after[80, 100:140].all()
    assert not after[150, 140]  # the stroke is over
    keys.press("Control+z")
    assert (hole_of(page) == before).all()
    keys.press("Control+z")
    assert not hole_of(page).any()
    keys.press("Control+y")
    keys.press("Control+y")
    assert (hole_of(page) == after).all()


def test_undo_keeps_to_its_memory_and_drops_the_oldest(page: Page) -> None:
    found = page.page.evaluate("""async () => {
        const { History } = await import("./web/history.js");
        const seen = [];
        const history = new History((step, when) => seen.push([step.name, when]), 100);
        for (let name = 0; name < 6; name++) {
            const fill = name % 2 ? { fill: { name } } : {};
            history.add({ name, bytes: 30, changes: [], ...fill });
        }
        const names = history.steps.map((step) => step.name);
        const fills = history.fills().map((each) => [each.fill.name, each.count, each.done]);
        history.goTo(0);
        history.add({ name: 9, bytes: 5000, changes: [] });
        return { names, fills, seen, bytes: history.bytes, left: history.steps.length };
    }""")
    assert found["names"] == [3, 4, 5]
    # The first fill cannot be undone any more and is still part of the photo.
    assert found["fills"] == [[1, None, True], [3, 1, True], [5, 3, True]]
    assert found["seen"] == [[5, "before"], [4, "before"], [3, "before"]]
    assert found["left"] == 1  # at least the last step, however large
    assert found["bytes"] == 5000


@pytest.mark.slow
def test_fills_too_old_to_be_undone_stay_in_the_photo(page: Page, noise: Path) -> None:
    page.page.add_init_script(
        "Object.defineProperty(navigator, 'deviceMemory', { get: () => 0.001 })"
    )
    page.visit().open(noise)
    page.tool("box")
    page.drag((10, 10), (40, 40))
    page.fill()
    for _ in range(101):  # two steps each: more than are kept
        page.page.keyboard.press("i")
        page.page.keyboard.press("i")
    assert page.page.locator("#steps button").nth(1).is_disabled()
    kept(page)
    page.visit()
    page.page.wait_for_timeout(150)
    assert page.steps == 2
    _, data = page.download("png")
    after, before = array_of(data), array_of(noise.read_bytes())
    assert (after[10:40, 10:40] != before[10:40, 10:40]).any()
    assert (after[41:] == before[41:]).all()
