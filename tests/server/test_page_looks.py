"""The page for everybody: Korean, small screens, light and dark, screen readers, no other host."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatefill.server.static import web_files
from tests.server.pages import Page, page_of
from tests.server.serving import Server, array_of, file_of, photo, serving

PHONE = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}

NAME_OF_FOCUS = """() => {
    const { id, dataset, className } = document.activeElement;
    return id || dataset.tool || className;
}"""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(file_of(photo(200, 300)))
    return path


def violations(page: Page) -> list[str]:
    """What axe-core has against the page as it is now."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.page.wait_for_timeout(250)  # colors in transition have no contrast yet
    found = axe.Axe().run(page.page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_axe_finds_nothing(browser: Any, server: Server, picture: Path, scheme: str) -> None:
    with page_of(browser, server, color_scheme=scheme) as page:
        page.visit()
        assert violations(page) == []
        page.open(picture)
        page.drag((100, 80), (140, 80))
        page.fill()
        page.page.keyboard.press("i")
        assert violations(page) == []
        page.page.click("#mask-menu-toggle")
        assert violations(page) == []
        page.page.keyboard.press("Escape")
        page.page.keyboard.press("Escape")
        page.page.click("#help")
        assert violations(page) == []
        page.visit("docs")
        assert violations(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_dialogs(
    browser: Any, server: Server, picture: Path, scheme: str
) -> None:
    with page_of(browser, server, color_scheme=scheme) as page:
        page.visit().open(picture)
        page.drag((100, 80), (140, 80))
        page.fill()
        page.page.set_input_files("#file-input", str(picture))
        page.page.locator("#photos .shot").nth(1).wait_for()
        assert violations(page) == []
        page.page.locator("#photos .shot").first.click()
        page.page.wait_for_selector("#results-section")
        for command, dialog in (
            ("more", "results-dialog"),
            ("extend", "extend-dialog"),
            ("forget", "question"),
        ):
            page.page.click(f"[data-command={command}]")
            page.page.wait_for_selector(f"#{dialog}[open]")
            page.page.locator("#results-busy", has_text=re.compile("^$")).wait_for(state="attached")
            assert violations(page) == [], dialog
            page.page.keyboard.press("Escape")
        page.page.click("#download")
        assert violations(page) == []
        page.page.click("[data-command=downloadAs]")
        assert violations(page) == []


def test_axe_finds_nothing_on_a_phone_and_on_the_token_page(
    browser: Any, server: Server, picture: Path
) -> None:
    with page_of(browser, server, **PHONE) as page:
        page.visit().open(picture)
        assert violations(page) == []
        page.page.click("#panel-toggle")
        assert violations(page) == []
    with serving("--token", "a-long-token") as guarded:
        window = browser.new_context()
        page = Page(window.new_page(), guarded)
        page.page.goto(guarded.url)
        assert violations(page) == []
        page.page.fill("#token", "a-long-token")
        page.page.click("button")
        page.page.wait_for_selector("body[data-ready]")
        assert page.foreign == []
        window.close()


def test_the_page_speaks_korean(browser: Any, server: Server, picture: Path) -> None:
    with page_of(browser, server, locale="ko-KR") as page:
        page.visit()
        assert page.page.get_attribute("html", "lang") == "ko"
        assert page.page.text_content("#welcome h2") == "칠하면 사라집니다."
        page.open(picture)
        page.drag((100, 80), (140, 80))
        page.fill()
        assert "채우기 1" in page.page.text_content("#steps")
        page.page.click("#language")
        assert page.page.get_attribute("html", "lang") == "en"
        assert "Fill 1" in page.page.text_content("#steps")
        page.visit()
        assert page.page.get_attribute("html", "lang") == "en"  # the choice is kept


def test_the_hybrid_is_described_in_the_language_of_the_page(browser: Any) -> None:
    with (
        serving("serve", "--port", "0", "-m", "hybrid", module="gatefill") as real,
        page_of(browser, real, locale="ko-KR") as page,
    ):
        methods = page.visit().page.locator("#methods")
        assert "신경망이 이끄는 PatchMatch" in methods.text_content()
        page.page.click("#language")
        assert "a network that guides PatchMatch" in methods.text_content()


def test_both_languages_have_all_words() -> None:
    names = {}
    for language in ("en", "ko"):
        source = web_files()[f"texts/{language}.js"].data.decode()
        rows = re.findall(r'^  (\w+): "(.*)",$', source, re.M)
        assert len(rows) == len(source.splitlines()) - 2
        names[language] = {name: sorted(re.findall(r"\{(\w+)\}", words)) for name, words in rows}
    assert names["en"].keys() == names["ko"].keys()
    assert names["en"] == names["ko"]
    used = "".join(file.data.decode() for name, file in web_files().items() if name.endswith(".js"))
    used += web_files()["index.html"].data.decode()
    for name in names["en"]:
        stem = re.sub(r"Help$", "", name)
        assert re.search(rf"\b({name}|{stem})\b", used), name


def test_the_codes_have_the_same_words_to_put_in_in_both_languages() -> None:
    """But for {detail}, the server's own sentence, in place of which Korean puts in its values."""
    names = {}
    for language in ("en", "ko"):
        source = web_files()[f"texts/{language}_codes.js"].data.decode()
        rows = re.findall(r'^  "([\w.]+)": "(.*)",$', source, re.M)
        names[language] = {code: set(re.findall(r"\{(\w+)\}", words)) for code, words in rows}
    assert names["en"].keys() == names["ko"].keys()
    for code, words in names["en"].items():
        assert words - names["ko"][code] <= {"plane", "detail"}, code
        assert names["ko"][code] <= words or "detail" in words, code


@pytest.mark.parametrize(
    ("locale", "warning", "error"),
    [
        ("en-US", "The hole covers 85 % of the photo.", "no known pixels are left to fill from"),
        ("ko-KR", "구멍이 사진의 85%를 덮습니다.", "마스크가 사진 전체를 덮고 있어"),
    ],
)
def test_what_the_server_says_is_told_in_the_readers_language(
    browser: Any, server: Server, picture: Path, locale: str, warning: str, error: str
) -> None:
    with page_of(browser, server, locale=locale) as page:
        page.visit().open(picture)
        page.tool("box")
        page.drag((0, 0), (280, 180))
        page.fill()
        page.page.locator(".notice", has_text=warning).wait_for()
        page.page.keyboard.press("i")  # nothing is painted: everything
        page.page.click("#fill")
        page.page.locator(".notice.error", has_text=error).wait_for()


def test_the_korean_words_are_seen(browser: Any, server: Server) -> None:
    """Without a font they would all be the same box."""
    with page_of(browser, server, locale="ko-KR") as page:
        page.visit()
        widths = page.page.evaluate("""() => {
            const context = document.createElement("canvas").getContext("2d");
            context.font = "40px " + getComputedStyle(document.body).fontFamily;
            return ["칠", "하"].map((letter) => {
                context.clearRect(0, 0, 99, 99);
                context.fillText(letter, 5, 45);
                return [...context.getImageData(0, 0, 60, 60).data].join();
            });
        }""")
    assert widths[0] != widths[1]


def test_the_page_works_on_a_phone(browser: Any, server: Server, picture: Path) -> None:
    with page_of(browser, server, **PHONE) as page:
        page.visit()
        assert page.page.evaluate("document.documentElement.scrollWidth") == 360
        page.open(picture)
        assert page.page.evaluate("document.documentElement.scrollWidth") == 360
        for button in page.page.locator("button:visible").all():
            box = button.bounding_box()
            assert box["x"] >= 0, button
            assert box["x"] + box["width"] <= 360, button
            assert box["width"] >= 32, button
            assert box["height"] >= 32, button
        x, y = page.at(100, 80)
        page.page.touchscreen.tap(x, y)
        assert array_of(page.mask())[..., 0][80, 100]
        page.fill()
        page.page.click("#panel-toggle")
        page.page.wait_for_selector("#panel.shown")
        page.page.locator("#steps button").first.click()
        page.page.keyboard.press("Escape")
        page.page.wait_for_selector("#panel:not(.shown)", state="attached")


def test_two_fingers_zoom_and_paint_nothing(browser: Any, server: Server, picture: Path) -> None:
    with page_of(browser, server, **PHONE) as page:
        page.visit().open(picture)
        x, y = page.at(150, 100)
        session = page.page.context.new_cdp_session(page.page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            places = [{"x": left, "y": top, "id": n} for n, (left, top) in enumerate(points)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        before = page.page.text_content("#zoom-level")
        touch("touchStart", (x - 20, y))
        touch("touchStart", (x - 20, y), (x + 20, y))
        for apart in (30, 45, 60, 80):
            touch("touchMove", (x - apart, y), (x + apart, y))
        touch("touchEnd")
        page.page.wait_for_timeout(100)
        assert page.page.text_content("#zoom-level") != before
        assert not array_of(page.mask())[..., 0].any()


def test_light_and_dark_are_kept(browser: Any, server: Server) -> None:
    with page_of(browser, server, color_scheme="light") as page:
        page.visit()

        def ground() -> str:
            return str(page.page.evaluate("getComputedStyle(document.body).backgroundColor"))

        light = ground()
        page.page.click("#theme")
        dark = ground()
        assert np.mean([int(part) for part in re.findall(r"\d+", dark)]) < 60
        assert dark != light
        page.visit()
        assert ground() == dark


def test_focus_goes_in_order(browser: Any, server: Server, picture: Path) -> None:
    with page_of(browser, server) as page:
        page.visit().open(picture)
        page.page.evaluate("document.activeElement.blur()")
        seen = []
        for _ in range(24):
            page.page.keyboard.press("Tab")
            seen.append(page.page.evaluate(NAME_OF_FOCUS))
        order = [
            "open",
            "language",
            "theme",
            "help",
            "download",
            "brush",
            "marks",
            "zoom-out",
            "size",
            "mask-menu-toggle",
            "fill",
        ]
        places = [seen.index(name) for name in order]
        assert places == sorted(places), seen


def test_files_are_small_and_readable() -> None:
    for name, file in web_files().items():
        if name.endswith((".js", ".css", ".html")):
            text = file.data.decode()
            assert text.count("\n") < 400, name
            # Nothing is loaded from elsewhere; the one name is SVG's own.
            found = set(re.findall(r"https?://[\w./]+", text))
            assert found <= {"http://www.w3.org/2000/svg"}, (name, found)
