"""The documentation site: complete, in both languages, and built strictly."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gatefill

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TRANSLATED = (
    *("index", "start", "choosing", "gallery", "sn-patchgan", "attention", "how-it-works"),
    *("editor", "reading", "python"),
)


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


def test_what_people_read_first_is_there_in_korean() -> None:
    pages = [DOCS / f"{name}.md" for name in TRANSLATED]
    pages += [path for path in (DOCS / "howto").glob("*.md") if not path.name.endswith(".ko.md")]
    assert len(pages) > 12
    for page in pages:
        korean = page.with_suffix(".ko.md").read_text("utf-8")
        assert len(re.findall("[가-힣]", korean)) > 80, page.name
        english = page.read_text("utf-8")
        for kind in (r"^#+ ", r"!\[", r"^ *```"):
            counts = [len(re.findall(kind, text, re.MULTILINE)) for text in (english, korean)]
            assert counts[0] == counts[1], f"{page.name}: {kind}"


def test_docstrings_name_one_parameter_a_line() -> None:
    # Others the reference cannot show, and the strict build ends.
    source = ROOT / "src" / "gatefill"
    found = [
        f"{path.relative_to(source)}: {match[1]}"
        for path in source.rglob("*.py")
        for block in re.findall(
            r"\n +Args:\n(.*?)(?:\n\n|\"\"\")", path.read_text("utf-8"), re.DOTALL
        )
        for match in re.finditer(r"^ +(\*{0,2}\w+(?:, \*{0,2}\w+)+): ", block, re.MULTILINE)
    ]
    public = ("inpainter", "result", "images/photo", "loading", "batches/run", "notebook", "errors")
    assert not [each for each in found if each.startswith(public)]


@pytest.mark.slow
def test_the_site_builds_and_a_broken_link_ends_it(tmp_path: Path) -> None:
    pytest.importorskip("material")
    copy = tmp_path / "copy"
    for name in ("docs", "scripts", "src", "examples"):
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
    verbs = (copy / "site" / "reference" / "cli.html").read_text("utf-8")
    assert 'id="gatefill-inpaint"' in verbs
    assert (copy / "site" / "ko" / "start.html").is_file()

    with (copy / "docs" / "start.md").open("a", encoding="utf-8") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    assert build().returncode != 0
