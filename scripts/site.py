"""Build the documentation site into site/: docs/, the project's own pages, generated references.

    python scripts/site.py [--serve]

The pages are put together in build/docs, from where mkdocs takes them; it is strict, so a broken
link or a missing page ends the build. Links that lead out of docs/ are led to copies.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import gatefill
from gatefill.cli import app

ROOT = Path(__file__).resolve().parents[1]
STAGE = ROOT / "build" / "docs"
PAGES = ("MODEL_CARD.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md")
FILES = "files"  # folder of the site for what is no page
KOREAN_CHANGELOG = "# 변경 기록\n\n변경 기록은 영어로 씁니다.\n"

_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_IMPORT = re.compile(r"^from (gatefill\.[\w.]+) import ([\w, ]+)$", re.MULTILINE)
_TWICE = re.compile(r"^gatefill ([a-z]+) \1\b", re.MULTILINE)


def stage() -> None:
    """Put all pages together in `STAGE`."""
    shutil.rmtree(STAGE, ignore_errors=True)
    docs = ROOT / "docs"
    shutil.copytree(docs, STAGE, ignore=shutil.ignore_patterns("compact", "standard"))
    sources = {STAGE / page.relative_to(docs): page for page in docs.rglob("*.md")}
    sources |= {STAGE / name: ROOT / name for name in PAGES}
    for name in PAGES:
        korean = Path(name).with_suffix(".ko.md")
        if (ROOT / korean).is_file():
            sources[STAGE / korean] = ROOT / korean
    for target, source in sources.items():
        text = source.read_text("utf-8")
        if source.name.endswith(".ko.md"):
            english = source.with_name(source.name.replace(".ko.md", ".md"))
            text = anchored(text, english.read_text("utf-8"))
        text = text.replace("<!-- public names -->", public_names())
        text = text.replace("<!-- further names -->", further_names())
        text = text.replace("<!-- verbs -->", verbs())
        target.write_text(moved(with_lists_apart(text), source, target), "utf-8")
    _, _, changes = (STAGE / "CHANGELOG.md").read_text("utf-8").partition("\n")
    (STAGE / "CHANGELOG.ko.md").write_text(KOREAN_CHANGELOG + changes, "utf-8")


def moved(text: str, source: Path, target: Path) -> str:
    """A page with its links as they lead from where it is staged; files they need are copied."""

    def lead(match: re.Match[str]) -> str:
        start, link, anchor, end = match[1], match[2], match[3] or "", match[4]
        path = Path(os.path.normpath(source.parent / link))
        if "://" in link or not path.is_file():
            return match[0]
        if path.is_relative_to(ROOT / "docs"):
            new = STAGE / path.relative_to(ROOT / "docs")
        elif path.name in PAGES and path.parent == ROOT:
            new = STAGE / path.name
        else:
            new = STAGE / FILES / path.relative_to(ROOT)
        if path.suffix != ".md" and not new.exists():
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, new)
        link = Path(os.path.relpath(new, target.parent)).as_posix()
        return f"{start}{link}{anchor}{end}"

    return _LINK.sub(lead, text)


def with_lists_apart(text: str) -> str:
    """A page with an empty line before each list: Markdown as mkdocs reads it asks for one."""
    lines: list[str] = []
    code = in_list = False
    for line in text.splitlines():
        code ^= line.lstrip().startswith("```")
        item = not code and re.match(r"(-|\d+\.) ", line)
        if item and not in_list and lines and lines[-1]:
            lines.append("")
        in_list = bool(item) or (in_list and line != "")
        lines.append(line)
    return "\n".join(lines) + "\n"


def anchored(korean: str, english: str) -> str:
    """A Korean page whose headings have the anchors of the English page as well as their own.

    So a link with an anchor leads to the same place in both languages, whatever page it is on.
    """
    lines = korean.splitlines()
    used: Counter[str] = Counter()
    for (number, own), (_, heading) in zip(headings(korean), headings(english), strict=True):
        slug = slug_of(heading)
        anchor = f"{slug}_{used[slug]}" if used[slug] else slug
        used[slug] += 1
        if slug_of(own) != slug:
            lines[number] += f' <a id="{anchor}"></a>'
    return "\n".join(lines) + "\n"


def slug_of(heading: str) -> str:
    """The anchor that mkdocs.yml's setting of `toc` gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")


def headings(text: str) -> list[tuple[int, str]]:
    """The number of the line and the text of each heading, but for comments in code."""
    found, code = [], False
    for number, line in enumerate(text.splitlines()):
        code ^= line.lstrip().startswith("```")
        if not code and (match := re.match(r"#+ +(.+)", line)):
            found.append((number, match[1].strip()))
    return found


def public_names() -> str:
    """For each public name what has mkdocstrings show its docstring."""
    parts = []
    for name in sorted(gatefill.__all__, key=str.lower):
        thing: Any = getattr(gatefill, name)
        if getattr(thing, "__module__", None) and hasattr(thing, "__name__"):
            parts.append(f"::: {thing.__module__}.{thing.__name__}\n")
    return "\n".join(parts)  # METHODS, methods and __version__ are described in docs/python.md


def further_names() -> str:
    """The same for what the pages import from the modules of gatefill."""
    found = {}
    for page in (ROOT / "docs").rglob("*.md"):
        for module, names in _IMPORT.findall(page.read_text("utf-8")):
            for name in names.split(", "):
                thing: Any = getattr(import_module(module), name)
                public = name in gatefill.__all__ or module == "gatefill.cli"
                if hasattr(thing, "__name__") and not public:
                    found[f"{module}.{name}"] = f"::: {thing.__module__}.{thing.__name__}\n"
    return "\n".join(found[name] for name in sorted(found, key=str.lower))


def verbs() -> str:
    """What ``--help`` says of each verb."""
    text = app.generate_docs(output_format="markdown", heading_level=1)
    _, _, found = text.partition("\n## gatefill ")
    return _TWICE.sub(r"gatefill \1", "## gatefill " + found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--serve", action="store_true", help="serve it at 127.0.0.1:8000")
    served = parser.parse_args().serve
    stage()
    command = ["serve"] if served else ["build", "--strict", "--clean"]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *command], cwd=ROOT, env=environment, check=False
    )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
