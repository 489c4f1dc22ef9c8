"""The documentation site: complete, in both languages, and built strictly."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import gatefill

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
IN_ENGLISH = {"CHANGELOG.md"}
KOREAN = [
    path
    for path in sorted((*DOCS.rglob("*.ko.md"), *ROOT.glob("*.ko.md")))
    if path.name != "README.ko.md" and path.parent.name != "reference"
]


def test_every_page_is_in_the_navigation() -> None:
    nav = set(
        re.findall(r": ([\w./-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    )
    pages = {
        path.relative_to(DOCS).as_posix()
        for path in DOCS.rglob("*.md")
        if not path.name.endswith(".ko.md")
    }
    assert pages <= nav
    assert {each for each in nav - pages if not (ROOT / each).is_file()} == set()


def test_every_entry_of_the_navigation_has_a_korean_name() -> None:
    told, nav = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:\n")
    names = {name.strip() for name in re.findall(r"^ *- (.+?):", nav, re.MULTILINE)}
    block = told.partition("nav_translations:\n")[2].partition("  - mkdocstrings")[0]
    assert names == set(re.findall(r"^ +(.+?): ", block, re.MULTILINE))


def test_every_page_is_there_in_korean() -> None:
    pages = [
        path
        for path in (*DOCS.rglob("*.md"), *ROOT.glob("*.md"))
        if not path.name.endswith(".ko.md") and path.name not in IN_ENGLISH
    ]
    assert len(pages) > 40
    for page in pages:
        korean = page.with_suffix(".ko.md").read_text("utf-8")
        assert len(re.findall("[가-힣]", korean)) > 20, page.name


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outside_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def numbers(text: str) -> list[str]:
    # A hyphen after a digit is a range, after another character a sign.
    return re.findall(r"(?<![A-Za-z0-9_.,])[-+−]?(?:\d+(?:,\d{3})*(?:\.\d+)*|\.\d+)", text)


def code_of(text: str) -> list[str]:
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"(^| +)(#|//) .*", "", line) for line in "".join(blocks).splitlines()]
    return [line.strip() for line in lines if line.strip()]


@pytest.mark.parametrize("korean_page", KOREAN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_korean_page_holds_what_the_english_one_holds(korean_page: Path) -> None:
    page = korean_page.with_name(korean_page.name.replace(".ko.md", ".md"))
    # tests/test_errors.py looks at the list of codes, which holds sentences in both languages.
    codes = re.compile(r"(?<=<!-- codes -->\n).*(?=<!-- /codes -->)", re.DOTALL)
    both = english, korean = [
        codes.sub("", each.read_text("utf-8")) for each in (page, korean_page)
    ]
    for kind in (r"^#+ ", r"!\[", r"^ *```", r"^\s*(?:-|\d+\.) ", r"<!-- .* -->"):
        found = [re.findall(kind, text, re.MULTILINE) for text in both]
        assert len(found[0]) == len(found[1]), kind
    paragraphs = [re.split(r"\n\n+", outside_code(text).strip()) for text in both]
    assert len(paragraphs[0]) == len(paragraphs[1])
    levels = [re.findall(r"^#+ ", outside_code(text), re.MULTILINE) for text in both]
    assert levels[0] == levels[1]
    for ours, theirs in zip(code_of(korean), code_of(english), strict=True):
        assert ours == theirs or re.search("[가-힣]", ours)

    targets = [
        Counter(re.findall(r"\]\((?!\S*pictures/|#)([^)\s]+)\)", outside_code(text)))
        for text in both
    ]
    assert targets[0] == targets[1]
    prose = [{n.strip("+-−") for n in numbers(outside_code(text)) if "." in n} for text in both]
    assert prose[0] == prose[1]
    # Between two tildes GitHub strikes text out.
    plain = re.sub(r"`[^`]*`", "", outside_code(korean))
    assert not [each for each in re.split(r"\n\n|\n(?=-|\d+\.)|\|", plain) if each.count("~") > 1]
    tables = [re.findall(r"^\|.*\|$", outside_code(text), re.MULTILINE) for text in both]
    for ours, theirs in zip(tables[1], tables[0], strict=True):
        assert sorted(numbers(ours)) == sorted(numbers(theirs)), ours


def test_tables_of_reports_in_korean_are_those_of_the_english_pages() -> None:
    tables = script("korean_tables")
    told = "patchmatch deepfill_v2 compact telea navier_stokes biharmonic pypatchmatch"
    names = {*told.split(), "hybrid", "brush", "box", "lama_thick", "object", "center", "gatefill"}
    seen = 0
    for page in KOREAN:
        english = page.with_name(page.name.replace(".ko.md", ".md")).read_text("utf-8")
        text = page.read_text("utf-8")
        assert tables.updated(text, english) == text, f"{page.name}: run scripts/korean_tables.py"
        for name, _, part in tables._PART.findall(text):
            words = set(re.findall(r"(?a:\b[a-z_]{2}\w*)", re.sub(r"`.*?`", "", part)))
            assert not words - names, f"{page.name}, {name}: not in Korean"
            seen += 1
    assert seen > 6


def test_links_with_anchors_lead_to_the_same_place_in_korean() -> None:
    english = "# The `page`\n\n## Data\n\n```\n# no heading\n```\n\n## Data\n\n## ONNX\n"
    korean = "# 문서\n\n## 데이터\n\n```\n# 제목이 아님\n```\n\n## 자료\n\n## ONNX\n"
    assert script("site").anchored(korean, english).splitlines() == [
        '# 문서 <a id="the-page"></a>',
        *("", '## 데이터 <a id="data"></a>'),
        *("", "```", "# 제목이 아님", "```"),
        *("", '## 자료 <a id="data_1"></a>'),
        *("", "## ONNX"),
    ]


def test_docstrings_of_the_reference_name_one_parameter_a_line() -> None:
    # Others the reference cannot show, and the strict build ends.
    site = script("site")
    shown = re.findall(r"::: (\S+)", site.public_names() + site.further_names())
    assert {"gatefill.inpainter.Inpainter", "gatefill.masks.brush.brush"} <= set(shown)
    found, seen = [], 0
    for name in shown:
        module, _, last = name.rpartition(".")
        thing = getattr(import_module(module), last)
        members = vars(thing).values() if isinstance(thing, type) else ()
        for each in (thing, *members):
            block = re.search(r"\nArgs:\n(.*?)(?:\n\n|$)", inspect.getdoc(each) or "", re.DOTALL)
            if block:
                seen += 1
                several = r"^ +\*{0,2}\w+(?:, \*{0,2}\w+)+: "
                found += [(name, line) for line in re.findall(several, block[1], re.MULTILINE)]
    assert seen > 30
    assert not found


def test_lists_are_lists_on_the_site_without_an_empty_line_before_them() -> None:
    page = "It takes\n- a folder,\n  or\n- a file.\n\n1. one\n2. two\n\n```\nx\n- code\n```\n"
    apart = script("site").with_lists_apart(page)
    assert apart == page.replace("takes\n", "takes\n\n")


@pytest.mark.slow
def test_the_site_builds_and_a_broken_link_ends_it(tmp_path: Path) -> None:
    pytest.importorskip("material")
    copy = tmp_path / "copy"
    for name in ("docs", "scripts", "src", "examples", "deploy"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*ROOT.glob("*.md"), ROOT / "mkdocs.yml"):
        shutil.copy(path, copy)

    def build() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, copy / "scripts" / "site.py"],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy / "src")},
            capture_output=True,
            text=True,
            check=False,
        )

    done = build()
    assert done.returncode == 0, done.stderr
    reference = (copy / "site" / "reference" / "python.html").read_text("utf-8")
    for name in gatefill.__all__:
        if hasattr(getattr(gatefill, name), "__name__") and name not in ("methods",):
            assert re.search(rf'id="gatefill\.[\w.]*\b{name}"', reference), name
    for name in ("select_people", "load_weights", "CompareConfig"):  # what other pages import
        assert re.search(rf'id="gatefill\.[\w.]*\b{name}"', reference), name
    verbs = (copy / "site" / "reference" / "cli.html").read_text("utf-8")
    assert 'id="gatefill-inpaint"' in verbs
    assert (copy / "site" / "ko" / "start.html").is_file()
    changes = (copy / "site" / "ko" / "CHANGELOG.html").read_text("utf-8")
    assert "변경 기록은 영어로" in changes
    assert "Keep a Changelog" in changes

    with (copy / "docs" / "start.md").open("a", encoding="utf-8") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    assert build().returncode != 0
