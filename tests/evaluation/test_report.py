"""The report's page in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest

from gatefill.evaluation import CompareConfig, compare
from gatefill.evaluation.report.page import command
from tests.evaluation.helpers import texture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

METHODS = ["telea", "navier_stokes", "biharmonic"]
NASTY = "<img src=x onerror=window.hacked=1>&amp;.png"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("in")
    for seed, name in enumerate(
        ("a.png", "</script>.png".replace("/", "\N{DIVISION SLASH}"), NASTY)
    ):
        PIL.Image.fromarray(texture(seed)).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"nothing")
    out = tmp_path_factory.mktemp("out")
    config = CompareConfig(masks=("brush", "center"), size=48)
    return out / "report", compare([folder], METHODS, out / "report", config)


@pytest.fixture
def page(
    browser: Browser,
    report: tuple[Path, dict[str, Any]],
) -> Iterator[Page]:
    """The page, opened; anything it complains about or fetches fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    complaints: list[str] = []
    fetched: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: fetched.append(request.url))
    tab.goto((report[0] / "index.html").as_uri())
    tab.wait_for_selector("html[data-ready=yes]")
    yield tab
    assert complaints == []
    assert [url for url in fetched[1:] if not url.startswith("data:")] == []
    context.close()


def column(page: Page, table: str, number: int) -> list[str]:
    return page.locator(f"#{table} tbody tr > :nth-child({number})").all_inner_texts()


def test_the_tables_hold_the_numbers(page: Page, report: tuple[Path, dict[str, Any]]) -> None:
    means = {
        item["method"]: item
        for item in report[1]["summary"]
        if (item["mask"], item["bin"], item["metric"]) == ("all", "all", "hole_l1")
    }
    shown = column(page, "error-table", 4)
    for method, text in zip(METHODS, shown, strict=False):
        item = means[method]
        assert text.split("\n")[0] == f"{item['mean']:.2f}"
        assert text.split("\n")[-1] == f"{item['low']:.2f}–{item['high']:.2f}"
    assert column(page, "property-table", 1) == METHODS
    assert column(page, "property-table", 4) == ["yes"] * 3, "free-form"
    assert column(page, "cost-table", 1) == METHODS
    assert page.locator("#case-table tbody tr").count() == 6
    best = page.locator("#error-table tbody tr:has(td:nth-child(4).best) th").inner_text()
    assert best == min(means, key=lambda method: means[method]["mean"])


def test_tables_sort_and_choices_stay_together(page: Page) -> None:
    heading = page.locator("#error-table thead th:nth-child(4)")
    for direction in ("ascending", "descending"):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == direction
        numbers = [float(text.split("\n")[0]) for text in column(page, "error-table", 4)[:3]]
        assert numbers == sorted(numbers, reverse=direction == "descending")
    assert column(page, "error-table", 1)[-1] == "the truth"
    before = column(page, "error-table", 4)
    page.locator("#errors select").select_option("center")
    assert column(page, "error-table", 4) != before
    assert page.locator("#cases select >> nth=1").input_value() == "center"
    assert page.locator("#case-table tbody tr").count() == 3
    assert column(page, "share-table", 1) == ["20–30 %"]


def test_the_plot_and_the_differences_follow_the_metric(page: Page) -> None:
    assert page.locator("#plot circle").count() >= 3
    page.locator("#shares select >> nth=0").select_option("psnr")
    assert "PSNR" in (page.locator("#plot svg").text_content() or "")
    assert "PSNR" in page.locator("#pair-table thead th >> nth=0").inner_text()
    there = page.locator("#pair-table tbody tr >> nth=0").locator("td >> nth=1").inner_text()
    back = page.locator("#pair-table tbody tr >> nth=1").locator("td >> nth=0").inner_text()
    number, turned = (text.split("\n")[0] for text in (there, back))
    assert {number[0], turned[0]} <= set("+−0123456789")
    assert number.strip("+−") == turned.strip("+−")


def test_the_slider_uncovers_the_fill(page: Page) -> None:
    card = page.locator(".card >> nth=0")
    view, slider = card.locator(".view"), card.locator("input[type=range]")
    view.scroll_into_view_if_needed()
    looks = []
    for place in (0, 100):
        slider.fill(str(place))
        page.mouse.move(0, 0)
        looks.append(view.screenshot())
    assert looks[0] != looks[1]
    card.locator(".strip button >> nth=2").click()
    assert card.locator(".view .right").inner_text() == "biharmonic"
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert float(slider.input_value()) < 100, "works from the keyboard"
    card.locator("select").select_option("truth")
    assert card.locator(".view .left").inner_text() == "truth"


def test_pictures_can_be_chosen(page: Page) -> None:
    assert page.locator(".card:visible").count() == 6
    page.locator("#filters select").select_option("worst of telea")
    assert page.locator(".card:visible").count() == 2
    loaded = page.evaluate(
        "[...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    )
    assert loaded


def test_names_are_text_and_nothing_else(page: Page) -> None:
    assert NASTY in page.locator("#case-table").inner_text()
    assert page.evaluate("window.hacked") is None


def test_what_is_missing_is_said(page: Page) -> None:
    said = page.locator("#warnings").inner_text()
    assert "LPIPS is not measured: gatefill.evaluation.fetch() downloads its weights" in said
    assert "DISTS is not measured" in said
    assert "give it as fid_weights" in said
    assert "broken.jpg: " in page.locator("#problems").inner_text()
    assert "Only 3 photos" in page.locator("#short").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_looks_right(
    browser: Browser,
    report: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    scheme: str,
    width: int,
) -> None:
    """No sideways scrolling, the ground of the scheme, text that stands out from it."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    tab.goto((report[0] / "index.html").as_uri())
    tab.wait_for_selector("html[data-ready=yes]")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.screenshot(path=tmp_path / "page.png", full_page=True)
    picture = np.asarray(PIL.Image.open(tmp_path / "page.png").convert("L"))
    ground = int(picture[5, 5])
    assert ground > 240 if scheme == "light" else ground < 40
    head = picture[:200].astype(int)
    assert np.abs(head - ground).max() > 150
    assert picture.std() > 10
    tab.close()


def test_it_is_one_file_below_15_mb(report: tuple[Path, dict[str, Any]]) -> None:
    html = report[0].joinpath("index.html").read_text("utf-8")
    assert len(html) < 15_000_000
    assert not re.search(r"""(src|href)=["'](?!data:|#|https://arxiv)""", html.split("<script>")[0])
    assert html.count("</script>") == 2


def test_the_command_repeats_it(report: tuple[Path, dict[str, Any]]) -> None:
    assert command(report[1]) == (
        "gatefill compare PHOTOS --methods telea navier_stokes biharmonic --masks brush center "
        "--size 48x48 --seed 0 -o report"
    )
